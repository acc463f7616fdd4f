/* Trees of files: looked at, opened and walked through, never left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "inside" is what the functions get, "outside" what none may reach. */
struct fixture {
	struct scratch scratch;
	struct arena arena;
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
	scratch_make_directory(&f->scratch, "inside/folder/below");
	scratch_make_directory(&f->scratch, "outside");
	scratch_write(&f->scratch, "inside/file", "text", 4);
	scratch_write(&f->scratch, "inside/folder/deep", "deep!", 5);
	scratch_write(&f->scratch, "outside/secret", "secret", 6);
	f->inside =
	    file_open_root(scratch_path(&f->scratch, "inside"), &f->err);
	assert_int_equal(symlinkat("../outside", f->inside, "way-out"), 0);
	assert_int_equal(symlinkat("../outside/secret", f->inside, "link"), 0);
	assert_int_equal(symlinkat("folder", f->inside, "inner-link"), 0);
	assert_int_equal(mkfifoat(f->inside, "fifo", 0644), 0);
	*state = f;
	return f->inside < 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->inside);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
assert_failed(
    struct fixture *f, int result, enum error_kind kind, const char *code)
{
	assert_int_equal(result, -1);
	assert_int_equal(f->err.kind, kind);
	assert_string_equal(error_code(&f->err), code);
}

