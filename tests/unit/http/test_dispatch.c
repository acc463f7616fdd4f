/* Whole requests as nginx sends them, and what is not a request at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/body.h"
#include "http/dispatch.h"
#include "http/reply.h"
#include "http/stream.h"
#include "settings/settings.h"
#include "store/store.h"
#include "tests/unit/http/fastcgi.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RAW_MAXIMUM (4 * 1024 * 1024)
#define SECRET "0123456789abcdef0123456789abcdef"
#define CONFIGURED_KEY "configured-key-of-the-operator"

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct app app;
	int listener;
	pthread_t worker;
	atomic_bool finished;
	char viewer[KEY_TEXT_SIZE], operator[KEY_TEXT_SIZE];
	struct api_key viewer_key, operator_key;

	/* Of the last answer: */
	struct buffer answer;
	int status;
	const char *body;
	struct json_object *json;
};

/* The routes that are asked. */

static int
get_open(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	json_put_boolean(payload.data, "store", request->store != NULL);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_thing(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	json_put_text(payload.data, "id", request_parameter(request, "id"));
	json_put_text(payload.data, "actor", request->identity.actor);
	json_put_text(payload.data, "name", request->identity.name);
	json_put_text(payload.data, "role", role_name(request->identity.role));
	return reply_payload(request, reply, 200, &payload);
}

static int
get_etag(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	if (reply_not_modified(request, reply, "\"1\"")) {
		json_object_put(payload.data);
		return 0;
	}
	return reply_payload(request, reply, 200, &payload);
}

struct thing_input {
	const char *name;
	int64_t size;
};

static const struct field thing_fields[] = {
	STRING_FIELD(struct thing_input, name, REQUIRED, NULL, NULL),
	INTEGER_FIELD(struct thing_input, size, OPTIONAL, 1, 10),
	{ 0 },
};

static int
post_thing(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = NULL };
	struct thing_input input = { .size = 5 };

	if (request_decode(request, &input, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "name", input.name);
	json_put_integer(payload.data, "size", input.size);
	return reply_payload(request, reply, 201, &payload);
}

static int
post_anything(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	json_put_boolean(payload.data, "body", request->json != NULL);
	return reply_payload(request, reply, 200, &payload);
}

static int
fail_inside(struct request *request, struct reply *reply, struct error *err)
{
	(void)request;
	(void)reply;
	error_set(err, ERR_INTERNAL, NULL, "secret of %s", "/var/lib");
	return error_detail(err, "and its detail");
}

static int
get_stream(struct request *request, struct reply *reply, struct error *err)
{
	static const char forged[] = "x\n\nevent: forged\ndata: forged\n\n";
	struct stream stream;

	if (stream_begin(request, reply, &stream, err) < 0)
		return -1;
	stream_send(&stream, "7", "line", "one\ntwo\r\nthree\rfour", 19);
	stream_send(&stream, NULL, NULL, "", 0);
	stream_send(&stream, NULL, NULL, forged, strlen(forged));
	stream_keep_alive(&stream);
	stream_end(&stream);
	return 0;
}

/* Reads at most as much as the query says. */
static int
put_raw(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = NULL };
	int64_t size = 0, wanted, sum = 0;
	char chunk[1000];
	size_t got = 1, i;

	if (request_query_integer(
		request, "wanted", 999999999, 0, 999999999, &wanted, err) < 0)
		return -1;
	while (got > 0 && size < wanted) {
		if (body_read(request, chunk, sizeof chunk, &got, err) < 0)
			return -1;
		for (i = 0; i < got; i++)
			sum += (unsigned char)chunk[i];
		size += (int64_t)got;
	}
	if (size >= wanted)
		return error_set(err, ERR_CONFLICT, NULL, "enough");
	payload.data = json_object_new_object();
	json_put_integer(payload.data, "size", size);
	json_put_integer(payload.data, "sum", sum);
	return reply_payload(request, reply, 200, &payload);
}

