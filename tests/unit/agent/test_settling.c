/* When what was brought up is healthy, and what is told when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/settling.h"
#include "base/clock.h"
#include "docker/docker.h"
#include "tests/unit/docker/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "c000000000000000000000000000000000000000000000000000000000000000"
#define LIST "GET /v1.41/containers/json"
#define INSPECT "GET /v1.41/containers/" ID "/json"

struct fixture {
	struct engine *engine;
	struct agent agent;
	struct run run;
	atomic_bool cancel;
	struct settling settling;
	struct docker_container before;
	struct json_object *cause;
	struct error err;
};

static int
set_up(void **state)
{
	static const char text[] = "services: {app: {image: x}}";
	struct fixture *f = calloc(1, sizeof *f);
	struct document *document;

	*state = f;
	f->engine = engine_start();
	f->run.agent = &f->agent;
	f->run.cancel = &f->cancel;
	assert_int_equal(document_parse(text, strlen(text), &f->run.arena,
			     &document, &f->err),
	    0);
	assert_int_equal(document_interpolate(document, NULL, 0, &f->err), 0);
	f->settling = (struct settling){ .project = "blog",
		.document = document,
		.since_ms = clock_monotonic_ms(),
		.settle_ms = 1,
		.timeout_ms = 400 };
	return docker_open(engine_path(f->engine), &f->agent.docker, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	json_object_put(f->cause);
	docker_close(f->agent.docker);
	engine_stop(f->engine);
	arena_clear(&f->run.arena);
	free(f);
	return 0;
}

/* The one container, as the list has it. */
static void
list(struct fixture *f, const char *state, const char *status,
    const char *labels)
{
	engine_answers_json(f->engine, LIST, "200 OK",
	    arena_printf(&f->run.arena,
		"[{\"Id\": \"" ID "\", \"Names\": [\"/blog\"], "
		"\"State\": \"%s\", \"Status\": \"%s\", \"Labels\": "
		"{\"com.docker.compose.project\": \"blog\", "
		"\"com.docker.compose.service\": \"app\"%s}}]",
		state, status, labels));
}

/* state: members of "State". */
static void
inspect(struct fixture *f, const char *state, const char *policy, int restarts)
{
	engine_answers_json(f->engine, INSPECT, "200 OK",
	    arena_printf(&f->run.arena,
		"{\"Id\": \"" ID "\", \"Name\": \"/blog\", "
		"\"State\": {%s}, \"RestartCount\": %d, \"HostConfig\": "
		"{\"RestartPolicy\": {\"Name\": \"%s\"}}}",
		state, restarts, policy));
}

#define ENDED(code) "\"Status\": \"exited\", \"ExitCode\": " code
#define RUNNING                                        \
	"\"Status\": \"running\", \"Running\": true, " \
	"\"StartedAt\": \"2024-01-01T00:00:00Z\""

static int
wait_for(struct fixture *f)
{
	return settling_wait(&f->run, &f->settling, &f->cause, &f->err);
}

/* It fails with the code, and soon unless it only is not there in time. */
static void
assert_broken(struct fixture *f, const char *code)
{
	int64_t started_ms = clock_monotonic_ms();
	bool at_once = strcmp(code, "NOT_HEALTHY_IN_TIME") != 0;

	if (at_once)
		f->settling.timeout_ms = 20000;
	assert_int_equal(wait_for(f), -1);
	assert_string_equal(f->err.code, code);
	assert_string_equal(json_text(f->cause, "code"), code);
	assert_string_equal(json_text(f->cause, "service"), "app");
	if (at_once)
		assert_true(clock_monotonic_ms() - started_ms < 10000);
}

static void
what_is_healthy_is_fine(void **state)
{
	struct fixture *f = *state;

	list(f, "running", "Up 1 second (healthy)", "");
	assert_int_equal(wait_for(f), 0);
	assert_null(f->cause);
}

static void
without_containers_there_is_nothing_to_wait_for(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, LIST, "200 OK", "[]");
	assert_int_equal(wait_for(f), 0);
}

static void
what_has_no_check_has_to_run_for_a_while(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms = clock_monotonic_ms();

	f->settling.settle_ms = 500;
	f->settling.timeout_ms = 5000;
	list(f, "running", "Up 1 second", "");
	inspect(f, RUNNING, "no", 0);
	assert_int_equal(wait_for(f), 0);
	assert_true(clock_monotonic_ms() - started_ms >= 500);
}

static void
what_still_starts_is_waited_for_until_the_time_is_up(void **state)
{
	struct fixture *f = *state;

	list(f, "running", "Up 1 second (health: starting)", "");
	inspect(f,
	    RUNNING ", \"Health\": {\"Status\": \"starting\", \"Log\": "
		    "[{\"ExitCode\": 1, \"Output\": \"not yet\"}]}",
	    "no", 0);
	assert_broken(f, "NOT_HEALTHY_IN_TIME");
	assert_string_equal(json_text(f->cause, "health_output"), "not yet");
}

static void
what_is_unhealthy_is_broken(void **state)
{
	struct fixture *f = *state;

	list(f, "running", "Up 1 second (unhealthy)", "");
	inspect(
	    f, RUNNING ", \"Health\": {\"Status\": \"unhealthy\"}", "no", 0);
	assert_broken(f, "CONTAINER_UNHEALTHY");
}

static void
what_ended_badly_is_broken(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (3) 1 second ago", "");
	inspect(f, ENDED("3"), "no", 0);
	assert_broken(f, "CONTAINER_EXITED");
	assert_int_equal(json_int(f->cause, "exit_code", -1), 3);
}

