/* Paths, routes, tokens and the cache: what stands before every handler. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "http/cache.h"
#include "http/route.h"
#include "http/token.h"

#include <jwt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1800000000)
#define SECRET "0123456789abcdef0123456789abcdef"

struct fixture {
	struct arena arena;
	struct request request;
	struct error err;
};

static const struct token_key key = {
	.bytes = (const unsigned char *)SECRET,
	.length = sizeof SECRET - 1,
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->request.arena = &f->arena;
	f->request.method = "GET";
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	free(f);
	return 0;
}

/* Parses the target as a request of its own. */
static int
parse(struct fixture *f, const char *uri)
{
	memset(&f->request, 0, sizeof f->request);
	f->request.arena = &f->arena;
	f->request.method = "GET";
	return request_parse_uri(&f->request, uri, &f->err);
}

static void
a_path_is_split_first_and_decoded_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "/api/images/registry:5000%2Fapp:1"), 0);
	assert_int_equal(f->request.segment_count, 2);
	assert_string_equal(f->request.segments[1], "registry:5000/app:1");
	assert_int_equal(parse(f, "/api/deployments/%252e%252e"), 0);
	assert_string_equal(f->request.segments[1], "%2e%2e");
	assert_int_equal(parse(f, "/api/a+b"), 0);
	assert_string_equal(f->request.segments[0], "a+b");
}

static void
a_last_slash_and_the_absolute_form_change_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "/api/deployments/"), 0);
	assert_int_equal(f->request.segment_count, 1);
	assert_int_equal(parse(f, "http://host.example:8090/api/jobs?x=1"), 0);
	assert_int_equal(f->request.segment_count, 1);
	assert_string_equal(f->request.segments[0], "jobs");
	assert_string_equal(request_query(&f->request, "x"), "1");
	assert_int_equal(parse(f, "/api"), 0);
	assert_int_equal(f->request.segment_count, 0);
}

static void
a_path_with_what_no_text_may_hold_is_refused(void **state)
{
	static const char *const paths[] = {
		"/api/a%00b",
		"/api/a%0d%0aX",
		"/api/%c0%ae%c0%ae",
		"/api/%",
		"/api/%4",
		"/api/%zz",
		"/api/%ff",
		"/api/a%7f",
		"/api/%ed%a0%80",
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		assert_int_equal(parse(f, paths[i]), -1);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(error_code(&f->err), "INVALID_PATH");
	}
}

static void
what_is_not_below_api_is_not_found(void **state)
{
	static const char *const paths[] = { "", "/", "/apix", "/API/health",
		"/api//deployments", "//api/x", "http://host", "api" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		assert_int_equal(parse(f, paths[i]), -1);
		assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	}
}

static void
more_segments_or_parameters_than_any_route_has_are_refused(void **state)
{
	struct fixture *f = *state;
	struct buffer uri = BUFFER(4096);
	int i;

	buffer_text(&uri, "/api");
	for (i = 0; i <= SEGMENT_MAXIMUM; i++)
		buffer_text(&uri, "/x");
	assert_int_equal(parse(f, uri.bytes), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	buffer_truncate(&uri, 0);
	buffer_text(&uri, "/api/x?");
	for (i = 0; i <= QUERY_MAXIMUM; i++)
		buffer_text(&uri, "a=b&");
	assert_int_equal(parse(f, uri.bytes), -1);
	assert_string_equal(error_code(&f->err), "INVALID_QUERY");
	buffer_clear(&uri);
}

static void
query_numbers_are_digits_in_their_range(void **state)
{
	struct fixture *f = *state;
	int64_t value;
	bool flag;

	assert_int_equal(
	    parse(f, "/api/x?a=12&b=-1&c=1e3&d=9999999999&e=&t=1&u=yes"), 0);
	assert_int_equal(
	    request_query_integer(&f->request, "a", 5, 1, 20, &value, &f->err),
	    0);
	assert_int_equal(value, 12);
	assert_int_equal(request_query_integer(
			     &f->request, "none", 5, 1, 20, &value, &f->err),
	    0);
	assert_int_equal(value, 5);
	for (const char *name = "bcde"; *name; name++) {
		const char text[2] = { *name, '\0' };

		assert_int_equal(request_query_integer(&f->request, text, 5, 0,
				     INT32_MAX, &value, &f->err),
		    -1);
		assert_string_equal(f->err.field, text);
	}
	assert_int_equal(
	    request_query_integer(&f->request, "a", 5, 1, 11, &value, &f->err),
	    -1);
	assert_int_equal(
	    request_query_boolean(&f->request, "t", false, &flag, &f->err), 0);
	assert_true(flag);
	assert_int_equal(
	    request_query_boolean(&f->request, "u", false, &flag, &f->err), -1);
}

static void
prefer_says_how_long_to_wait(void **state)
{
	static const struct {
		const char *prefer;
		int64_t wait_ms;
	} cases[] = { { NULL, 60000 }, { "respond-async", 0 },
		{ "wait=5", 5000 }, { "return=minimal, wait=0", 0 },
		{ "Respond-Async; foo=bar", 0 }, { "wait=99999999999", 600000 },
		{ "wait=abc", 60000 }, { ",,, ;", 60000 },
		{ "waiting=3", 60000 } };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		f->request.prefer = cases[i].prefer;
		assert_int_equal(
		    request_wait_ms(&f->request, 60000), cases[i].wait_ms);
	}
}