static const struct route routes[] = {
	{ "GET", "/open", ROLE_PUBLIC, get_open, .without_store = true },
	{ "GET", "/public", ROLE_PUBLIC, get_open },
	{ "GET", "/things/:id", ROLE_VIEWER, get_thing },
	{ "DELETE", "/things/:id", ROLE_ADMIN, get_thing },
	{ "GET", "/etag", ROLE_VIEWER, get_etag },
	{ "POST", "/things", ROLE_OPERATOR, post_thing, .body = thing_fields,
	    .body_required = true },
	{ "POST", "/optional", ROLE_OPERATOR, post_thing,
	    .body = thing_fields },
	{ "POST", "/anything", ROLE_OPERATOR, post_anything },
	{ "PUT", "/raw/*path", ROLE_OPERATOR, put_raw, .raw_body = true },
	{ "POST", "/raw/*path", ROLE_OPERATOR, put_raw, .raw_body = true },
	{ "GET", "/fail", ROLE_VIEWER, fail_inside },
	{ "GET", "/stream", ROLE_VIEWER, get_stream },
	{ 0 },
};

static const struct route *const tables[] = { routes, NULL };

/* The service: one thread, as main.c has many. */

static void *
run_worker(void *context)
{
	struct fixture *f = context;
	struct connection *connection = connection_new(f->listener);
	struct store *store = NULL;

	while (!atomic_load(&f->finished))
		if (connection_wait(connection) && connection_begin(connection))
			dispatch(&f->app, tables, connection, &store);
	store_close(store);
	connection_free(connection);
	return NULL;
}

static void
interrupt(int number)
{
	(void)number;
}

static void
listen_on(struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%.80s",
	    scratch_path(&f->scratch, "socket"));
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(f->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(f->listener, 16), 0);
}

static void
make_keys(struct fixture *f)
{
	struct store *store;
	struct error err;

	assert_int_equal(
	    store_open(f->scratch.path, STORE_AGENT, &store, &err), 0);
	assert_int_equal(store_key_create(store, "looks", ROLE_VIEWER,
			     f->viewer, &f->arena, &f->viewer_key, &err),
	    0);
	assert_int_equal(store_key_create(store, "works", ROLE_OPERATOR,
			     f->operator, & f->arena, &f->operator_key, &err),
	    0);
	store_close(store);
}

static int
set_up(void **state)
{
	static const char *const keys[] = { CONFIGURED_KEY, NULL };
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->answer.maximum = 8UL * 1024 * 1024;
	f->settings.database_directory = f->scratch.path;
	f->settings.files.upload_max_bytes = RAW_MAXIMUM;
	f->settings.auth.enabled = true;
	f->settings.auth.api_keys = keys;
	f->settings.api.envelope = ENVELOPE_BOTH;
	f->app.settings = &f->settings;
	f->app.token_key =
	    (struct token_key){ .bytes = (const unsigned char *)SECRET,
		    .length = strlen(SECRET) };
	f->app.streams = stream_places_new(2, 1);
	make_keys(f);
	listen_on(f);
	*state = f;
	return pthread_create(&f->worker, NULL, run_worker, f);
}

