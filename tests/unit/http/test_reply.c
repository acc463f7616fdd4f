/* Answers: their shapes, their errors, what is kept of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app.h"
#include "base/utf8.h"
#include "http/cache.h"
#include "http/reply.h"
#include "settings/settings.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	struct settings settings;
	struct app app;
	struct request request;
	struct reply reply;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->app.settings = &f->settings;
	f->settings.api.envelope = ENVELOPE_BOTH;
	f->request = (struct request){
		.arena = &f->arena, .app = &f->app, .id = "request-1"
	};
	*state = f;
	return 0;
}

static void
reset(struct fixture *f)
{
	body_release(f->reply.body);
	json_object_put(f->reply.error_extras);
	f->reply = (struct reply){ 0 };
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static const char *
header(struct fixture *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->reply.header_count; i++)
		if (strcmp(f->reply.headers[i].name, name) == 0)
			return f->reply.headers[i].value;
	return NULL;
}

static struct json_object *
parse(const char *text)
{
	struct json_object *object = NULL;
	struct error err;

	assert_int_equal(json_parse(text, strlen(text), &object, &err), 0);
	return object;
}

static void
assert_body(struct fixture *f, enum settings_envelope envelope,
    struct payload payload, const char *expected)
{
	f->settings.api.envelope = envelope;
	reset(f);
	assert_int_equal(
	    reply_payload(&f->request, &f->reply, 201, &payload), 0);
	assert_int_equal(f->reply.status, 201);
	assert_string_equal(f->reply.body->text, expected);
	assert_int_equal(f->reply.body->length, strlen(expected));
}

static void
a_list_is_under_data_and_the_clients_key(void **state)
{
	static const struct {
		enum settings_envelope envelope;
		const char *body;
	} cases[] = {
		{ ENVELOPE_BOTH, "{\"data\":[1,2],\"numbers\":[1,2],"
				 "\"total\":2,\"message\":\"done\"}" },
		{ ENVELOPE_DATA,
		    "{\"data\":[1,2],\"total\":2,\"message\":\"done\"}" },
		{ ENVELOPE_KEYS,
		    "{\"numbers\":[1,2],\"total\":2,\"message\":\"done\"}" },
	};
	size_t i;

	for (i = 0; i < 3; i++)
		assert_body(*state, cases[i].envelope,
		    (struct payload){ .message = "done",
			.key = "numbers",
			.data = parse("[1,2]"),
			.extras = parse("{\"total\":2}") },
		    cases[i].body);
}

static void
an_object_is_under_data_and_spread(void **state)
{
	static const struct {
		enum settings_envelope envelope;
		const char *body;
	} cases[] = {
		{ ENVELOPE_BOTH,
		    "{\"data\":{\"a\":1,\"b\":{}},\"a\":1,\"b\":{}}" },
		{ ENVELOPE_DATA, "{\"data\":{\"a\":1,\"b\":{}}}" },
		{ ENVELOPE_KEYS, "{\"a\":1,\"b\":{}}" },
	};
	size_t i;

	for (i = 0; i < 3; i++)
		assert_body(*state, cases[i].envelope,
		    (struct payload){ .data = parse("{\"a\":1,\"b\":{}}") },
		    cases[i].body);
}

/* The error's body, parsed; the caller puts it. */
static struct json_object *
error_body(struct fixture *f, const struct error *err)
{
	assert_int_equal(reply_error(&f->request, &f->reply, err), 0);
	return parse(f->reply.body->text);
}