static void
a_request_id_is_kept_only_when_it_is_harmless(void **state)
{
	struct fixture *f = *state;
	char longest[66];

	assert_string_equal(
	    request_id_choose(&f->arena, "abc-1.2_Z"), "abc-1.2_Z");
	assert_int_equal(strlen(request_id_choose(&f->arena, NULL)), 32);
	assert_int_equal(strlen(request_id_choose(&f->arena, "a\r\nb")), 32);
	assert_int_equal(strlen(request_id_choose(&f->arena, "")), 32);
	memset(longest, 'a', 65);
	longest[65] = '\0';
	assert_int_equal(strlen(request_id_choose(&f->arena, longest)), 32);
}

static const struct route routes[] = {
	{ "GET", "/things/:id", ROLE_VIEWER, NULL },
	{ "GET", "/things/stats", ROLE_VIEWER, NULL },
	{ "DELETE", "/things/:id", ROLE_OPERATOR, NULL },
	{ "POST", "/things/:id/parts/:part", ROLE_OPERATOR, NULL },
	{ 0 },
};
static const struct route *const tables[] = { routes, NULL };

static int
find(struct fixture *f, const char *method, const char *uri, const char **allow)
{
	assert_int_equal(parse(f, uri), 0);
	f->request.method = method;
	*allow = NULL;
	return route_find(tables, &f->request, allow, &f->err);
}

static void
fixed_segments_win_over_parameters(void **state)
{
	struct fixture *f = *state;
	const char *allow;

	assert_int_equal(find(f, "GET", "/api/things/stats", &allow), 0);
	assert_string_equal(f->request.route->path, "/things/stats");
	assert_int_equal(find(f, "GET", "/api/things/other", &allow), 0);
	assert_string_equal(request_parameter(&f->request, "id"), "other");
	assert_int_equal(
	    find(f, "POST", "/api/things/a%2Fb/parts/c", &allow), 0);
	assert_string_equal(request_parameter(&f->request, "id"), "a/b");
	assert_string_equal(request_parameter(&f->request, "part"), "c");
}

