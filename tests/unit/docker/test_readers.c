/* Readers of logs while the Engine is slow: some wait, others are told. */
#include "docker/docker.h"

#include "base/clock.h"
#include "tests/unit/docker/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOW_MS 1500

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	static const char inspection[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n"
	    "{\"Config\":{\"Tty\":false}}";

	f->engine = engine_start();
	if (docker_open(engine_path(f->engine), &f->docker, &f->err) < 0)
		return -1;
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/a/json",
		.bytes = inspection,
		.delay_ms = SLOW_MS });
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/a/logs",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n",
		.after = ENGINE_CLOSE });
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_close(f->docker);
	engine_stop(f->engine);
	free(f);
	return 0;
}

static bool
ignore_line(void *context, const struct docker_log_line *line)
{
	(void)context;
	(void)line;
	return true;
}

static int
read_log(struct fixture *f, struct error *err)
{
	static const char *const ids[] = { "a" };
	struct docker_log_options options = { .tail = 5 };

	return docker_logs_read(
	    f->docker, ids, 1, &options, ignore_line, NULL, err);
}

static void *
read_slowly(void *context)
{
	struct error err;

	return read_log(context, &err) == 0 ? NULL : context;
}

static void
readers_over_the_limit_are_told_at_once(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms;
	pthread_t reader;
	void *failed;

	docker_limit_readers(f->docker, 1);
	assert_int_equal(pthread_create(&reader, NULL, read_slowly, f), 0);
	clock_sleep_ms(SLOW_MS / 3);
	started_ms = clock_monotonic_ms();
	assert_int_equal(read_log(f, &f->err), -1);
	assert_true(clock_monotonic_ms() - started_ms < SLOW_MS / 3);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "OVERLOADED");
	assert_true(f->err.retry_after_s > 0);
	pthread_join(reader, &failed);
	assert_null(failed);
	/* The place is free again, also after a failure. */
	assert_int_equal(read_log(f, &f->err), 0);
	assert_int_equal(read_log(f, &f->err), 0);
}

struct follower {
	bool has_begun, has_ended;
};

static void
note_end(void *context, size_t number, const struct error *err)
{
	struct follower *follower = context;

	assert_int_equal(number, 7);
	assert_null(err);
	follower->has_ended = true;
}

static bool
add_once(void *context, struct docker_logs *logs)
{
	const struct docker_log_options options = { .tail = 5 };
	struct follower *follower = context;
	struct error err;

	if (!follower->has_begun)
		assert_int_equal(
		    docker_logs_add(logs, "a", 7, &options, &err), 0);
	follower->has_begun = true;
	return !follower->has_ended;
}

/* They have places of their own. */
static void
followers_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct follower follower = { 0 };
	const struct docker_log_listener listener = { .on_line = ignore_line,
		.on_end = note_end,
		.on_idle = add_once,
		.context = &follower };
	pthread_t reader;
	void *failed;

	docker_limit_readers(f->docker, 1);
	assert_int_equal(pthread_create(&reader, NULL, read_slowly, f), 0);
	clock_sleep_ms(SLOW_MS / 3);
	assert_int_equal(
	    docker_logs_follow(f->docker, -1, &listener, &f->err), 0);
	assert_true(follower.has_ended);
	pthread_join(reader, &failed);
	assert_null(failed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readers_over_the_limit_are_told_at_once),
		TEST(followers_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
