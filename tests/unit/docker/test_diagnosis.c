#include "docker/diagnosis.h"

#include "base/buffer.h"
#include "tests/unit/docker/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASKED "GET /v1.41/containers/web/json"

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct arena arena;
	struct docker_diagnosis diagnosis;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->engine = engine_start();
	if (docker_open(engine_path(f->engine), &f->docker, &f->err) < 0)
		return -1;
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_close(f->docker);
	engine_stop(f->engine);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int
diagnose(struct fixture *f, const char *answer)
{
	engine_answers_json(f->engine, ASKED, "200 OK", answer);
	return docker_container_diagnose(
	    f->docker, "web", &f->arena, &f->diagnosis, &f->err);
}

static void
a_crash_is_told_with_its_exit_code(void **state)
{
	struct fixture *f = *state;
	const struct docker_diagnosis *is = &f->diagnosis;

	assert_int_equal(
	    diagnose(f,
		"{\"Id\":\"abc\",\"Name\":\"/web\",\"RestartCount\":3,"
		"\"State\":{\"Status\":\"restarting\",\"Running\":true,"
		"\"ExitCode\":137,\"OOMKilled\":true,\"Error\":\"no\","
		"\"StartedAt\":\"2026-01-02T03:04:05.6Z\","
		"\"FinishedAt\":\"2026-01-02T03:04:06Z\"},"
		"\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"}}}"),
	    0);
	assert_string_equal(is->name, "web");
	assert_string_equal(is->state, "restarting");
	assert_true(is->running && is->oom_killed);
	assert_int_equal(is->exit_code, 137);
	assert_int_equal(is->restart_count, 3);
	assert_string_equal(is->restart_policy, "always");
	assert_string_equal(is->error, "no");
	assert_int_equal(is->started_at, 1767323045);
	assert_int_equal(is->finished_at, 1767323046);
	assert_string_equal(is->health, "");
}

static void
the_newest_check_speaks(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    diagnose(f,
		"{\"Id\":\"abc\",\"Name\":\"/web\",\"State\":{\"Status\":"
		"\"running\",\"Running\":true,\"FinishedAt\":"
		"\"0001-01-01T00:00:00Z\",\"Health\":{\"Status\":"
		"\"unhealthy\",\"FailingStreak\":5,\"Log\":[{\"ExitCode\":0,"
		"\"Output\":\"old\"},{\"ExitCode\":1,\"Output\":"
		"\"refused\"}]}}}"),
	    0);
	assert_string_equal(f->diagnosis.health, "unhealthy");
	assert_int_equal(f->diagnosis.failing_streak, 5);
	assert_int_equal(f->diagnosis.health_exit_code, 1);
	assert_string_equal(f->diagnosis.health_output, "refused");
	assert_int_equal(f->diagnosis.finished_at, 0);
	assert_string_equal(f->diagnosis.restart_policy, "no");
}

static void
of_much_output_the_end_is_kept(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer answer = BUFFER(32 * 1024);
	int i;

	buffer_text(&answer,
	    "{\"Id\":\"abc\",\"Name\":\"/web\",\"State\":{\"Health\":{"
	    "\"Status\":\"starting\",\"Log\":[{\"ExitCode\":1,\"Output\":\"");
	for (i = 0; i < 3000; i++)
		buffer_text(&answer, "\xC3\xA4.");
	buffer_text(&answer, "end\"}]}}}");
	assert_int_equal(diagnose(f, buffer_string(&answer)), 0);
	assert_true(
	    strlen(f->diagnosis.health_output) <= HEALTH_OUTPUT_MAXIMUM + 8);
	assert_non_null(strstr(f->diagnosis.health_output, ".end"));
}

static void
what_the_engine_leaves_out_is_nothing(void **state)
{
	struct fixture *f = *state;
	struct json_object *object;

	assert_int_equal(
	    diagnose(f, "{\"State\":{\"Health\":{\"Log\":null}}}"), 0);
	assert_string_equal(f->diagnosis.health, "");
	object = docker_diagnosis_render(&f->diagnosis, &f->arena);
	assert_null(json_member(object, "health"));
	assert_null(json_member(object, "started_at"));
	assert_int_equal(json_int(object, "restart_count", -1), 0);
	json_object_put(object);
}

static void
an_id_out_of_grammar_is_not_asked_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(docker_container_diagnose(f->docker, "a/../b",
			     &f->arena, &f->diagnosis, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crash_is_told_with_its_exit_code),
		TEST(the_newest_check_speaks),
		TEST(of_much_output_the_end_is_kept),
		TEST(what_the_engine_leaves_out_is_nothing),
		TEST(an_id_out_of_grammar_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
