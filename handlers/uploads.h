/*
 * Files in the body of a request, passed on to the agent as they come.
 */
#ifndef HANDLERS_UPLOADS_H
#define HANDLERS_UPLOADS_H

#include "http/request.h"

#define UPLOAD_FIELDS_MAXIMUM 8

struct upload {
	const char *token;    /* for the job that takes it */
	const char *filename; /* a plain name, or NULL */
	struct pair fields[UPLOAD_FIELDS_MAXIMUM]; /* texts of a form */
	size_t field_count;
};

/*
 * Sends the body to the agent: of multipart/form-data the part called field,
 * with the texts of the others; else all of it. ERR_INVALID for a form without
 * such a part; ERR_TOO_LARGE, ERR_STORAGE_FULL.
 */
int upload_read(struct request *request, const char *field, struct upload *out,
    struct error *err);

/* NULL when the form has no such field. */
const char *upload_field(const struct upload *upload, const char *name);

/* Gives up what no job was submitted for. */
void upload_discard(struct request *request, const char *token);

#endif
