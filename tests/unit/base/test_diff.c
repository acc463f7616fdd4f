/* Unified differences: their form, and that they lead from old to new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_SIZE ((size_t)4 * 1024 * 1024)

static void
assert_diff(const char *old, const char *new, const char *expected)
{
	auto_buffer struct buffer out = BUFFER(DIFF_SIZE);
	struct error err;

	assert_int_equal(diff_unified("f.yml", old, new, &out, &err), 0);
	assert_string_equal(buffer_string(&out), expected);
}

static void
equal_texts_have_no_difference(void **state)
{
	(void)state;
	assert_diff("a\nb\n", "a\nb\n", "");
	assert_diff("", "", "");
	assert_diff(NULL, NULL, "");
}

static void
a_changed_line_stands_between_three_lines_of_context(void **state)
{
	(void)state;
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
	    "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
	    "--- a/f.yml\n+++ b/f.yml\n@@ -2,7 +2,7 @@\n"
	    " 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
}

static void
changes_far_apart_are_hunks_of_their_own(void **state)
{
	(void)state;
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
	    "2\n3\n4\n5\n6\n7\n8\n9\n0\n",
	    "--- a/f.yml\n+++ b/f.yml\n@@ -1,4 +1,3 @@\n"
	    "-1\n 2\n 3\n 4\n"
	    "@@ -7,3 +6,4 @@\n 7\n 8\n 9\n+0\n");
}

static void
changes_near_each_other_share_a_hunk(void **state)
{
	(void)state;
	assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n", "X\n2\n3\n4\n5\n6\n7\nY\n",
	    "--- a/f.yml\n+++ b/f.yml\n@@ -1,8 +1,8 @@\n"
	    "-1\n+X\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+Y\n");
}

static void
a_file_that_comes_or_goes_is_dev_null(void **state)
{
	(void)state;
	assert_diff(
	    NULL, "a\n", "--- /dev/null\n+++ b/f.yml\n@@ -0,0 +1 @@\n+a\n");
	assert_diff(
	    "a\n", NULL, "--- a/f.yml\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
	assert_diff("", "a\n", "--- a/f.yml\n+++ b/f.yml\n@@ -0,0 +1 @@\n+a\n");
}

static void
a_last_line_without_its_end_is_told(void **state)
{
	(void)state;
	assert_diff("a\nb", "a\nb\n",
	    "--- a/f.yml\n+++ b/f.yml\n@@ -1,2 +1,2 @@\n a\n"
	    "-b\n\\ No newline at end of file\n+b\n");
}

static void
what_does_not_fit_is_refused(void **state)
{
	auto_buffer struct buffer out = BUFFER(16);
	struct error err;

	(void)state;
	assert_int_equal(diff_unified("f", "a\n", "b\n", &out, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

/* A patch program of one page: what the new text must be by the diff. */
static void
apply(const char *old, const char *diff, struct buffer *out)
{
	const char *at = old;
	size_t line = 1, start;

	while (*diff != '\0') {
		size_t length = strcspn(diff, "\n") + 1;

		if (strncmp(diff, "@@", 2) == 0) {
			char *end;

			start = strtoul(diff + 4, &end, 10);
			/* "-3,0": behind line 3. */
			start += strncmp(end, ",0 ", 3) == 0;
			for (; line < start; line++) {
				size_t size = strcspn(at, "\n") + 1;

				buffer_append(out, at, size);
				at += size;
			}
		} else if (diff[0] == '+' && strncmp(diff, "+++ ", 4) != 0) {
			buffer_append(out, diff + 1, length - 1);
		} else if (diff[0] == ' ' ||
			   (diff[0] == '-' && strncmp(diff, "--- ", 4) != 0)) {
			assert_memory_equal(at, diff + 1, length - 1);
			if (diff[0] == ' ')
				buffer_append(out, at, length - 1);
			at += length - 1;
			line++;
		}
		diff += length;
	}
	buffer_text(out, at);
}

static unsigned int seed = 1;

static unsigned int
next_random(unsigned int below)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % below;
}

static void
write_random(struct buffer *out, unsigned int words, unsigned int lines)
{
	unsigned int i;

	for (i = 0; i < lines; i++)
		buffer_printf(out, "%u\n", next_random(words));
}

static size_t
count_changes(const char *diff)
{
	size_t count = 0;
	const char *at;

	for (at = diff; (at = strchr(at, '\n')) != NULL; at++)
		count += at[1] == '+' || at[1] == '-';
	return count - 1; /* "+++"; "---" is the first line */
}

static void
what_the_difference_says_makes_the_new_text_of_the_old(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		auto_buffer struct buffer old = BUFFER(DIFF_SIZE);
		auto_buffer struct buffer new = BUFFER(DIFF_SIZE);
		auto_buffer struct buffer diff = BUFFER(DIFF_SIZE);
		auto_buffer struct buffer made = BUFFER(DIFF_SIZE);
		unsigned int words = 1 + next_random(8);
		struct error err;

		write_random(&old, words, next_random(24));
		write_random(&new, words, next_random(24));
		assert_int_equal(diff_unified("f", buffer_string(&old),
				     buffer_string(&new), &diff, &err),
		    0);
		apply(buffer_string(&old), buffer_string(&diff), &made);
		assert_string_equal(buffer_string(&made), buffer_string(&new));
	}
}

/* The least number of changes is what makes it readable. */
static void
the_difference_is_the_shortest(void **state)
{
	auto_buffer struct buffer diff = BUFFER(DIFF_SIZE);
	struct error err;

	(void)state;
	assert_int_equal(diff_unified("f", "a\nb\nc\na\nb\nb\na\n",
			     "c\nb\na\nb\na\nc\n", &diff, &err),
	    0);
	assert_int_equal(count_changes(buffer_string(&diff)), 5);
}

static void
texts_that_share_nothing_are_shown_whole_and_soon(void **state)
{
	auto_buffer struct buffer old = BUFFER(DIFF_SIZE);
	auto_buffer struct buffer new = BUFFER(DIFF_SIZE);
	auto_buffer struct buffer diff = BUFFER(2 * DIFF_SIZE);
	auto_buffer struct buffer made = BUFFER(DIFF_SIZE);
	struct error err;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		buffer_printf(&old, "old %d\n", i);
		buffer_printf(&new, "new %d\n", i);
	}
	assert_int_equal(diff_unified("f", buffer_string(&old),
			     buffer_string(&new), &diff, &err),
	    0);
	assert_int_equal(count_changes(buffer_string(&diff)), 200000);
	apply(buffer_string(&old), buffer_string(&diff), &made);
	assert_string_equal(buffer_string(&made), buffer_string(&new));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_have_no_difference),
		cmocka_unit_test(
		    a_changed_line_stands_between_three_lines_of_context),
		cmocka_unit_test(changes_far_apart_are_hunks_of_their_own),
		cmocka_unit_test(changes_near_each_other_share_a_hunk),
		cmocka_unit_test(a_file_that_comes_or_goes_is_dev_null),
		cmocka_unit_test(a_last_line_without_its_end_is_told),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(
		    what_the_difference_says_makes_the_new_text_of_the_old),
		cmocka_unit_test(the_difference_is_the_shortest),
		cmocka_unit_test(
		    texts_that_share_nothing_are_shown_whole_and_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