static void
another_method_is_told_which_there_are(void **state)
{
	struct fixture *f = *state;
	const char *allow;

	assert_int_equal(find(f, "PUT", "/api/things/x", &allow), -1);
	assert_int_equal(f->err.kind, ERR_METHOD);
	assert_string_equal(allow, "GET, DELETE");
	assert_int_equal(find(f, "GET", "/api/things", &allow), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_null(allow);
	assert_int_equal(find(f, "GET", "/api/things/x/parts", &allow), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

/* Tokens. */

static const struct token_claims claims = { .key_id = "0123456789ab",
	.username = "ci",
	.issued_at = NOW,
	.expires_at = NOW + 3600 };

static int
verify_at(struct fixture *f, const char *token, int64_t now_s)
{
	struct token_claims out;

	return token_verify(&key, token, now_s, &f->arena, &out, &f->err);
}

static void
assert_refused(struct fixture *f, const char *token)
{
	assert_int_equal(verify_at(f, token, NOW + 10), -1);
	assert_int_equal(f->err.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(error_code(&f->err), "UNAUTHORIZED");
	assert_string_equal(f->err.message, "Invalid or expired token");
}

static void
a_token_of_ours_says_whose_it_is(void **state)
{
	struct fixture *f = *state;
	struct token_claims out;
	const char *token;

	assert_int_equal(
	    token_issue(&key, &claims, &f->arena, &token, &f->err), 0);
	assert_int_equal(
	    token_verify(&key, token, NOW, &f->arena, &out, &f->err), 0);
	assert_string_equal(out.key_id, "0123456789ab");
	assert_string_equal(out.username, "ci");
	assert_int_equal(out.expires_at, NOW + 3600);
}

static void
a_token_ends_a_minute_after_its_time(void **state)
{
	struct fixture *f = *state;
	const char *token;

	assert_int_equal(
	    token_issue(&key, &claims, &f->arena, &token, &f->err), 0);
	assert_int_equal(verify_at(f, token, NOW + 3600 + 59), 0);
	assert_int_equal(verify_at(f, token, NOW + 3600 + 60), -1);
	assert_string_equal(error_code(&f->err), "TOKEN_EXPIRED");
	/* Made in our future: the clock was set back, or it is forged. */
	assert_int_equal(verify_at(f, token, NOW - 61), -1);
	assert_string_equal(error_code(&f->err), "UNAUTHORIZED");
}

static void
a_short_key_neither_signs_nor_verifies(void **state)
{
	static const struct token_key weak = {
		.bytes = (const unsigned char *)"short", .length = 5
	};
	static const struct token_key none = { 0 };
	struct fixture *f = *state;
	struct token_claims out;
	const char *token;

	assert_int_equal(
	    token_issue(&weak, &claims, &f->arena, &token, &f->err), -1);
	assert_int_equal(
	    token_issue(&none, &claims, &f->arena, &token, &f->err), -1);
	assert_int_equal(
	    token_issue(&key, &claims, &f->arena, &token, &f->err), 0);
	assert_int_equal(
	    token_verify(&none, token, NOW, &f->arena, &out, &f->err), -1);
}

/* A token signed by libjwt with the algorithm, whatever the claims. */
static char *
forge(jwt_alg_t algorithm, const char *secret, const char *grants)
{
	jwt_t *jwt = NULL;
	char *token;

	assert_int_equal(jwt_new(&jwt), 0);
	assert_int_equal(jwt_add_grants_json(jwt, grants), 0);
	if (algorithm != JWT_ALG_NONE)
		assert_int_equal(
		    jwt_set_alg(jwt, algorithm, (const unsigned char *)secret,
			(int)strlen(secret)),
		    0);
	token = jwt_encode_str(jwt);
	jwt_free(jwt);
	assert_non_null(token);
	return token;
}

#define GOOD_GRANTS                                                    \
	"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\"," \
	"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1800003600}"

static void
another_algorithm_or_secret_is_refused(void **state)
{
	static const jwt_alg_t others[] = { JWT_ALG_HS384, JWT_ALG_HS512,
		JWT_ALG_NONE };
	struct fixture *f = *state;
	char *token;
	size_t i;

	token = forge(JWT_ALG_HS256, SECRET, GOOD_GRANTS);
	assert_int_equal(verify_at(f, token, NOW + 10), 0);
	free(token);
	for (i = 0; i < sizeof others / sizeof others[0]; i++) {
		token = forge(others[i], SECRET, GOOD_GRANTS);
		assert_refused(f, token);
		free(token);
	}
	token = forge(
	    JWT_ALG_HS256, "another secret of thirty-two byte", GOOD_GRANTS);
	assert_refused(f, token);
	free(token);
}

static void
claims_of_another_type_are_refused(void **state)
{
	static const char *const bad[] = {
		/* no exp, text, float, true, negative, null */
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000}",
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":\"1900000000\"}",
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1.9e9}",
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":true}",
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":-1}",
		/* not valid yet, another issuer, no subject */
		"{\"iss\":\"flatrun-agent\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800001000,\"exp\":1800003600}",
		"{\"iss\":\"someone\",\"sub\":\"k\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1800003600}",
		"{\"iss\":\"flatrun-agent\",\"username\":\"u\","
		"\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1800003600}",
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *token = forge(JWT_ALG_HS256, SECRET, bad[i]);

		assert_refused(f, token);
		free(token);
	}
}

static void
a_token_changed_anywhere_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *token;
	size_t length, i;
	char *changed;

	assert_int_equal(
	    token_issue(&key, &claims, &f->arena, &token, &f->err), 0);
	length = strlen(token);
	/* The last character of a part may hold bits that no byte has. */
	for (i = 0; i + 1 < length; i++) {
		if (token[i] == '.' || token[i + 1] == '.')
			continue;
		changed = arena_strdup(&f->arena, token);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_refused(f, changed);
	}
	assert_refused(f, "");
	assert_refused(f, "..");
	assert_refused(f, "a.b");
	assert_refused(f, "a.b.c.d");
	assert_refused(f, arena_printf(&f->arena, "%s ", token));
	assert_refused(f, arena_printf(&f->arena, "%.*s",
			      (int)(strrchr(token, '.') - token), token));
}

/* The cache. */

static void
a_body_is_found_only_with_its_etag(void **state)
{
	struct cache *cache = cache_new();
	struct body *body = body_new("hello", 5), *found;

	(void)state;
	cache_put(cache, "list", "\"1\"", body);
	body_release(body);
	assert_null(cache_find(cache, "list", "\"2\""));
	assert_null(cache_find(cache, "other", "\"1\""));
	found = cache_find(cache, "list", "\"1\"");
	assert_non_null(found);
	/* It stays what it was when another takes its place. */
	body = body_new("world", 5);
	cache_put(cache, "list", "\"2\"", body);
	body_release(body);
	assert_string_equal(found->text, "hello");
	body_release(found);
	cache_free(cache);
}

static void
the_cache_forgets_what_was_used_the_longest_ago(void **state)
{
	struct cache *cache = cache_new();
	struct body *body;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		body = body_new("x", 1);
		snprintf(name, sizeof name, "key%d", i);
		cache_put(cache, name, "e", body);
		body_release(body);
		body = cache_find(cache, "key0", "e");
		assert_non_null(body);
		body_release(body);
	}
	assert_null(cache_find(cache, "key1", "e"));
	body = cache_find(cache, "key39", "e");
	assert_non_null(body);
	body_release(body);
	cache_free(cache);
}

