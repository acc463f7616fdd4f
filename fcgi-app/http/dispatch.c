#include "http/dispatch.h"

#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/authenticate.h"
#include "http/body.h"
#include "http/reply.h"
#include "settings/settings.h"
#include "store/store.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IDEMPOTENCY_KEY_MAXIMUM 255

static const char *
text_or(const char *text, const char *fallback)
{
	return text != NULL ? text : fallback;
}

static int64_t
parse_length(const char *text)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (digits == 0 || digits > 12 || text[digits] != '\0')
		return text == NULL || *text == '\0' ? 0 : -1;
	return strtoll(text, NULL, 10);
}

/* The parameter in the arena: the log line is written after the connection,
 * and what libfcgi has of it, is gone. */
static const char *
copy_parameter(const struct request *request, const char *name)
{
	return arena_strdup(
	    request->arena, connection_parameter(request->connection, name));
}

static void
read_parameters(struct request *request)
{
	const char *method =
	    text_or(copy_parameter(request, "REQUEST_METHOD"), "GET");

	request->id = request_id_choose(
	    request->arena, copy_parameter(request, "HTTP_X_REQUEST_ID"));
	/* nginx drops the body of an answer to HEAD. */
	request->is_head = strcmp(method, "HEAD") == 0;
	request->method = request->is_head ? "GET" : method;
	request->address = text_or(copy_parameter(request, "REMOTE_ADDR"), "");
	request->authorization = copy_parameter(request, "HTTP_AUTHORIZATION");
	request->api_key = copy_parameter(request, "HTTP_X_API_KEY");
	request->content_type = copy_parameter(request, "CONTENT_TYPE");
	request->if_match = copy_parameter(request, "HTTP_IF_MATCH");
	request->if_none_match = copy_parameter(request, "HTTP_IF_NONE_MATCH");
	request->prefer = copy_parameter(request, "HTTP_PREFER");
	request->last_event_id = copy_parameter(request, "HTTP_LAST_EVENT_ID");
	request->idempotency_key =
	    copy_parameter(request, "HTTP_IDEMPOTENCY_KEY");
	request->content_length =
	    parse_length(copy_parameter(request, "CONTENT_LENGTH"));
	request->body_left = request->content_length;
}

/*
 * Gives the request this thread's connection to the store; another one, when
 * the database was restored from a copy: keys may have been revoked meanwhile.
 */
static int
open_store(struct request *request, struct store **store, struct error *err)
{
	if (*store != NULL && store_has_moved(*store))
		store_close(TAKE(*store));
	if (*store == NULL &&
	    store_open(request->app->settings->database_directory, STORE_READER,
		store, err) < 0)
		return -1;
	request->store = *store;
	request->thread_store = store;
	return 0;
}

/* Public routes need no one; everything else is 401 before it is 404. */
static int
find_and_authenticate(struct request *request, struct reply *reply,
    const struct route *const *tables, struct store **store, struct error *err)
{
	const char *allow = NULL;
	struct error missing;
	int found = route_find(tables, request, &allow, &missing);

	if (found == 0 && request->route->without_store)
		return 0;
	if (open_store(request, store, err) < 0)
		return -1;
	if (found == 0 && request->route->role == ROLE_PUBLIC)
		return 0;
	if (authenticate(request, err) < 0)
		return -1;
	if (request->route == NULL && allow != NULL)
		reply_header(reply, "Allow", allow);
	if (request->route != NULL &&
	    request->identity.role < request->route->role)
		return error_set(err, ERR_FORBIDDEN, NULL,
		    "Permission denied: %s required",
		    role_name(request->route->role));
	if (found < 0)
		*err = missing;
	return found;
}

static bool
is_json_type(const char *type)
{
	size_t length = strcspn(type, "; \t");

	return length == 16 && strncasecmp(type, "application/json", 16) == 0;
}

static void
release_json(void *object)
{
	json_object_put(object);
}

