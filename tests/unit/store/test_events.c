/* What changed is on record with the change, and whoever waits hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/events.h"
#include "store/jobs.h"
#include "store/mirror.h"
#include "store/store.h"
#include "store/watch.h"
#include "tests/unit/scratch.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
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

static struct job
insert_job(struct fixture *f)
{
	struct job job = { .kind = "deployment.start",
		.subject = "blog",
		.actor = "key:x",
		.request_id = "r" };

	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	return job;
}

static void
put_deployment(struct fixture *f, const char *name, const char *compose)
{
	struct mirror_deployment deployment = { .name = name,
		.path = "/d",
		.filename = "docker-compose.yml",
		.project = name,
		.type = "",
		.compose = compose,
		.services = "[]",
		.metadata = "{}",
		.problem = "" };
	bool changed = false;

	assert_int_equal(
	    mirror_deployment_put(f->store, &deployment, &changed, &f->err), 0);
}

static void
put_container(struct fixture *f, const char *id, const char *project,
    const char *state, const char *health)
{
	struct mirror_container container = { .id = id,
		.name = "blog-web",
		.image = "i",
		.image_id = "sha256:1",
		.state = state,
		.status = "Up 1 second",
		.health = health,
		.project = project,
		.service = "web",
		.ports = "[]",
		.networks = "[]",
		.mounts = "[]",
		.labels = "{}" };
	bool changed = false;

	assert_int_equal(
	    mirror_container_put(f->store, &container, &changed, &f->err), 0);
}

/* All events as one text, a line each. */
static const char *
read_events(struct fixture *f, int64_t after)
{
	const char *text = "";
	struct event *events;
	size_t count, i;

	assert_int_equal(store_event_list(f->store, after, 100, &f->arena,
			     &events, &count, &f->err),
	    0);
	for (i = 0; i < count; i++) {
		text = arena_printf(&f->arena, "%s%s %s %s %s%s%s%s%s\n", text,
		    events[i].type, events[i].id, events[i].name,
		    events[i].status, events[i].health, events[i].deployment,
		    events[i].kind, events[i].error_code);
		assert_true(llabs(events[i].at_ms - clock_wall_ms()) < 60000);
	}
	return text;
}

static void
each_state_of_a_job_is_an_event(void **state)
{
	struct fixture *f = *state;
	struct job job = insert_job(f);
	struct error failure;
	const char *text;

	error_set(&failure, ERR_UPSTREAM, "COMPOSE_FAILED", "no");
	store_job_start(f->store, job.id, &f->err);
	store_job_output(f->store, job.id, "text", &f->err);
	store_job_finish(f->store, job.id, "text", NULL, &failure, &f->err);
	text = arena_printf(&f->arena,
	    "job %s blog pendingdeployment.start\n"
	    "job %s blog runningdeployment.start\n"
	    "job %s blog faileddeployment.startCOMPOSE_FAILED\n",
	    job.id, job.id, job.id);
	assert_string_equal(read_events(f, 0), text);
}

#define CONTAINER(state, health) \
	"container aaaaaaaaaaaaaaaaaaaa blog-web " state health "blog\n"
#define DEPLOYMENT(status, health) "deployment  blog " status health "\n"

static void
a_container_changes_its_deployment(void **state)
{
	static const char id[] = "aaaaaaaaaaaaaaaaaaaa";
	struct fixture *f = *state;
	bool changed = false;

	put_deployment(f, "blog", "services: {}");
	put_container(f, id, "blog", "created", "");
	put_container(f, id, "blog", "running", "starting");
	put_container(f, id, "blog", "running", "starting");
	put_container(f, id, "blog", "running", "healthy");
	put_container(f, id, "blog", "paused", "healthy");
	assert_int_equal(
	    mirror_container_delete(f->store, id, &changed, &f->err), 0);
	assert_int_equal(
	    mirror_deployment_delete(f->store, "blog", &changed, &f->err), 0);
	assert_string_equal(read_events(f, 0),
	    DEPLOYMENT("stopped", "none") CONTAINER("created", "") CONTAINER(
		"running", "starting") DEPLOYMENT("running", "starting")
		CONTAINER("running", "healthy") DEPLOYMENT("running", "healthy")
		    CONTAINER("paused", "healthy") DEPLOYMENT("paused", "none")
			CONTAINER("removed", "") DEPLOYMENT("stopped", "none")
			    DEPLOYMENT("removed", ""));
}