static void *
use_cache(void *context)
{
	struct cache *cache = context;
	char name[16];
	int i;

	for (i = 0; i < 5000; i++) {
		struct body *body = body_new("some text", 9);

		snprintf(name, sizeof name, "key%d", i % 20);
		cache_put(cache, name, "e", body);
		body_release(body);
		snprintf(name, sizeof name, "key%d", (i + 7) % 20);
		body = cache_find(cache, name, "e");
		if (body != NULL && strcmp(body->text, "some text") != 0)
			return cache;
		body_release(body);
	}
	return NULL;
}

static void
many_threads_share_the_cache(void **state)
{
	struct cache *cache = cache_new();
	pthread_t threads[4];
	void *wrong;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, use_cache, cache), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	cache_free(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_path_is_split_first_and_decoded_once),
		TEST(a_last_slash_and_the_absolute_form_change_nothing),
		TEST(a_path_with_what_no_text_may_hold_is_refused),
		TEST(what_is_not_below_api_is_not_found),
		TEST(
		    more_segments_or_parameters_than_any_route_has_are_refused),
		TEST(query_numbers_are_digits_in_their_range),
		TEST(prefer_says_how_long_to_wait),
		TEST(a_request_id_is_kept_only_when_it_is_harmless),
		TEST(fixed_segments_win_over_parameters),
		TEST(another_method_is_told_which_there_are),
		TEST(a_token_of_ours_says_whose_it_is),
		TEST(a_token_ends_a_minute_after_its_time),
		TEST(a_short_key_neither_signs_nor_verifies),
		TEST(another_algorithm_or_secret_is_refused),
		TEST(claims_of_another_type_are_refused),
		TEST(a_token_changed_anywhere_is_refused),
		TEST(a_body_is_found_only_with_its_etag),
		TEST(the_cache_forgets_what_was_used_the_longest_ago),
		TEST(many_threads_share_the_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
