/* Targets, queries and routes: decoded once, matched exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/request.h"
#include "http/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	struct request request;
	struct error err;
};

static int
set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
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

static int
parse(struct fixture *f, const char *uri)
{
	/* A copy of exactly its length, so that reading on is seen. */
	char *copy = strdup(uri);
	int result;

	f->request = (struct request){ .arena = &f->arena, .method = "GET" };
	memset(&f->err, 0, sizeof f->err);
	result = request_parse_uri(&f->request, copy, &f->err);
	free(copy);
	return result;
}

/* The segments with '|' between them. */
static const char *
segments(struct fixture *f)
{
	const char *joined = "";
	size_t i;

	for (i = 0; i < f->request.segment_count; i++)
		joined = arena_printf(&f->arena, "%s%s%s", joined, i ? "|" : "",
		    f->request.segments[i]);
	return joined;
}

static void
paths_are_split_first_and_decoded_once(void **state)
{
	static const struct {
		const char *uri, *segments;
	} cases[] = {
		{ "/api", "" },
		{ "/api/", "" },
		{ "/api?x=1", "" },
		{ "/api/deployments", "deployments" },
		{ "/api/deployments/", "deployments" },
		{ "/api/deployments/blog/start", "deployments|blog|start" },
		{ "/api/%64eployments", "deployments" },
		/* Still one segment each: no name's grammar has them. */
		{ "/api/a/%2e%2e/b", "a|..|b" },
		{ "/api/a/../b", "a|..|b" },
		{ "/api/a/./b", "a|.|b" },
		{ "/api/a/%2E%2e%2Fetc%2fpasswd", "a|../etc/passwd" },
		{ "/api/%2fetc", "/etc" },
		{ "/api/images/registry:5000%2Fapp:1",
		    "images|registry:5000/app:1" },
		{ "/api/a\\..\\b", "a\\..\\b" },
		{ "/api/%5c", "\\" },
		{ "/api/%252e%252e%252f", "%2e%2e%2f" },
		{ "/api/%2500", "%00" },
		{ "/api/a+b%20c", "a+b c" },
		{ "/api/%C3%A4", "\xC3\xA4" },
		{ "/api/a;x=1", "a;x=1" },
		{ "/api/a&b=c", "a&b=c" },
		{ "/api/a#b", "a#b" },
		{ "/api/a%3fb?c", "a?b" },
		{ "http://example.org/api/a", "a" },
		{ "HTTPS://user@example.org:8443/api/a?b", "a" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (parse(f, cases[i].uri) < 0)
			fail_msg("refused: %s", cases[i].uri);
		assert_string_equal(segments(f), cases[i].segments);
	}
}

static void
encodings_that_no_text_may_hold_are_refused(void **state)
{
	static const char *const uris[] = { "/api/%00", "/api/a%00b",
		"/api/a%0d%0aSet-Cookie:x", "/api/%0A", "/api/%09", "/api/%1b",
		"/api/%1F", "/api/%7f", "/api/a\nb", "/api/a\tb", "/api/\x7F",
		"/api/%", "/api/%2", "/api/%zz", "/api/%2g", "/api/%g2",
		"/api/% 20", "/api/%u0041", "/api/%-1", "/api/a%", "/api/a%4",
		"/api/%c0%af", "/api/%C0%AE%C0%AE", "/api/%e0%80%af",
		"/api/%f0%80%80%af", "/api/%ed%a0%80", "/api/%ff", "/api/%80",
		"/api/%c3", "/api/\xFF", "/api/\xC0\xAF", "/api/%f4%90%80%80",
		"/api/ok/%00/ok" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		if (parse(f, uris[i]) == 0)
			fail_msg("accepted: %s", uris[i]);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(f->err.code, "INVALID_PATH");
	}
}

static void
what_is_not_below_api_is_not_there(void **state)
{
	static const char *const uris[] = { "", "/", "*", "api", "api/x", "/ap",
		"/API/x", "/Api", "/apix", "/api%2fx", "/%61pi/x", "//api/x",
		"/./api/x", "/x/../api/y", "/api//x", "/api/x//", "/api/x//y",
		"/api//", "?x", "http://example.org",
		"http://example.org?/api/x", "http:///x",
		"ftp://example.org/api/x", "http:/api/x", "http:", "https:/" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		if (parse(f, uris[i]) == 0)
			fail_msg("accepted: %s", uris[i]);
		assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	}
}

static void
a_path_has_32_segments_and_no_more(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "/api/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/"
				  "0/1/2/3/4/5/6/7/8/9/0/1/2"),
	    0);
	assert_int_equal(f->request.segment_count, 32);
	assert_int_equal(
	    parse(f, "/api/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/"
		     "6/7/8/9/0/1/2/3"),
	    -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void
queries_are_decoded_once_and_the_first_value_counts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    parse(f, "/api/x?a=1&b=x+y%20z&&%63=%253d&empty=&alone&a=2&"
		     "eq=a=b&q=a?b&%C3%A4=%c3%b6"),
	    0);
	assert_int_equal(f->request.query_count, 9);
	assert_string_equal(request_query(&f->request, "a"), "1");
	assert_string_equal(request_query(&f->request, "b"), "x y z");
	assert_string_equal(request_query(&f->request, "c"), "%3d");
	assert_string_equal(request_query(&f->request, "empty"), "");
	assert_string_equal(request_query(&f->request, "alone"), "");
	assert_string_equal(request_query(&f->request, "eq"), "a=b");
	assert_string_equal(request_query(&f->request, "q"), "a?b");
	assert_string_equal(request_query(&f->request, "\xC3\xA4"), "\xC3\xB6");
	assert_null(request_query(&f->request, "A"));
	assert_null(request_query(&f->request, ""));
	assert_int_equal(parse(f, "/api/x?"), 0);
	assert_int_equal(f->request.query_count, 0);
	assert_int_equal(parse(f, "/api/x?&&&"), 0);
	assert_int_equal(f->request.query_count, 0);
}

