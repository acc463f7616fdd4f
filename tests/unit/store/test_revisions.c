/* Revisions and updates on record. */
#include "store/revisions.h"

#include "store/jobs.h"
#include "store/mirror.h"
#include "store/store.h"
#include "store/updates.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	return store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err);
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

/* The number of a new revision. */
static int64_t
add(struct fixture *f, const char *deployment)
{
	struct revision revision = { .deployment = deployment,
		.filename = "docker-compose.yml",
		.compose = "services: {}",
		.environment = "A=1\n",
		.actor = "key:x",
		.reason = "because",
		.job_id = "j" };

	assert_int_equal(store_revision_add(f->store, &revision, &f->err), 0);
	return revision.number;
}

static void
judge(struct fixture *f, int64_t number, enum revision_state state,
    const char *images)
{
	assert_int_equal(
	    store_revision_judge(f->store, "a", number, state, images, &f->err),
	    0);
}

static struct revision
get(struct fixture *f, int64_t number)
{
	struct revision revision;

	assert_int_equal(store_revision_get(f->store, "a", number, &f->arena,
			     &revision, &f->err),
	    0);
	return revision;
}

static bool
is_there(struct fixture *f, int64_t number)
{
	struct revision revision;

	return store_revision_get(
		   f->store, "a", number, &f->arena, &revision, &f->err) == 0;
}

static void
numbers_count_for_each_deployment(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add(f, "a"), 1);
	assert_int_equal(add(f, "a"), 2);
	assert_int_equal(add(f, "b"), 1);
	assert_int_equal(store_revisions_forget(f->store, "a", &f->err), 0);
	assert_int_equal(add(f, "a"), 1);
	assert_int_equal(add(f, "b"), 2);
}

static void
a_revision_is_read_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct revision revision;

	add(f, "a");
	revision = get(f, 1);
	assert_string_equal(revision.compose, "services: {}");
	assert_string_equal(revision.environment, "A=1\n");
	assert_null(revision.metadata);
	assert_null(revision.images);
	assert_string_equal(revision.reason, "because");
	assert_int_equal(revision.state, REVISION_SAVED);
	assert_true(revision.created_at_ms > 0);
	assert_int_equal(revision.applied_at_ms, 0);
	assert_false(revision.is_current);
	assert_int_equal(
	    store_revision_get(f->store, "a", 2, &f->arena, &revision, &f->err),
	    -1);
	assert_string_equal(f->err.code, "REVISION_NOT_FOUND");
}

static void
a_judgement_keeps_what_it_does_not_know(void **state)
{
	struct fixture *f = *state;
	int64_t applied_at_ms;

	add(f, "a");
	judge(f, 1, REVISION_APPLIED, "[1]");
	applied_at_ms = get(f, 1).applied_at_ms;
	assert_true(applied_at_ms > 0);
	judge(f, 1, REVISION_FAILED, NULL);
	assert_int_equal(get(f, 1).state, REVISION_FAILED);
	assert_string_equal(get(f, 1).images, "[1]");
	assert_int_equal(get(f, 1).applied_at_ms, applied_at_ms);
}

static void
one_revision_is_the_current_one(void **state)
{
	struct fixture *f = *state;
	struct revision revision;
	bool found;
	int64_t number;

	add(f, "a");
	add(f, "a");
	assert_int_equal(store_revision_current(f->store, "a", &f->arena,
			     &revision, &found, &f->err),
	    0);
	assert_false(found);
	for (number = 2; number > 0; number--) {
		assert_int_equal(
		    store_revision_make_current(f->store, "a", number, &f->err),
		    0);
		assert_int_equal(store_revision_current(f->store, "a",
				     &f->arena, &revision, &found, &f->err),
		    0);
		assert_true(found);
		assert_int_equal(revision.number, number);
	}
	assert_false(get(f, 2).is_current);
}

static void
the_list_begins_with_the_newest(void **state)
{
	struct fixture *f = *state;
	struct revision *revisions, before;
	size_t count;
	int64_t total;
	bool found;
	int i;

	for (i = 0; i < 5; i++)
		add(f, "a");
	assert_int_equal(store_revision_list(f->store, "a", 2, 1, &f->arena,
			     &revisions, &count, &total, &f->err),
	    0);
	assert_int_equal(total, 5);
	assert_int_equal(count, 2);
	assert_int_equal(revisions[0].number, 4);
	assert_null(revisions[0].compose);
	assert_int_equal(store_revision_before(f->store, "a", 4, &f->arena,
			     &before, &found, &f->err),
	    0);
	assert_true(found);
	assert_int_equal(before.number, 3);
	assert_int_equal(store_revision_before(f->store, "a", 1, &f->arena,
			     &before, &found, &f->err),
	    0);
	assert_false(found);
}

/* However often something was saved since. */
static void
what_can_be_gone_back_to_is_never_forgotten(void **state)
{
	struct fixture *f = *state;
	struct update_record record = {
		.deployment = "a", .job_id = "j", .back = 4
	};
	int i;

	for (i = 0; i < 5; i++)
		add(f, "a");
	judge(f, 1, REVISION_APPLIED, NULL);
	judge(f, 2, REVISION_APPLIED, NULL);
	assert_int_equal(
	    store_revision_make_current(f->store, "a", 3, &f->err), 0);
	assert_int_equal(store_update_put(f->store, &record, &f->err), 0);
	for (i = 0; i < REVISIONS_KEPT; i++)
		add(f, "a");
	assert_false(is_there(f, 1));
	assert_true(is_there(f, 2));
	assert_true(is_there(f, 3));
	assert_true(is_there(f, 4));
	assert_false(is_there(f, 5));
	assert_true(is_there(f, 6));
}

