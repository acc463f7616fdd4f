/*
 * One request: what nginx handed over by FastCGI, split and decoded.
 *
 * The path is split at '/' first and each segment decoded once; control
 * bytes, NUL and invalid UTF-8 are refused. Everything lives in the request's
 * arena. One thread.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "base/error.h"
#include "store/keys.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct route;
struct store;

#define BODY_MAXIMUM (2 * 1024 * 1024)
#define SEGMENT_MAXIMUM 32
#define QUERY_MAXIMUM 64
#define PARAMETER_MAXIMUM 4

struct pair {
	const char *name;
	const char *value;
};

struct identity {
	const char *actor; /* "key:0123456789ab", "config:…", "anonymous" */
	const char *name;  /* of the key, for people */
	const char *key_id;
	enum role role;
};

struct request {
	struct arena *arena;
	struct app *app;             /* what the process opened */
	struct store *store;         /* this thread's connection */
	struct store **thread_store; /* where the thread keeps it */

	const char *id;                        /* X-Request-Id, given or made */
	const char *method;                    /* HEAD is GET here */
	const char *address;                   /* of the client, from nginx */
	const char *segments[SEGMENT_MAXIMUM]; /* below /api, decoded */
	size_t segment_count;
	struct pair query[QUERY_MAXIMUM];
	size_t query_count;

	const char *authorization, *api_key; /* headers, or NULL */
	const char *content_type, *if_match, *if_none_match, *prefer;
	const char *last_event_id;
	/* Idempotency-Key of a POST and a MAC of what it asks, or NULL. */
	const char *idempotency_key, *fingerprint;
	int64_t content_length;
	int64_t body_left; /* of a raw body: what is not read yet */
	bool is_head;      /* the answer to it has no body */

	/* Filled by the dispatcher: */
	const struct route *route;
	struct pair parameters[PARAMETER_MAXIMUM];
	size_t parameter_count;
	struct identity identity;
	struct json_object *json; /* the body, or NULL without one */

	/* The connection, for reading the body and for streams. */
	struct connection *connection;
};

/*
 * Splits and decodes REQUEST_URI. ERR_INVALID INVALID_PATH or INVALID_QUERY;
 * ERR_NOT_FOUND for what is not below /api.
 */
int request_parse_uri(
    struct request *request, const char *uri, struct error *err);

/* Keeps ^[A-Za-z0-9._-]{1,64}$, else makes an id. */
const char *request_id_choose(struct arena *arena, const char *given);

/* Path parameter of the route (":name"); never NULL for one it has. */
const char *request_parameter(const struct request *request, const char *name);

/* Query parameters: NULL or the fallback when absent. */
const char *request_query(const struct request *request, const char *name);
int request_query_integer(const struct request *request, const char *name,
    int64_t fallback, int64_t minimum, int64_t maximum, int64_t *out,
    struct error *err);
/* true, false, 1, 0. */
int request_query_boolean(const struct request *request, const char *name,
    bool fallback, bool *out, struct error *err);

/* Closes the thread's connection to the store, for an answer that stays open;
 * from then on request->store is NULL. */
void request_close_store(struct request *request);

/* Decodes the body by the route's field table; no body leaves *out as is. */
int request_decode(struct request *request, void *out, struct error *err);

/*
 * How long the client wants to wait for a change (RFC 7240): 0 for
 * "respond-async", N seconds for "wait=N" (at most 600), else the fallback.
 */
int64_t request_wait_ms(const struct request *request, int64_t fallback_ms);

#endif
