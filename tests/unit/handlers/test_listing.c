/* Lists: pages, what is kept of them, and how fresh they say they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app.h"
#include "base/clock.h"
#include "handlers/listing.h"
#include "http/cache.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct app app;
	struct store *store;
	int heartbeat;
	struct request request;
	struct reply reply;
	struct listing listing;
	struct json_object *json;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "agent");
	f->settings.run_directory = f->scratch.path;
	f->settings.api.envelope = ENVELOPE_BOTH;
	f->app.settings = &f->settings;
	f->app.cache = cache_new();
	f->heartbeat = heartbeat_open(f->scratch.path);
	*state = f;
	return f->heartbeat < 0 || heartbeat_write(f->heartbeat, true, 1) < 0 ||
	       store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err) < 0;
}

static void
reset(struct fixture *f)
{
	body_release(f->reply.body);
	json_object_put(f->json);
	f->reply = (struct reply){ 0 };
	f->json = NULL;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	cache_free(f->app.cache);
	store_close(f->store);
	close(f->heartbeat);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
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

static void
make_request(struct fixture *f, const char *query, const char *etag)
{
	const char *uri = arena_printf(&f->arena, "/api/things%s", query);

	reset(f);
	f->request = (struct request){ .arena = &f->arena,
		.app = &f->app,
		.store = f->store,
		.id = "request-1",
		.method = "GET",
		.if_none_match = etag };
	assert_int_equal(request_parse_uri(&f->request, uri, &f->err), 0);
}

/* Begins the list of the query; the ETag that the client has may be NULL. */
static int
begin(struct fixture *f, const char *query, const char *etag)
{
	make_request(f, query, etag);
	return listing_begin(
	    &f->request, &f->reply, "things", &f->listing, &f->err);
}

/* Answers with the numbers from 0 on, and reads what was answered. */
static void
finish(struct fixture *f, int count, struct json_object *extras)
{
	struct json_object *all = json_object_new_array();
	int i;

	assert_false(f->listing.complete);
	for (i = 0; i < count; i++)
		json_object_array_add(all, json_object_new_int(i));
	assert_int_equal(
	    listing_finish(&f->request, &f->reply, &f->listing, all, extras),
	    0);
	assert_int_equal(f->reply.status, 200);
	assert_int_equal(json_parse(f->reply.body->text, f->reply.body->length,
			     &f->json, &f->err),
	    0);
}

static void
change_something(struct fixture *f)
{
	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, true, &f->err), 0);
}

static const char *
member(struct fixture *f, const char *name)
{
	return json_object_to_json_string_ext(
	    json_member(f->json, name), JSON_C_TO_STRING_PLAIN);
}

static void
a_list_has_its_part_and_says_of_how_much(void **state)
{
	static const struct {
		const char *query, *part;
		int64_t limit, offset;
	} cases[] = {
		{ "", "[0,1,2,3,4]", LISTING_MAXIMUM, 0 },
		{ "?limit=2", "[0,1]", 2, 0 },
		{ "?limit=2&offset=1", "[1,2]", 2, 1 },
		{ "?limit=5", "[0,1,2,3,4]", 5, 0 },
		{ "?offset=4", "[4]", LISTING_MAXIMUM, 4 },
		{ "?offset=5", "[]", LISTING_MAXIMUM, 5 },
		{ "?limit=10000&offset=999999999", "[]", 10000, 999999999 },
		{ "?limit=3&limit=1", "[0,1,2]", 3, 0 },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct json_object *extras = json_object_new_object();

		json_put_text(extras, "more", "of it");
		assert_int_equal(begin(f, cases[i].query, NULL), 0);
		finish(f, 5, extras);
		assert_string_equal(member(f, "things"), cases[i].part);
		assert_string_equal(member(f, "data"), cases[i].part);
		assert_string_equal(member(f, "items"), cases[i].part);
		assert_int_equal(json_int(f->json, "total", -1), 5);
		assert_int_equal(
		    json_int(f->json, "limit", -1), cases[i].limit);
		assert_int_equal(
		    json_int(f->json, "offset", -1), cases[i].offset);
		assert_string_equal(json_text(f->json, "more"), "of it");
		assert_null(json_member(f->json, "stale"));
		assert_null(json_member(f->json, "degraded"));
	}
	assert_int_equal(begin(f, "?empty", NULL), 0);
	finish(f, 0, NULL);
	assert_string_equal(member(f, "things"), "[]");
	assert_int_equal(json_int(f->json, "total", -1), 0);
}

