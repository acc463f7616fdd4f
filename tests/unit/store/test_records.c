/* What is kept in the database: keys, failed logins, jobs, mirror.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/jobs.h"
#include "store/keys.h"
#include "store/mirror.h"
#include "store/samples.h"
#include "store/store.h"
#include "store/throttle.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
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

static bool
finds_key(struct fixture *f, const char *text)
{
	struct api_key key;
	bool found;

	assert_int_equal(
	    store_key_find(f->store, text, &f->arena, &key, &found, &f->err),
	    0);
	return found;
}

static void
a_key_is_found_by_its_whole_text_until_it_is_revoked(void **state)
{
	struct fixture *f = *state;
	char text[KEY_TEXT_SIZE], changed[KEY_TEXT_SIZE + 1];
	struct api_key made, key;
	bool found;

	assert_int_equal(store_key_create(f->store, "ci", ROLE_OPERATOR, text,
			     &f->arena, &made, &f->err),
	    0);
	assert_int_equal(strlen(text), 46);
	assert_int_equal(strncmp(text, "fr_", 3), 0);
	assert_int_equal(strncmp(made.prefix, text, 12), 0);
	assert_true(finds_key(f, text));
	snprintf(changed, sizeof changed, "%s", text);
	changed[45] = '\0';
	assert_false(finds_key(f, changed));
	snprintf(changed, sizeof changed, "%sx", text);
	assert_false(finds_key(f, changed));
	assert_false(finds_key(f, ""));

	assert_int_equal(store_key_find_id(f->store, made.id, &f->arena, &key,
			     &found, &f->err),
	    0);
	assert_true(found);
	assert_string_equal(key.name, "ci");
	assert_int_equal(key.role, ROLE_OPERATOR);

	assert_int_equal(store_key_revoke(f->store, made.id, &f->err), 0);
	assert_int_equal(store_key_revoke(f->store, made.id, &f->err), 0);
	assert_false(finds_key(f, text));
	assert_int_equal(store_key_find_id(f->store, made.id, &f->arena, &key,
			     &found, &f->err),
	    0);
	assert_false(found);
	assert_int_equal(
	    store_key_revoke(f->store, "ffffffffffff", &f->err), -1);
	assert_string_equal(error_code(&f->err), "KEY_NOT_FOUND");
}

static void
the_text_of_a_key_is_nowhere_in_the_database(void **state)
{
	struct fixture *f = *state;
	char text[KEY_TEXT_SIZE];
	struct api_key made;
	static const char *const files[] = { "flatrun.db", "flatrun.db-wal" };
	size_t i;

	assert_int_equal(store_key_create(f->store, "x", ROLE_ADMIN, text,
			     &f->arena, &made, &f->err),
	    0);
	for (i = 0; i < 2; i++) {
		char path[64];
		FILE *file;
		char bytes[262144];
		size_t length;

		snprintf(path, sizeof path, "%s/%s", f->scratch.path, files[i]);
		file = fopen(path, "rb");
		assert_non_null(file);
		length = fread(bytes, 1, sizeof bytes, file);
		fclose(file);
		assert_true(length > 0);
		/* The prefix is shown to people; the rest is the secret. */
		assert_null(memmem(bytes, length, text + 12, 20));
	}
}

