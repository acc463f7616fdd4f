/* Files beneath a directory: never out of it, complete or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * The scratch directory has "inside", which the functions get, and "outside",
 * which none may reach.
 */
struct fixture {
	struct scratch scratch;
	int inside;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "inside");
	scratch_make_directory(&f->scratch, "inside/folder");
	scratch_make_directory(&f->scratch, "outside");
	scratch_write(&f->scratch, "inside/file", "text", 4);
	scratch_write(&f->scratch, "inside/folder/deep", "deep", 4);
	scratch_write(&f->scratch, "outside/secret", "secret", 6);
	f->inside =
	    file_open_root(scratch_path(&f->scratch, "inside"), &f->err);
	*state = f;
	return f->inside < 0;
}

static void
assert_outside_is_untouched(struct fixture *f)
{
	char *secret = scratch_read(&f->scratch, "outside/secret");

	assert_string_equal(secret, "secret");
	assert_int_equal(scratch_count(&f->scratch, "outside"), 1);
	free(secret);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	assert_outside_is_untouched(f);
	close(f->inside);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
link_to(struct fixture *f, const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, f->scratch.fd, name), 0);
}

static void
assert_text(struct fixture *f, const char *name, const char *expected)
{
	char *text = scratch_read(&f->scratch, name);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void
no_path_leads_out_of_the_directory(void **state)
{
	static const char *const paths[] = { "..", "../outside/secret",
		"folder/../../outside/secret", "/etc/passwd", "/", "link",
		"link/secret", "folder/link/secret", "dangling", "loop",
		"absolute", "folder/up", "self" };
	struct fixture *f = *state;
	size_t i;

	link_to(f, "../outside", "inside/link");
	link_to(f, "../../outside", "inside/folder/link");
	link_to(f, "../outside/new", "inside/dangling");
	link_to(f, "loop", "inside/loop");
	link_to(f, "/etc/passwd", "inside/absolute");
	link_to(f, "..", "inside/folder/up");
	/* Even one that stays inside: what it means may change. */
	link_to(f, "file", "inside/self");
	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int fd = file_open(f->inside, paths[i], O_RDONLY, 0, &f->err);

		if (fd >= 0)
			fail_msg("opened: %s", paths[i]);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
		assert_int_equal(
		    file_open(f->inside, paths[i], O_WRONLY | O_CREAT | O_TRUNC,
			0644, &f->err),
		    -1);
	}
}