static void
parts_that_cannot_be_are_refused(void **state)
{
	static const char *const queries[] = { "?limit=0", "?limit=10001",
		"?limit=-1", "?limit=x", "?limit=", "?offset=-1", "?offset=x",
		"?offset=1000000000", "?limit=1&offset=1.5" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		assert_int_equal(begin(f, queries[i], NULL), -1);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_true(f->err.field[0] != '\0');
	}
}

static void
a_list_is_rendered_once_until_something_changes(void **state)
{
	struct fixture *f = *state;
	const char *etag;

	assert_int_equal(begin(f, "", NULL), 0);
	finish(f, 3, NULL);
	etag = arena_strdup(&f->arena, header(f, "ETag"));
	assert_non_null(etag);

	assert_int_equal(begin(f, "", NULL), 0);
	assert_true(f->listing.complete);
	assert_int_equal(f->reply.status, 200);
	assert_string_equal(header(f, "ETag"), etag);
	assert_non_null(strstr(f->reply.body->text, "\"things\":[0,1,2]"));
	assert_int_equal(begin(f, "", etag), 0);
	assert_true(f->listing.complete);
	assert_int_equal(f->reply.status, 304);
	assert_null(f->reply.body);

	change_something(f);
	assert_int_equal(begin(f, "", etag), 0);
	assert_string_not_equal(header(f, "ETag"), etag);
	finish(f, 4, NULL);
	assert_string_equal(member(f, "things"), "[0,1,2,3]");
}

static void
each_view_of_a_list_is_kept_apart(void **state)
{
	static const char *const queries[] = { "?a=b", "?b=a", "?a", "?ab",
		"?a=b&c=d", "?c=d&a=b", "?a=bc=d", "?a=b%26c=d", "?limit=1",
		"?offset=1", "?" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		assert_int_equal(begin(f, queries[i], NULL), 0);
		finish(f, (int)i, NULL);
	}
	for (i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		assert_int_equal(begin(f, queries[i], NULL), 0);
		assert_true(f->listing.complete);
		assert_non_null(strstr(f->reply.body->text,
		    arena_printf(&f->arena, "\"total\":%zu,", i)));
	}
}

static void
a_query_too_long_to_be_a_key_is_answered_all_the_same(void **state)
{
	struct fixture *f = *state;
	char *text = arena_alloc(&f->arena, 6000);
	int i;

	memset(text, 'x', 5999);
	memcpy(text, "?long=", 6);
	for (i = 0; i < 2; i++) {
		assert_int_equal(begin(f, text, NULL), 0);
		finish(f, i, NULL);
		assert_int_equal(json_int(f->json, "total", -1), i);
	}
}

static void
a_list_says_when_docker_is_down(void **state)
{
	struct fixture *f = *state;
	const char *up;

	assert_int_equal(begin(f, "", NULL), 0);
	finish(f, 1, NULL);
	up = arena_strdup(&f->arena, header(f, "ETag"));
	heartbeat_write(f->heartbeat, false, 2);
	assert_int_equal(begin(f, "", up), 0);
	assert_string_not_equal(header(f, "ETag"), up);
	finish(f, 1, NULL);
	assert_true(json_boolean(f->json, "degraded", false));
	assert_null(json_member(f->json, "stale"));
	/* Up again is another state than up before. */
	heartbeat_write(f->heartbeat, true, 3);
	assert_int_equal(begin(f, "", up), 0);
	assert_string_not_equal(header(f, "ETag"), up);
	finish(f, 1, NULL);
	assert_null(json_member(f->json, "degraded"));
}

static void
assert_stale(struct fixture *f, const char *etag)
{
	assert_int_equal(begin(f, "", etag), 0);
	finish(f, 2, NULL);
	assert_null(header(f, "ETag"));
	assert_string_equal(
	    header(f, "Warning"), "110 - \"Response is Stale\"");
	assert_string_equal(header(f, "Cache-Control"), "no-store");
	assert_true(json_boolean(f->json, "stale", false));
}

static void
a_list_never_passes_for_fresh_when_the_agent_is_silent(void **state)
{
	struct fixture *f = *state;
	const char *etag;

	assert_int_equal(begin(f, "", NULL), 0);
	finish(f, 1, NULL);
	etag = arena_strdup(&f->arena, header(f, "ETag"));
	clock_sleep_ms(HEARTBEAT_STALE_MS + 100);
	assert_stale(f, etag);
	assert_in_range(
	    json_int(f->json, "stale_age_ms", -1), HEARTBEAT_STALE_MS, 60000);
	assert_stale(f, etag);
	assert_int_equal(json_int(f->json, "total", -1), 2);

	unlink(scratch_path(&f->scratch, "agent/heartbeat"));
	assert_stale(f, etag);
	assert_string_equal(member(f, "stale_age_ms"), "null");
}