static void
one_of_two_containers_keeps_it_running(void **state)
{
	struct fixture *f = *state;
	int64_t oldest, newest;

	put_deployment(f, "blog", "services: {}");
	put_container(f, "aaaaaaaaaaaaaaaa", "blog", "running", "");
	put_container(f, "bbbbbbbbbbbbbbbb", "blog", "running", "");
	store_event_range(f->store, &oldest, &newest, &f->err);
	put_container(f, "bbbbbbbbbbbbbbbb", "blog", "exited", "");
	assert_null(strstr(read_events(f, newest), "deployment "));
	store_event_range(f->store, &oldest, &newest, &f->err);
	put_container(f, "aaaaaaaaaaaaaaaa", "blog", "exited", "");
	assert_non_null(
	    strstr(read_events(f, newest), DEPLOYMENT("stopped", "none")));
}

static void
a_deployment_that_comes_after_its_containers_is_right(void **state)
{
	struct fixture *f = *state;

	put_container(f, "aaaaaaaaaaaaaaaa", "blog", "running", "");
	put_deployment(f, "blog", "services: {}");
	assert_non_null(
	    strstr(read_events(f, 0), DEPLOYMENT("running", "none")));
}

static void
changed_files_are_an_event_and_the_same_files_are_none(void **state)
{
	struct fixture *f = *state;
	int64_t oldest, newest;

	put_deployment(f, "blog", "services: {}");
	store_event_range(f->store, &oldest, &newest, &f->err);
	put_deployment(f, "blog", "services: {}");
	assert_string_equal(read_events(f, newest), "");
	put_deployment(f, "blog", "services: {a: {}}");
	assert_string_equal(
	    read_events(f, newest), DEPLOYMENT("stopped", "none"));
}

static void
a_change_that_is_undone_is_no_event(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	insert_job(f);
	store_rollback(f->store);
	assert_string_equal(read_events(f, 0), "");
}

static void
the_oldest_are_forgotten_and_numbers_go_on(void **state)
{
	struct fixture *f = *state;
	int64_t oldest, newest, before;
	int i;

	store_event_range(f->store, &oldest, &newest, &f->err);
	assert_int_equal(oldest, 0);
	assert_int_equal(newest, 0);
	assert_int_equal(store_begin(f->store, &f->err), 0);
	for (i = 0; i < EVENTS_KEPT + 5; i++)
		insert_job(f);
	assert_int_equal(store_commit(f->store, &f->err), 0);
	assert_int_equal(store_events_prune(f->store, &f->err), 0);
	store_event_range(f->store, &oldest, &newest, &f->err);
	assert_int_equal(newest - oldest + 1, EVENTS_KEPT);
	before = newest;
	insert_job(f);
	store_event_range(f->store, &oldest, &newest, &f->err);
	assert_int_equal(newest, before + 1);
}

/* By a day and a millisecond. */
static void
make_jobs_older(struct fixture *f)
{
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open(scratch_path(&f->scratch, "flatrun.db"), &db), 0);
	assert_int_equal(
	    sqlite3_exec(db,
		"UPDATE jobs SET created_at_ms = created_at_ms - 86400001",
		NULL, NULL, NULL),
	    0);
	sqlite3_close(db);
}

static void
a_key_is_free_again_after_a_day(void **state)
{
	struct fixture *f = *state;
	struct job job = { .kind = "k.k",
		.subject = "s",
		.actor = "a",
		.request_id = "r",
		.idempotency_key = "key",
		.fingerprint = "f",
		.answer = "{}" };
	struct job found_job;
	bool found;

	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
	assert_int_equal(store_job_by_key(f->store, "a", "key", &f->arena,
			     &found_job, &found, &f->err),
	    0);
	assert_true(found);
	assert_string_equal(found_job.id, job.id);
	assert_int_equal(store_job_by_key(f->store, "b", "key", &f->arena,
			     &found_job, &found, &f->err),
	    0);
	assert_false(found);
	/* The same key while it is taken. */
	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), -1);
	make_jobs_older(f);
	assert_int_equal(store_job_by_key(f->store, "a", "key", &f->arena,
			     &found_job, &found, &f->err),
	    0);
	assert_false(found);
	assert_int_equal(
	    store_job_insert(f->store, &job, &f->arena, &f->err), 0);
}

