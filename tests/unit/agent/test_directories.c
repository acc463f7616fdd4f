/*
 * What the mirror gets to know of the deployments' files. Linked with
 * -Wl,--wrap=inotify_init1: the system has few instances, and others need them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/directories.h"
#include "base/clock.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITES 100
#define KEEPERS 4 /* they wait for each other: looks get old */

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct agent agent;
	struct store *store;
	struct error err;
};

static atomic_bool instances_left = true;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int
__wrap_inotify_init1(int flags)
{
	if (atomic_load(&instances_left))
		return __real_inotify_init1(flags);
	errno = EMFILE;
	return -1;
}

static int
set_up(void **state)
{
	static const char *const none[] = { NULL };
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "database");
	scratch_make_directory(&f->scratch, "deployments");
	scratch_make_directory(&f->scratch, "deployments/blog");
	f->settings.database_directory =
	    arena_strdup(&f->arena, scratch_path(&f->scratch, "database"));
	f->settings.deployments_path =
	    arena_strdup(&f->arena, scratch_path(&f->scratch, "deployments"));
	f->agent.settings = &f->settings;
	f->agent.policy.allow = f->agent.policy.bind_paths = none;
	assert_int_equal(
	    compose_open(f->settings.deployments_path, &f->agent.policy, true,
		&f->agent.compose, &f->err),
	    0);
	assert_int_equal(store_open(f->settings.database_directory, STORE_AGENT,
			     &f->store, &f->err),
	    0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	compose_close(f->agent.compose);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static struct mirror_deployment
mirror_of(struct fixture *f, const void *bytes, size_t length)
{
	struct mirror_deployment row;

	scratch_write(
	    &f->scratch, "deployments/blog/docker-compose.yml", bytes, length);
	assert_int_equal(
	    directories_refresh(&f->agent, f->store, "blog", &f->err), 0);
	assert_int_equal(
	    mirror_deployment_get(f->store, "blog", &f->arena, &row, &f->err),
	    0);
	return row;
}

#define MIRROR_OF(f, text) mirror_of((f), (text), strlen(text))

static void
a_file_that_is_no_text_becomes_text(void **state)
{
	static const char latin[] = "services: {a: {image: a}} # caf\xe9\n";
	static const char nul[] = "services: {}\0\xff\n";
	struct fixture *f = *state;
	struct mirror_deployment row;

	row = MIRROR_OF(f, latin);
	assert_string_equal(
	    row.compose, "services: {a: {image: a}} # caf\xef\xbf\xbd\n");
	assert_true(row.problem[0] != '\0');
	row = mirror_of(f, nul, sizeof nul - 1);
	assert_string_equal(row.compose, "services: {}");
	assert_true(row.problem[0] != '\0');
}

static void
a_good_file_stays_what_it_is(void **state)
{
	static const char text[] = "services: {a: {image: a}} # caf\xc3\xa9\n";
	struct mirror_deployment row =
	    MIRROR_OF((struct fixture *)*state, text);

	assert_string_equal(row.compose, text);
	assert_string_equal(row.problem, "");
}

/* Its logs and statistics would be those of the other one's containers. */
static void
a_file_cannot_name_the_project_of_another_deployment(void **state)
{
	struct fixture *f = *state;
	struct mirror_deployment row;

	row = MIRROR_OF(f, "name: shop\nservices: {a: {image: a}}\n");
	assert_string_equal(row.project, "blog");
	assert_true(row.problem[0] != '\0');
	/* A name of its own stays, whatever else is wrong. */
	row = MIRROR_OF(f, "name: flatrun-blog\n"
			   "services: {a: {image: a, privileged: true}}\n");
	assert_string_equal(row.project, "flatrun-blog");
	assert_true(row.problem[0] != '\0');
}

static atomic_bool done;

/* What the keeper does when it is told of a change. */
static void *
refresh_all_the_time(void *context)
{
	struct fixture *f = context;
	struct store *store = NULL;
	struct error err;

	if (store_open(
		f->settings.database_directory, STORE_MIRROR, &store, &err) < 0)
		return context;
	while (!atomic_load(&done))
		directories_refresh(&f->agent, store, "blog", &err);
	store_close(store);
	return NULL;
}

static void
a_change_that_was_stored_is_not_undone_by_an_earlier_look(void **state)
{
	struct fixture *f = *state;
	pthread_t keepers[KEEPERS];
	void *failed;
	int i;

	atomic_store(&done, false);
	for (i = 0; i < KEEPERS; i++)
		assert_int_equal(
		    pthread_create(&keepers[i], NULL, refresh_all_the_time, f),
		    0);
	for (i = 0; i < WRITES; i++) {
		auto_arena struct arena arena = { 0 };
		const char *text =
		    arena_printf(&arena, "services: {a: {image: 'a:%d'}}\n", i);
		struct mirror_deployment row;

		assert_int_equal(compose_write(f->agent.compose, "blog",
				     "docker-compose.yml", text, strlen(text),
				     0644, &f->err),
		    0);
		assert_int_equal(
		    directories_refresh(&f->agent, f->store, "blog", &f->err),
		    0);
		/* Time for who looked before to store it now. */
		clock_sleep_ms(20);
		assert_int_equal(mirror_deployment_get(
				     f->store, "blog", &arena, &row, &f->err),
		    0);
		assert_string_equal(row.compose, text);
	}
	atomic_store(&done, true);
	for (i = 0; i < KEEPERS; i++) {
		pthread_join(keepers[i], &failed);
		assert_null(failed);
	}
}

/* A container that makes and removes files in its deployment's directory. */
static void *
change_all_the_time(void *context)
{
	struct fixture *f = context;
	int i;

	for (i = 0; !atomic_load(&done); i++) {
		const char *name =
		    i % 2 ? "deployments/busy/a" : "deployments/busy/b";

		scratch_write(&f->scratch, name, "x", 1);
		unlinkat(f->scratch.fd, name, 0);
		clock_sleep_ms(10);
	}
	return NULL;
}

static bool
appears_within(struct fixture *f, const char *name, int64_t limit_ms)
{
	int64_t until_ms = clock_monotonic_ms() + limit_ms;
	struct mirror_deployment row;

	while (mirror_deployment_get(f->store, name, &f->arena, &row, &f->err) <
	       0) {
		if (clock_monotonic_ms() > until_ms)
			return false;
		clock_sleep_ms(20);
	}
	return true;
}

static void
a_busy_directory_keeps_no_other_from_being_seen(void **state)
{
	static const char text[] = "services: {a: {image: a}}\n";
	struct fixture *f = *state;
	struct directories *directories;
	pthread_t writer;
	bool changed;

	f->settings.resync_interval_ms = 1500;
	scratch_make_directory(&f->scratch, "deployments/busy");
	scratch_write(&f->scratch, "deployments/blog/docker-compose.yml", text,
	    sizeof text - 1);
	assert_int_equal(
	    directories_start(&f->agent, &directories, &f->err), 0);
	assert_true(appears_within(f, "blog", 2000));
	atomic_store(&done, false);
	assert_int_equal(
	    pthread_create(&writer, NULL, change_all_the_time, f), 0);

	/* What an event tells. */
	scratch_make_directory(&f->scratch, "deployments/shop");
	scratch_write(&f->scratch, "deployments/shop/docker-compose.yml", text,
	    sizeof text - 1);
	assert_true(appears_within(f, "shop", 1200));
	/* And what none told. */
	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_deployment_delete(f->store, "blog", &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, true, &f->err), 0);
	assert_true(appears_within(f, "blog", 4000));

	atomic_store(&done, true);
	pthread_join(writer, NULL);
	atomic_store(&f->agent.stopping, true);
	directories_stop(directories);
}

