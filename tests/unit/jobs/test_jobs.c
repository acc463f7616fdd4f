/* Frames, the heartbeat, and what a worker sees of an agent. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "jobs/heartbeat.h"
#include "jobs/jobs.h"
#include "jobs/render.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct store *store;
	struct jobs *jobs;
	struct error err;
	/* The agent that a test plays. */
	int listener;
	pthread_t thread;
	bool playing;
	const char *answer; /* to the request; NULL: none */
	bool says_done, waits;
	int64_t done_after_ms;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "agent");
	assert_int_equal(
	    store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err), 0);
	f->jobs = jobs_open(f->scratch.path, 1);
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path,
	    "%s/agent/agent.sock", f->scratch.path);
	assert_int_equal(
	    bind(f->listener, (struct sockaddr *)&address, sizeof address), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->playing)
		pthread_join(f->thread, NULL);
	close(f->listener);
	jobs_close(f->jobs);
	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
send_text(int fd, const char *text)
{
	struct json_object *object = json_tokener_parse(text);
	struct error ignored;

	frame_send(fd, object, &ignored);
	json_object_put(object);
}

/* All of it: what is closed with something unread is reset. */
static bool
receive_frame(int fd)
{
	auto_buffer struct buffer received = BUFFER(FRAME_MAXIMUM);
	auto_json struct json_object *frame = NULL;
	struct error ignored;
	char bytes[4096];
	ssize_t length;

	while (frame == NULL && (length = recv(fd, bytes, sizeof bytes, 0)) > 0)
		if (buffer_append(&received, bytes, (size_t)length) < 0 ||
		    frame_take(&received, &frame, &ignored) < 0)
			break;
	return frame != NULL;
}

/* Answers one worker as the test says. */
static void *
play_agent(void *context)
{
	struct fixture *f = context;
	int fd = accept(f->listener, NULL, NULL);

	if (receive_frame(fd) && f->answer != NULL)
		send_text(fd, f->answer);
	if (f->done_after_ms > 0)
		clock_sleep_ms(f->done_after_ms);
	if (f->says_done)
		send_text(fd, "{\"done\":true}");
	if (f->waits)
		clock_sleep_ms(1000);
	close(fd);
	return NULL;
}

static void
start_agent(struct fixture *f)
{
	assert_int_equal(listen(f->listener, 4), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, play_agent, f), 0);
	f->playing = true;
}

/* A job on record, and the agent's answer that it took it. */
static struct job
record_job(struct fixture *f)
{
	struct job job = { .kind = JOB_START,
		.subject = "blog",
		.actor = "key:x",
		.request_id = "r" };

	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	f->answer = arena_printf(&f->arena, "{\"job_id\":\"%s\"}", job.id);
	return job;
}

static int
run(struct fixture *f, int64_t wait_ms, struct job *out)
{
	struct job_request request = { .kind = JOB_START,
		.subject = "blog",
		.actor = "key:x",
		.request_id = "r" };

	return jobs_run(
	    f->jobs, f->store, &request, wait_ms, &f->arena, out, &f->err);
}

static void
a_finished_job_is_read_from_the_record(void **state)
{
	struct fixture *f = *state;
	struct job job = record_job(f), out;

	store_job_finish(f->store, job.id, "said", NULL, NULL, &f->err);
	f->says_done = true;
	start_agent(f);
	assert_int_equal(run(f, 5000, &out), 0);
	assert_int_equal(out.status, JOB_SUCCEEDED);
	assert_string_equal(out.output, "said");
}

static void
a_job_that_takes_longer_is_given_back_under_way(void **state)
{
	struct fixture *f = *state;
	struct job out;
	int64_t started_ms = clock_monotonic_ms();

	record_job(f);
	f->waits = true;
	start_agent(f);
	assert_int_equal(run(f, 200, &out), 0);
	assert_int_equal(out.status, JOB_PENDING);
	assert_in_range(clock_monotonic_ms() - started_ms, 150, 900);
}

static void *
wait_long(void *context)
{
	struct fixture *f = context;
	struct error err;

	jobs_wait(f->jobs, "01234567890123456789", 1000, &err);
	return NULL;
}

static void
when_too_many_wait_a_job_is_given_back_at_once(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms;
	struct error err;
	pthread_t waiter;

	f->waits = true;
	start_agent(f);
	assert_int_equal(pthread_create(&waiter, NULL, wait_long, f), 0);
	clock_sleep_ms(100);
	started_ms = clock_monotonic_ms();
	assert_int_equal(
	    jobs_wait(f->jobs, "01234567890123456789", 5000, &err), 0);
	assert_true(clock_monotonic_ms() - started_ms < 300);
	pthread_join(waiter, NULL);
}

