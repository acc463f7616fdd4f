#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "archive/unpack.h"
#include "base/arena.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MAXIMUM ((size_t)1024 * 1024)

struct fixture {
	struct archive *writer;
	char *bytes;
	size_t length;
	struct unpack *unpack;
	struct unpack_entry entry;
	struct error err;
};

static const struct unpack_limits generous = { 100, 1 << 20, 1 << 20 };

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->bytes = xmalloc(BYTES_MAXIMUM);
	f->writer = archive_write_new();
	archive_write_set_format_pax_restricted(f->writer);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	unpack_close(f->unpack);
	archive_write_free(f->writer);
	free(f->bytes);
	free(f);
	return 0;
}

static void
begin(struct fixture *f, bool compressed)
{
	if (compressed)
		archive_write_add_filter_gzip(f->writer);
	assert_int_equal(archive_write_open_memory(
			     f->writer, f->bytes, BYTES_MAXIMUM, &f->length),
	    ARCHIVE_OK);
}

static void
add(struct fixture *f, const char *path, mode_t type, const char *text)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, 04755);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(entry, text);
	else if (type == AE_IFREG)
		archive_entry_set_size(entry, (la_int64_t)strlen(text));
	/* It warns of names that the locale does not have. */
	assert_true(archive_write_header(f->writer, entry) >= ARCHIVE_WARN);
	if (type == AE_IFREG)
		archive_write_data(f->writer, text, strlen(text));
	archive_entry_free(entry);
}

static void
add_hard_link(struct fixture *f, const char *path, const char *target)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_hardlink(entry, target);
	archive_write_header(f->writer, entry);
	archive_entry_free(entry);
}

static void
open_again(struct fixture *f, const struct unpack_limits *limits)
{
	archive_write_close(f->writer);
	assert_int_equal(unpack_open_memory(
			     f->bytes, f->length, limits, &f->unpack, &f->err),
	    0);
}

static void
assert_next(struct fixture *f, const char *path, const char *text)
{
	char bytes[100];
	size_t length = 0, got;
	bool found;

	assert_int_equal(unpack_next(f->unpack, &f->entry, &found, &f->err), 0);
	assert_true(found);
	assert_string_equal(f->entry.path, path);
	assert_int_equal(f->entry.mode, 0755);
	assert_int_equal(f->entry.is_directory, text == NULL);
	if (text == NULL)
		return;
	do {
		assert_int_equal(unpack_read(f->unpack, bytes + length,
				     sizeof bytes - length, &got, &f->err),
		    0);
		length += got;
	} while (got > 0);
	assert_int_equal(length, strlen(text));
	assert_memory_equal(bytes, text, length);
}

static void
assert_end(struct fixture *f)
{
	bool found = true;

	assert_int_equal(unpack_next(f->unpack, &f->entry, &found, &f->err), 0);
	assert_false(found);
}

/* Reads all until it fails. */
static void
assert_fails(struct fixture *f, enum error_kind kind, const char *part)
{
	char bytes[1000];
	bool found = true;
	size_t got;

	while (unpack_next(f->unpack, &f->entry, &found, &f->err) == 0) {
		assert_true(found);
		do {
			if (unpack_read(f->unpack, bytes, sizeof bytes, &got,
				&f->err) < 0)
				goto failed;
		} while (got > 0);
	}
failed:
	assert_int_equal(f->err.kind, kind);
	assert_non_null(strstr(f->err.message, part));
	if (kind == ERR_INVALID)
		assert_string_equal(f->err.code, "INVALID_ARCHIVE");
}

static void
files_and_directories_come_in_order(void **state)
{
	int compressed;

	(void)state;
	for (compressed = 0; compressed < 2; compressed++) {
		struct fixture *f = NULL;

		setup((void **)&f);
		begin(f, compressed);
		add(f, "./", AE_IFDIR, NULL);
		add(f, "./a/", AE_IFDIR, NULL);
		add(f, "./a/b.txt", AE_IFREG, "hello");
		add(f, "c..d", AE_IFREG, "");
		add(f, "\303\244.txt", AE_IFREG, "x");
		open_again(f, &generous);
		assert_next(f, "a", NULL);
		assert_next(f, "a/b.txt", "hello");
		assert_next(f, "c..d", "");
		assert_next(f, "\303\244.txt", "x");
		assert_end(f);
		teardown((void **)&f);
	}
}

static void
what_leads_elsewhere_is_refused(void **state)
{
	static const char *const paths[] = { "../x", "a/../../x", "/etc/x",
		"a//x", "a/./x", "..", "a/..", "a\nb", "\377x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct fixture *f = NULL;

		setup((void **)&f);
		begin(f, false);
		add(f, "fine", AE_IFREG, "x");
		add(f, paths[i], AE_IFREG, "x");
		open_again(f, &generous);
		assert_fails(f, ERR_INVALID, "the archive's entry");
		teardown((void **)&f);
	}
}