/* draft-ietf-httpapi-idempotency-key-header: an opaque text of the client. */
static bool
key_is_valid(const char *key)
{
	size_t length = strlen(key), i;

	for (i = 0; i < length; i++)
		if (key[i] < '!' || key[i] > '~')
			return false;
	return length >= 1 && length <= IDEMPOTENCY_KEY_MAXIMUM;
}

/* The key belongs to changes that are on record: to nobody's are not. */
static int
check_key(struct request *request, const char *uri, const struct buffer *body,
    struct error *err)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	auto_buffer struct buffer text = BUFFER(3 * (size_t)BODY_MAXIMUM);
	auto_buffer struct buffer digits = BUFFER(2 * sizeof digest);
	size_t i;

	/* Of a raw body nothing is in memory that could be compared. */
	if (strcmp(request->method, "POST") != 0 || request->route->raw_body ||
	    request->route->role == ROLE_PUBLIC)
		request->idempotency_key = NULL;
	if (request->idempotency_key == NULL)
		return 0;
	if (!key_is_valid(request->idempotency_key))
		return error_field(err, "Idempotency-Key",
		    "INVALID_IDEMPOTENCY_KEY",
		    "Idempotency-Key must be 1 to %d printable characters",
		    IDEMPOTENCY_KEY_MAXIMUM);
	buffer_printf(&text, "%s\n", uri);
	buffer_append(&text, body->bytes, body->length);
	/* With a key: a body may hold a password, and a bare hash of that could
	 * be guessed from the database. */
	HMAC(EVP_sha256(), request->app->token_key.bytes,
	    (int)request->app->token_key.length,
	    (const unsigned char *)buffer_string(&text), text.length, digest,
	    NULL);
	for (i = 0; i < sizeof digest; i++)
		buffer_printf(&digits, "%02x", digest[i]);
	request->fingerprint =
	    arena_strdup(request->arena, buffer_string(&digits));
	return 0;
}

/* Reads and parses the body where the route takes one. */
static int
read_body(struct request *request, struct buffer *body, struct error *err)
{
	const char *type = request->content_type;

	if (request->content_length < 0)
		return error_set(
		    err, ERR_INVALID, NULL, "Content-Length is not a number");
	if (request->route->raw_body)
		return body_begin(request, err);
	if (request->content_length > BODY_MAXIMUM)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "the body is larger than %d bytes", BODY_MAXIMUM);
	if (strcmp(request->method, "GET") == 0)
		return 0;
	/*
	 * Also without a body: a form on another site cannot send this type
	 * without asking first.
	 */
	if ((type != NULL && *type != '\0' && !is_json_type(type)) ||
	    (request->content_length > 0 && (type == NULL || *type == '\0')))
		return error_set(err, ERR_MEDIA_TYPE, NULL,
		    "the body must be application/json");
	if (request->content_length == 0) {
		if (request->route->body_required)
			return error_set(err, ERR_INVALID, NULL,
			    "Invalid request body: a JSON object is required");
		return 0;
	}
	if (connection_read(request->connection,
		(size_t)request->content_length, body, err) < 0)
		return -1;
	if (json_parse(body->bytes, body->length, &request->json, err) < 0)
		return -1;
	arena_defer(request->arena, release_json, request->json);
	if (request->route->body != NULL &&
	    !json_object_is_type(request->json, json_type_object))
		return error_set(err, ERR_INVALID, NULL,
		    "Invalid request body: it must be a JSON object");
	return 0;
}

static int
read_and_handle(struct request *request, struct reply *reply, const char *uri,
    struct error *err)
{
	auto_buffer struct buffer body = BUFFER(BODY_MAXIMUM);

	if (read_body(request, &body, err) < 0 ||
	    check_key(request, uri, &body, err) < 0)
		return -1;
	buffer_clear(&body);
	if (request->idempotency_key != NULL && request->app->replay != NULL) {
		if (request->app->replay(request, reply, err) < 0)
			return -1;
		if (reply->status != 0)
			return 0;
	}
	return request->route->handle(request, reply, err);
}