static void
an_error_has_its_shape_and_status(void **state)
{
	static const struct {
		enum error_kind kind;
		int status;
		const char *code;
	} cases[] = {
		{ ERR_INTERNAL, 500, "INTERNAL" },
		{ ERR_INVALID, 400, "INVALID_REQUEST" },
		{ ERR_UNAUTHENTICATED, 401, "UNAUTHORIZED" },
		{ ERR_FORBIDDEN, 403, "FORBIDDEN" },
		{ ERR_NOT_FOUND, 404, "NOT_FOUND" },
		{ ERR_METHOD, 405, "METHOD_NOT_ALLOWED" },
		{ ERR_CONFLICT, 409, "CONFLICT" },
		{ ERR_PRECONDITION, 412, "PRECONDITION_FAILED" },
		{ ERR_TOO_LARGE, 413, "PAYLOAD_TOO_LARGE" },
		{ ERR_MEDIA_TYPE, 415, "UNSUPPORTED_MEDIA_TYPE" },
		{ ERR_UNPROCESSABLE, 422, "UNPROCESSABLE" },
		{ ERR_RATE_LIMITED, 429, "RATE_LIMITED" },
		{ ERR_UPSTREAM, 502, "UPSTREAM_ERROR" },
		{ ERR_UNAVAILABLE, 503, "UNAVAILABLE" },
		{ ERR_TIMEOUT, 504, "TIMEOUT" },
		{ ERR_STORAGE_FULL, 507, "STORAGE_FULL" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct json_object *body;
		struct error err;

		reset(f);
		error_set(&err, cases[i].kind, NULL, "a sentence");
		body = error_body(f, &err);
		assert_int_equal(f->reply.status, cases[i].status);
		assert_int_equal(reply_status(cases[i].kind), cases[i].status);
		assert_string_equal(json_text(body, "code"), cases[i].code);
		assert_string_equal(json_text(body, "request_id"), "request-1");
		assert_non_null(json_text(body, "error"));
		assert_int_equal(json_object_object_length(body), 3);
		json_object_put(body);
	}
}

static void
what_went_wrong_inside_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct json_object *body;
	struct error err;

	error_set(&err, ERR_INTERNAL, NULL, "/var/lib/flatrun: SELECT secret");
	error_detail(&err, "Permission denied");
	body = error_body(f, &err);
	assert_string_equal(json_text(body, "error"), "internal error");
	assert_null(strstr(f->reply.body->text, "secret"));
	assert_null(strstr(f->reply.body->text, "Permission"));
	json_object_put(body);

	error_set(&err, ERR_UNAVAILABLE, NULL, "Docker does not answer");
	error_detail(&err, "connect: /var/run/docker.sock");
	body = error_body(f, &err);
	assert_string_equal(json_text(body, "error"), "Docker does not answer");
	assert_null(strstr(f->reply.body->text, "docker.sock"));
	json_object_put(body);
}

static void
an_error_names_field_job_and_when_to_come_back(void **state)
{
	struct fixture *f = *state;
	struct json_object *body;
	struct error err;

	error_field(&err, "env_vars[2].key", "INVALID_KEY", "no");
	body = error_body(f, &err);
	assert_string_equal(json_text(body, "field"), "env_vars[2].key");
	assert_string_equal(json_text(body, "code"), "INVALID_KEY");
	assert_null(header(f, "Retry-After"));
	assert_null(header(f, "WWW-Authenticate"));
	json_object_put(body);

	reset(f);
	error_set(&err, ERR_CONFLICT, "DEPLOYMENT_BUSY", "busy");
	snprintf(err.related, sizeof err.related, "0123456789abcdef0123");
	body = error_body(f, &err);
	assert_string_equal(
	    json_text(body, "active_job_id"), "0123456789abcdef0123");
	json_object_put(body);

	reset(f);
	error_set(&err, ERR_RATE_LIMITED, NULL, "slowly");
	err.retry_after_s = 42;
	f->reply.error_extras = parse("{\"output\":\"said\",\"job_id\":\"1\"}");
	body = error_body(f, &err);
	assert_string_equal(header(f, "Retry-After"), "42");
	assert_string_equal(json_text(body, "output"), "said");
	assert_string_equal(json_text(body, "job_id"), "1");
	assert_null(f->reply.error_extras);
	json_object_put(body);

	reset(f);
	error_set(&err, ERR_UNAUTHENTICATED, NULL, "who?");
	body = error_body(f, &err);
	assert_string_equal(header(f, "WWW-Authenticate"), "Bearer");
	json_object_put(body);
}

