/* The database itself: opened, shared, full, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/jobs.h"
#include "store/keys.h"
#include "store/mirror.h"
#include "store/revisions.h"
#include "store/samples.h"
#include "store/store.h"
#include "store/throttle.h"
#include "store/updates.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static struct store *
open_store(struct fixture *f, enum store_role role)
{
	struct store *store = NULL;

	if (store_open(f->scratch.path, role, &store, &f->err) < 0)
		fail_msg("%s: %s", f->err.message, f->err.detail);
	return store;
}

static void
assert_cannot_open(struct fixture *f, enum store_role role, const char *code)
{
	struct store *store = NULL;

	assert_int_equal(
	    store_open(f->scratch.path, role, &store, &f->err), -1);
	assert_null(store);
	assert_string_equal(error_code(&f->err), code);
	assert_null(strstr(f->err.message, f->scratch.path));
}

/* A connection that knows nothing of ours. */
static sqlite3 *
open_raw(struct fixture *f)
{
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open(scratch_path(&f->scratch, "flatrun.db"), &db),
	    SQLITE_OK);
	return db;
}

static void
execute(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static void
execute_once(struct fixture *f, const char *sql)
{
	sqlite3 *db = open_raw(f);

	execute(db, sql);
	sqlite3_close(db);
}

static void
the_agent_makes_the_database_for_its_group(void **state)
{
	struct fixture *f = *state;
	/* Only root hands the file to its group whatever the mask says. */
	mode_t mask = umask(geteuid() == 0 ? 077 : 0);
	struct stat status;

	assert_cannot_open(f, STORE_READER, "STATE_MISSING");
	assert_cannot_open(f, STORE_MIRROR, "STATE_MISSING");
	assert_int_equal(scratch_count(&f->scratch, "."), 0);

	store_close(open_store(f, STORE_AGENT));
	umask(mask);
	assert_int_equal(fstatat(f->scratch.fd, "flatrun.db", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	store_close(open_store(f, STORE_READER));
	store_close(open_store(f, STORE_MIRROR));
}

static void
opening_again_keeps_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_ADMIN);
	char text[KEY_TEXT_SIZE];
	struct api_key key;
	bool found;

	assert_int_equal(store_key_create(store, "ci", ROLE_ADMIN, text,
			     &f->arena, &key, &f->err),
	    0);
	store_close(store);
	store = open_store(f, STORE_AGENT);
	assert_int_equal(store_quick_check(store, &f->err), 0);
	assert_int_equal(
	    store_key_find(store, text, &f->arena, &key, &found, &f->err), 0);
	assert_true(found);
	store_close(store);
}

static void
a_newer_schema_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;

	store_close(open_store(f, STORE_AGENT));
	execute_once(f, "PRAGMA user_version = 99");
	assert_cannot_open(f, STORE_READER, "STATE_NEWER");
	assert_cannot_open(f, STORE_AGENT, "STATE_NEWER");
	assert_cannot_open(f, STORE_ADMIN, "STATE_NEWER");
	execute_once(f, "SELECT id FROM jobs");
}

static void
an_older_schema_waits_for_who_may_migrate(void **state)
{
	struct fixture *f = *state;

	scratch_write(&f->scratch, "flatrun.db", "", 0);
	assert_cannot_open(f, STORE_READER, "STATE_OLD");
	assert_cannot_open(f, STORE_MIRROR, "STATE_OLD");
	store_close(open_store(f, STORE_ADMIN));
	store_close(open_store(f, STORE_READER));
}

static void
a_migration_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;

	/* The last table of the first migration is in the way. */
	execute_once(f, "CREATE TABLE samples (x)");
	assert_cannot_open(f, STORE_AGENT, "INTERNAL");
	execute_once(f, "DROP TABLE samples");
	execute_once(f, "CREATE TABLE meta (x)");
	execute_once(f, "DROP TABLE meta");
	store_close(open_store(f, STORE_AGENT));
}

static void *
open_as_agent(void *context)
{
	struct fixture *f = context;
	struct store *store = NULL;
	struct error err;
	int result = store_open(f->scratch.path, STORE_ADMIN, &store, &err);

	store_close(store);
	return result == 0 ? context : NULL;
}

static void
two_programs_may_migrate_at_once(void **state)
{
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, open_as_agent, *state),
		    0);
	for (i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, *state);
	}
}