static void
what_ended_well_and_is_done_is_fine(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (0) 1 second ago", "");
	inspect(f, ENDED("0"), "on-failure", 0);
	assert_int_equal(wait_for(f), 0);
}

static void
what_ended_well_and_should_run_is_not_fine(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (0) 1 second ago", "");
	inspect(f, ENDED("0"), "always", 0);
	assert_broken(f, "CONTAINER_EXITED");
}

static void
memory_that_ran_out_is_told(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (137) 1 second ago", "");
	inspect(f, ENDED("137") ", \"OOMKilled\": true", "no", 0);
	assert_broken(f, "OOM_KILLED");
	assert_true(json_boolean(f->cause, "oom_killed", false));
}

static void
some_restarts_are_tolerated_and_no_more(void **state)
{
	struct fixture *f = *state;

	list(f, "running", "Up 1 second", "");
	inspect(f, RUNNING, "always", RESTARTS_TOLERATED);
	assert_int_equal(wait_for(f), 0);
	list(f, "restarting", "Restarting (1) 1 second ago", "");
	inspect(f, "\"Status\": \"restarting\", \"ExitCode\": 1", "always",
	    RESTARTS_TOLERATED + 1);
	assert_broken(f, "CONTAINER_RESTARTING");
	assert_int_equal(
	    json_int(f->cause, "restart_count", -1), RESTARTS_TOLERATED + 1);
}

static void
remember(struct fixture *f, const char *health)
{
	f->before = (struct docker_container){
		.id = ID, .state = "running", .health = health
	};
	f->settling.before = &f->before;
	f->settling.before_count = 1;
}

static void
what_was_not_touched_need_not_settle(void **state)
{
	struct fixture *f = *state;

	remember(f, "unhealthy");
	f->settling.settle_ms = 60000;
	list(f, "running", "Up 3 hours", "");
	assert_int_equal(wait_for(f), 0);
	/* It was ill before. */
	list(f, "running", "Up 3 hours (unhealthy)", "");
	assert_int_equal(wait_for(f), 0);
}

static void
what_was_not_touched_must_not_become_worse(void **state)
{
	struct fixture *f = *state;

	remember(f, "healthy");
	list(f, "running", "Up 3 hours (unhealthy)", "");
	inspect(
	    f, RUNNING ", \"Health\": {\"Status\": \"unhealthy\"}", "no", 0);
	assert_broken(f, "CONTAINER_UNHEALTHY");
}

static void
what_had_ended_before_is_no_reason_against_others(void **state)
{
	struct fixture *f = *state;

	remember(f, "");
	f->before.state = "exited";
	list(f, "exited", "Exited (3) 1 second ago", "");
	assert_int_equal(wait_for(f), 0);
}

static void
what_was_broken_may_be_so_again_when_it_goes_back(void **state)
{
	struct fixture *f = *state;

	remember(f, "");
	f->before.id = "d000000000000000000000000000000000000000000000000000000"
		       "000000000";
	f->before.service = "app";
	f->before.state = "restarting";
	list(f, "exited", "Exited (3) 1 second ago", "");
	inspect(f, ENDED("3"), "no", 0);
	f->settling.lenient = true;
	assert_int_equal(wait_for(f), 0);
	f->settling.lenient = false;
	assert_broken(f, "CONTAINER_EXITED");
}

static void
what_compose_ran_once_does_not_count(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (3) 1 second ago",
	    ", \"com.docker.compose.oneoff\": \"True\"");
	assert_int_equal(wait_for(f), 0);
}

static void
a_cancelled_job_waits_no_longer(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->cancel, true);
	assert_int_equal(wait_for(f), -1);
	assert_string_equal(f->err.code, "JOB_CANCELLED");
	assert_string_equal(json_text(f->cause, "code"), "JOB_CANCELLED");
}

static void
an_engine_that_goes_is_the_error_in_the_end(void **state)
{
	struct fixture *f = *state;

	engine_hide(f->engine);
	assert_int_equal(wait_for(f), -1);
	assert_string_equal(f->err.code, "DOCKER_UNAVAILABLE");
	assert_non_null(f->cause);
}

static void
compose_errors_name_the_service_that_is_broken(void **state)
{
	struct fixture *f = *state;

	list(f, "exited", "Exited (3) 1 second ago", "");
	inspect(f, ENDED("3"), "no", 0);
	error_set(&f->err, ERR_UPSTREAM, "COMPOSE_FAILED", "it failed");
	f->cause = settling_explain(&f->run, &f->settling, &f->err);
	assert_string_equal(json_text(f->cause, "code"), "COMPOSE_FAILED");
	assert_string_equal(json_text(f->cause, "service"), "app");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_healthy_is_fine),
		TEST(without_containers_there_is_nothing_to_wait_for),
		TEST(what_has_no_check_has_to_run_for_a_while),
		TEST(what_still_starts_is_waited_for_until_the_time_is_up),
		TEST(what_is_unhealthy_is_broken),
		TEST(what_ended_badly_is_broken),
		TEST(what_ended_well_and_is_done_is_fine),
		TEST(what_ended_well_and_should_run_is_not_fine),
		TEST(memory_that_ran_out_is_told),
		TEST(some_restarts_are_tolerated_and_no_more),
		TEST(what_was_not_touched_need_not_settle),
		TEST(what_was_not_touched_must_not_become_worse),
		TEST(what_had_ended_before_is_no_reason_against_others),
		TEST(what_was_broken_may_be_so_again_when_it_goes_back),
		TEST(what_compose_ran_once_does_not_count),
		TEST(a_cancelled_job_waits_no_longer),
		TEST(an_engine_that_goes_is_the_error_in_the_end),
		TEST(compose_errors_name_the_service_that_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
