/* Jobs: on record first, parallel across subjects, one at a time for each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/executor.h"
#include "base/clock.h"
#include "settings/settings.h"
#include "store/jobs.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct agent agent;
	struct executor *executor;
	struct store *store;
	struct error err;
};

/* What the job bodies share with the tests. */
static atomic_int running, most_running, finished;
static atomic_bool hold;

static bool
any_subject(const char *subject)
{
	return *subject != '\0';
}

static int
wait_body(struct run *run, struct error *err)
{
	int now = atomic_fetch_add(&running, 1) + 1, most;

	(void)err;
	most = atomic_load(&most_running);
	while (now > most &&
	       !atomic_compare_exchange_weak(&most_running, &most, now))
		;
	while (atomic_load(&hold) && !atomic_load(run->cancel))
		clock_sleep_ms(5);
	atomic_fetch_sub(&running, 1);
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	return 0;
}

static int
fail_body(struct run *run, struct error *err)
{
	buffer_text(&run->output, "half\xff way");
	return error_set(err, ERR_UPSTREAM, "COMPOSE_FAILED", "it broke");
}

static int
flood_body(struct run *run, struct error *err)
{
	int i;

	(void)err;
	for (i = 0; i < 100000; i++)
		buffer_text(&run->output, "0123456789");
	return 0;
}

/* Progress many times, and so often that not each can be on record. */
static int
progress_body(struct run *run, struct error *err)
{
	int i;

	(void)err;
	for (i = 1; i <= 100; i++) {
		struct json_object *progress = json_object_new_object();

		json_put_integer(progress, "percent", i);
		run_progress(run, progress, i == 100);
	}
	return 0;
}

static const struct job_kind kinds[] = {
	{ "test.wait", any_subject, wait_body },
	{ "test.fail", any_subject, fail_body },
	{ "test.flood", any_subject, flood_body },
	{ "test.progress", any_subject, progress_body },
	{ 0 },
};

static const struct job_kind other_kinds[] = {
	{ "quick.wait", any_subject, wait_body, LANE_ENGINE },
	{ "many.wait", any_subject, wait_body, LANE_ENGINE, .shared = true },
	{ 0 },
};

static const struct job_kind *const tables[] = { kinds, other_kinds, NULL };