static void
only_a_regular_file_is_opened(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	char text[6] = "";
	int fd = tree_open_file(f->inside, "folder/deep", &status, &f->err);

	assert_true(fd >= 0);
	assert_int_equal(status.st_size, 5);
	assert_int_equal(read(fd, text, 5), 5);
	assert_string_equal(text, "deep!");
	close(fd);
	/* Would wait for a writer, if it were opened. */
	assert_failed(f, tree_open_file(f->inside, "fifo", &status, &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
	assert_failed(f, tree_open_file(f->inside, "folder", &status, &f->err),
	    ERR_CONFLICT, "IS_A_DIRECTORY");
	assert_failed(f, tree_open_file(f->inside, "", &status, &f->err),
	    ERR_CONFLICT, "IS_A_DIRECTORY");
	assert_failed(f, tree_open_file(f->inside, "gone", &status, &f->err),
	    ERR_NOT_FOUND, "FILE_NOT_FOUND");
	assert_failed(f, tree_open_file(f->inside, "file/x", &status, &f->err),
	    ERR_NOT_FOUND, "FILE_NOT_FOUND");
}

static void
no_link_is_followed(void **state)
{
	static const char *const unsafe[] = { "link", "way-out/secret",
		"inner-link/deep", "../outside/secret", "folder/../../x",
		"way-out/../x", "/etc/passwd" };
	struct fixture *f = *state;
	struct tree_list list;
	struct stat status;
	const char *name;
	size_t i;

	for (i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
		assert_failed(f,
		    tree_open_file(f->inside, unsafe[i], &status, &f->err),
		    ERR_INVALID, "UNSAFE_PATH");
	assert_failed(f, tree_open_directory(f->inside, "way-out", &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
	assert_failed(f,
	    tree_list(f->inside, "inner-link", 0, 9, &f->arena, &list, &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
	assert_failed(f,
	    tree_open_parent(f->inside, "way-out/new", true, &name, &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
	assert_failed(f,
	    tree_open_parent(f->inside, "../new/x", true, &name, &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
	assert_int_equal(scratch_count(&f->scratch, "outside"), 1);
	/* It can be looked at. */
	assert_int_equal(tree_status(f->inside, "link", &status, &f->err), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_failed(f,
	    tree_status(f->inside, "way-out/secret", &status, &f->err),
	    ERR_INVALID, "UNSAFE_PATH");
}

static void
a_list_is_sorted_and_comes_in_parts(void **state)
{
	struct fixture *f = *state;
	struct tree_list list;

	assert_int_equal(
	    tree_list(f->inside, "", 0, 100, &f->arena, &list, &f->err), 0);
	assert_int_equal(list.total, 6);
	assert_int_equal(list.count, 6);
	assert_true(list.complete);
	assert_string_equal(list.entries[0].name, "fifo");
	assert_string_equal(list.entries[2].name, "folder");
	assert_int_equal(list.entries[2].child_count, 2);
	assert_int_equal(list.entries[5].child_count, -1);
	assert_true(S_ISLNK(list.entries[5].status.st_mode));
	assert_int_equal(
	    tree_list(f->inside, "", 5, 100, &f->arena, &list, &f->err), 0);
	assert_int_equal(list.total, 6);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.entries[0].name, "way-out");
	assert_int_equal(
	    tree_list(f->inside, "folder", 0, 1, &f->arena, &list, &f->err), 0);
	assert_string_equal(list.entries[0].name, "below");
	assert_int_equal(
	    tree_list(f->inside, "", 9, 1, &f->arena, &list, &f->err), 0);
	assert_int_equal(list.count, 0);
	assert_failed(f,
	    tree_list(f->inside, "file", 0, 1, &f->arena, &list, &f->err),
	    ERR_CONFLICT, "NOT_A_DIRECTORY");
}

static void
missing_directories_are_made_when_asked_for(void **state)
{
	struct fixture *f = *state;
	const char *name;
	int parent;

	assert_failed(f,
	    tree_open_parent(f->inside, "a/b/c", false, &name, &f->err),
	    ERR_NOT_FOUND, "FILE_NOT_FOUND");
	assert_false(scratch_has(&f->scratch, "inside/a"));
	parent = tree_open_parent(f->inside, "a/b/c", true, &name, &f->err);
	assert_true(parent >= 0);
	assert_string_equal(name, "c");
	assert_true(scratch_has(&f->scratch, "inside/a/b"));
	assert_false(scratch_has(&f->scratch, "inside/a/b/c"));
	close(parent);
	parent = tree_open_parent(f->inside, "x", true, &name, &f->err);
	assert_true(parent >= 0);
	assert_string_equal(name, "x");
	close(parent);
	assert_failed(f,
	    tree_open_parent(f->inside, "file/x", true, &name, &f->err),
	    ERR_CONFLICT, "NOT_A_DIRECTORY");
}

struct visits {
	size_t count, stop_after;
	char paths[1024];
};

static int
note_visit(void *context, int parent, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct visits *visits = context;
	size_t length = strlen(visits->paths);
	struct stat again;

	(void)err;
	assert_int_equal(fstatat(parent, name, &again, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(again.st_ino, status->st_ino);
	snprintf(
	    visits->paths + length, sizeof visits->paths - length, "|%s", path);
	return ++visits->count == visits->stop_after;
}

static void
a_walk_sees_all_and_follows_nothing(void **state)
{
	struct fixture *f = *state;
	struct visits visits = { 0 };

	assert_int_equal(tree_walk(f->inside, note_visit, &visits, &f->err), 0);
	assert_int_equal(visits.count, 8);
	assert_non_null(strstr(visits.paths, "|folder/deep"));
	assert_non_null(strstr(visits.paths, "|folder/below"));
	assert_non_null(strstr(visits.paths, "|way-out"));
	assert_null(strstr(visits.paths, "secret"));
	memset(&visits, 0, sizeof visits);
	visits.stop_after = 3;
	assert_int_equal(tree_walk(f->inside, note_visit, &visits, &f->err), 1);
	assert_int_equal(visits.count, 3);
}

static void
a_walk_does_not_go_down_for_ever(void **state)
{
	struct fixture *f = *state;
	struct visits visits = { 0 };
	char path[4 * TREE_DEPTH_MAXIMUM] = "d";
	const char *name;
	size_t descriptors = count_descriptors();
	int i;

	for (i = 0; i < TREE_DEPTH_MAXIMUM; i++)
		memcpy(path + strlen(path), "/d", 3);
	close(tree_open_parent(f->inside, path, true, &name, &f->err));
	assert_failed(f, tree_walk(f->inside, note_visit, &visits, &f->err),
	    ERR_TOO_LARGE, "PAYLOAD_TOO_LARGE");
	assert_int_equal(count_descriptors(), descriptors);
}

static void
bytes_are_copied_up_to_a_maximum(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	int from = tree_open_file(f->inside, "file", &status, &f->err);
	int to =
	    file_open(f->inside, "copy", O_WRONLY | O_CREAT, 0600, &f->err);
	char *copy;
	int64_t size;

	assert_int_equal(tree_copy_bytes(from, to, 4, &size, &f->err), 0);
	assert_int_equal(size, 4);
	copy = scratch_read(&f->scratch, "inside/copy");
	assert_string_equal(copy, "text");
	free(copy);
	lseek(from, 0, SEEK_SET);
	assert_failed(f, tree_copy_bytes(from, to, 3, &size, &f->err),
	    ERR_TOO_LARGE, "PAYLOAD_TOO_LARGE");
	close(from);
	close(to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_a_regular_file_is_opened),
		TEST(no_link_is_followed),
		TEST(a_list_is_sorted_and_comes_in_parts),
		TEST(missing_directories_are_made_when_asked_for),
		TEST(a_walk_sees_all_and_follows_nothing),
		TEST(a_walk_does_not_go_down_for_ever),
		TEST(bytes_are_copied_up_to_a_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
