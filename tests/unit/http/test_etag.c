/* Versions in entity tags: given out, and read from what clients send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "app.h"
#include "base/buffer.h"
#include "http/etag.h"
#include "settings/settings.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	struct settings settings;
	struct app app;
	struct request request;
	struct reply reply;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->app.settings = &f->settings;
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
header(const struct fixture *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->reply.header_count; i++)
		if (strcmp(f->reply.headers[i].name, name) == 0)
			return f->reply.headers[i].value;
	return NULL;
}

/* The answer's ETag. */
static const char *
answer(struct fixture *f, const char *version, const char *state)
{
	struct payload payload = { .data = json_object_new_object() };

	reset(f);
	json_put_text(payload.data, "state", state);
	assert_int_equal(
	    etag_reply(&f->request, &f->reply, version, &payload), 0);
	return header(f, "ETag");
}

static void
tags_follow_version_and_state(void **state)
{
	struct fixture *f = *state;
	const char *tag = answer(f, "v1", "running");

	assert_memory_equal(tag, "\"v1.", 4);
	assert_int_equal(f->reply.status, 200);
	assert_non_null(f->reply.body);
	assert_string_equal(answer(f, "v1", "running"), tag);
	assert_string_not_equal(answer(f, "v1", "stopped"), tag);
	assert_string_not_equal(answer(f, "v2", "running"), tag);
	assert_null(answer(f, "", "running"));
	assert_null(answer(f, NULL, "running"));
	assert_int_equal(f->reply.status, 200);
}

static void
what_the_client_has_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	f->request.if_none_match =
	    arena_printf(&f->arena, "W/%s", answer(f, "v1", "running"));
	answer(f, "v1", "running");
	assert_int_equal(f->reply.status, 304);
	assert_null(f->reply.body);
	answer(f, "v1", "stopped");
	assert_int_equal(f->reply.status, 200);
}

static void
assert_versions(struct fixture *f, const char *text, const char *expected)
{
	auto_json struct json_object *list = NULL;

	if (etag_versions("If-Match", text, &list, &f->err) < 0)
		fail_msg("%s: %s", text, f->err.message);
	assert_string_equal(json_serialize(list, NULL), expected);
}

static void
assert_refused(struct fixture *f, const char *text)
{
	struct json_object *list = NULL;

	assert_int_equal(etag_versions("If-Match", text, &list, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_string_equal(f->err.code, "INVALID_PRECONDITION");
	assert_string_equal(f->err.field, "If-Match");
	assert_null(list);
}

static void
versions_are_read_from_lists_of_tags(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer many = BUFFER(4096);
	auto_json struct json_object *list = NULL;
	int i;

	assert_versions(f, "*", "[\"*\"]");
	assert_versions(f, "\"v1.0123\"", "[\"v1\"]");
	assert_versions(f, "\"v1\"", "[\"v1\"]");
	assert_versions(f, "\"\"", "[\"\"]");
	assert_versions(f, " W/\"v1.a\" ,\t\"v2.b\",", "[\"v1\",\"v2\"]");
	/* No version of ours, and not any of them. */
	assert_versions(f, "\"*\"", "[\"\"]");
	assert_versions(f, "\"*.x\", \"a\"", "[\"\",\"a\"]");
	for (i = 0; i < ETAG_LIST_MAXIMUM; i++)
		buffer_text(&many, "\"a\",");
	assert_int_equal(
	    etag_versions("If-Match", buffer_string(&many), &list, &f->err), 0);
	assert_int_equal(json_object_array_length(list), ETAG_LIST_MAXIMUM);
	buffer_text(&many, "\"a\"");
	assert_refused(f, buffer_string(&many));
}

static void
what_is_no_list_of_tags_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "");
	assert_refused(f, " , ");
	assert_refused(f, "v1");
	assert_refused(f, "\"v1");
	assert_refused(f, "\"v1\" \"v2\"x");
	assert_refused(f, "\"v1\",*");
	assert_refused(f, "w/\"v1\"");
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		EACH(tags_follow_version_and_state),
		EACH(what_the_client_has_is_not_sent_again),
		EACH(versions_are_read_from_lists_of_tags),
		EACH(what_is_no_list_of_tags_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