static void
stop_worker(struct fixture *f)
{
	atomic_store(&f->finished, true);
	/* Ends the wait for the next connection. */
	shutdown(f->listener, SHUT_RDWR);
	pthread_kill(f->worker, SIGUSR2);
	pthread_join(f->worker, NULL);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	stop_worker(f);
	close(f->listener);
	stream_places_free(f->app.streams);
	json_object_put(f->json);
	buffer_clear(&f->answer);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

/* The client. */

static int
connect_service(struct fixture *f)
{
	return fastcgi_connect(scratch_path(&f->scratch, "socket"));
}

/* Splits what was answered into status, head and body. */
static void
take_answer(struct fixture *f, int fd)
{
	struct error err;
	char *end;
	int ended;

	buffer_truncate(&f->answer, 0);
	json_object_put(f->json);
	f->json = NULL;
	ended = fastcgi_receive(fd, &f->answer);
	close(fd);
	assert_int_equal(ended, 1);
	assert_memory_equal(f->answer.bytes, "Status: ", 8);
	f->status = (int)strtol(f->answer.bytes + 8, NULL, 10);
	end = strstr(f->answer.bytes, "\r\n\r\n");
	assert_non_null(end);
	end[2] = '\0';
	f->body = end + 4;
	if (*f->body == '{')
		assert_int_equal(
		    json_parse(f->body, strlen(f->body), &f->json, &err), 0);
}

static void
ask_with(struct fixture *f, const char *const *parameters, const char *body,
    size_t length)
{
	struct buffer request = BUFFER(8UL * 1024 * 1024);
	int fd = connect_service(f);

	fastcgi_request(&request, parameters, body, length);
	fastcgi_send(fd, request.bytes, request.length);
	buffer_clear(&request);
	take_answer(f, fd);
}

#define ASK(f, ...) \
	ask_with(f, (const char *const[]){ __VA_ARGS__, NULL }, "", 0)

static const char *
bearer(struct fixture *f, const char *text)
{
	return arena_printf(&f->arena, "Bearer %s", text);
}

static void
get(struct fixture *f, const char *uri, const char *key)
{
	ASK(f, "REQUEST_METHOD", "GET", "REQUEST_URI", uri,
	    "HTTP_AUTHORIZATION", bearer(f, key), "REMOTE_ADDR", "192.0.2.1");
}

static void
post_as(struct fixture *f, const char *uri, const char *type,
    const char *length, const char *body, size_t body_length)
{
	const char *const parameters[] = { "REQUEST_METHOD", "POST",
		"REQUEST_URI", uri, "HTTP_AUTHORIZATION",
		bearer(f, f->operator), "CONTENT_TYPE", type, "CONTENT_LENGTH",
		length, NULL };

	ask_with(f, parameters, body, body_length);
}

static void
post(struct fixture *f, const char *uri, const char *body)
{
	post_as(f, uri, "application/json",
	    arena_printf(&f->arena, "%zu", strlen(body)), body, strlen(body));
}

static void
assert_error(struct fixture *f, int status, const char *code)
{
	assert_int_equal(f->status, status);
	assert_non_null(f->json);
	assert_string_equal(json_text(f->json, "code"), code);
	assert_non_null(json_text(f->json, "error"));
	assert_non_null(json_text(f->json, "request_id"));
}

static bool
has_header(struct fixture *f, const char *line)
{
	return strstr(f->answer.bytes,
		   arena_printf(&f->arena, "\r\n%s\r\n", line)) != NULL;
}

/* The tests. */

static void
a_request_is_answered_with_head_and_body(void **state)
{
	struct fixture *f = *state;

	ASK(f, "REQUEST_METHOD", "GET", "REQUEST_URI", "/api/open",
	    "HTTP_X_REQUEST_ID", "mine-1");
	assert_int_equal(f->status, 200);
	assert_true(has_header(f, "X-Request-Id: mine-1"));
	assert_true(
	    has_header(f, "Content-Type: application/json; charset=utf-8"));
	assert_true(has_header(f,
	    arena_printf(&f->arena, "Content-Length: %zu", strlen(f->body))));
	assert_string_equal(
	    f->body, "{\"data\":{\"store\":false},\"store\":false}");
	ASK(f, "REQUEST_METHOD", "GET", "REQUEST_URI", "/api/public");
	assert_true(json_boolean(f->json, "store", false));
}

static void
a_key_or_a_token_of_it_says_who_asks(void **state)
{
	struct fixture *f = *state;
	struct token_claims claims = { .key_id = f->viewer_key.id,
		.username = "looks",
		.issued_at = clock_wall_s(),
		.expires_at = clock_wall_s() + 60 };
	const char *token;
	struct error err;

	get(f, "/api/things/1", f->viewer);
	assert_int_equal(f->status, 200);
	assert_string_equal(json_text(f->json, "actor"),
	    arena_printf(&f->arena, "key:%s", f->viewer_key.id));
	assert_string_equal(json_text(f->json, "role"), "viewer");
	ASK(f, "REQUEST_URI", "/api/things/1", "HTTP_AUTHORIZATION",
	    arena_printf(&f->arena, "ApiKey %s", f->operator));
	assert_string_equal(json_text(f->json, "role"), "operator");
	ASK(f, "REQUEST_URI", "/api/things/1", "HTTP_X_API_KEY",
	    CONFIGURED_KEY);
	assert_string_equal(json_text(f->json, "role"), "admin");

	assert_int_equal(
	    token_issue(&f->app.token_key, &claims, &f->arena, &token, &err),
	    0);
	get(f, "/api/things/1", token);
	assert_int_equal(f->status, 200);
	assert_string_equal(json_text(f->json, "name"), "looks");
	assert_string_equal(json_text(f->json, "role"), "viewer");
}

static void
a_token_dies_with_its_key(void **state)
{
	struct fixture *f = *state;
	struct token_claims claims = { .key_id = f->viewer_key.id,
		.username = "looks",
		.issued_at = clock_wall_s(),
		.expires_at = clock_wall_s() + 60 };
	struct store *store;
	const char *token;
	struct error err;

	token_issue(&f->app.token_key, &claims, &f->arena, &token, &err);
	get(f, "/api/things/1", token);
	assert_int_equal(f->status, 200);
	store_open(f->scratch.path, STORE_ADMIN, &store, &err);
	assert_int_equal(store_key_revoke(store, f->viewer_key.id, &err), 0);
	store_close(store);
	get(f, "/api/things/1", token);
	assert_error(f, 401, "UNAUTHORIZED");
	get(f, "/api/things/1", f->viewer);
	assert_error(f, 401, "INVALID_API_KEY");
	claims.key_id = "config-000000000000";
	token_issue(&f->app.token_key, &claims, &f->arena, &token, &err);
	get(f, "/api/things/1", token);
	assert_error(f, 401, "UNAUTHORIZED");
}

static void
nothing_else_says_who_asks(void **state)
{
	static const char *const headers[] = { "", "Bearer", "Bearer ",
		"Bearer  " CONFIGURED_KEY, CONFIGURED_KEY,
		"Basic " CONFIGURED_KEY, "Bearer " CONFIGURED_KEY " x",
		"Bearer\t" CONFIGURED_KEY, "BearerX " CONFIGURED_KEY };
	struct fixture *f = *state;
	size_t i;

	ASK(f, "REQUEST_URI",
	    "/api/things/1?token=" CONFIGURED_KEY "&api_key=" CONFIGURED_KEY,
	    "HTTP_COOKIE", "token=" CONFIGURED_KEY, "REMOTE_USER", "admin",
	    "HTTP_X_FORWARDED_FOR", "127.0.0.1", "HTTP_X_ORIGINAL_URL",
	    "/api/open", "HTTP_PROXY_AUTHORIZATION", "Bearer " CONFIGURED_KEY,
	    "AUTH_TYPE", "Basic");
	assert_error(f, 401, "UNAUTHORIZED");
	assert_true(has_header(f, "WWW-Authenticate: Bearer"));
	for (i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		ASK(f, "REQUEST_URI", "/api/things/1", "HTTP_AUTHORIZATION",
		    headers[i]);
		assert_error(f, 401, "UNAUTHORIZED");
	}
}

static void
who_is_unknown_does_not_learn_what_there_is(void **state)
{
	static const char *const uris[] = { "/api/things/1", "/api/nothing",
		"/api", "/other", "/api/%00", "/api/x?a=%00", "" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		ASK(f, "REQUEST_METHOD", "PATCH", "REQUEST_URI", uris[i]);
		assert_error(f, 401, "UNAUTHORIZED");
		assert_null(strstr(f->answer.bytes, "Allow"));
	}
	get(f, "/api/nothing", f->viewer);
	assert_error(f, 404, "NOT_FOUND");
	get(f, "/api/%00", f->viewer);
	assert_error(f, 400, "INVALID_PATH");
	ASK(f, "REQUEST_METHOD", "PATCH", "REQUEST_URI", "/api/things/1",
	    "HTTP_AUTHORIZATION", bearer(f, f->viewer));
	assert_error(f, 405, "METHOD_NOT_ALLOWED");
	assert_true(has_header(f, "Allow: GET, DELETE"));
}

static void
roles_are_kept_apart(void **state)
{
	struct fixture *f = *state;

	ASK(f, "REQUEST_METHOD", "DELETE", "REQUEST_URI", "/api/things/1",
	    "HTTP_AUTHORIZATION", bearer(f, f->operator));
	assert_error(f, 403, "FORBIDDEN");
	ASK(f, "REQUEST_METHOD", "DELETE", "REQUEST_URI", "/api/things/1",
	    "HTTP_AUTHORIZATION", "Bearer " CONFIGURED_KEY);
	assert_int_equal(f->status, 200);
	/* Refused before the body is looked at. */
	ASK(f, "REQUEST_METHOD", "POST", "REQUEST_URI", "/api/things",
	    "HTTP_AUTHORIZATION", bearer(f, f->viewer), "CONTENT_LENGTH",
	    "99999999999");
	assert_error(f, 403, "FORBIDDEN");
}

static void
guessing_keys_is_stopped_after_ten(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 10; i++) {
		get(f, "/api/things/1", "fr_wrong");
		assert_error(f, 401, "INVALID_API_KEY");
	}
	get(f, "/api/things/1", "fr_wrong");
	assert_error(f, 429, "RATE_LIMITED");
	assert_non_null(strstr(f->answer.bytes, "\r\nRetry-After: "));
	get(f, "/api/things/1", f->viewer);
	assert_error(f, 429, "RATE_LIMITED");
	ASK(f, "REQUEST_URI", "/api/things/1", "HTTP_AUTHORIZATION",
	    bearer(f, f->viewer), "REMOTE_ADDR", "192.0.2.2",
	    "HTTP_X_FORWARDED_FOR", "192.0.2.1");
	assert_int_equal(f->status, 200);
}