/* A list that could not be told had the ETag of the list. */
static void
an_error_has_no_etag_of_what_it_replaces(void **state)
{
	struct fixture *f = *state;
	struct error err;

	f->request.if_none_match = "\"7\"";
	assert_true(reply_not_modified(&f->request, &f->reply, "\"7\""));
	reply_header(&f->reply, "Warning", "110");
	error_set(&err, ERR_UNAVAILABLE, NULL, "away");
	assert_int_equal(reply_error(&f->request, &f->reply, &err), 0);
	assert_int_equal(f->reply.status, 503);
	assert_null(header(f, "ETag"));
	assert_string_equal(header(f, "Warning"), "110");
	assert_string_equal(header(f, "Cache-Control"), "no-cache");
}

static void
what_is_large_says_so(void **state)
{
	struct fixture *f = *state;
	struct payload payload = { .key = "numbers",
		.data = json_object_new_array() };
	int i;

	reply_payload(&f->request, &f->reply, 200, &payload);
	assert_false(f->reply.is_large);
	reset(f);
	payload.data = json_object_new_array();
	for (i = 0; i < 100000; i++)
		json_object_array_add(payload.data, json_object_new_int(1000));
	reply_payload(&f->request, &f->reply, 200, &payload);
	assert_true(f->reply.is_large);
}

static void
what_a_client_sent_comes_back_as_valid_json(void **state)
{
	struct fixture *f = *state;
	struct json_object *body;
	struct error err;
	char name[200] = "";

	while (strlen(name) < 190)
		memcpy(name + strlen(name), "\xE2\x82\xAC\"\n", 5);
	error_field(&err, name, NULL, "'%.60s' <script>", name);
	body = error_body(f, &err);
	assert_true(utf8_is_valid(f->reply.body->text, f->reply.body->length));
	assert_non_null(json_text(body, "field"));
	json_object_put(body);
}

static void
a_known_etag_is_answered_not_modified(void **state)
{
	static const struct {
		const char *if_none_match;
		bool same;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "\"a-1\"", true },
		{ "W/\"a-1\"", true },
		{ "*", true },
		{ "\"x\", \"a-1\"", true },
		{ "\"x\",W/\"a-1\",\"y\"", true },
		{ " \"a-1\" ", true },
		{ "\"a-1\",", true },
		{ "\"a-2\"", false },
		{ "\"a-1", false },
		{ "a-1", false },
		{ "\"a-1\"x", false },
		{ "\"a-11\"", false },
		{ "x\"a-1\"", false },
		{ "w/\"a-1\"", false },
		{ "W/", false },
		{ ",,, ,", false },
		{ "\"*\"", false },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		reset(f);
		f->request.if_none_match = cases[i].if_none_match;
		if (reply_not_modified(&f->request, &f->reply, "\"a-1\"") !=
		    cases[i].same)
			fail_msg("%s", cases[i].if_none_match);
		assert_int_equal(f->reply.status, cases[i].same ? 304 : 0);
		assert_string_equal(header(f, "ETag"), "\"a-1\"");
		assert_string_equal(header(f, "Cache-Control"), "no-cache");
		assert_null(f->reply.body);
	}
}

/* Puts a body of length bytes that begins with the key. */
static void
put(struct cache *cache, const char *key, const char *etag, size_t length)
{
	char *text = calloc(1, length + 1);
	struct body *body;

	memset(text, 'x', length);
	memcpy(text, key, strlen(key));
	body = body_new(text, length);
	cache_put(cache, key, etag, body);
	body_release(body);
	free(text);
}

static bool
has(struct cache *cache, const char *key, const char *etag)
{
	struct body *body = cache_find(cache, key, etag);
	bool found = body != NULL;

	if (found)
		assert_memory_equal(body->text, key, strlen(key));
	body_release(body);
	return found;
}