static void
queries_that_no_text_may_hold_are_refused(void **state)
{
	static const char *const uris[] = { "/api/x?a=%00", "/api/x?a%00=1",
		"/api/x?a=%0d%0aX:y", "/api/x?a=%ff", "/api/x?a=%c0%af",
		"/api/x?%=1", "/api/x?a=%1", "/api/x?a=%zz", "/api/x?a=\n",
		"/api/x?a=b&c=%7f", "/api?%80" };
	struct fixture *f = *state;
	char many[512] = "/api/x?";
	size_t i, length = strlen(many);

	for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		if (parse(f, uris[i]) == 0)
			fail_msg("accepted: %s", uris[i]);
		assert_string_equal(f->err.code, "INVALID_QUERY");
	}
	for (i = 0; i < QUERY_MAXIMUM; i++, length += 2)
		snprintf(many + length, sizeof many - length, "a&");
	assert_int_equal(parse(f, many), 0);
	assert_int_equal(f->request.query_count, QUERY_MAXIMUM);
	snprintf(many + length, sizeof many - length, "a");
	assert_int_equal(parse(f, many), -1);
	assert_string_equal(f->err.code, "INVALID_QUERY");
}

static void
integers_in_queries_are_digits_in_their_range(void **state)
{
	static const char *const refused[] = { "/api/x?n=", "/api/x?n",
		"/api/x?n=-1", "/api/x?n=%2b1", "/api/x?n=+1", "/api/x?n=1+",
		"/api/x?n=1.5", "/api/x?n=0x1", "/api/x?n=1e2", "/api/x?n=x",
		"/api/x?n=1x", "/api/x?n=0", "/api/x?n=101",
		"/api/x?n=9999999999", "/api/x?n=18446744073709551617",
		"/api/x?n=%D9%A1" };
	struct fixture *f = *state;
	int64_t number;
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(parse(f, refused[i]), 0);
		if (request_query_integer(
			&f->request, "n", 7, 1, 100, &number, &f->err) == 0)
			fail_msg("accepted: %s", refused[i]);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(f->err.field, "n");
		assert_string_equal(f->err.message, "n must be 1 to 100");
	}
	parse(f, "/api/x?n=100&m=007");
	assert_int_equal(request_query_integer(
			     &f->request, "n", 7, 1, 100, &number, &f->err),
	    0);
	assert_int_equal(number, 100);
	assert_int_equal(request_query_integer(
			     &f->request, "m", 9, 1, 100, &number, &f->err),
	    0);
	assert_int_equal(number, 7);
	assert_int_equal(request_query_integer(
			     &f->request, "none", 9, 1, 100, &number, &f->err),
	    0);
	assert_int_equal(number, 9);
}