static void
a_body_is_json_of_the_right_type_and_length(void **state)
{
	struct fixture *f = *state;

	post(f, "/api/things", "{\"name\":\"x\",\"size\":10}");
	assert_int_equal(f->status, 201);
	assert_string_equal(json_text(f->json, "name"), "x");
	assert_int_equal(json_int(f->json, "size", 0), 10);
	post_as(f, "/api/things", "Application/JSON; charset=utf-8", "12",
	    "{\"name\":\"x\"}", 12);
	assert_int_equal(f->status, 201);
	assert_int_equal(json_int(f->json, "size", 0), 5);

	post_as(f, "/api/things", "text/plain", "12", "{\"name\":\"x\"}", 12);
	assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
	post_as(f, "/api/things", "application/jsonx", "12", "{\"name\":\"x\"}",
	    12);
	assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
	post_as(f, "/api/things", "", "12", "{\"name\":\"x\"}", 12);
	assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
	/* A form without a body is a form. */
	post_as(f, "/api/anything", "application/x-www-form-urlencoded", "0",
	    "", 0);
	assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");

	post(f, "/api/things", "{\"name\":1}");
	assert_error(f, 400, "INVALID_REQUEST");
	assert_string_equal(json_text(f->json, "field"), "name");
	post(f, "/api/things", "{\"name\":\"x\",\"n\\u0061me\":\"y\"}");
	assert_error(f, 400, "DUPLICATE_KEY");
	post(f, "/api/things", "{\"name\":\"x\"");
	assert_error(f, 400, "INVALID_JSON");
	post(f, "/api/things", "[]");
	assert_error(f, 400, "INVALID_REQUEST");
	post(f, "/api/things", "null");
	assert_error(f, 400, "INVALID_REQUEST");
	post(f, "/api/things", "");
	assert_error(f, 400, "INVALID_REQUEST");
	post(f, "/api/anything", "");
	assert_int_equal(f->status, 200);
	post(f, "/api/anything", "[1]");
	assert_int_equal(f->status, 200);
}