/* Waiting. */

struct waiter {
	struct store_watch *watch;
	uint64_t seen;
	atomic_bool done;
};

static void *
wait_for_change(void *context)
{
	struct waiter *waiter = context;

	store_watch_wait(waiter->watch, waiter->seen, 20000);
	atomic_store(&waiter->done, true);
	return NULL;
}

static void
whoever_waits_hears_of_a_commit(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = store_watch_new(f->scratch.path);
	struct waiter waiter = { .watch = watch };
	int64_t until_ms = clock_monotonic_ms() + 10000;
	pthread_t thread;

	/* The first look at the database counts as a change. */
	waiter.seen = store_watch_version(watch);
	store_watch_wait(watch, waiter.seen, 5000);
	waiter.seen = store_watch_version(watch);
	assert_int_equal(
	    pthread_create(&thread, NULL, wait_for_change, &waiter), 0);
	clock_sleep_ms(150);
	assert_false(atomic_load(&waiter.done));
	insert_job(f);
	while (!atomic_load(&waiter.done) && clock_monotonic_ms() < until_ms)
		clock_sleep_ms(5);
	assert_true(atomic_load(&waiter.done));
	pthread_join(thread, NULL);
	store_watch_free(watch);
}

static void *
wait_for_event(void *context)
{
	struct waiter *waiter = context;

	store_watch_wait_event(waiter->watch, (int64_t)waiter->seen, 20000);
	atomic_store(&waiter->done, true);
	return NULL;
}

static void
only_an_event_ends_the_wait_for_one(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = store_watch_new(f->scratch.path);
	struct waiter waiter = { .watch = watch };
	struct job job = insert_job(f);
	int64_t oldest, newest;
	pthread_t thread;

	store_event_range(f->store, &oldest, &newest, &f->err);
	store_watch_wait_event(watch, newest - 1, 5000);
	waiter.seen = (uint64_t)newest;
	assert_int_equal(
	    pthread_create(&thread, NULL, wait_for_event, &waiter), 0);
	store_job_output(f->store, job.id, "text", &f->err);
	clock_sleep_ms(200);
	assert_false(atomic_load(&waiter.done));
	store_job_start(f->store, job.id, &f->err);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&waiter.done));
	store_watch_free(watch);
}

static void
a_wait_ends_by_its_time_and_by_a_wake(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = store_watch_new(f->scratch.path);
	struct waiter waiter = { .watch = watch };
	int64_t started_ms;
	pthread_t thread;

	store_watch_wait(watch, store_watch_version(watch), 5000);
	waiter.seen = store_watch_version(watch);
	started_ms = clock_monotonic_ms();
	store_watch_wait(watch, waiter.seen, 120);
	assert_in_range(clock_monotonic_ms() - started_ms, 100, 5000);
	assert_int_equal(
	    pthread_create(&thread, NULL, wait_for_change, &waiter), 0);
	clock_sleep_ms(20);
	store_watch_wake(watch);
	pthread_join(thread, NULL);
	assert_in_range(clock_monotonic_ms() - started_ms, 100, 10000);
	store_watch_free(watch);
}

static void
a_database_that_is_not_there_does_not_hold_anybody(void **state)
{
	struct store_watch *watch = store_watch_new("/nonexistent");
	int64_t started_ms = clock_monotonic_ms();

	(void)state;
	store_watch_wait(watch, store_watch_version(watch), 10000);
	assert_true(clock_monotonic_ms() - started_ms < 5000);
	store_watch_free(watch);
	store_watch_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_state_of_a_job_is_an_event),
		TEST(a_container_changes_its_deployment),
		TEST(one_of_two_containers_keeps_it_running),
		TEST(a_deployment_that_comes_after_its_containers_is_right),
		TEST(changed_files_are_an_event_and_the_same_files_are_none),
		TEST(a_change_that_is_undone_is_no_event),
		TEST(the_oldest_are_forgotten_and_numbers_go_on),
		TEST(a_key_is_free_again_after_a_day),
		TEST(whoever_waits_hears_of_a_commit),
		TEST(only_an_event_ends_the_wait_for_one),
		TEST(a_wait_ends_by_its_time_and_by_a_wake),
		TEST(a_database_that_is_not_there_does_not_hold_anybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