static void
booleans_in_queries_are_four_words(void **state)
{
	static const char *const refused[] = { "/api/x?b=", "/api/x?b",
		"/api/x?b=TRUE", "/api/x?b=yes", "/api/x?b=2", "/api/x?b=truex",
		"/api/x?b=01" };
	static const struct {
		const char *uri;
		bool value;
	} accepted[] = { { "/api/x?b=true", true }, { "/api/x?b=1", true },
		{ "/api/x?b=false", false }, { "/api/x?b=0", false },
		{ "/api/x?b=%74rue", true } };
	struct fixture *f = *state;
	bool value;
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		parse(f, refused[i]);
		assert_int_equal(request_query_boolean(
				     &f->request, "b", true, &value, &f->err),
		    -1);
		assert_string_equal(f->err.field, "b");
	}
	for (i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		parse(f, accepted[i].uri);
		value = !accepted[i].value;
		assert_int_equal(request_query_boolean(
				     &f->request, "b", value, &value, &f->err),
		    0);
		assert_int_equal(value, accepted[i].value);
	}
	parse(f, "/api/x");
	assert_int_equal(
	    request_query_boolean(&f->request, "b", true, &value, &f->err), 0);
	assert_true(value);
}

static void
request_ids_are_kept_when_they_are_harmless(void **state)
{
	static const char *const kept[] = { "a", "A-Z_0.9",
		"0123456789012345678901234567890123456789012345678901234567890"
		"123" };
	static const char *const replaced[] = { "", " ", "a b", "a\r\nX: y",
		"a\"b", "\xC3\xA4", "a/b", "<script>",
		"0123456789012345678901234567890123456789012345678901234567890"
		"1234" };
	struct fixture *f = *state;
	const char *first, *second;
	size_t i;

	for (i = 0; i < sizeof kept / sizeof kept[0]; i++)
		assert_string_equal(
		    request_id_choose(&f->arena, kept[i]), kept[i]);
	for (i = 0; i < sizeof replaced / sizeof replaced[0]; i++) {
		first = request_id_choose(&f->arena, replaced[i]);
		assert_int_equal(strlen(first), 32);
		assert_int_equal(strspn(first, "0123456789abcdef"), 32);
	}
	first = request_id_choose(&f->arena, NULL);
	second = request_id_choose(&f->arena, NULL);
	assert_string_not_equal(first, second);
}

static void
a_client_says_how_long_it_waits(void **state)
{
	static const struct {
		const char *prefer;
		int64_t wait_ms;
	} cases[] = {
		{ NULL, 60000 },
		{ "", 60000 },
		{ "respond-async", 0 },
		{ "Respond-Async", 0 },
		{ "wait=5", 5000 },
		{ "WAIT=5", 5000 },
		{ "wait=0", 0 },
		{ "wait=600", 600000 },
		{ "wait=601", 600000 },
		{ "wait=99999999999999999999", 600000 },
		{ "wait=-1", 60000 },
		{ "wait=x", 60000 },
		{ "wait=", 60000 },
		{ "wait", 60000 },
		{ "handling=lenient, wait=7", 7000 },
		{ "wait=7;x=y", 7000 },
		{ "return=minimal,respond-async", 0 },
		{ "respond-async, wait=10", 0 },
		{ "respond-asynchronously", 60000 },
		{ "await=5", 60000 },
		{ "waiting=3", 60000 },
		{ ",,;; ,", 60000 },
		{ "nonsense", 60000 },
	};
	struct request request = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		request.prefer = cases[i].prefer;
		if (request_wait_ms(&request, 60000) != cases[i].wait_ms)
			fail_msg("%s", cases[i].prefer);
	}
}