static void
a_damaged_file_is_said_to_be_damaged(void **state)
{
	struct fixture *f = *state;
	char garbage[4096];

	memset(garbage, 0xA5, sizeof garbage);
	scratch_write(&f->scratch, "flatrun.db", garbage, sizeof garbage);
	assert_cannot_open(f, STORE_READER, "STATE_CORRUPT");
	assert_cannot_open(f, STORE_AGENT, "STATE_CORRUPT");
}

static void
the_check_at_start_finds_damage_further_in(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	char garbage[4096];
	struct stat status;
	off_t at;
	int fd;

	assert_int_equal(store_quick_check(store, &f->err), 0);
	store_close(store);
	/* Else the log would hide it. */
	execute_once(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	memset(garbage, 0xA5, sizeof garbage);
	fd = openat(f->scratch.fd, "flatrun.db", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &status), 0);
	/* All but the first page, which has the schema. */
	for (at = 4096; at < status.st_size; at += 4096)
		assert_int_equal(pwrite(fd, garbage, 4096, at), 4096);
	close(fd);
	if (store_open(f->scratch.path, STORE_AGENT, &store, &f->err) == 0) {
		assert_int_equal(store_quick_check(store, &f->err), -1);
		store_close(store);
	}
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "STATE_CORRUPT");
}

/* Everything that a thread of the agent or a worker may ever ask. */
static void
one_connection_can_do_everything(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	struct job_filter filter = { .limit = 10 };
	struct mirror_deployment deployment = { "a", "/a", "f", "a", "", "{}",
		"[]", "{}", "", 1 };
	struct mirror_container container = { .id = "c",
		.name = "n",
		.image = "i",
		.image_id = "",
		.state = "running",
		.status = "",
		.health = "",
		.project = "a",
		.service = "s",
		.ports = "[]",
		.networks = "[]",
		.mounts = "[]",
		.labels = "{}" };
	struct revision revision = { .deployment = "a",
		.filename = "f",
		.compose = "c",
		.actor = "x",
		.job_id = "j" },
			*revisions;
	struct update_record update = { .deployment = "a", .job_id = "j" },
			     *updates;
	const char **images;
	struct sample sample = { .container_id = "c" }, *samples;
	struct job job = { .kind = "k",
		.subject = "a",
		.actor = "x",
		.request_id = "r" },
		   *jobs;
	char text[KEY_TEXT_SIZE];
	struct api_key key, *keys;
	struct mirror_container *containers;
	struct mirror_deployment *deployments;
	int64_t number, total;
	bool found, changed = false;
	size_t count;
	struct error *err = &f->err;

#define DO(call) assert_int_equal(call, 0)
	DO(store_key_create(
	    store, "n", ROLE_ADMIN, text, &f->arena, &key, err));
	DO(store_key_list(store, &f->arena, &keys, &count, err));
	DO(store_key_touch(store, key.id, err));
	DO(store_key_find(store, text, &f->arena, &key, &found, err));
	DO(store_key_find_id(store, key.id, &f->arena, &key, &found, err));
	DO(store_key_revoke(store, key.id, err));
	DO(store_key_revoke(store, key.id, err));
	DO(store_throttle_check(store, "::1", err));
	DO(store_throttle_note(store, "::1", err));
	DO(store_job_insert(store, &job, &f->arena, err));
	DO(store_job_start(store, job.id, err));
	DO(store_job_output(store, job.id, "x", err));
	DO(store_job_active(
	    store, "deployment", "a", &f->arena, &job, &found, err));
	DO(store_job_finish(store, job.id, "x", NULL, NULL, err));
	DO(store_job_get(store, job.id, &f->arena, &job, err));
	DO(store_job_list(
	    store, &filter, &f->arena, &jobs, &count, &total, err));
	DO(store_jobs_interrupt(store, &f->arena, &jobs, &count, err));
	DO(store_jobs_prune(store, 0, err));
	DO(store_revision_add(store, &revision, err));
	DO(store_revision_judge(store, "a", 1, REVISION_APPLIED, "[]", err));
	DO(store_revision_make_current(store, "a", 1, err));
	DO(store_revision_get(store, "a", 1, &f->arena, &revision, err));
	DO(store_revision_current(
	    store, "a", &f->arena, &revision, &found, err));
	DO(store_revision_before(
	    store, "a", 2, &f->arena, &revision, &found, err));
	DO(store_revision_list(
	    store, "a", 9, 0, &f->arena, &revisions, &count, &total, err));
	DO(store_revision_unjudged(store, &f->arena, &revisions, &count, err));
	DO(store_revision_images(store, 3, &f->arena, &images, &count, err));
	DO(store_update_put(store, &update, err));
	DO(store_update_phase(store, "a", UPDATE_BACK, err));
	DO(store_update_find(store, "a", &f->arena, &update, &found, err));
	DO(store_update_list(store, &f->arena, &updates, &count, err));
	DO(store_update_remove(store, "a", err));
	DO(store_revisions_forget(store, "a", err));
	DO(store_begin(store, err));
	DO(mirror_deployment_put(store, &deployment, &changed, err));
	DO(mirror_container_put(store, &container, &changed, err));
	DO(mirror_containers_retain(
	    store, NULL, (const char *const[]){ "c" }, 1, &changed, err));
	DO(mirror_commit(store, changed, err));
	DO(mirror_read(store, err));
	DO(mirror_generation(store, &number, err));
	DO(mirror_container_list(
	    store, NULL, &f->arena, &containers, &count, err));
	DO(mirror_container_list(
	    store, "a", &f->arena, &containers, &count, err));
	DO(mirror_deployment_list(store, &f->arena, &deployments, &count, err));
	DO(mirror_deployment_get(store, "a", &f->arena, &deployment, err));
	mirror_read_end(store);
	DO(store_sample_put(store, &sample, err));
	DO(store_sample_list(store, "a", &f->arena, &samples, &count, err));
	DO(store_samples_prune(store, err));
	DO(store_begin(store, err));
	DO(mirror_container_delete(store, "c", &changed, err));
	DO(mirror_deployment_delete(store, "a", &changed, err));
	DO(store_commit(store, err));
	DO(store_quick_check(store, err));
	DO(store_checkpoint(store, err));
#undef DO
	store_close(store);
}

