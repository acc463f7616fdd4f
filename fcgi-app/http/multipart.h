/*
 * multipart/form-data (RFC 7578), read piece by piece from wherever it comes
 * from: one part after the other, each part's bytes as they come. Nothing but a
 * window of a few kilobytes is in memory. One thread.
 */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_PARTS_MAXIMUM 32

/* Reads some bytes, size at most; *out_got is 0 at the end. */
typedef int multipart_source(void *context, char *bytes, size_t size,
    size_t *out_got, struct error *err);

struct multipart;

/*
 * For the Content-Type of a body. In the arena. ERR_INVALID INVALID_MULTIPART
 * for one without a boundary.
 */
int multipart_open(const char *content_type, multipart_source *source,
    void *context, struct arena *arena, struct multipart **out,
    struct error *err);

struct multipart_part {
	const char *name;     /* of the field; "" when it has none */
	const char *filename; /* as the client calls it, or NULL */
};

/*
 * Goes to the next part, past what was not read of the one before. *found is
 * false after the last one. ERR_INVALID INVALID_MULTIPART.
 */
int multipart_next(struct multipart *multipart, struct multipart_part *out,
    bool *found, struct error *err);

/* The next bytes of the part; *out_got is 0 at its end. */
int multipart_read(struct multipart *multipart, char *bytes, size_t size,
    size_t *out_got, struct error *err);

#endif