static void
on_finished(void *context, const char *job_id)
{
	(void)context;
	(void)job_id;
	atomic_fetch_add(&finished, 1);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->settings.database_directory = f->scratch.path;
	f->settings.job_parallel = 3;
	f->agent.settings = &f->settings;
	atomic_store(&hold, false);
	atomic_store(&finished, 0);
	atomic_store(&most_running, 0);
	assert_int_equal(
	    store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err), 0);
	f->executor = executor_new(&f->agent, tables, on_finished, f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	atomic_store(&hold, false);
	if (f->executor != NULL)
		executor_stop(f->executor);
	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static int
submit(struct fixture *f, const char *kind, const char *subject,
    const char **out_id)
{
	struct json_object *arguments = json_object_new_object();
	struct submission submission = { .kind = kind,
		.subject = subject,
		.actor = "key:x",
		.request_id = "request",
		.arguments = arguments };
	int failed = executor_submit(
	    f->executor, f->store, &submission, &f->arena, out_id, &f->err);

	json_object_put(arguments);
	return failed;
}

static int
submit_with_key(struct fixture *f, const char *key, const char *fingerprint,
    const char **out_id)
{
	struct json_object *arguments = json_object_new_object();
	struct submission submission = { .kind = "test.wait",
		.subject = "blog",
		.actor = "key:x",
		.request_id = "request",
		.idempotency_key = key,
		.fingerprint = fingerprint,
		.answer = "{\"status\":201}",
		.arguments = arguments };
	int failed = executor_submit(
	    f->executor, f->store, &submission, &f->arena, out_id, &f->err);

	json_object_put(arguments);
	return failed;
}

static void
wait_for(const atomic_int *value, int wanted)
{
	int64_t until_ms = clock_monotonic_ms() + 10000;

	while (atomic_load(value) != wanted && clock_monotonic_ms() < until_ms)
		clock_sleep_ms(5);
	assert_int_equal(atomic_load(value), wanted);
}

static struct job
read_job(struct fixture *f, const char *id)
{
	struct job job;

	assert_int_equal(
	    store_job_get(f->store, id, &f->arena, &job, &f->err), 0);
	return job;
}

static void
a_job_that_is_done_is_on_record_before_anybody_is_told(void **state)
{
	struct fixture *f = *state;
	const char *id;
	struct job job;

	assert_int_equal(submit(f, "test.wait", "blog", &id), 0);
	wait_for(&finished, 1);
	job = read_job(f, id);
	assert_int_equal(job.status, JOB_SUCCEEDED);
	assert_string_equal(job.result, "{\"name\":\"blog\"}");
	assert_false(executor_has(f->executor, id));
}

/* Lets pass what says so, and tells of what it refuses. */
static int
look_at_conditions(
    struct run *run, const struct job_kind *kind, struct error *err)
{
	assert_string_equal(kind->name, "test.wait");
	if (json_boolean(run->conditions, "pass", false))
		return 0;
	run->result = json_object_new_object();
	json_put_text(run->result, "version", "2");
	return error_set(err, ERR_PRECONDITION, NULL, "of another version");
}

static void
what_the_guard_refuses_is_not_begun(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *arguments = json_object_new_object();
	auto_json struct json_object *conditions = json_object_new_object();
	struct submission submission = { .kind = "test.wait",
		.subject = "blog",
		.actor = "key:x",
		.request_id = "request",
		.arguments = arguments,
		.conditions = conditions };
	const char *id;
	struct job job;

	executor_guard(f->executor, look_at_conditions);
	assert_int_equal(executor_submit(f->executor, f->store, &submission,
			     &f->arena, &id, &f->err),
	    0);
	wait_for(&finished, 1);
	job = read_job(f, id);
	assert_int_equal(job.status, JOB_FAILED);
	assert_int_equal(job.error.kind, ERR_PRECONDITION);
	assert_string_equal(job.result, "{\"version\":\"2\"}");
	assert_int_equal(atomic_load(&most_running), 0);
	json_put_boolean(conditions, "pass", true);
	assert_int_equal(executor_submit(f->executor, f->store, &submission,
			     &f->arena, &id, &f->err),
	    0);
	wait_for(&finished, 2);
	assert_int_equal(read_job(f, id).status, JOB_SUCCEEDED);
	assert_int_equal(atomic_load(&most_running), 1);
}

static void
a_second_job_of_a_subject_is_told_of_the_first(void **state)
{
	struct fixture *f = *state;
	const char *first, *second;

	atomic_store(&hold, true);
	assert_int_equal(submit(f, "test.wait", "blog", &first), 0);
	assert_int_equal(submit(f, "test.wait", "blog", &second), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(error_code(&f->err), "TEST_BUSY");
	assert_string_equal(f->err.related, first);
	assert_true(executor_has(f->executor, first));
	atomic_store(&hold, false);
	wait_for(&finished, 1);
	assert_int_equal(submit(f, "test.wait", "blog", &second), 0);
	wait_for(&finished, 2);
}

static void
jobs_of_different_subjects_run_at_once_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	char name[16];
	const char *id;
	int i;

	atomic_store(&hold, true);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof name, "d%d", i);
		assert_int_equal(submit(f, "test.wait", name, &id), 0);
	}
	wait_for(&running, 3);
	assert_int_equal(read_job(f, id).status, JOB_PENDING);
	atomic_store(&hold, false);
	wait_for(&finished, 5);
	assert_int_equal(atomic_load(&most_running), 3);
}

static void
a_failure_is_recorded_with_its_output_made_valid(void **state)
{
	struct fixture *f = *state;
	const char *id;
	struct job job;

	assert_int_equal(submit(f, "test.fail", "blog", &id), 0);
	wait_for(&finished, 1);
	job = read_job(f, id);
	assert_int_equal(job.status, JOB_FAILED);
	assert_string_equal(error_code(&job.error), "COMPOSE_FAILED");
	assert_string_equal(job.output, "half\xEF\xBF\xBD way");
}