static int
answer_nothing(struct request *request, struct reply *reply, struct error *err)
{
	(void)request;
	(void)reply;
	(void)err;
	return 0;
}

static const struct route first_routes[] = {
	{ "GET", "/things", ROLE_VIEWER, answer_nothing },
	{ "POST", "/things", ROLE_OPERATOR, answer_nothing },
	{ "GET", "/things/:id", ROLE_VIEWER, answer_nothing },
	{ "DELETE", "/things/:id", ROLE_ADMIN, answer_nothing },
	{ "GET", "/things/:id/parts/:part", ROLE_VIEWER, answer_nothing },
	{ 0 },
};

static const struct route second_routes[] = {
	{ "GET", "/things/new", ROLE_ADMIN, answer_nothing },
	{ "PUT", "/things/:id", ROLE_ADMIN, answer_nothing },
	{ "GET", "/things/:id/parts/first", ROLE_VIEWER, answer_nothing },
	{ "GET", "/trees/:id/*path", ROLE_VIEWER, answer_nothing },
	{ "GET", "/trees/:id/:part/:number", ROLE_VIEWER, answer_nothing },
	{ 0 },
};

static const struct route *const tables[] = { first_routes, second_routes,
	NULL };

static int
find(struct fixture *f, const char *method, const char *uri, const char **allow)
{
	assert_int_equal(parse(f, uri), 0);
	f->request.method = method;
	*allow = NULL;
	return route_find(tables, &f->request, allow, &f->err);
}