static void
links_of_the_kernel_are_not_followed_either(void **state)
{
	struct fixture *f = *state;
	auto_fd int proc = file_open_root("/proc/self/fd", &f->err);
	char name[16];

	assert_true(proc >= 0);
	snprintf(name, sizeof name, "%d", f->scratch.fd);
	assert_int_equal(file_open(proc, name, O_RDONLY, 0, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
}

static void
paths_inside_open_and_close_on_exec(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd =
	    file_open(f->inside, "folder/deep", O_RDONLY, 0, &f->err);
	auto_fd int made = file_open(
	    f->inside, "made", O_WRONLY | O_CREAT | O_EXCL, 0600, &f->err);

	assert_true(fd >= 0);
	assert_true(made >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(made, F_GETFD), FD_CLOEXEC);
}

static void
what_is_not_there_is_not_found(void **state)
{
	static const char *const paths[] = { "missing", "missing/deeper",
		"file/deeper", "folder/missing", "" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		assert_int_equal(
		    file_open(f->inside, paths[i], O_RDONLY, 0, &f->err), -1);
		assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	}
	assert_int_equal(
	    file_open_root(scratch_path(&f->scratch, "none"), &f->err), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_int_equal(
	    file_open_root(scratch_path(&f->scratch, "inside/file"), &f->err),
	    -1);
}

static void
a_file_is_read_whole_or_not(void **state)
{
	struct fixture *f = *state;
	size_t length = 100000;
	char *bytes = calloc(1, length);
	struct buffer text = BUFFER(length), small = BUFFER(length - 1);

	bytes[0] = 'a';
	bytes[length - 1] = 'z';
	scratch_write(&f->scratch, "inside/large", bytes, length);
	assert_int_equal(file_read(f->inside, "large", &text, &f->err), 0);
	assert_int_equal(text.length, length);
	assert_memory_equal(text.bytes, bytes, length);
	assert_int_equal(file_read(f->inside, "large", &small, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_TOO_LARGE);
	buffer_clear(&text);
	buffer_clear(&small);
	free(bytes);
}

/* Opening a FIFO would wait for a writer, a device could do anything. */
static void
only_regular_files_are_read(void **state)
{
	static const char *const names[] = { "fifo", "folder", "device" };
	struct fixture *f = *state;
	struct buffer text = BUFFER(100);
	size_t i, count = 2;

	assert_int_equal(mkfifoat(f->inside, "fifo", 0644), 0);
	if (mknodat(f->inside, "device", S_IFCHR | 0644, makedev(1, 5)) == 0)
		count++;
	for (i = 0; i < count; i++) {
		assert_int_equal(
		    file_read(f->inside, names[i], &text, &f->err), -1);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
	}
	link_to(f, "../outside/secret", "inside/link");
	assert_int_equal(file_read(f->inside, "link", &text, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(text.length, 0);
	buffer_clear(&text);
}

static void
writing_replaces_the_file_with_exactly_this_mode(void **state)
{
	struct fixture *f = *state;
	char *old = NULL;
	auto_fd int reader = file_open(f->inside, "file", O_RDONLY, 0, &f->err);
	struct stat status;
	mode_t mask = umask(077);

	assert_int_equal(
	    file_write(f->inside, "file", "new text", 8, 0664, &f->err), 0);
	assert_int_equal(
	    file_write(f->inside, "other", "", 0, 0600, &f->err), 0);
	umask(mask);
	assert_text(f, "inside/file", "new text");
	assert_text(f, "inside/other", "");
	assert_int_equal(fstatat(f->inside, "file", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0664);
	assert_int_equal(fstatat(f->inside, "other", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* Who reads the old one goes on reading the old one. */
	old = calloc(1, 10);
	assert_int_equal(read(reader, old, 9), 4);
	assert_string_equal(old, "text");
	free(old);
	assert_int_equal(scratch_count(&f->scratch, "inside"), 3);
}

static void
writing_replaces_a_link_and_not_what_it_points_at(void **state)
{
	struct fixture *f = *state;
	struct stat status;

	link_to(f, "../outside/secret", "inside/link");
	assert_int_equal(
	    file_write(f->inside, "link", "mine", 4, 0644, &f->err), 0);
	assert_int_equal(
	    fstatat(f->inside, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_text(f, "inside/link", "mine");
}

static void
a_write_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    file_write(f->inside, "folder", "x", 1, 0644, &f->err), -1);
	assert_int_equal(scratch_count(&f->scratch, "inside"), 2);
	assert_text(f, "inside/folder/deep", "deep");
}

static void
a_full_disk_leaves_the_old_file(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, 1000000);
	auto_fd int fd = -1;

	scratch_make_directory(&f->scratch, "full");
	if (!scratch_mount(&f->scratch, "full", 16)) {
		free(large);
		print_message("# only root can try this\n");
		return;
	}
	fd = file_open_root(scratch_path(&f->scratch, "full"), &f->err);
	assert_int_equal(file_write(fd, "file", "old", 3, 0644, &f->err), 0);
	assert_int_equal(
	    file_write(fd, "file", large, 1000000, 0644, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_STORAGE_FULL);
	assert_string_equal(error_code(&f->err), "STORAGE_FULL");
	assert_text(f, "full/file", "old");
	assert_int_equal(scratch_count(&f->scratch, "full"), 1);
	/* And there is room again for what fits. */
	assert_int_equal(file_write(fd, "file", "new", 3, 0644, &f->err), 0);
	assert_text(f, "full/file", "new");
	free(large);
}

static void
several_files_take_their_places_together(void **state)
{
	struct fixture *f = *state;
	const struct file_content files[] = {
		{ "file", "new", 3, 0644 },
		{ "other", "", 0, 0600 },
		{ "none", NULL, 0, 0 },
	};
	const struct file_content gone = { "other", NULL, 0, 0 };

	assert_int_equal(file_write_all(f->inside, files, 3, &f->err), 0);
	assert_text(f, "inside/file", "new");
	assert_text(f, "inside/other", "");
	assert_int_equal(scratch_count(&f->scratch, "inside"), 3);
	assert_int_equal(file_write_all(f->inside, &gone, 1, &f->err), 0);
	assert_int_equal(scratch_count(&f->scratch, "inside"), 2);
}

/* Not the first one either, although there was room for it. */
static void
a_full_disk_leaves_all_of_several_files(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, 1000000);
	const struct file_content files[] = {
		{ "file", "new", 3, 0644 },
		{ "large", large, 1000000, 0644 },
	};
	auto_fd int fd = -1;

	scratch_make_directory(&f->scratch, "full");
	if (!scratch_mount(&f->scratch, "full", 16)) {
		free(large);
		print_message("# only root can try this\n");
		return;
	}
	fd = file_open_root(scratch_path(&f->scratch, "full"), &f->err);
	assert_int_equal(file_write(fd, "file", "old", 3, 0644, &f->err), 0);
	assert_int_equal(file_write_all(fd, files, 2, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_STORAGE_FULL);
	assert_text(f, "full/file", "old");
	assert_int_equal(scratch_count(&f->scratch, "full"), 1);
	free(large);
}

static void
what_was_staged_and_left_is_removed_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	scratch_write(
	    &f->scratch, "inside/.flatrun-0123456789abcdef.tmp", "x", 1);
	scratch_write(&f->scratch, "inside/.flatrun-0123.tmp", "x", 1);
	scratch_write(
	    &f->scratch, "inside/.flatrun-0123456789abcdeX.tmp", "x", 1);
	scratch_write(&f->scratch, "inside/.env.flatrun", "x", 1);
	link_to(f, "outside/secret", "inside/.flatrun-fedcba9876543210.tmp");
	assert_int_equal(file_clear_temporary(f->inside, &f->err), 0);
	assert_int_equal(scratch_count(&f->scratch, "inside"), 5);
	assert_text(f, "inside/.env.flatrun", "x");
}

static void
names_that_are_paths_are_refused(void **state)
{
	static const char *const names[] = { "../outside/secret",
		"../outside/new", "folder/deep", "/etc/flatrun-test", "..", ".",
		"", "link/secret" };
	struct fixture *f = *state;
	size_t i;

	link_to(f, "../outside", "inside/link");
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (file_write(f->inside, names[i], "x", 1, 0644, &f->err) == 0)
			fail_msg("written: '%s'", names[i]);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
		if (file_make_directory(f->inside, names[i], 0755, &f->err) ==
		    0)
			fail_msg("made: '%s'", names[i]);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
		if (file_remove_tree(f->inside, names[i], &f->err) == 0)
			fail_msg("removed: '%s'", names[i]);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
		if (file_move(f->inside, names[i], f->inside, "x", &f->err) ==
		    0)
			fail_msg("moved: '%s'", names[i]);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
		if (file_move(
			f->inside, "file", f->inside, names[i], &f->err) == 0)
			fail_msg("moved to: '%s'", names[i]);
		assert_string_equal(f->err.code, "UNSAFE_PATH");
	}
	assert_text(f, "inside/folder/deep", "deep");
	assert_text(f, "inside/file", "text");
}

static void
a_directory_is_made_once(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd = -1;

	assert_int_equal(
	    file_make_directory(f->inside, "made", 0700, &f->err), 0);
	assert_int_equal(
	    file_make_directory(f->inside, "made", 0700, &f->err), 0);
	fd = file_open(f->inside, "made", O_RDONLY | O_DIRECTORY, 0, &f->err);
	assert_true(fd >= 0);
}

static void
what_is_no_directory_is_not_taken_for_one(void **state)
{
	struct fixture *f = *state;

	link_to(f, "../outside", "inside/link");
	assert_int_equal(
	    file_make_directory(f->inside, "file", 0700, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(
	    file_make_directory(f->inside, "link", 0700, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
}

static void
moving_refuses_a_target_that_exists(void **state)
{
	struct fixture *f = *state;
	auto_fd int folder =
	    file_open(f->inside, "folder", O_RDONLY | O_DIRECTORY, 0, &f->err);

	scratch_write(&f->scratch, "inside/taken", "taken", 5);
	scratch_make_directory(&f->scratch, "inside/empty");
	assert_int_equal(
	    file_move(f->inside, "file", f->inside, "taken", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");
	assert_text(f, "inside/taken", "taken");
	/* rename(2) alone would take the place of an empty directory. */
	assert_int_equal(
	    file_move(f->inside, "folder", f->inside, "empty", &f->err), -1);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");

	assert_int_equal(
	    file_move(f->inside, "file", folder, "moved", &f->err), 0);
	assert_text(f, "inside/folder/moved", "text");
	assert_false(scratch_has(&f->scratch, "inside/file"));
	assert_int_equal(
	    file_move(f->inside, "file", folder, "again", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void
removing_a_tree_removes_links_and_never_follows_them(void **state)
{
	struct fixture *f = *state;

	scratch_make_directory(&f->scratch, "inside/tree");
	scratch_make_directory(&f->scratch, "inside/tree/a");
	scratch_make_directory(&f->scratch, "inside/tree/a/b");
	scratch_write(&f->scratch, "inside/tree/a/b/file", "x", 1);
	link_to(f, "../../outside", "inside/tree/link");
	link_to(f, "../../../outside/secret", "inside/tree/a/link");
	link_to(f, "/", "inside/tree/root");
	link_to(f, "..", "inside/tree/a/up");
	assert_int_equal(
	    mkfifoat(f->scratch.fd, "inside/tree/a/fifo", 0644), 0);
	assert_int_equal(
	    fchmodat(f->scratch.fd, "inside/tree/a/b/file", 0, 0), 0);
	assert_int_equal(file_remove_tree(f->inside, "tree", &f->err), 0);
	assert_false(scratch_has(&f->scratch, "inside/tree"));
	assert_text(f, "inside/file", "text");

	link_to(f, "../outside", "inside/link");
	assert_int_equal(file_remove_tree(f->inside, "link", &f->err), 0);
	assert_false(scratch_has(&f->scratch, "inside/link"));
	assert_int_equal(file_remove_tree(f->inside, "file", &f->err), 0);
	assert_int_equal(file_remove_tree(f->inside, "file", &f->err), 0);
}

/* Makes a chain of directories, each called "d" in the last. */
static void
make_chain(struct fixture *f, const char *name, int depth)
{
	int fd = openat(f->inside, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int next, i;

	for (i = 0; i < depth; i++) {
		const char *entry = i == 0 ? name : "d";

		assert_int_equal(mkdirat(fd, entry, 0755), 0);
		next = openat(fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
}

static void
a_tree_of_any_depth_neither_crashes_nor_leaks(void **state)
{
	struct fixture *f = *state;
	size_t before = count_descriptors();

	make_chain(f, "deep", 400);
	assert_int_equal(file_remove_tree(f->inside, "deep", &f->err), 0);
	assert_false(scratch_has(&f->scratch, "inside/deep"));
	make_chain(f, "deeper", 1500);
	assert_int_equal(file_remove_tree(f->inside, "deeper", &f->err), -1);
	assert_int_equal(count_descriptors(), before);
}

static void
random_text_is_hexadecimal_and_never_the_same(void **state)
{
	char first[33], second[33];
	unsigned char bytes[4096] = { 0 };
	size_t i, zeros = 0;

	(void)state;
	random_hex(first, 32);
	random_hex(second, 32);
	assert_int_equal(strlen(first), 32);
	assert_int_equal(strspn(first, "0123456789abcdef"), 32);
	assert_string_not_equal(first, second);
	random_bytes(bytes, sizeof bytes);
	for (i = 0; i < sizeof bytes; i++)
		zeros += bytes[i] == 0;
	assert_in_range(zeros, 0, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_path_leads_out_of_the_directory),
		TEST(links_of_the_kernel_are_not_followed_either),
		TEST(paths_inside_open_and_close_on_exec),
		TEST(what_is_not_there_is_not_found),
		TEST(a_file_is_read_whole_or_not),
		TEST(only_regular_files_are_read),
		TEST(writing_replaces_the_file_with_exactly_this_mode),
		TEST(writing_replaces_a_link_and_not_what_it_points_at),
		TEST(a_write_that_fails_leaves_nothing),
		TEST(a_full_disk_leaves_the_old_file),
		TEST(several_files_take_their_places_together),
		TEST(a_full_disk_leaves_all_of_several_files),
		TEST(what_was_staged_and_left_is_removed_and_nothing_else),
		TEST(names_that_are_paths_are_refused),
		TEST(a_directory_is_made_once),
		TEST(what_is_no_directory_is_not_taken_for_one),
		TEST(moving_refuses_a_target_that_exists),
		TEST(removing_a_tree_removes_links_and_never_follows_them),
		TEST(a_tree_of_any_depth_neither_crashes_nor_leaks),
		cmocka_unit_test(random_text_is_hexadecimal_and_never_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