/* With no instance of inotify left, looking often has to do. */
static void
without_inotify_changes_are_seen_a_little_later(void **state)
{
	static const char text[] = "services: {a: {image: a}}\n";
	struct fixture *f = *state;
	struct directories *directories;

	f->settings.resync_interval_ms = 120000;
	atomic_store(&instances_left, false);
	assert_int_equal(
	    directories_start(&f->agent, &directories, &f->err), 0);
	scratch_make_directory(&f->scratch, "deployments/shop");
	scratch_write(&f->scratch, "deployments/shop/docker-compose.yml", text,
	    sizeof text - 1);
	assert_true(appears_within(f, "shop", 8000));
	/* As soon as there is one again, it is used. */
	atomic_store(&instances_left, true);
	scratch_make_directory(&f->scratch, "deployments/later");
	scratch_write(&f->scratch, "deployments/later/docker-compose.yml", text,
	    sizeof text - 1);
	assert_true(appears_within(f, "later", 8000));
	clock_sleep_ms(200);
	scratch_make_directory(&f->scratch, "deployments/last");
	scratch_write(&f->scratch, "deployments/last/docker-compose.yml", text,
	    sizeof text - 1);
	assert_true(appears_within(f, "last", 1500));
	atomic_store(&f->agent.stopping, true);
	directories_stop(directories);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_no_text_becomes_text),
		TEST(a_good_file_stays_what_it_is),
		TEST(a_file_cannot_name_the_project_of_another_deployment),
		TEST(a_busy_directory_keeps_no_other_from_being_seen),
		TEST(without_inotify_changes_are_seen_a_little_later),
		TEST(a_change_that_was_stored_is_not_undone_by_an_earlier_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
