/* What the record of a failed job tells clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/jobs.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct store *store;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	assert_int_equal(
	    store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static struct job
insert_job(struct fixture *f)
{
	struct job job = {
		.kind = "k", .subject = "a", .actor = "x", .request_id = "r"
	};

	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	assert_int_equal(store_job_start(f->store, job.id, &f->err), 0);
	return job;
}

static struct error
record(struct fixture *f, const struct error *failure)
{
	struct job job = insert_job(f);

	assert_int_equal(
	    store_job_finish(f->store, job.id, "", NULL, failure, &f->err), 0);
	assert_int_equal(
	    store_job_get(f->store, job.id, &f->arena, &job, &f->err), 0);
	assert_true(job.failed);
	return job.error;
}

static void
an_internal_failure_is_nothing_more_to_clients(void **state)
{
	struct fixture *f = *state;
	struct error failure, told;

	errno = EIO;
	error_errno(&failure, "cannot open '/etc/nginx/flatrun.d'");
	told = record(f, &failure);
	assert_int_equal(told.kind, ERR_INTERNAL);
	assert_string_equal(error_code(&told), "INTERNAL");
	assert_string_equal(told.message, "internal error");
}

static void
a_failure_that_clients_can_do_something_about_is_told(void **state)
{
	struct fixture *f = *state;
	struct error failure, told;

	error_field(&failure, "compose_content", "INVALID_COMPOSE",
	    "line 3: unknown key");
	told = record(f, &failure);
	assert_int_equal(told.kind, ERR_INVALID);
	assert_string_equal(told.code, "INVALID_COMPOSE");
	assert_string_equal(told.field, "compose_content");
	assert_string_equal(told.message, "line 3: unknown key");
}

/* As when the agent ends in time to say so itself. */
static void
an_interrupted_job_is_worth_another_try(void **state)
{
	struct fixture *f = *state;
	struct job job = insert_job(f), *jobs;
	size_t count;

	assert_int_equal(
	    store_jobs_interrupt(f->store, &f->arena, &jobs, &count, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_int_equal(
	    store_job_get(f->store, job.id, &f->arena, &job, &f->err), 0);
	assert_int_equal(job.error.kind, ERR_UNAVAILABLE);
	assert_string_equal(job.error.code, "JOB_INTERRUPTED");
	assert_non_null(strstr(job.error.message, "stopped"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_internal_failure_is_nothing_more_to_clients),
		TEST(a_failure_that_clients_can_do_something_about_is_told),
		TEST(an_interrupted_job_is_worth_another_try),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