static void
a_client_that_does_not_wait_gets_the_job_at_once(void **state)
{
	struct fixture *f = *state;
	struct job job = record_job(f), out;

	f->waits = true;
	start_agent(f);
	assert_int_equal(run(f, 0, &out), 0);
	assert_string_equal(out.id, job.id);
}

static void
an_agent_that_ends_meanwhile_interrupted_the_job(void **state)
{
	struct fixture *f = *state;
	struct job job = record_job(f), out;

	start_agent(f);
	assert_int_equal(run(f, 5000, &out), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(error_code(&f->err), "JOB_INTERRUPTED");
	assert_string_equal(f->err.related, job.id);
}

static void
a_refusal_of_the_agent_reaches_the_client(void **state)
{
	struct fixture *f = *state;
	struct job out;

	f->answer = "{\"error\":{\"kind\":\"conflict\",\"code\":"
		    "\"DEPLOYMENT_BUSY\",\"message\":\"busy\","
		    "\"related\":\"01234567890123456789\","
		    "\"retry_after_s\":7}}";
	start_agent(f);
	assert_int_equal(run(f, 5000, &out), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(error_code(&f->err), "DEPLOYMENT_BUSY");
	assert_string_equal(f->err.related, "01234567890123456789");
	assert_int_equal(f->err.retry_after_s, 7);
}

static void
without_an_agent_a_change_is_unavailable_at_once(void **state)
{
	struct fixture *f = *state;
	struct job out;
	int64_t started_ms = clock_monotonic_ms();

	assert_int_equal(run(f, 5000, &out), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(error_code(&f->err), "AGENT_UNAVAILABLE");
	assert_true(clock_monotonic_ms() - started_ms < 500);
}

static void
an_agent_that_speaks_nonsense_is_our_trouble(void **state)
{
	struct fixture *f = *state;
	struct job out;

	f->answer = "{\"hello\":1}";
	start_agent(f);
	assert_int_equal(run(f, 5000, &out), -1);
	assert_int_equal(f->err.kind, ERR_INTERNAL);
}

/* Frames. */

static const char framed[] = "\0\0\0\x0D{\"wait\":\"a\"}\n";

static void
a_frame_is_taken_when_its_last_byte_is_there(void **state)
{
	struct buffer received = BUFFER(FRAME_MAXIMUM + 64);
	struct json_object *frame = NULL;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < 16; i++) {
		buffer_append(&received, framed + i, 1);
		assert_int_equal(frame_take(&received, &frame, &err), 0);
		assert_null(frame);
	}
	buffer_append(&received, framed + 16, 1);
	buffer_append(&received, "\0\0", 2);
	assert_int_equal(frame_take(&received, &frame, &err), 0);
	assert_non_null(frame);
	assert_string_equal(json_text(frame, "wait"), "a");
	assert_int_equal(received.length, 2);
	json_object_put(frame);
	buffer_clear(&received);
}

static void
what_is_no_frame_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} bad[] = { { "\0\0\0\0", 4 }, { "\xff\xff\xff\xff", 4 },
		{ "\0\x40\0\x01", 4 }, { "\0\0\0\x02{]", 6 },
		{ "\0\0\0\x04null", 8 } };
	struct json_object *frame;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buffer received = BUFFER(FRAME_MAXIMUM + 64);

		buffer_append(&received, bad[i].bytes, bad[i].length);
		assert_int_equal(frame_take(&received, &frame, &err), -1);
		buffer_clear(&received);
	}
}

static void
errors_survive_the_way_through_a_frame(void **state)
{
	struct error sent, got;
	struct json_object *object;

	(void)state;
	error_field(&sent, "name", "INVALID_NAME", "bad \"name\"");
	object = error_to_json(&sent);
	error_from_json(object, &got);
	json_object_put(object);
	assert_memory_equal(&sent, &got, sizeof sent);
	error_from_json(NULL, &got);
	assert_int_equal(got.kind, ERR_INTERNAL);
}

/* The heartbeat. */