static void
rolling_back_undoes_the_transaction(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	struct job job = {
		.kind = "k", .subject = "a", .actor = "x", .request_id = "r"
	};

	assert_int_equal(store_begin(store, &f->err), 0);
	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), 0);
	store_rollback(store);
	assert_int_equal(
	    store_job_get(store, job.id, &f->arena, &job, &f->err), -1);
	assert_string_equal(f->err.code, "JOB_NOT_FOUND");
	/* And the connection is as good as new. */
	assert_int_equal(store_begin(store, &f->err), 0);
	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), 0);
	assert_int_equal(store_commit(store, &f->err), 0);
	store_close(store);
}

static void
while_another_writes_readers_read_and_writers_give_up(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	struct job_filter filter = { .limit = 10 };
	struct job job = { .kind = "k",
		.subject = "a",
		.actor = "x",
		.request_id = "r" },
		   *jobs;
	char text[KEY_TEXT_SIZE];
	struct api_key key;
	int64_t total, before_ms;
	sqlite3 *other;
	size_t count;

	assert_int_equal(store_key_create(store, "ci", ROLE_ADMIN, text,
			     &f->arena, &key, &f->err),
	    0);
	other = open_raw(f);
	execute(other, "BEGIN EXCLUSIVE");
	before_ms = clock_monotonic_ms();
	assert_int_equal(store_job_list(store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	/* Who reads with a key reads at once: its use is noted another time. */
	assert_int_equal(store_key_touch(store, key.id, &f->err), 0);
	assert_true(clock_monotonic_ms() - before_ms < 1000);

	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), -1);
	assert_in_range(clock_monotonic_ms() - before_ms, 4500, 8000);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "STATE_BUSY");

	execute(other, "COMMIT");
	sqlite3_close(other);
	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), 0);
	assert_int_equal(store_key_touch(store, key.id, &f->err), 0);
	store_close(store);
}