static void
a_length_that_is_none_is_refused(void **state)
{
	static const char *const lengths[] = { "-1", "x", "0x10", "1 2", "+5",
		" 5", "5.0", "99999999999999999999" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		post_as(f, "/api/things", "application/json", lengths[i],
		    "{\"name\":\"x\"}", 12);
		assert_error(f, 400, "INVALID_REQUEST");
	}
	post_as(f, "/api/things", "application/json", "2097153", "{}", 2);
	assert_error(f, 413, "PAYLOAD_TOO_LARGE");
	post_as(f, "/api/things", "application/json", "999999999999", "{}", 2);
	assert_error(f, 413, "PAYLOAD_TOO_LARGE");
	/* Longer than what came, and shorter. */
	post_as(f, "/api/things", "application/json", "100", "{\"name\":\"x\"}",
	    12);
	assert_error(f, 400, "INVALID_REQUEST");
	post_as(
	    f, "/api/things", "application/json", "5", "{\"name\":\"x\"}", 12);
	assert_error(f, 400, "INVALID_JSON");
}

static void
a_body_of_two_mebibytes_goes_through(void **state)
{
	struct fixture *f = *state;
	size_t length = 2UL * 1024 * 1024;
	char *body = malloc(length);

	memset(body, ' ', length);
	memcpy(body, "{\"name\":\"x\"}", 12);
	post_as(f, "/api/things", "application/json", "2097152", body, length);
	assert_int_equal(f->status, 201);
	free(body);
}

static void
an_etag_spares_the_body(void **state)
{
	struct fixture *f = *state;

	get(f, "/api/etag", f->viewer);
	assert_int_equal(f->status, 200);
	assert_true(has_header(f, "ETag: \"1\""));
	ASK(f, "REQUEST_URI", "/api/etag", "HTTP_AUTHORIZATION",
	    bearer(f, f->viewer), "HTTP_IF_NONE_MATCH", "W/\"1\"");
	assert_int_equal(f->status, 304);
	assert_string_equal(f->body, "");
	assert_null(strstr(f->answer.bytes, "Content-Length"));
}