static void
a_heartbeat_ages_and_tells_of_docker(void **state)
{
	struct fixture *f = *state;
	struct heartbeat heartbeat;
	int fd;

	heartbeat_read(f->scratch.path, &heartbeat);
	assert_true(heartbeat.stale);
	assert_int_equal(heartbeat.age_ms, -1);
	assert_false(heartbeat.docker_up);
	fd = heartbeat_open(f->scratch.path);
	assert_true(fd >= 0);
	assert_int_equal(heartbeat_write(fd, true, 7), 0);
	heartbeat_read(f->scratch.path, &heartbeat);
	assert_false(heartbeat.stale);
	assert_true(heartbeat.docker_up);
	assert_int_equal(heartbeat.docker_generation, 7);
	heartbeat_write(fd, false, 8);
	heartbeat_read(f->scratch.path, &heartbeat);
	assert_false(heartbeat.docker_up);
	clock_sleep_ms(HEARTBEAT_STALE_MS + 100);
	heartbeat_read(f->scratch.path, &heartbeat);
	assert_true(heartbeat.stale);
	assert_true(heartbeat.age_ms > HEARTBEAT_STALE_MS);
	close(fd);
}

static void
a_heartbeat_that_is_garbage_is_none(void **state)
{
	struct fixture *f = *state;
	struct heartbeat heartbeat;
	char garbage[32];

	memset(garbage, 0x5A, sizeof garbage);
	scratch_write(&f->scratch, "agent/heartbeat", garbage, 32);
	heartbeat_read(f->scratch.path, &heartbeat);
	assert_true(heartbeat.stale);
	scratch_write(&f->scratch, "agent/heartbeat", garbage, 3);
	heartbeat_read(f->scratch.path, &heartbeat);
	assert_true(heartbeat.stale);
}

static void
a_job_is_shown_with_its_lines_and_error(void **state)
{
	struct fixture *f = *state;
	struct job job = { .id = "01234567890123456789",
		.kind = JOB_RESTART,
		.subject = "blog",
		.status = JOB_FAILED,
		.output = "one\ntwo\n",
		.actor = "a",
		.request_id = "r",
		.failed = true,
		.created_at_ms = 1 };
	struct json_object *shown;

	error_set(&job.error, ERR_UPSTREAM, "COMPOSE_FAILED", "it failed");
	shown = job_render(&job, true, &f->arena);
	assert_string_equal(json_text(shown, "action"), "restart");
	assert_string_equal(json_text(shown, "status"), "failed");
	assert_string_equal(json_text(shown, "error"), "it failed");
	assert_string_equal(json_text(shown, "error_code"), "COMPOSE_FAILED");
	assert_int_equal(
	    json_object_array_length(json_member(shown, "lines")), 2);
	json_object_put(shown);
}

static void
a_job_on_a_service_names_it(void **state)
{
	struct fixture *f = *state;
	struct job job = { .id = "01234567890123456789",
		.kind = JOB_SERVICE_STOP,
		.subject = "blog",
		.status = JOB_SUCCEEDED,
		.output = "",
		.result = "{\"service\": \"web\"}",
		.actor = "a",
		.request_id = "r",
		.created_at_ms = 1 };
	struct json_object *shown = job_render(&job, true, &f->arena);

	assert_string_equal(json_text(shown, "action"), "stop");
	assert_string_equal(json_text(shown, "service"), "web");
	assert_string_equal(json_text(shown, "deployment"), "blog");
	json_object_put(shown);
}

/* What a program printed in a container may be a whole database. */
static void
output_of_programs_in_containers_is_not_for_viewers(void **state)
{
	static const char *const kinds[] = { JOB_EXEC, JOB_ACTION,
		JOB_RESTART };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct job job = { .kind = kinds[i], .output = "secret" };

		job_withhold(&job, ROLE_OPERATOR);
		assert_string_equal(job.output, "secret");
		job_withhold(&job, ROLE_VIEWER);
		assert_string_equal(job.output, i < 2 ? "" : "secret");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_finished_job_is_read_from_the_record),
		TEST(a_job_that_takes_longer_is_given_back_under_way),
		TEST(when_too_many_wait_a_job_is_given_back_at_once),
		TEST(a_client_that_does_not_wait_gets_the_job_at_once),
		TEST(an_agent_that_ends_meanwhile_interrupted_the_job),
		TEST(a_refusal_of_the_agent_reaches_the_client),
		TEST(without_an_agent_a_change_is_unavailable_at_once),
		TEST(an_agent_that_speaks_nonsense_is_our_trouble),
		cmocka_unit_test(a_frame_is_taken_when_its_last_byte_is_there),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(errors_survive_the_way_through_a_frame),
		TEST(a_heartbeat_ages_and_tells_of_docker),
		TEST(a_heartbeat_that_is_garbage_is_none),
		TEST(a_job_is_shown_with_its_lines_and_error),
		TEST(a_job_on_a_service_names_it),
		cmocka_unit_test(
		    output_of_programs_in_containers_is_not_for_viewers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
