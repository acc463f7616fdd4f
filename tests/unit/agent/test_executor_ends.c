/*
 * How jobs and the executor end when things go wrong. Linked with
 * -Wl,--wrap=store_job_finish: a full disk is slow to make.
 */
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

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct agent agent;
	struct executor *executor;
	struct store *store;
	struct error err;
};

static atomic_bool hold;
static atomic_int failures, finish_calls;
static _Atomic(enum error_kind) failure_kind;

int __real_store_job_finish(struct store *store, const char *id,
    const char *output, const char *result, const struct error *failure,
    struct error *err);
int __wrap_store_job_finish(struct store *store, const char *id,
    const char *output, const char *result, const struct error *failure,
    struct error *err);

int
__wrap_store_job_finish(struct store *store, const char *id, const char *output,
    const char *result, const struct error *failure, struct error *err)
{
	if (atomic_fetch_add(&finish_calls, 1) < atomic_load(&failures))
		return error_set(err, atomic_load(&failure_kind), NULL, "no");
	return __real_store_job_finish(store, id, output, result, failure, err);
}

static bool
any_subject(const char *subject)
{
	return *subject != '\0';
}

static int
wait_body(struct run *run, struct error *err)
{
	while (atomic_load(&hold) && !atomic_load(run->cancel))
		clock_sleep_ms(5);
	return atomic_load(run->cancel)
		   ? error_set(err, ERR_CONFLICT, "JOB_CANCELLED", "cancelled")
		   : 0;
}

static const struct job_kind kinds[] = {
	{ "test.wait", any_subject, wait_body }, { 0 }
};
static const struct job_kind *const tables[] = { kinds, NULL };

static void
on_finished(void *context, const char *job_id)
{
	(void)context;
	(void)job_id;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->settings.database_directory = f->scratch.path;
	f->settings.job_parallel = 1;
	f->agent.settings = &f->settings;
	atomic_store(&hold, false);
	atomic_store(&failures, 0);
	atomic_store(&finish_calls, 0);
	atomic_store(&failure_kind, ERR_STORAGE_FULL);
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
submit(struct fixture *f, const char *subject, const char **out_id)
{
	struct json_object *arguments = json_object_new_object();
	struct submission submission = { .kind = "test.wait",
		.subject = subject,
		.actor = "key:x",
		.request_id = "request",
		.arguments = arguments };
	int failed = executor_submit(
	    f->executor, f->store, &submission, &f->arena, out_id, &f->err);

	json_object_put(arguments);
	return failed;
}

static enum job_status
status_of(struct fixture *f, const char *id)
{
	struct job job;

	assert_int_equal(
	    store_job_get(f->store, id, &f->arena, &job, &f->err), 0);
	return job.status;
}

static bool
ends_within(struct fixture *f, const char *id, int64_t limit_ms)
{
	int64_t until_ms = clock_monotonic_ms() + limit_ms;

	while (executor_has(f->executor, id)) {
		if (clock_monotonic_ms() > until_ms)
			return false;
		clock_sleep_ms(10);
	}
	return true;
}

static void
wait_until_running(struct fixture *f, const char *id)
{
	while (status_of(f, id) != JOB_RUNNING)
		clock_sleep_ms(5);
}

static void
the_end_of_a_job_waits_for_room_on_the_disk(void **state)
{
	struct fixture *f = *state;
	const char *id, *other;

	atomic_store(&failures, 7);
	assert_int_equal(submit(f, "a", &id), 0);
	assert_false(ends_within(f, id, 5500));
	/* Not on record: so nothing else happens to the deployment. */
	assert_int_equal(submit(f, "a", &other), -1);
	assert_string_equal(f->err.code, "TEST_BUSY");
	assert_true(ends_within(f, id, 5000));
	assert_int_equal(status_of(f, id), JOB_SUCCEEDED);
	assert_int_equal(atomic_load(&finish_calls), 8);
}

static void
an_end_that_can_never_be_recorded_blocks_nothing_for_long(void **state)
{
	struct fixture *f = *state;
	const char *id;

	atomic_store(&failures, 1000);
	atomic_store(&failure_kind, ERR_INTERNAL);
	assert_int_equal(submit(f, "a", &id), 0);
	assert_true(ends_within(f, id, 8000));
}

static void
a_full_disk_does_not_keep_the_agent_from_ending(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms;
	const char *id;

	atomic_store(&failures, 1000);
	atomic_store(&hold, true);
	assert_int_equal(submit(f, "a", &id), 0);
	wait_until_running(f, id);
	assert_false(executor_drain(f->executor));
	atomic_store(&hold, false);
	started_ms = clock_monotonic_ms();
	executor_stop(f->executor);
	f->executor = NULL;
	assert_true(clock_monotonic_ms() - started_ms < 3000);
	/* The next start finds it and says that it was interrupted. */
	assert_int_equal(status_of(f, id), JOB_RUNNING);
}

static void
while_it_drains_running_jobs_end_and_no_other_begins(void **state)
{
	struct fixture *f = *state;
	const char *first, *second, *third;

	atomic_store(&hold, true);
	assert_int_equal(submit(f, "a", &first), 0);
	wait_until_running(f, first);
	assert_int_equal(submit(f, "b", &second), 0);
	assert_false(executor_drain(f->executor));
	assert_int_equal(submit(f, "c", &third), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "AGENT_UNAVAILABLE");
	assert_int_equal(f->err.retry_after_s, 1);
	atomic_store(&hold, false);
	assert_true(ends_within(f, first, 2000));
	assert_true(executor_drain(f->executor));
	assert_int_equal(status_of(f, first), JOB_SUCCEEDED);
	assert_int_equal(status_of(f, second), JOB_PENDING);
}

static void
an_executor_without_a_database_can_be_stopped(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms = clock_monotonic_ms();
	const char *id;

	/* Its thread opens a connection with its first job. */
	assert_int_equal(unlinkat(f->scratch.fd, "flatrun.db", 0), 0);
	assert_int_equal(submit(f, "a", &id), 0);
	clock_sleep_ms(200);
	executor_stop(f->executor);
	f->executor = NULL;
	assert_true(clock_monotonic_ms() - started_ms < 5000);
	assert_int_equal(scratch_has(&f->scratch, "flatrun.db"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_end_of_a_job_waits_for_room_on_the_disk),
		TEST(an_end_that_can_never_be_recorded_blocks_nothing_for_long),
		TEST(a_full_disk_does_not_keep_the_agent_from_ending),
		TEST(while_it_drains_running_jobs_end_and_no_other_begins),
		TEST(an_executor_without_a_database_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