static void
an_answer_to_head_is_that_to_get(void **state)
{
	struct fixture *f = *state;

	ASK(f, "REQUEST_METHOD", "HEAD", "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
}

static void
errors_inside_tell_nothing(void **state)
{
	struct fixture *f = *state;

	get(f, "/api/fail", f->viewer);
	assert_error(f, 500, "INTERNAL");
	assert_string_equal(json_text(f->json, "error"), "internal error");
	assert_null(strstr(f->body, "secret"));
	assert_null(strstr(f->body, "detail"));
}

static void
hostile_headers_come_back_nowhere(void **state)
{
	struct fixture *f = *state;

	ASK(f, "REQUEST_URI", "/api/open", "HTTP_X_REQUEST_ID",
	    "x\r\nSet-Cookie: a=b");
	assert_int_equal(f->status, 200);
	assert_null(strstr(f->answer.bytes, "Set-Cookie"));
}

static void
without_its_database_the_service_says_so(void **state)
{
	struct fixture *f = *state;

	f->settings.database_directory = scratch_path(&f->scratch, "none");
	get(f, "/api/things/1", f->viewer);
	assert_error(f, 503, "STATE_MISSING");
	ASK(f, "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
	/* And as soon as it is there, it is used. */
	f->settings.database_directory = f->scratch.path;
	get(f, "/api/things/1", f->viewer);
	assert_int_equal(f->status, 200);
}

static void
without_authentication_everybody_may(void **state)
{
	struct fixture *f = *state;

	f->settings.auth.enabled = false;
	ASK(f, "REQUEST_METHOD", "DELETE", "REQUEST_URI", "/api/things/1");
	assert_int_equal(f->status, 200);
	assert_string_equal(json_text(f->json, "actor"), "anonymous");
}

static void
every_line_of_an_event_is_data(void **state)
{
	struct fixture *f = *state;

	get(f, "/api/stream", f->viewer);
	assert_int_equal(f->status, 200);
	assert_true(has_header(f, "Content-Type: text/event-stream"));
	assert_true(has_header(f, "X-Accel-Buffering: no"));
	assert_non_null(strstr(f->body,
	    "id: 7\nevent: line\ndata: one\ndata: two\ndata: three\n"
	    "data: four\n\n"
	    "data: \n\n"
	    "data: x\ndata: \ndata: event: forged\ndata: data: forged\n"
	    "data: \ndata: \n\n"));
	/* The place was given back. */
	get(f, "/api/stream", f->viewer);
	assert_int_equal(f->status, 200);
}

static int
begin_stream(struct fixture *f, const char *actor, struct stream *stream,
    struct error *err)
{
	struct request request = { .arena = &f->arena,
		.app = &f->app,
		.id = "x",
		.identity.actor = actor };
	struct reply reply = { 0 };

	return stream_begin(&request, &reply, stream, err);
}

static void
there_are_so_many_places_for_streams_and_some_per_key(void **state)
{
	static const char first[] = "key:1", same[] = "key:1";
	struct fixture *f = *state;
	struct error err;
	struct stream stream;
	struct stream_places *none;

	/* Two places, one per key; all taken by requests that hang. */
	f->settings.auth.enabled = false;
	none = f->app.streams;
	f->app.streams = stream_places_new(0, 8);
	ASK(f, "REQUEST_URI", "/api/stream");
	assert_error(f, 503, "TOO_MANY_STREAMS");
	assert_true(has_header(f, "Retry-After: 5"));
	assert_int_equal(begin_stream(f, first, &stream, &err), -1);
	stream_places_free(f->app.streams);
	f->app.streams = stream_places_new(8, 0);
	assert_int_equal(begin_stream(f, same, &stream, &err), -1);
	assert_string_equal(err.code, "TOO_MANY_STREAMS");
	stream_places_free(f->app.streams);
	/* Outside the stream pool there is none at all. */
	f->app.streams = NULL;
	ASK(f, "REQUEST_URI", "/api/stream");
	assert_error(f, 503, "TOO_MANY_STREAMS");
	f->app.streams = none;
}

/* Sends bytes, waits for the service to have had enough, and asks again. */
static void
send_and_leave(struct fixture *f, const void *bytes, size_t length)
{
	int fd = connect_service(f);

	fastcgi_send(fd, bytes, length);
	shutdown(fd, SHUT_WR);
	buffer_truncate(&f->answer, 0);
	fastcgi_receive(fd, &f->answer);
	close(fd);
	ASK(f, "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
}

static void
what_is_no_fastcgi_harms_nobody(void **state)
{
	struct fixture *f = *state;
	struct buffer bytes = BUFFER(1024UL * 1024);
	static const unsigned char lying[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 'A', 'B' };
	size_t i;

	send_and_leave(f, "", 0);
	send_and_leave(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	for (i = 0; i < 65536; i++)
		buffer_char(&bytes, (char)(i * 7 + i / 251));
	send_and_leave(f, bytes.bytes, bytes.length);
	/* Names and values longer than what follows. */
	buffer_truncate(&bytes, 0);
	fastcgi_begin(&bytes);
	fastcgi_record(&bytes, FASTCGI_PARAMS, lying, sizeof lying);
	fastcgi_record(&bytes, FASTCGI_PARAMS, "", 0);
	send_and_leave(f, bytes.bytes, bytes.length);
	/* A body before its request. */
	buffer_truncate(&bytes, 0);
	for (i = 0; i < 100; i++)
		fastcgi_record(&bytes, FASTCGI_STDIN, "xxxx", 4);
	send_and_leave(f, bytes.bytes, bytes.length);
	buffer_clear(&bytes);
}

static void
a_request_that_is_cut_anywhere_harms_nobody(void **state)
{
	static const char *const parameters[] = { "REQUEST_METHOD", "POST",
		"REQUEST_URI", "/api/things", "CONTENT_TYPE",
		"application/json", "CONTENT_LENGTH", "12",
		"HTTP_AUTHORIZATION", "Bearer " CONFIGURED_KEY, NULL };
	struct fixture *f = *state;
	struct buffer request = BUFFER(4096);
	size_t length;

	fastcgi_request(&request, parameters, "{\"name\":\"x\"}", 12);
	for (length = 0; length < request.length; length += 5)
		send_and_leave(f, request.bytes, length);
	buffer_clear(&request);
}

static void
a_request_that_stops_half_way_does_not_hold_the_worker(void **state)
{
	struct fixture *f = *state;
	struct buffer half = BUFFER(4096);
	int64_t started_ms = clock_monotonic_ms();
	int fd = connect_service(f);

	fastcgi_begin(&half);
	fastcgi_send(fd, half.bytes, half.length);
	/* It stays connected and says no more. */
	ASK(f, "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
	assert_in_range(clock_monotonic_ms() - started_ms, 5000, 30000);
	close(fd);
	buffer_clear(&half);
}

static void
a_connection_that_would_be_kept_is_closed(void **state)
{
	/* Begin a responder's request, flag FCGI_KEEP_CONN. */
	static const unsigned char keep[8] = { 0, 1, 1 };
	struct fixture *f = *state;
	struct buffer request = BUFFER(4096);
	int fd = connect_service(f);
	char byte;

	fastcgi_record(&request, FASTCGI_BEGIN, keep, sizeof keep);
	fastcgi_record(&request, FASTCGI_PARAMS, "", 0);
	fastcgi_record(&request, FASTCGI_STDIN, "", 0);
	fastcgi_send(fd, request.bytes, request.length);
	buffer_truncate(&f->answer, 0);
	assert_int_equal(fastcgi_receive(fd, &f->answer), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	buffer_clear(&request);
	ASK(f, "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
}

static void
a_client_that_leaves_early_harms_nobody(void **state)
{
	struct fixture *f = *state;
	struct buffer request = BUFFER(4096);
	const char *const parameters[] = { "REQUEST_URI", "/api/stream",
		"HTTP_AUTHORIZATION", bearer(f, f->viewer), NULL };
	int i;

	fastcgi_request(&request, parameters, "", 0);
	for (i = 0; i < 20; i++) {
		int fd = connect_service(f);

		fastcgi_send(fd, request.bytes, request.length);
		close(fd);
	}
	ASK(f, "REQUEST_URI", "/api/open");
	assert_int_equal(f->status, 200);
	buffer_clear(&request);
}

static void
many_requests_leave_no_descriptor_behind(void **state)
{
	struct fixture *f = *state;
	size_t before;
	int i;

	get(f, "/api/things/1", f->viewer);
	before = count_descriptors();
	for (i = 0; i < 200; i++) {
		get(f, "/api/things/1", i % 2 ? f->viewer : f->operator);
		assert_int_equal(f->status, 200);
		post(f, "/api/things", "{\"name\":\"x\"}");
		assert_int_equal(f->status, 201);
	}
	assert_true(count_descriptors() <= before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void
send_raw(struct fixture *f, const char *method, const char *uri,
    const char *type, size_t length)
{
	char *body = malloc(length + 1);
	const char *const parameters[] = { "REQUEST_METHOD", method,
		"REQUEST_URI", uri, "HTTP_AUTHORIZATION",
		bearer(f, f->operator), "CONTENT_TYPE", type, "CONTENT_LENGTH",
		arena_printf(&f->arena, "%zu", length), NULL };

	memset(body, 1, length);
	ask_with(f, parameters, body, length);
	free(body);
}

static void
a_raw_body_is_read_by_its_handler(void **state)
{
	static const char *const types[] = { "", "text/plain",
		"application/octet-stream", "application/json" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		send_raw(f, "PUT", "/api/raw/a/b", types[i], 3000001);
		assert_int_equal(f->status, 200);
		assert_int_equal(json_int(f->json, "size", 0), 3000001);
		assert_int_equal(json_int(f->json, "sum", 0), 3000001);
	}
	send_raw(f, "PUT", "/api/raw/a", "", 0);
	assert_int_equal(f->status, 200);
	assert_int_equal(json_int(f->json, "size", -1), 0);
	send_raw(f, "POST", "/api/raw/a", "application/gzip", 10);
	assert_int_equal(f->status, 200);
	send_raw(f, "POST", "/api/raw/a", "Multipart/Form-Data; boundary=x", 9);
	assert_int_equal(f->status, 200);
}

static void
a_raw_body_that_is_refused_is_taken_off_the_connection(void **state)
{
	struct fixture *f = *state;

	send_raw(f, "PUT", "/api/raw/a?wanted=2000", "", RAW_MAXIMUM);
	assert_error(f, 409, "CONFLICT");
	send_raw(f, "PUT", "/api/raw/a", "", RAW_MAXIMUM + 65536 + 1);
	assert_error(f, 413, "PAYLOAD_TOO_LARGE");
	send_raw(f, "PUT", "/api/raw/a/../b", "", 100000);
	assert_error(f, 400, "UNSAFE_PATH");
}

static void
a_raw_body_of_a_form_is_not_taken(void **state)
{
	static const char *const simple[] = { "", "text/plain",
		"application/x-www-form-urlencoded", "multipart/mixed",
		"application/octet-streams", "application/json" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof simple / sizeof simple[0]; i++) {
		send_raw(f, "POST", "/api/raw/a", simple[i], 100);
		assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
	}
	send_raw(f, "PUT", "/api/raw/a", "multipart/form-data; boundary=x", 1);
	assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_with_head_and_body),
		TEST(a_raw_body_is_read_by_its_handler),
		TEST(a_raw_body_that_is_refused_is_taken_off_the_connection),
		TEST(a_raw_body_of_a_form_is_not_taken),
		TEST(a_key_or_a_token_of_it_says_who_asks),
		TEST(a_token_dies_with_its_key),
		TEST(nothing_else_says_who_asks),
		TEST(who_is_unknown_does_not_learn_what_there_is),
		TEST(roles_are_kept_apart),
		TEST(guessing_keys_is_stopped_after_ten),
		TEST(a_body_is_json_of_the_right_type_and_length),
		TEST(a_length_that_is_none_is_refused),
		TEST(a_body_of_two_mebibytes_goes_through),
		TEST(an_etag_spares_the_body),
		TEST(an_answer_to_head_is_that_to_get),
		TEST(errors_inside_tell_nothing),
		TEST(hostile_headers_come_back_nowhere),
		TEST(without_its_database_the_service_says_so),
		TEST(without_authentication_everybody_may),
		TEST(every_line_of_an_event_is_data),
		TEST(there_are_so_many_places_for_streams_and_some_per_key),
		TEST(what_is_no_fastcgi_harms_nobody),
		TEST(a_request_that_is_cut_anywhere_harms_nobody),
		TEST(a_connection_that_would_be_kept_is_closed),
		TEST(a_client_that_leaves_early_harms_nobody),
		TEST(many_requests_leave_no_descriptor_behind),
		TEST(a_request_that_stops_half_way_does_not_hold_the_worker),
	};
	struct sigaction action = { .sa_handler = interrupt };
	struct error err;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR2, &action, NULL);
	log_set_level(LOG_ERROR);
	if (connection_init(&err) < 0)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
