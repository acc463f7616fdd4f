#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/arena.h"
#include "base/file.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	struct scratch scratch;
	int directory, staging;
	struct error err;
};

static const struct pack_limits generous = { 100, 1 << 20, 60000 };

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "staging");
	scratch_make_directory(&f->scratch, "tree");
	scratch_make_directory(&f->scratch, "tree/sub");
	scratch_write(&f->scratch, "tree/sub/file", "hello", 5);
	scratch_write(&f->scratch, "tree/secret", "word", 4);
	f->directory = file_open(
	    f->scratch.fd, "tree", O_RDONLY | O_DIRECTORY, 0, &f->err);
	f->staging = file_open(
	    f->scratch.fd, "staging", O_RDONLY | O_DIRECTORY, 0, &f->err);
	*state = f;
	return f->directory < 0 || f->staging < 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->directory);
	close(f->staging);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static int
compare(const void *left, const void *right)
{
	return strcmp(left, right);
}

/* Names of what is in the archive, in their order, with a space after each. */
static const char *
names(struct fixture *f, int fd)
{
	static const struct unpack_limits limits = { 100, 1 << 20, 1 << 20 };
	static char found[4][64], text[1000];
	auto_unpack struct unpack *unpack = NULL;
	struct unpack_entry entry;
	size_t count = 0, i;
	bool more;

	assert_int_equal(unpack_open_file(fd, &limits, &unpack, &f->err), 0);
	while (unpack_next(unpack, &entry, &more, &f->err) == 0 && more) {
		assert_true(count < 4);
		assert_true(strlen(entry.path) < sizeof found[0]);
		memcpy(found[count++], entry.path, strlen(entry.path) + 1);
	}
	assert_false(more);
	qsort(found, count, sizeof found[0], compare);
	text[0] = '\0';
	for (i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s ",
		    found[i]);
	return text;
}

static void
all_of_a_tree_is_packed(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd = -1;
	off_t size = 0;

	/* What nobody can read, or would wait for. */
	assert_int_equal(mkfifoat(f->directory, "pipe", 0600), 0);
	fd = pack_tree(
	    f->directory, f->staging, NULL, &generous, &size, &f->err);
	assert_true(fd >= 0);
	assert_true(size > 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), size);
	lseek(fd, 0, SEEK_SET);
	assert_string_equal(names(f, fd), "secret sub sub/file ");
	assert_int_equal(scratch_count(&f->scratch, "staging"), 0);
}

static void
what_is_to_be_left_out_is(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd = -1;
	off_t size;

	fd = pack_tree(
	    f->directory, f->staging, "secret", &generous, &size, &f->err);
	assert_true(fd >= 0);
	assert_string_equal(names(f, fd), "sub sub/file ");
}

static void
what_is_too_much_is_refused(void **state)
{
	static const struct pack_limits limits[] = { { 2, 1000, 60000 },
		{ 100, 8, 60000 } };
	struct fixture *f = *state;
	off_t size;
	size_t i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(pack_tree(f->directory, f->staging, NULL,
				     &limits[i], &size, &f->err),
		    -1);
		assert_int_equal(f->err.kind, ERR_TOO_LARGE);
		assert_string_equal(f->err.code, "ARCHIVE_TOO_LARGE");
		assert_int_equal(scratch_count(&f->scratch, "staging"), 0);
	}
}

static void
a_full_disk_is_told(void **state)
{
	struct fixture *f = *state;
	char bytes[64 * 1024];
	off_t size;
	size_t i;
	int fd;

	scratch_make_directory(&f->scratch, "small");
	if (!scratch_mount(&f->scratch, "small", 64))
		skip();
	for (i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)rand();
	for (i = 0; i < 4; i++) {
		snprintf(bytes, 20, "tree/noise%zu", i);
		scratch_write(&f->scratch, bytes, bytes, sizeof bytes);
	}
	fd = file_open(
	    f->scratch.fd, "small", O_RDONLY | O_DIRECTORY, 0, &f->err);
	assert_true(fd >= 0);
	assert_int_equal(
	    pack_tree(f->directory, fd, NULL, &generous, &size, &f->err), -1);
	close(fd);
	assert_int_equal(f->err.kind, ERR_STORAGE_FULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_a_tree_is_packed),
		TEST(what_is_to_be_left_out_is),
		TEST(what_is_too_much_is_refused),
		TEST(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
