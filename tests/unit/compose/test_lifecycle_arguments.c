#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compose/lifecycle-arguments.h"

#include <string.h>

static int
decode(const char *text, struct arena *arena, struct deploy_arguments *out,
    struct error *err)
{
	auto_json struct json_object *object = NULL;

	if (text != NULL)
		assert_int_equal(
		    json_parse_trusted(text, strlen(text), &object, err), 0);
	memset(err, 0, sizeof *err);
	return deploy_arguments_decode(object, arena, out, err);
}

static void
a_deploy_pulls_restarts_and_cleans_up_unless_told(void **state)
{
	static const char *const texts[] = { NULL, "{}", "{\"action\": null}",
		"{\"only_latest\": false}", "{\"unknown\": 1}" };
	auto_arena struct arena arena = { 0 };
	struct deploy_arguments deploy;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(decode(texts[i], &arena, &deploy, &err), 0);
		assert_string_equal(deploy.action, "restart");
		assert_true(deploy.pull && deploy.cleanup);
		assert_false(deploy.only_latest);
		assert_int_equal(deploy.settle_seconds, -1);
		assert_int_equal(deploy.timeout_seconds, 0);
	}
}

static void
without_a_pull_nothing_is_cleaned_up_unless_asked_for(void **state)
{
	auto_arena struct arena arena = { 0 };
	struct deploy_arguments deploy;
	struct error err;

	(void)state;
	assert_int_equal(decode("{\"pull\": false}", &arena, &deploy, &err), 0);
	assert_false(deploy.pull || deploy.cleanup);
	assert_int_equal(decode("{\"pull\": false, \"cleanup\": true}", &arena,
			     &deploy, &err),
	    0);
	assert_true(deploy.cleanup && !deploy.pull);
	assert_int_equal(
	    decode("{\"cleanup\": false}", &arena, &deploy, &err), 0);
	assert_true(deploy.pull && !deploy.cleanup);
}

static void
what_is_no_deploy_names_the_field(void **state)
{
	static const char *const texts[][2] = {
		{ "{\"action\": \"stop\"}", "action" },
		{ "{\"action\": \"Restart\"}", "action" },
		{ "{\"pull\": 1}", "pull" },
		{ "{\"cleanup\": \"no\"}", "cleanup" },
		{ "{\"settle_seconds\": 601}", "settle_seconds" },
		{ "{\"timeout_seconds\": 0}", "timeout_seconds" },
	};
	auto_arena struct arena arena = { 0 };
	struct deploy_arguments deploy;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(
		    decode(texts[i][0], &arena, &deploy, &err), -1);
		assert_string_equal(err.field, texts[i][1]);
	}
}

static void
actions_on_services_are_five(void **state)
{
	(void)state;
	assert_true(service_action_is_valid("start"));
	assert_true(service_action_is_valid("pull"));
	assert_false(service_action_is_valid("up"));
	assert_false(service_action_is_valid(""));
	assert_false(service_action_is_valid("start "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_deploy_pulls_restarts_and_cleans_up_unless_told),
		cmocka_unit_test(
		    without_a_pull_nothing_is_cleaned_up_unless_asked_for),
		cmocka_unit_test(what_is_no_deploy_names_the_field),
		cmocka_unit_test(actions_on_services_are_five),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
