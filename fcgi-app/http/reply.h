/*
 * The answer: status, headers and a JSON body in the API's envelope.
 *
 * A success body has the payload under "data" and, for the existing clients,
 * under their own key or spread over the top level, and a "message" where one
 * was given; api.envelope chooses. An error body is
 * {"error": sentence, "code": UPPER_SNAKE, "request_id": …} plus "field",
 * "output" and the like. Only here are kinds of errors turned into statuses.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/error.h"
#include "http/cache.h"
#include "http/request.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

#define HEADER_MAXIMUM 12

struct reply {
	int status;
	struct pair headers[HEADER_MAXIMUM];
	size_t header_count;
	struct body *body; /* shared; NULL for none */
	bool streamed;     /* a stream has sent everything itself */
	bool is_large;     /* so was what it was rendered from */
	struct json_object *error_extras; /* more members for an error's body:
					     "output", "job_id"; or NULL */
};

/* name and value must be in the arena or constant, without control bytes. */
void reply_header(struct reply *reply, const char *name, const char *value);

struct payload {
	const char *message;        /* NULL: none */
	const char *key;            /* clients' key; NULL: members are spread */
	struct json_object *data;   /* the payload; taken over */
	struct json_object *extras; /* more top-level members; taken; or NULL */
};

/* Always returns 0. */
int reply_payload(const struct request *request, struct reply *reply,
    int status, const struct payload *payload);

/* The same as text, for the cache. The caller releases it. */
struct body *payload_render(
    const struct request *request, const struct payload *payload);

/* Uses up error_extras. Always returns 0. */
int reply_error(const struct request *request, struct reply *reply,
    const struct error *err);

int reply_status(enum error_kind kind);

/*
 * Answers 304 when If-None-Match has the ETag (weak comparison: nginx makes
 * it weak when it compresses). true: the reply is complete.
 */
bool reply_not_modified(
    const struct request *request, struct reply *reply, const char *etag);

#endif