static void
a_full_disk_is_told_and_reads_go_on(void **state)
{
	struct fixture *f = *state;
	struct scratch full = f->scratch;
	struct job_filter filter = { .limit = 10 };
	struct job job = { .kind = "k",
		.subject = "a",
		.actor = "x",
		.request_id = "r" },
		   *jobs;
	char *large = calloc(1, 100001);
	struct store *store = NULL;
	int64_t total;
	size_t count, i;
	int result = 0;

	scratch_make_directory(&f->scratch, "full");
	if (!scratch_mount(&f->scratch, "full", 600)) {
		free(large);
		print_message("# only root can try this\n");
		return;
	}
	snprintf(full.path, sizeof full.path, "%.20s/full", f->scratch.path);
	assert_int_equal(
	    store_open(full.path, STORE_AGENT, &store, &f->err), 0);
	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), 0);
	for (i = 0; i < 100 && result == 0; i++) {
		/* SQLite does not write a page that stays as it was. */
		memset(large, 'a' + (int)(i % 26), 100000);
		result = store_job_output(store, job.id, large, &f->err);
	}
	assert_int_equal(result, -1);
	assert_int_equal(f->err.kind, ERR_STORAGE_FULL);
	assert_int_equal(store_job_list(store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(count, 1);
	assert_int_equal(store_quick_check(store, &f->err), 0);
	store_close(store);
	free(large);
}

#define WRITES 150

struct writer {
	struct fixture *f;
	int number;
	int failures;
};

static void *
write_jobs(void *context)
{
	struct writer *writer = context;
	auto_arena struct arena arena = { 0 };
	auto_store struct store *store = NULL;
	struct error err;
	int i;

	if (store_open(writer->f->scratch.path,
		writer->number == 0 ? STORE_AGENT : STORE_READER, &store,
		&err) < 0) {
		writer->failures = WRITES;
		return NULL;
	}
	for (i = 0; i < WRITES; i++) {
		struct job job = { .kind = "k",
			.subject =
			    arena_printf(&arena, "s%d-%d", writer->number, i),
			.actor = "x",
			.request_id = "r" };

		if (store_job_insert(store, &job, &arena, &err) < 0 ||
		    store_job_finish(store, job.id, "", NULL, NULL, &err) < 0)
			writer->failures++;
		if (writer->number == 0 && i % 10 == 0 &&
		    store_checkpoint(store, &err) < 0)
			writer->failures++;
	}
	return NULL;
}

static void
many_connections_write_at_once_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	struct job_filter filter = { .status = "succeeded", .limit = 1 };
	struct writer writers[4];
	pthread_t threads[4];
	struct job *jobs;
	int64_t total;
	size_t count;
	int i;

	for (i = 0; i < 4; i++) {
		writers[i] = (struct writer){ .f = f, .number = i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, write_jobs, &writers[i]),
		    0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(writers[i].failures, 0);
	}
	assert_int_equal(store_job_list(store, &filter, &f->arena, &jobs,
			     &count, &total, &f->err),
	    0);
	assert_int_equal(total, 4 * WRITES);
	assert_int_equal(store_quick_check(store, &f->err), 0);
	store_close(store);
}

static void
a_program_that_is_killed_leaves_a_sound_database(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, STORE_AGENT);
	struct job_filter filter = { .limit = 1000 };
	struct job *jobs;
	int64_t total, before = -1;
	size_t count;
	int i;

	store_close(store);
	for (i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct writer writer = { .f = f, .number = 0 };

			while (writer.failures == 0)
				write_jobs(&writer);
			_exit(1);
		}
		clock_sleep_ms(50 + 17 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		store = open_store(f, STORE_AGENT);
		assert_int_equal(store_quick_check(store, &f->err), 0);
		assert_int_equal(store_job_list(store, &filter, &f->arena,
				     &jobs, &count, &total, &f->err),
		    0);
		assert_true(total >= before);
		before = total;
		store_close(store);
	}
	assert_true(before > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_agent_makes_the_database_for_its_group),
		TEST(opening_again_keeps_what_is_there),
		TEST(a_newer_schema_is_refused_and_left_alone),
		TEST(an_older_schema_waits_for_who_may_migrate),
		TEST(a_migration_that_fails_changes_nothing),
		TEST(two_programs_may_migrate_at_once),
		TEST(a_damaged_file_is_said_to_be_damaged),
		TEST(the_check_at_start_finds_damage_further_in),
		TEST(one_connection_can_do_everything),
		TEST(rolling_back_undoes_the_transaction),
		TEST(while_another_writes_readers_read_and_writers_give_up),
		TEST(a_full_disk_is_told_and_reads_go_on),
		TEST(many_connections_write_at_once_and_nothing_is_lost),
		TEST(a_program_that_is_killed_leaves_a_sound_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