static int
answer(struct request *request, struct reply *reply,
    const struct route *const *tables, struct store **store, struct error *err)
{
	const char *uri = text_or(
	    connection_parameter(request->connection, "REQUEST_URI"), "");
	struct error refused;

	if (request_parse_uri(request, uri, err) < 0) {
		/* A broken path is refused like an unknown one. */
		if (open_store(request, store, &refused) < 0 ||
		    authenticate(request, &refused) < 0)
			*err = refused;
		return -1;
	}
	if (find_and_authenticate(request, reply, tables, store, err) < 0)
		return -1;
	return read_and_handle(request, reply, uri, err);
}

/* RFC 9110, section 15; clients of HTTP/1.1 may show it. */
static const char *
reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static void
write_reply(const struct request *request, const struct reply *reply)
{
	auto_buffer struct buffer head = BUFFER(8192);
	size_t i;

	buffer_printf(&head, "Status: %d %s\r\nX-Request-Id: %s\r\n",
	    reply->status, reason_of(reply->status), request->id);
	for (i = 0; i < reply->header_count; i++)
		buffer_printf(&head, "%s: %s\r\n", reply->headers[i].name,
		    reply->headers[i].value);
	if (reply->body != NULL)
		buffer_printf(&head,
		    "Content-Type: application/json; charset=utf-8\r\n"
		    "Content-Length: %zu\r\n",
		    reply->body->length);
	buffer_text(&head, "\r\n");
	connection_write(request->connection, head.bytes, head.length);
	if (reply->body != NULL)
		connection_write(request->connection, reply->body->text,
		    reply->body->length);
}

static void
log_request(const struct request *request, const struct reply *reply,
    const struct error *err, int64_t started_ms)
{
	log_event(reply->status >= 500 ? LOG_WARNING : LOG_INFO, "request",
	    LOG_TEXT("request_id", request->id),
	    LOG_TEXT("method", request->method),
	    LOG_TEXT("route", request->route ? request->route->path : NULL),
	    LOG_NUMBER("status", reply->status),
	    LOG_NUMBER("duration_ms", clock_monotonic_ms() - started_ms),
	    LOG_TEXT("actor", request->identity.actor),
	    LOG_TEXT("address", request->address),
	    LOG_TEXT("code", err ? error_code(err) : NULL),
	    LOG_TEXT("error", err ? err->message : NULL),
	    LOG_TEXT("detail", err && err->detail[0] ? err->detail : NULL));
}

/* A connection whose files went away would fail for ever. */
static void
drop_broken(struct store **store, const struct error *err)
{
	if (*store != NULL && (err->kind == ERR_INTERNAL ||
				  strcmp(err->code, "STATE_CORRUPT") == 0))
		store_close(TAKE(*store));
}

/* Whether it left much free memory behind. */
static bool
serve(struct app *app, const struct route *const *tables,
    struct connection *connection, struct store **store)
{
	auto_arena struct arena arena = { 0 };
	struct request request = {
		.arena = &arena, .app = app, .connection = connection
	};
	struct reply reply = { 0 };
	struct error err;
	int64_t started_ms = clock_monotonic_ms();
	bool failed;

	read_parameters(&request);
	failed = answer(&request, &reply, tables, store, &err) < 0;
	if (failed && !reply.streamed)
		reply_error(&request, &reply, &err);
	body_discard(&request);
	if (!reply.streamed)
		write_reply(&request, &reply);
	connection_finish(connection);
	log_request(&request, &reply, failed ? &err : NULL, started_ms);
	if (failed)
		drop_broken(store, &err);
	body_release(reply.body);
	json_object_put(reply.error_extras);
	return reply.is_large;
}

void
dispatch(struct app *app, const struct route *const *tables,
    struct connection *connection, struct store **store)
{
	/* The client has its answer: nobody waits for this. */
	if (serve(app, tables, connection, store))
		memory_return();
}