static void
the_use_of_a_key_is_noted(void **state)
{
	struct fixture *f = *state;
	char text[KEY_TEXT_SIZE];
	struct api_key made, *keys;
	size_t count;

	assert_int_equal(store_key_create(f->store, "x", ROLE_ADMIN, text,
			     &f->arena, &made, &f->err),
	    0);
	assert_int_equal(store_key_touch(f->store, made.id, &f->err), 0);
	assert_int_equal(store_key_touch(f->store, made.id, &f->err), 0);
	assert_int_equal(
	    store_key_list(f->store, &f->arena, &keys, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_true(keys[0].last_used_at > 0);
}

static void
ten_failures_close_the_door_for_one_address_only(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < THROTTLE_FAILURES; i++) {
		assert_int_equal(
		    store_throttle_check(f->store, "192.0.2.1", &f->err), 0);
		assert_int_equal(
		    store_throttle_note(f->store, "192.0.2.1", &f->err), 0);
	}
	assert_int_equal(
	    store_throttle_check(f->store, "192.0.2.1", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_RATE_LIMITED);
	assert_in_range(f->err.retry_after_s, 1, 61);
	assert_int_equal(
	    store_throttle_check(f->store, "192.0.2.2", &f->err), 0);
}

static struct job
insert_job(struct fixture *f, const char *subject)
{
	struct job job = { .kind = "deployment.start",
		.subject = subject,
		.actor = "key:x",
		.request_id = "r" };

	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	assert_true(job_id_is_valid(job.id));
	return job;
}

static void
a_job_goes_from_pending_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct job job = insert_job(f, "blog"), found;
	struct error failure;
	bool active;

	assert_int_equal(store_job_active(f->store, "deployment", "blog",
			     &f->arena, &found, &active, &f->err),
	    0);
	assert_true(active);
	assert_string_equal(found.id, job.id);
	assert_int_equal(found.status, JOB_PENDING);
	assert_int_equal(store_job_start(f->store, job.id, &f->err), 0);
	assert_int_equal(
	    store_job_output(f->store, job.id, "half", &f->err), 0);
	assert_int_equal(
	    store_job_get(f->store, job.id, &f->arena, &found, &f->err), 0);
	assert_int_equal(found.status, JOB_RUNNING);
	assert_string_equal(found.output, "half");

	error_set(&failure, ERR_CONFLICT, "PORT_IN_USE", "port 80 is taken");
	assert_int_equal(store_job_finish(f->store, job.id, "all", "{\"a\":1}",
			     &failure, &f->err),
	    0);
	assert_int_equal(
	    store_job_get(f->store, job.id, &f->arena, &found, &f->err), 0);
	assert_int_equal(found.status, JOB_FAILED);
	assert_true(found.failed);
	assert_int_equal(found.error.kind, ERR_CONFLICT);
	assert_string_equal(error_code(&found.error), "PORT_IN_USE");
	assert_string_equal(found.error.message, "port 80 is taken");
	assert_string_equal(found.result, "{\"a\":1}");
	assert_true(found.finished_at_ms >= found.started_at_ms);
	assert_int_equal(store_job_active(f->store, "deployment", "blog",
			     &f->arena, &found, &active, &f->err),
	    0);
	assert_false(active);
	assert_int_equal(store_job_get(f->store, "00000000000000000000",
			     &f->arena, &found, &f->err),
	    -1);
	assert_string_equal(error_code(&f->err), "JOB_NOT_FOUND");
}

static void
jobs_are_listed_by_filter_the_newest_first(void **state)
{
	struct fixture *f = *state;
	struct job_filter filter = { .limit = 2, .subject = "a" };
	struct job first = insert_job(f, "a"), last, *jobs;
	int64_t total;
	size_t count;

	insert_job(f, "b");
	insert_job(f, "a");
	last = insert_job(f, "a");
	assert_int_equal(store_job_list(f->store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(total, 3);
	assert_int_equal(count, 2);
	assert_string_equal(jobs[0].id, last.id);
	filter.offset = 2;
	assert_int_equal(store_job_list(f->store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_string_equal(jobs[0].id, first.id);
	filter = (struct job_filter){ .limit = 10, .status = "running" };
	assert_int_equal(store_job_list(f->store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(total, 0);
}

static void
unfinished_jobs_are_interrupted_and_old_ones_forgotten(void **state)
{
	struct fixture *f = *state;
	struct job pending = insert_job(f, "a"), running = insert_job(f, "b");
	struct job done = insert_job(f, "c"), found, *jobs;
	size_t count;

	store_job_start(f->store, running.id, &f->err);
	store_job_finish(f->store, done.id, "", NULL, NULL, &f->err);
	assert_int_equal(
	    store_jobs_interrupt(f->store, &f->arena, &jobs, &count, &f->err),
	    0);
	assert_int_equal(count, 2);
	assert_int_equal(
	    store_job_get(f->store, pending.id, &f->arena, &found, &f->err), 0);
	assert_string_equal(error_code(&found.error), "JOB_INTERRUPTED");
	assert_int_equal(
	    store_job_get(f->store, done.id, &f->arena, &found, &f->err), 0);
	assert_int_equal(found.status, JOB_SUCCEEDED);
	pending = insert_job(f, "d");
	assert_int_equal(
	    store_jobs_prune(f->store, clock_wall_ms() + 1000, &f->err), 0);
	assert_int_equal(
	    store_job_get(f->store, done.id, &f->arena, &found, &f->err), -1);
	assert_int_equal(
	    store_job_get(f->store, pending.id, &f->arena, &found, &f->err), 0);
}

static struct mirror_container
container(const char *id, const char *project, const char *container_state)
{
	return (struct mirror_container){ .id = id,
		.name = id,
		.image = "i",
		.image_id = "sha256:0",
		.state = container_state,
		.status = "",
		.health = "",
		.project = project,
		.service = "app",
		.ports = "[]",
		.networks = "[]",
		.mounts = "[]",
		.labels = "{}" };
}

/* Puts the container in a transaction of its own; the generation after. */
static int64_t
put(struct fixture *f, struct mirror_container row)
{
	int64_t generation;
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_container_put(f->store, &row, &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
	assert_int_equal(mirror_generation(f->store, &generation, &f->err), 0);
	return generation;
}

static void
the_generation_grows_exactly_when_something_changes(void **state)
{
	struct fixture *f = *state;
	int64_t first = put(f, container("c1", "p", "running"));

	assert_int_equal(put(f, container("c1", "p", "running")), first);
	assert_int_equal(put(f, container("c1", "p", "exited")), first + 1);
	assert_int_equal(put(f, container("c2", "p", "running")), first + 2);
	assert_int_equal(put(f, container("c2", "p", "running")), first + 2);
}

static size_t
count_containers(struct fixture *f, const char *project)
{
	struct mirror_container *rows;
	size_t count;

	assert_int_equal(mirror_container_list(f->store, project, &f->arena,
			     &rows, &count, &f->err),
	    0);
	return count;
}

static void
what_docker_no_longer_has_goes_for_one_project_or_for_all(void **state)
{
	static const char *const kept[] = { "a1" };
	struct fixture *f = *state;
	bool changed = false;

	put(f, container("a1", "a", "running"));
	put(f, container("a2", "a", "running"));
	put(f, container("b1", "b", "running"));
	store_begin(f->store, &f->err);
	assert_int_equal(
	    mirror_containers_retain(f->store, "a", kept, 1, &changed, &f->err),
	    0);
	assert_true(changed);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
	assert_int_equal(count_containers(f, "a"), 1);
	assert_int_equal(count_containers(f, "b"), 1);
	changed = false;
	store_begin(f->store, &f->err);
	assert_int_equal(mirror_containers_retain(
			     f->store, NULL, kept, 1, &changed, &f->err),
	    0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
	assert_int_equal(count_containers(f, NULL), 1);
}

static void
deployments_are_put_read_and_deleted(void **state)
{
	struct fixture *f = *state;
	struct mirror_deployment row = { .name = "blog",
		.path = "/d/blog",
		.filename = "docker-compose.yml",
		.project = "blog",
		.type = "",
		.compose = "services: {}",
		.services = "[]",
		.metadata = "{}",
		.problem = "",
		.modified_at_ms = 5 };
	struct mirror_deployment found, *list;
	bool changed = false;
	size_t count;

	store_begin(f->store, &f->err);
	assert_int_equal(
	    mirror_deployment_put(f->store, &row, &changed, &f->err), 0);
	assert_true(changed);
	changed = false;
	assert_int_equal(
	    mirror_deployment_put(f->store, &row, &changed, &f->err), 0);
	assert_false(changed);
	mirror_commit(f->store, true, &f->err);
	assert_int_equal(
	    mirror_deployment_get(f->store, "blog", &f->arena, &found, &f->err),
	    0);
	assert_string_equal(found.compose, "services: {}");
	assert_int_equal(
	    mirror_deployment_list(f->store, &f->arena, &list, &count, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_null(list[0].compose);
	store_begin(f->store, &f->err);
	assert_int_equal(
	    mirror_deployment_delete(f->store, "blog", &changed, &f->err), 0);
	mirror_commit(f->store, changed, &f->err);
	assert_int_equal(
	    mirror_deployment_get(f->store, "blog", &f->arena, &found, &f->err),
	    -1);
	assert_string_equal(error_code(&f->err), "DEPLOYMENT_NOT_FOUND");
}

static void
samples_are_shown_for_running_containers_only(void **state)
{
	struct fixture *f = *state;
	struct sample sample = { .container_id = "c1",
		.sampled_at_ms = 1,
		.cpu_percent = 12.5,
		.memory_usage = 7 };
	struct sample *list;
	size_t count;

	put(f, container("c1", "p", "running"));
	assert_int_equal(store_sample_put(f->store, &sample, &f->err), 0);
	sample.memory_usage = 8;
	assert_int_equal(store_sample_put(f->store, &sample, &f->err), 0);
	assert_int_equal(
	    store_sample_list(f->store, "p", &f->arena, &list, &count, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].memory_usage, 8);
	assert_string_equal(list[0].service, "app");
	put(f, container("c1", "p", "exited"));
	assert_int_equal(
	    store_sample_list(f->store, "p", &f->arena, &list, &count, &f->err),
	    0);
	assert_int_equal(count, 0);
	assert_int_equal(store_samples_prune(f->store, &f->err), 0);
	put(f, container("c1", "p", "running"));
	assert_int_equal(
	    store_sample_list(f->store, "p", &f->arena, &list, &count, &f->err),
	    0);
	assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_found_by_its_whole_text_until_it_is_revoked),
		TEST(the_text_of_a_key_is_nowhere_in_the_database),
		TEST(the_use_of_a_key_is_noted),
		TEST(ten_failures_close_the_door_for_one_address_only),
		TEST(a_job_goes_from_pending_to_its_end),
		TEST(jobs_are_listed_by_filter_the_newest_first),
		TEST(unfinished_jobs_are_interrupted_and_old_ones_forgotten),
		TEST(the_generation_grows_exactly_when_something_changes),
		TEST(what_docker_no_longer_has_goes_for_one_project_or_for_all),
		TEST(deployments_are_put_read_and_deleted),
		TEST(samples_are_shown_for_running_containers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