static void
output_is_bounded(void **state)
{
	struct fixture *f = *state;
	const char *id;

	assert_int_equal(submit(f, "test.flood", "blog", &id), 0);
	wait_for(&finished, 1);
	assert_in_range(strlen(read_job(f, id).output), JOB_OUTPUT_MAXIMUM - 10,
	    JOB_OUTPUT_MAXIMUM);
}

static void
unknown_kinds_and_bad_subjects_leave_no_record(void **state)
{
	struct job_filter filter = { .limit = 10 };
	struct fixture *f = *state;
	struct job *jobs;
	const char *id;
	int64_t total;
	size_t count;

	assert_int_equal(submit(f, "test.other", "blog", &id), -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_int_equal(submit(f, "test.wait", "", &id), -1);
	assert_string_equal(error_code(&f->err), "INVALID_NAME");
	assert_int_equal(store_job_list(f->store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(total, 0);
}

static void *
submit_many(void *context)
{
	struct fixture *f = context;
	auto_arena struct arena arena = { 0 };
	auto_store struct store *store = NULL;
	struct json_object *arguments = json_object_new_object();
	struct submission submission = { .kind = "test.wait",
		.subject = "blog",
		.actor = "a",
		.request_id = "r",
		.arguments = arguments };
	struct error err;
	const char *id;
	intptr_t won = 0;
	int i;

	if (store_open(f->scratch.path, STORE_AGENT, &store, &err) == 0)
		for (i = 0; i < 20; i++)
			won += executor_submit(f->executor, store, &submission,
				   &arena, &id, &err) == 0;
	json_object_put(arguments);
	return (void *)won;
}

static void
of_many_who_ask_at_once_one_wins(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];
	intptr_t won = 0;
	void *result;
	int i;

	atomic_store(&hold, true);
	for (i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, submit_many, f), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		won += (intptr_t)result;
	}
	assert_int_equal(won, 1);
}

static void
stopping_lets_a_running_job_end_and_begins_no_other(void **state)
{
	struct fixture *f = *state;
	const char *ids[4];
	char name[16];
	int i;

	atomic_store(&hold, true);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "d%d", i);
		assert_int_equal(submit(f, "test.wait", name, &ids[i]), 0);
	}
	wait_for(&running, 3);
	atomic_store(&hold, false);
	executor_stop(f->executor);
	f->executor = NULL;
	for (i = 0; i < 3; i++)
		assert_true(read_job(f, ids[i]).status == JOB_SUCCEEDED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct job
read_back(struct fixture *f, const char *id)
{
	struct job job;

	assert_int_equal(
	    store_job_get(f->store, id, &f->arena, &job, &f->err), 0);
	return job;
}

static void
slow_programs_do_not_delay_quick_calls(void **state)
{
	struct fixture *f = *state;
	char subject[16];
	const char *id;
	int i;

	atomic_store(&hold, true);
	for (i = 0; i < 5; i++) {
		snprintf(subject, sizeof subject, "slow%d", i);
		assert_int_equal(submit(f, "test.wait", subject, &id), 0);
	}
	wait_for(&running, 3);
	assert_int_equal(submit(f, "quick.wait", "blog", &id), 0);
	wait_for(&running, 4);
	/* Another class: the same name is another object. */
	assert_int_equal(submit(f, "test.wait", "blog", &id), 0);
	assert_int_equal(submit(f, "quick.wait", "blog", &id), -1);
	assert_string_equal(f->err.code, "QUICK_BUSY");
	atomic_store(&hold, false);
	wait_for(&finished, 7);
}

static void
shared_kinds_run_several_at_once(void **state)
{
	struct fixture *f = *state;
	const char *id;

	atomic_store(&hold, true);
	assert_int_equal(submit(f, "many.wait", "blog", &id), 0);
	assert_int_equal(submit(f, "many.wait", "blog", &id), 0);
	wait_for(&running, 2);
	atomic_store(&hold, false);
	wait_for(&finished, 2);
}

static void
a_running_job_is_cancelled(void **state)
{
	struct fixture *f = *state;
	const char *id;
	struct job job;

	atomic_store(&hold, true);
	assert_int_equal(submit(f, "quick.wait", "blog", &id), 0);
	wait_for(&running, 1);
	assert_true(executor_cancel(f->executor, f->store, id));
	wait_for(&finished, 1);
	/* The body did not fail, so it was too late. */
	job = read_back(f, id);
	assert_int_equal(job.status, JOB_SUCCEEDED);
	assert_false(executor_cancel(f->executor, f->store, id));
}

static void
a_waiting_job_is_cancelled_at_once(void **state)
{
	struct fixture *f = *state;
	const char *id = NULL;
	char subject[16];
	struct job job;
	int i;

	atomic_store(&hold, true);
	for (i = 0; i < 4; i++) {
		snprintf(subject, sizeof subject, "slow%d", i);
		assert_int_equal(submit(f, "test.wait", subject, &id), 0);
	}
	wait_for(&running, 3);
	assert_true(executor_cancel(f->executor, f->store, id));
	assert_int_equal(atomic_load(&finished), 1);
	job = read_back(f, id);
	assert_int_equal(job.status, JOB_FAILED);
	assert_string_equal(job.error.code, "JOB_CANCELLED");
	assert_int_equal(job.started_at_ms, 0);
	/* Its subject is free again. */
	assert_int_equal(submit(f, "test.wait", subject, &id), 0);
	atomic_store(&hold, false);
	wait_for(&finished, 5);
}

static void
the_last_progress_is_on_record(void **state)
{
	struct fixture *f = *state;
	const char *id;

	assert_int_equal(submit(f, "test.progress", "blog", &id), 0);
	wait_for(&finished, 1);
	assert_string_equal(read_back(f, id).progress, "{\"percent\":100}");
}

static void
a_key_gives_the_job_that_it_was(void **state)
{
	struct fixture *f = *state;
	const char *first, *second;

	atomic_store(&hold, true);
	assert_int_equal(submit_with_key(f, "k1", "aa", &first), 0);
	assert_int_equal(submit_with_key(f, "k1", "aa", &second), -1);
	assert_string_equal(f->err.code, "IDEMPOTENCY_CONFLICT");
	assert_string_equal(f->err.related, first);
	atomic_store(&hold, false);
	wait_for(&finished, 1);
	while (executor_has(f->executor, first))
		clock_sleep_ms(5);
	assert_int_equal(submit_with_key(f, "k1", "aa", &second), 0);
	assert_string_equal(second, first);
	assert_int_equal(submit_with_key(f, "k1", "bb", &second), -1);
	assert_int_equal(f->err.kind, ERR_UNPROCESSABLE);
	assert_string_equal(f->err.code, "IDEMPOTENCY_KEY_REUSED");
	assert_int_equal(submit_with_key(f, "k2", "aa", &second), 0);
	assert_string_not_equal(second, first);
	wait_for(&finished, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_that_is_done_is_on_record_before_anybody_is_told),
		TEST(what_the_guard_refuses_is_not_begun),
		TEST(a_second_job_of_a_subject_is_told_of_the_first),
		TEST(jobs_of_different_subjects_run_at_once_up_to_the_limit),
		TEST(a_failure_is_recorded_with_its_output_made_valid),
		TEST(output_is_bounded),
		TEST(unknown_kinds_and_bad_subjects_leave_no_record),
		TEST(of_many_who_ask_at_once_one_wins),
		TEST(stopping_lets_a_running_job_end_and_begins_no_other),
		cmocka_unit_test_setup_teardown(
		    slow_programs_do_not_delay_quick_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    shared_kinds_run_several_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_running_job_is_cancelled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_waiting_job_is_cancelled_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_last_progress_is_on_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_key_gives_the_job_that_it_was, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