static void
a_route_is_found_by_method_and_path(void **state)
{
	struct fixture *f = *state;
	const char *allow;

	assert_int_equal(find(f, "POST", "/api/things", &allow), 0);
	assert_ptr_equal(f->request.route, &first_routes[1]);
	assert_int_equal(f->request.parameter_count, 0);
	assert_int_equal(
	    find(f, "GET", "/api/things/a%20b/parts/2", &allow), 0);
	assert_ptr_equal(f->request.route, &first_routes[4]);
	assert_string_equal(request_parameter(&f->request, "id"), "a b");
	assert_string_equal(request_parameter(&f->request, "part"), "2");
	assert_null(request_parameter(&f->request, "i"));
	assert_int_equal(find(f, "PUT", "/api/things/x", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[1]);
}

static void
a_fixed_segment_wins_over_a_parameter(void **state)
{
	struct fixture *f = *state;
	const char *allow;

	assert_int_equal(find(f, "GET", "/api/things/new", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[0]);
	assert_int_equal(f->request.parameter_count, 0);
	/* Also where its method is another: it is another resource. */
	assert_int_equal(find(f, "DELETE", "/api/things/new", &allow), -1);
	assert_int_equal(f->err.kind, ERR_METHOD);
	assert_string_equal(allow, "GET");
	assert_int_equal(
	    find(f, "GET", "/api/things/1/parts/first", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[2]);
	assert_int_equal(find(f, "GET", "/api/things/news", &allow), 0);
	assert_string_equal(request_parameter(&f->request, "id"), "news");
}

static void
a_wildcard_takes_the_rest_of_the_path(void **state)
{
	struct fixture *f = *state;
	const char *allow;

	assert_int_equal(
	    find(f, "GET", "/api/trees/1/a/b%20c/%252e.txt", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[3]);
	assert_string_equal(request_parameter(&f->request, "id"), "1");
	assert_string_equal(
	    request_parameter(&f->request, "path"), "a/b c/%2e.txt");
	assert_int_equal(find(f, "GET", "/api/trees/1/a/", &allow), 0);
	assert_string_equal(request_parameter(&f->request, "path"), "a");
	/* It needs something, and everything else comes before it. */
	assert_int_equal(find(f, "GET", "/api/trees/1/", &allow), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_int_equal(find(f, "GET", "/api/trees/1/parts/2", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[4]);
	assert_int_equal(find(f, "GET", "/api/trees/1/parts", &allow), 0);
	assert_ptr_equal(f->request.route, &second_routes[3]);
	assert_int_equal(find(f, "PUT", "/api/trees/1/a/b/c", &allow), -1);
	assert_string_equal(allow, "GET");
}

static void
a_wildcard_is_of_plain_names(void **state)
{
	static const char *const unsafe[] = { "..", ".", "a/b/..", "a/../b",
		"%2e%2e/a/b", "a/b/%2E%2e", "a/.%2e/b", "a%2fb", "%2Fetc%2Fx",
		"a/b/..%2f..%2fb", "a/%2e/b", "a/b/%2e" };
	struct fixture *f = *state;
	const char *allow;
	size_t i;

	for (i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
		const char *uri =
		    arena_printf(&f->arena, "/api/trees/1/%s", unsafe[i]);

		if (find(f, "GET", uri, &allow) == 0)
			fail_msg("%s", uri);
		assert_ptr_equal(f->request.route, &second_routes[3]);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(error_code(&f->err), "UNSAFE_PATH");
		assert_string_equal(f->err.field, "path");
	}
	assert_int_equal(find(f, "GET", "/api/trees/1/...", &allow), 0);
	assert_int_equal(find(f, "GET", "/api/trees/1/..a", &allow), 0);
}

static void
another_method_is_told_which_there_are(void **state)
{
	static const char *const methods[] = { "PATCH", "get", "GETX", "", "G",
		"OPTIONS" };
	struct fixture *f = *state;
	const char *allow;
	size_t i;

	for (i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		assert_int_equal(
		    find(f, methods[i], "/api/things/x", &allow), -1);
		assert_int_equal(f->err.kind, ERR_METHOD);
		assert_string_equal(error_code(&f->err), "METHOD_NOT_ALLOWED");
		assert_string_equal(allow, "GET, DELETE, PUT");
		assert_null(f->request.route);
	}
}

static void
no_other_path_has_a_route(void **state)
{
	static const char *const uris[] = { "/api", "/api/thing", "/api/Things",
		"/api/thingsx", "/api/things/x/parts", "/api/things/x/y",
		"/api/things%2fx", "/api/:id", "/api/x",
		"/api/things/x/parts/1/2" };
	struct fixture *f = *state;
	const char *allow;
	size_t i;

	for (i = 0; i < sizeof uris / sizeof uris[0]; i++) {
		if (find(f, "GET", uris[i], &allow) == 0)
			fail_msg("found: %s", uris[i]);
		assert_int_equal(f->err.kind, ERR_NOT_FOUND);
		assert_null(allow);
		assert_null(f->request.route);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_are_split_first_and_decoded_once),
		TEST(encodings_that_no_text_may_hold_are_refused),
		TEST(what_is_not_below_api_is_not_there),
		TEST(a_path_has_32_segments_and_no_more),
		TEST(queries_are_decoded_once_and_the_first_value_counts),
		TEST(queries_that_no_text_may_hold_are_refused),
		TEST(integers_in_queries_are_digits_in_their_range),
		TEST(booleans_in_queries_are_four_words),
		TEST(request_ids_are_kept_when_they_are_harmless),
		cmocka_unit_test(a_client_says_how_long_it_waits),
		TEST(a_route_is_found_by_method_and_path),
		TEST(a_fixed_segment_wins_over_a_parameter),
		TEST(a_wildcard_takes_the_rest_of_the_path),
		TEST(a_wildcard_is_of_plain_names),
		TEST(another_method_is_told_which_there_are),
		TEST(no_other_path_has_a_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