static int
begin_docker(struct fixture *f, const char *etag)
{
	make_request(f, "", etag);
	return listing_begin_docker(
	    &f->request, &f->reply, "things", &f->listing, &f->err);
}

static int
begin_one(struct fixture *f, const char *etag)
{
	make_request(f, "?limit=nonsense", etag);
	return listing_begin_one(
	    &f->request, &f->reply, "thing", &f->listing, &f->err);
}

static int
check_docker(struct fixture *f)
{
	make_request(f, "", NULL);
	return listing_check_docker(&f->request, &f->reply, &f->err);
}

static void
what_docker_has_cannot_be_told_without_it(void **state)
{
	struct fixture *f = *state;
	int (*const ways[])(
	    struct fixture *, const char *) = { begin_docker, begin_one };
	const char *etag;
	size_t i;

	for (i = 0; i < 2; i++) {
		heartbeat_write(f->heartbeat, false, 2);
		assert_int_equal(begin(f, "", NULL), 0);
		etag = arena_strdup(&f->arena, header(f, "ETag"));
		assert_int_equal(ways[i](f, etag), -1);
		assert_string_equal(f->err.code, "DOCKER_UNAVAILABLE");
		assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
		assert_null(header(f, "ETag"));
		assert_int_equal(check_docker(f), -1);
		assert_string_equal(f->err.code, "DOCKER_UNAVAILABLE");
		heartbeat_write(f->heartbeat, true, 3);
		assert_int_equal(ways[i](f, NULL), 0);
		assert_non_null(header(f, "ETag"));
		assert_int_equal(check_docker(f), 0);
		assert_null(header(f, "ETag"));
	}
	/* What is known is told, with a word about its age. */
	unlink(scratch_path(&f->scratch, "agent/heartbeat"));
	for (i = 0; i < 2; i++) {
		assert_int_equal(ways[i](f, NULL), 0);
		assert_non_null(header(f, "Warning"));
		assert_null(header(f, "ETag"));
	}
	assert_int_equal(check_docker(f), 0);
	assert_non_null(header(f, "Warning"));
}

static void
one_object_has_an_etag_and_no_page(void **state)
{
	struct fixture *f = *state;
	struct json_object *object = json_object_new_object();
	const char *etag;

	json_put_text(object, "name", "it");
	assert_int_equal(begin_one(f, NULL), 0);
	assert_false(f->listing.complete);
	etag = arena_strdup(&f->arena, header(f, "ETag"));
	assert_int_equal(
	    listing_finish_one(&f->request, &f->reply, &f->listing, object), 0);
	assert_string_equal(f->reply.body->text,
	    "{\"data\":{\"name\":\"it\"},\"thing\":{\"name\":\"it\"}}");
	assert_int_equal(begin_one(f, etag), 0);
	assert_true(f->listing.complete);
	assert_int_equal(f->reply.status, 304);
	change_something(f);
	assert_int_equal(begin_one(f, etag), 0);
	assert_false(f->listing.complete);
}

static void
the_envelope_of_data_has_no_second_copy(void **state)
{
	struct fixture *f = *state;

	f->settings.api.envelope = ENVELOPE_DATA;
	assert_int_equal(begin(f, "", NULL), 0);
	finish(f, 2, NULL);
	assert_string_equal(member(f, "data"), "[0,1]");
	assert_null(json_member(f->json, "items"));
	assert_null(json_member(f->json, "things"));
	assert_int_equal(json_int(f->json, "total", -1), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_list_has_its_part_and_says_of_how_much),
		TEST(parts_that_cannot_be_are_refused),
		TEST(a_list_is_rendered_once_until_something_changes),
		TEST(each_view_of_a_list_is_kept_apart),
		TEST(a_query_too_long_to_be_a_key_is_answered_all_the_same),
		TEST(a_list_says_when_docker_is_down),
		TEST(a_list_never_passes_for_fresh_when_the_agent_is_silent),
		TEST(what_docker_has_cannot_be_told_without_it),
		TEST(one_object_has_an_etag_and_no_page),
		TEST(the_envelope_of_data_has_no_second_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