static void
links_and_devices_are_refused(void **state)
{
	static const mode_t types[] = { AE_IFLNK, AE_IFCHR, AE_IFBLK, AE_IFIFO,
		0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct fixture *f = NULL;

		setup((void **)&f);
		begin(f, false);
		add(f, "fine", AE_IFREG, "x");
		if (types[i] != 0)
			add(f, "evil", types[i], "fine");
		else
			add_hard_link(f, "evil", "fine");
		open_again(f, &generous);
		assert_fails(
		    f, ERR_INVALID, "is neither a file nor a directory");
		teardown((void **)&f);
	}
}

static void
assert_limited(const struct unpack_limits *limits, const char *part)
{
	struct fixture *f = NULL;

	setup((void **)&f);
	begin(f, true);
	add(f, "a", AE_IFREG, "1234567890");
	add(f, "b", AE_IFREG, "1234567890");
	open_again(f, limits);
	assert_fails(f, ERR_TOO_LARGE, part);
	teardown((void **)&f);
}

static void
links_and_devices_are_passed_over_when_told_so(void **state)
{
	struct fixture *f = *state;
	struct unpack_limits limits = generous;

	limits.pass_over = true;
	begin(f, true);
	add(f, "link", AE_IFLNK, "/etc/passwd");
	add(f, "first", AE_IFREG, "1");
	add_hard_link(f, "hard", "first");
	add(f, "device", AE_IFCHR, "");
	add(f, "fifo", AE_IFIFO, "");
	add(f, "last", AE_IFREG, "2");
	open_again(f, &limits);
	assert_next(f, "first", "1");
	assert_int_equal(unpack_passed_over(f->unpack), 1);
	assert_next(f, "last", "2");
	assert_end(f);
	assert_int_equal(unpack_passed_over(f->unpack), 4);
}

static void
what_is_passed_over_counts_and_leads_nowhere(void **state)
{
	struct fixture *f = *state;
	struct unpack_limits limits = generous;

	limits.pass_over = true;
	limits.entries = 1;
	begin(f, false);
	add(f, "a", AE_IFLNK, "x");
	add(f, "b", AE_IFLNK, "x");
	open_again(f, &limits);
	assert_fails(f, ERR_TOO_LARGE, "too many entries");
	unpack_close(TAKE(f->unpack));
	archive_write_free(f->writer);
	f->writer = archive_write_new();
	archive_write_set_format_pax_restricted(f->writer);
	begin(f, false);
	add(f, "../a", AE_IFLNK, "x");
	open_again(f, &limits);
	assert_fails(f, ERR_INVALID, "leads elsewhere");
}

static void
what_comes_out_is_limited(void **state)
{
	(void)state;
	assert_limited(
	    &(struct unpack_limits){ 1, 100, 100 }, "too many entries");
	assert_limited(
	    &(struct unpack_limits){ 10, 9, 100 }, "too large a file");
	assert_limited(&(struct unpack_limits){ 10, 10, 19 }, "too much in it");
}

static void
what_is_no_archive_is_refused(void **state)
{
	struct fixture *f = *state;
	bool found;
	int failed;

	memset(f->bytes, 'x', 2000);
	failed =
	    unpack_open_memory(f->bytes, 2000, &generous, &f->unpack, &f->err);
	if (!failed)
		failed = unpack_next(f->unpack, &f->entry, &found, &f->err);
	assert_int_equal(failed, -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_string_equal(f->err.code, "INVALID_ARCHIVE");
}

static void
one_that_is_cut_short_is_refused(void **state)
{
	struct fixture *f = *state;

	begin(f, false);
	add(f, "a", AE_IFREG, "1234567890");
	archive_write_close(f->writer);
	assert_int_equal(
	    unpack_open_memory(f->bytes, 514, &generous, &f->unpack, &f->err),
	    0);
	assert_fails(f, ERR_INVALID, "this is no archive");
}

static void
a_file_is_read_from_where_it_is(void **state)
{
	struct fixture *f = *state;
	FILE *file = tmpfile();

	begin(f, true);
	add(f, "a", AE_IFREG, "text");
	archive_write_close(f->writer);
	assert_non_null(file);
	assert_int_equal(fwrite(f->bytes, 1, f->length, file), f->length);
	rewind(file);
	assert_int_equal(
	    unpack_open_file(fileno(file), &generous, &f->unpack, &f->err), 0);
	assert_next(f, "a", "text");
	assert_end(f);
	fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_directories_come_in_order),
		cmocka_unit_test(what_leads_elsewhere_is_refused),
		cmocka_unit_test(links_and_devices_are_refused),
		cmocka_unit_test_setup_teardown(
		    links_and_devices_are_passed_over_when_told_so, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_passed_over_counts_and_leads_nowhere, setup,
		    teardown),
		cmocka_unit_test(what_comes_out_is_limited),
		cmocka_unit_test_setup_teardown(
		    what_is_no_archive_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    one_that_is_cut_short_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_file_is_read_from_where_it_is, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