static void
a_body_is_found_by_its_key_and_etag(void **state)
{
	struct cache *cache = cache_new();

	(void)state;
	assert_false(has(cache, "a", "1"));
	put(cache, "a", "1", 10);
	put(cache, "b", "1", 10);
	assert_true(has(cache, "a", "1"));
	assert_true(has(cache, "b", "1"));
	assert_false(has(cache, "a", "2"));
	assert_false(has(cache, "a", ""));
	assert_false(has(cache, "c", "1"));
	put(cache, "a", "2", 20);
	assert_false(has(cache, "a", "1"));
	assert_true(has(cache, "a", "2"));
	cache_free(cache);
	cache_free(NULL);
	body_release(NULL);
}

static void
a_body_lives_as_long_as_somebody_has_it(void **state)
{
	struct cache *cache = cache_new();
	struct body *body;

	(void)state;
	put(cache, "a", "1", 10);
	body = cache_find(cache, "a", "1");
	put(cache, "a", "2", 10);
	cache_free(cache);
	assert_string_equal(body->text, "axxxxxxxxx");
	assert_int_equal(body->length, 10);
	body_release(body);
}

static void
the_one_used_the_longest_ago_goes_first(void **state)
{
	struct cache *cache = cache_new();
	char key[16];
	int i;

	(void)state;
	for (i = 0; i < 16; i++) {
		snprintf(key, sizeof key, "k%d", i);
		put(cache, key, "1", 10);
	}
	for (i = 0; i < 16; i++) {
		snprintf(key, sizeof key, "k%d", i);
		if (i != 5)
			assert_true(has(cache, key, "1"));
	}
	put(cache, "new", "1", 10);
	assert_false(has(cache, "k5", "1"));
	assert_true(has(cache, "k0", "1"));
	assert_true(has(cache, "new", "1"));
	cache_free(cache);
}

static void
the_cache_is_bounded_in_bytes(void **state)
{
	struct cache *cache = cache_new();
	size_t kept = 0;
	char key[16];
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "k%d", i);
		put(cache, key, "1", 1000000);
	}
	for (i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "k%d", i);
		kept += has(cache, key, "1");
	}
	assert_int_equal(kept, 8);
	assert_true(has(cache, "k19", "1"));
	/* One that would throw out all others is not kept. */
	put(cache, "large", "1", 5000000);
	assert_false(has(cache, "large", "1"));
	assert_true(has(cache, "k19", "1"));
	cache_free(cache);
}

struct user {
	struct cache *cache;
	unsigned int seed;
	int wrong;
};

static void *
use_cache(void *context)
{
	struct user *user = context;
	int i;

	for (i = 0; i < 3000; i++) {
		char key[16], etag[16];
		struct body *body;

		user->seed = user->seed * 1103515245 + 12345;
		snprintf(key, sizeof key, "k%u", user->seed >> 16 & 31);
		snprintf(etag, sizeof etag, "%u", user->seed >> 24 & 3);
		body = cache_find(user->cache, key, etag);
		if (body == NULL) {
			body = body_new(key, strlen(key));
			cache_put(user->cache, key, etag, body);
		}
		user->wrong += strcmp(body->text, key) != 0;
		body_release(body);
	}
	return NULL;
}

static void
threads_share_the_cache(void **state)
{
	struct user users[4];
	struct cache *cache = cache_new();
	pthread_t threads[4];
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		users[i] = (struct user){ .cache = cache, .seed = i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, use_cache, &users[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].wrong, 0);
	}
	cache_free(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_list_is_under_data_and_the_clients_key),
		TEST(an_object_is_under_data_and_spread),
		TEST(an_error_has_its_shape_and_status),
		TEST(what_went_wrong_inside_is_not_told),
		TEST(an_error_names_field_job_and_when_to_come_back),
		TEST(what_a_client_sent_comes_back_as_valid_json),
		TEST(an_error_has_no_etag_of_what_it_replaces),
		TEST(what_is_large_says_so),
		TEST(a_known_etag_is_answered_not_modified),
		cmocka_unit_test(a_body_is_found_by_its_key_and_etag),
		cmocka_unit_test(a_body_lives_as_long_as_somebody_has_it),
		cmocka_unit_test(the_one_used_the_longest_ago_goes_first),
		cmocka_unit_test(the_cache_is_bounded_in_bytes),
		cmocka_unit_test(threads_share_the_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
