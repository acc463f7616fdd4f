/* The trash, with things in it that do not want to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compose/compose.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEVELS 600 /* more than are walked down */
#define OTHERS 20

static const char deep[] = ".flatrun/trash/deep.20200101T000000Z-000000";

/* Directories in each other, as a container may make them in its mount. */
static void
make_deep(struct scratch *scratch)
{
	int at, next, i;

	scratch_make_directory(scratch, deep);
	at = openat(scratch->fd, deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < LEVELS; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	close(at);
}

/* Takes the upper half away, so that the rest can be removed. */
static void
flatten(struct scratch *scratch)
{
	int at, next, i;

	at = openat(scratch->fd, deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < LEVELS / 2; i++) {
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	assert_int_equal(renameat(at, "d", scratch->fd, "rest"), 0);
	close(at);
}

static void
what_cannot_be_removed_keeps_nothing_else_in_the_trash(void **state)
{
	static const char *const none[] = { NULL };
	const struct compose_policy policy = { .allow = none,
		.bind_paths = none };
	struct scratch scratch;
	struct compose *compose;
	struct error err;
	int i;

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(
	    compose_open(scratch.path, &policy, true, &compose, &err), 0);
	make_deep(&scratch);
	for (i = 0; i < OTHERS; i++) {
		char name[64];

		snprintf(name, sizeof name,
		    ".flatrun/trash/n%02d.20200101T000000Z-000000", i % 100);
		scratch_make_directory(&scratch, name);
	}
	assert_int_equal(compose_empty_trash(compose, 86400, &err), -1);
	assert_int_equal(scratch_count(&scratch, ".flatrun/trash"), 1);
	flatten(&scratch);
	assert_int_equal(compose_empty_trash(compose, 86400, &err), 0);
	assert_int_equal(scratch_count(&scratch, ".flatrun/trash"), 0);
	compose_close(compose);
	scratch_remove(&scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_cannot_be_removed_keeps_nothing_else_in_the_trash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
