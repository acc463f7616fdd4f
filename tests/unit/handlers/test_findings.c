#include "handlers/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

struct fixture {
	struct arena arena;
	struct json_object *problems;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->problems = json_object_new_array();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	json_object_put(f->problems);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

/* A container that is well, for a test to change. */
static struct docker_diagnosis
well(void)
{
	return (struct docker_diagnosis){ .id = "abc",
		.name = "blog-web",
		.state = "running",
		.running = true,
		.error = "",
		.restart_policy = "unless-stopped",
		.started_at = NOW - 3600,
		.health = "",
		.health_output = "" };
}

/* The codes that are found, with a space after each. */
static const char *
codes(struct fixture *f, const struct docker_diagnosis *diagnosis)
{
	static char text[200];
	size_t i;

	findings_of_container(diagnosis, "web", NOW, &f->arena, f->problems);
	text[0] = '\0';
	for (i = 0; i < json_object_array_length(f->problems); i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s ",
		    json_text(
			json_object_array_get_idx(f->problems, i), "code"));
	return text;
}

static const char *
message(struct fixture *f, size_t i)
{
	return json_text(json_object_array_get_idx(f->problems, i), "message");
}

static void
what_is_well_has_no_problem(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	assert_string_equal(codes(f, &is), "");
	is.health = "healthy";
	/* Long ago. */
	is.restart_count = 3;
	assert_string_equal(codes(f, &is), "");
}

static void
work_that_is_done_is_no_problem(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.running = false;
	is.state = "exited";
	is.restart_policy = "no";
	assert_string_equal(codes(f, &is), "");
	is.restart_policy = "on-failure";
	assert_string_equal(codes(f, &is), "");
	is.restart_policy = "always";
	assert_string_equal(codes(f, &is), "STOPPED ");
}

static void
an_exit_code_is_explained(void **state)
{
	static const struct {
		int code;
		const char *says;
	} cases[] = {
		{ 1, "exit code 1: it failed" },
		{ 126, "cannot be executed" },
		{ 127, "was not found" },
		{ 139, "SIGSEGV" },
		{ 134, "signal 6" },
		{ 255, "it failed" },
	};
	struct fixture *f = *state;
	struct docker_diagnosis is = well();
	size_t i;

	is.running = false;
	is.state = "exited";
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		is.exit_code = cases[i].code;
		codes(f, &is);
		assert_non_null(strstr(message(f, i), cases[i].says));
	}
}

static void
who_was_told_to_end_has_not_crashed(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.running = false;
	is.state = "exited";
	is.exit_code = 143;
	assert_string_equal(codes(f, &is), "STOPPED ");
}

static void
too_much_memory_is_named(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.running = false;
	is.state = "exited";
	is.exit_code = 137;
	is.oom_killed = true;
	assert_string_equal(codes(f, &is), "OUT_OF_MEMORY ");
}

static void
a_loop_is_one_although_it_runs_just_now(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.restart_count = 7;
	is.exit_code = 3;
	is.started_at = NOW - 2;
	assert_string_equal(codes(f, &is), "RESTART_LOOP ");
	assert_non_null(strstr(message(f, 0), "7 times"));
	is.running = false;
	is.state = "restarting";
	assert_string_equal(codes(f, &is), "RESTART_LOOP RESTART_LOOP ");
}

static void
a_port_in_use_is_told_from_other_failures(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.running = false;
	is.state = "created";
	is.error = "driver failed: Bind for 0.0.0.0:80 failed: port is already "
		   "allocated\nmore";
	assert_string_equal(codes(f, &is), "PORT_IN_USE ");
	assert_null(strstr(message(f, 0), "more"));
	is.error = "exec: \"/x\": no such file";
	assert_string_equal(codes(f, &is), "PORT_IN_USE START_FAILED ");
}

static void
a_failed_check_says_what_it_said(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.health = "unhealthy";
	is.failing_streak = 4;
	is.health_exit_code = 22;
	is.health_output = "curl: refused\r\nsecond line";
	assert_string_equal(codes(f, &is), "UNHEALTHY ");
	assert_string_equal(message(f, 0),
	    "the health check of 'web' failed 4 times: exit code 22: curl: "
	    "refused");
	is.health = "starting";
	assert_string_equal(codes(f, &is), "UNHEALTHY STARTING ");
}

static void
other_states_are_told(void **state)
{
	struct fixture *f = *state;
	struct docker_diagnosis is = well();

	is.running = false;
	is.state = "created";
	codes(f, &is);
	is.state = "paused";
	is.running = true;
	assert_string_equal(codes(f, &is), "NOT_STARTED PAUSED ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_well_has_no_problem),
		TEST(work_that_is_done_is_no_problem),
		TEST(an_exit_code_is_explained),
		TEST(who_was_told_to_end_has_not_crashed),
		TEST(too_much_memory_is_named),
		TEST(a_loop_is_one_although_it_runs_just_now),
		TEST(a_port_in_use_is_told_from_other_failures),
		TEST(a_failed_check_says_what_it_said),
		TEST(other_states_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