static void
put_deployment(struct fixture *f, const char *name)
{
	struct mirror_deployment deployment = { .name = name,
		.path = "/d",
		.filename = "docker-compose.yml",
		.project = name,
		.type = "",
		.compose = "",
		.services = "[]",
		.metadata = "{}",
		.problem = "",
		.version = "" };
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_deployment_put(f->store, &deployment, &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
}

static void
images_are_those_of_the_newest_applied_revisions(void **state)
{
	struct fixture *f = *state;
	const char **images;
	size_t count;
	int i;

	put_deployment(f, "a");
	for (i = 0; i < 5; i++)
		add(f, "a");
	add(f, "gone");
	judge(f, 1, REVISION_APPLIED, "[1]");
	judge(f, 2, REVISION_APPLIED, "[2]");
	judge(f, 3, REVISION_FAILED, "[3]");
	judge(f, 4, REVISION_APPLIED, "[4]");
	assert_int_equal(store_revision_judge(f->store, "gone", 1,
			     REVISION_APPLIED, "[5]", &f->err),
	    0);
	assert_int_equal(store_revision_images(
			     f->store, 2, &f->arena, &images, &count, &f->err),
	    0);
	assert_int_equal(count, 2);
	assert_string_equal(images[0], "[4]");
	assert_string_equal(images[1], "[2]");
}

static size_t
count_unjudged(struct fixture *f)
{
	struct revision *revisions;
	size_t count;

	assert_int_equal(store_revision_unjudged(
			     f->store, &f->arena, &revisions, &count, &f->err),
	    0);
	return count;
}

static void
what_was_started_is_judged_when_nothing_changes_it(void **state)
{
	struct fixture *f = *state;
	struct update_record record = { .deployment = "a", .job_id = "j" };
	struct job job = { .kind = "deployment.start",
		.subject = "a",
		.actor = "x",
		.request_id = "r" };

	add(f, "a");
	assert_int_equal(
	    store_revision_make_current(f->store, "a", 1, &f->err), 0);
	assert_int_equal(count_unjudged(f), 0);
	judge(f, 1, REVISION_SAVED, "[]");
	assert_int_equal(count_unjudged(f), 1);
	assert_int_equal(store_update_put(f->store, &record, &f->err), 0);
	assert_int_equal(count_unjudged(f), 0);
	assert_int_equal(store_update_remove(f->store, "a", &f->err), 0);
	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	assert_int_equal(count_unjudged(f), 0);
	assert_int_equal(
	    store_job_finish(f->store, job.id, "", NULL, NULL, &f->err), 0);
	assert_int_equal(count_unjudged(f), 1);
	judge(f, 1, REVISION_APPLIED, NULL);
	assert_int_equal(count_unjudged(f), 0);
}

static void
an_update_is_on_record_until_it_is_removed(void **state)
{
	struct fixture *f = *state;
	struct update_record record = { .deployment = "a",
		.job_id = "j",
		.revision = 3,
		.back = 2,
		.phase = UPDATE_CONTAINERS,
		.before = BEFORE_RUNNING },
			     *records;
	size_t count;
	bool found;

	assert_int_equal(store_update_put(f->store, &record, &f->err), 0);
	assert_int_equal(
	    store_update_phase(f->store, "a", UPDATE_BACK, &f->err), 0);
	assert_int_equal(
	    store_update_list(f->store, &f->arena, &records, &count, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_string_equal(records[0].deployment, "a");
	assert_int_equal(records[0].revision, 3);
	assert_int_equal(records[0].back, 2);
	assert_int_equal(records[0].phase, UPDATE_BACK);
	assert_int_equal(records[0].before, BEFORE_RUNNING);
	assert_int_equal(store_update_remove(f->store, "a", &f->err), 0);
	assert_int_equal(store_update_find(f->store, "a", &f->arena, &record,
			     &found, &f->err),
	    0);
	assert_false(found);
}

/* Of a deployment that is made anew nothing old is resumed. */
static void
an_update_of_a_deleted_deployment_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct update_record record = { .deployment = "a", .job_id = "j" };
	bool found;

	assert_int_equal(store_update_put(f->store, &record, &f->err), 0);
	assert_int_equal(store_revisions_forget(f->store, "a", &f->err), 0);
	assert_int_equal(store_update_find(f->store, "a", &f->arena, &record,
			     &found, &f->err),
	    0);
	assert_false(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_count_for_each_deployment),
		TEST(a_revision_is_read_as_it_was_written),
		TEST(a_judgement_keeps_what_it_does_not_know),
		TEST(one_revision_is_the_current_one),
		TEST(the_list_begins_with_the_newest),
		TEST(what_can_be_gone_back_to_is_never_forgotten),
		TEST(images_are_those_of_the_newest_applied_revisions),
		TEST(what_was_started_is_judged_when_nothing_changes_it),
		TEST(an_update_is_on_record_until_it_is_removed),
		TEST(an_update_of_a_deleted_deployment_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
