/*
 * Raw bodies: of routes with raw_body, read piece by piece by their handler,
 * never as a whole in memory. They are at most files.upload_max long, and a
 * little more for what multipart/form-data puts around a file.
 *
 * A form on another site can send multipart/form-data, text/plain and the like
 * without asking first, but no PUT and no header of ours. So a PUT may have any
 * type; a POST has multipart/form-data together with a key or a token in a
 * header, also where auth.enabled is false, or is one of application/
 * octet-stream, gzip, x-gzip, x-tar.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/error.h"
#include "http/request.h"

#include <stddef.h>

#define BODY_ENVELOPE_MAXIMUM (64 * 1024)

/* Checks length and type: ERR_TOO_LARGE, ERR_MEDIA_TYPE. */
int body_begin(struct request *request, struct error *err);

/*
 * Reads some of the body, size bytes at most; *out_got is 0 at its end.
 * ERR_INVALID when it is shorter than Content-Length says.
 */
int body_read(struct request *request, char *bytes, size_t size,
    size_t *out_got, struct error *err);

/* Reads what nobody did: nginx sends all of it before it looks at the answer.
 */
void body_discard(struct request *request);

#endif
