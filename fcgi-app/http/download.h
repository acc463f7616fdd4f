/*
 * Answers that are a file: sent from a descriptor, as something to be saved and
 * never shown, whatever is in it.
 */
#ifndef HTTP_DOWNLOAD_H
#define HTTP_DOWNLOAD_H

#include "base/error.h"
#include "http/reply.h"
#include "http/request.h"

#include <stdint.h>

struct download {
	int fd; /* open at its beginning; borrowed */
	int64_t size;
	const char *type; /* NULL: application/octet-stream */
	const char *name; /* what the client may save it as */
};

/* Sends all of it. Always returns 0: once it has begun nothing can be said of
 * a failure, but the client sees that bytes are missing. */
int reply_download(struct request *request, struct reply *reply,
    const struct download *download);

#endif
