/* Where the database is: links in its directory, a file that went away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/jobs.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static const char *
in_scratch(struct fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->scratch.path, name);
}

static bool
exists(struct fixture *f, const char *name)
{
	return faccessat(f->scratch.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct store *
open_store(struct fixture *f, const char *directory, enum store_role role)
{
	struct store *store = NULL;

	if (store_open(in_scratch(f, directory), role, &store, &f->err) < 0)
		fail_msg("%s: %s", f->err.message, f->err.detail);
	return store;
}

static void
make_directory(struct fixture *f, const char *name)
{
	assert_int_equal(mkdirat(f->scratch.fd, name, 0700), 0);
}

static void
insert_job(struct fixture *f, struct store *store)
{
	struct job job = {
		.kind = "k", .subject = "a", .actor = "x", .request_id = "r"
	};

	assert_int_equal(store_job_insert(store, &job, &f->arena, &f->err), 0);
}

/* Workers may write to the directory, and root opens what is in it. */
static void
a_link_in_place_of_the_database_makes_no_file_elsewhere(void **state)
{
	struct fixture *f = *state;
	static const enum store_role roles[] = { STORE_ADMIN, STORE_AGENT,
		STORE_JOBS, STORE_MIRROR, STORE_READER };
	struct store *store = NULL;
	size_t i;

	make_directory(f, "database");
	assert_int_equal(
	    symlinkat("../victim", f->scratch.fd, "database/flatrun.db"), 0);
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		assert_int_equal(store_open(in_scratch(f, "database"), roles[i],
				     &store, &f->err),
		    -1);
		assert_null(store);
		assert_false(exists(f, "victim"));
	}
}

static void
a_link_to_another_database_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;

	make_directory(f, "other");
	store_close(open_store(f, "other", STORE_AGENT));
	make_directory(f, "database");
	assert_int_equal(symlinkat("../other/flatrun.db", f->scratch.fd,
			     "database/flatrun.db"),
	    0);
	assert_int_equal(
	    store_open(in_scratch(f, "database"), STORE_AGENT, &store, &f->err),
	    -1);
}

static void
a_link_in_place_of_the_log_is_not_followed(void **state)
{
	static const char *const names[] = { "flatrun.db-wal",
		"flatrun.db-shm" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *directory = i == 0 ? "wal" : "shm";
		struct store *store = NULL;

		make_directory(f, directory);
		store_close(open_store(f, directory, STORE_AGENT));
		unlink(in_scratch(
		    f, arena_printf(&f->arena, "%s/%s", directory, names[0])));
		unlink(in_scratch(
		    f, arena_printf(&f->arena, "%s/%s", directory, names[1])));
		assert_int_equal(
		    symlinkat("../victim", f->scratch.fd,
			arena_printf(&f->arena, "%s/%s", directory, names[i])),
		    0);
		assert_int_equal(store_open(in_scratch(f, directory),
				     STORE_AGENT, &store, &f->err),
		    -1);
		assert_false(exists(f, "victim"));
	}
}

static void
a_directory_may_be_reached_by_a_link(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	make_directory(f, "real");
	assert_int_equal(symlinkat("real", f->scratch.fd, "link"), 0);
	store = open_store(f, "link", STORE_AGENT);
	insert_job(f, store);
	store_close(store);
	assert_true(exists(f, "real/flatrun.db"));
}

static void
a_lost_database_is_said_to_be_missing_and_not_made_anew(void **state)
{
	static const enum store_role roles[] = { STORE_JOBS, STORE_MIRROR,
		STORE_READER };
	struct fixture *f = *state;
	struct store *store = NULL;
	size_t i;

	make_directory(f, "database");
	store_close(open_store(f, "database", STORE_ADMIN));
	assert_int_equal(store_find(in_scratch(f, "database"), &f->err), 0);
	assert_int_equal(unlinkat(f->scratch.fd, "database/flatrun.db", 0), 0);
	assert_int_equal(store_find(in_scratch(f, "database"), &f->err), -1);
	assert_string_equal(f->err.code, "STATE_MISSING");
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		f->err.code[0] = '\0';
		assert_int_equal(store_open(in_scratch(f, "database"), roles[i],
				     &store, &f->err),
		    -1);
		assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
		assert_string_equal(f->err.code, "STATE_MISSING");
		assert_false(exists(f, "database/flatrun.db"));
	}
}

/* It would pass for an empty one, and become one. */
static void
a_database_that_lost_its_log_is_not_a_new_one(void **state)
{
	struct fixture *f = *state;

	make_directory(f, "database");
	store_close(open_store(f, "database", STORE_ADMIN));
	assert_int_equal(
	    unlinkat(f->scratch.fd, "database/flatrun.db-wal", 0), 0);
	unlinkat(f->scratch.fd, "database/flatrun.db-shm", 0);
	store_close(open_store(f, "database", STORE_READER));
}

static void
a_connection_knows_that_its_file_was_removed_or_replaced(void **state)
{
	struct fixture *f = *state;
	struct store *store, *agent;

	make_directory(f, "database");
	agent = open_store(f, "database", STORE_AGENT);
	store = open_store(f, "database", STORE_READER);
	insert_job(f, agent);
	assert_int_equal(store_checkpoint(agent, &f->err), 0);
	assert_false(store_has_moved(store));
	assert_false(store_has_moved(agent));

	assert_int_equal(renameat(f->scratch.fd, "database/flatrun.db",
			     f->scratch.fd, "away.db"),
	    0);
	assert_true(store_has_moved(store));
	assert_true(store_has_moved(agent));
	store_close(store);
	store_close(agent);

	assert_int_equal(renameat(f->scratch.fd, "away.db", f->scratch.fd,
			     "database/flatrun.db"),
	    0);
	store = open_store(f, "database", STORE_READER);
	assert_false(store_has_moved(store));
	store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_in_place_of_the_database_makes_no_file_elsewhere),
		TEST(a_link_to_another_database_is_not_followed),
		TEST(a_link_in_place_of_the_log_is_not_followed),
		TEST(a_directory_may_be_reached_by_a_link),
		TEST(a_lost_database_is_said_to_be_missing_and_not_made_anew),
		TEST(a_database_that_lost_its_log_is_not_a_new_one),
		TEST(a_connection_knows_that_its_file_was_removed_or_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
