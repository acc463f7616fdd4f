/* Arenas, buffers and errors: what everything else is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
arena_memory_is_zeroed_and_fits_any_type(void **state)
{
	auto_arena struct arena arena = { 0 };
	size_t size, i;

	(void)state;
	for (size = 0; size < 300; size++) {
		unsigned char *memory = arena_alloc(&arena, size);

		assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
		for (i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xA5, size);
	}
}

struct witness {
	int *next;
	int place;
};

static void
note_release(void *object)
{
	struct witness *witness = object;

	witness->place = ++*witness->next;
}

static void
an_arena_releases_in_reverse_order_and_can_be_used_again(void **state)
{
	struct arena arena = { 0 };
	int order = 0;
	struct witness first = { .next = &order }, second = { .next = &order };

	(void)state;
	arena_defer(&arena, note_release, &first);
	arena_alloc(&arena, 10);
	arena_defer(&arena, note_release, &second);
	arena_clear(&arena);
	assert_int_equal(second.place, 1);
	assert_int_equal(first.place, 2);
	assert_null(arena.blocks);

	assert_string_equal(arena_strdup(&arena, "again"), "again");
	arena_clear(&arena);
	assert_int_equal(order, 2);
}

static void
growing_an_array_keeps_its_elements(void **state)
{
	auto_arena struct arena arena = { 0 };
	size_t count = 0, allocated = 0, moves = 0;
	int *elements = NULL, i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		int *grown = arena_grow(
		    &arena, elements, count, &allocated, sizeof *elements);

		assert_true(allocated > count);
		moves += grown != elements;
		elements = grown;
		elements[count++] = i;
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(elements[i], i);
	assert_true(moves < 10);
}

static void
arena_texts_are_copies_with_an_end(void **state)
{
	auto_arena struct arena arena = { 0 };
	char source[] = "abcdef";
	char *copy = arena_strndup(&arena, source, 3);
	char *text = arena_strdup(&arena, source);
	char *printed = arena_printf(&arena, "%s-%05d%%", source, 42);
	char *binary = arena_strndup(&arena, "a\0b", 3);

	(void)state;
	memset(source, 'x', sizeof source - 1);
	assert_string_equal(copy, "abc");
	assert_string_equal(text, "abcdef");
	assert_string_equal(printed, "abcdef-00042%");
	assert_memory_equal(binary, "a\0b", 4);
	assert_null(arena_strdup(&arena, NULL));
}

/* Runs the function in a child; the signal that ended it. */
static int
signal_of(void (*function)(void))
{
	pid_t pid = fork();
	int state, null;

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &state, 0), pid);
	return WIFSIGNALED(state) ? WTERMSIG(state) : 0;
}

static void
ask_for_more_elements_than_there_are_bytes(void)
{
	struct arena arena = { 0 };

	arena_array(&arena, SIZE_MAX / 4, 8);
}

static void
ask_for_more_bytes_than_there_are(void)
{
	struct arena arena = { 0 };

	arena_alloc(&arena, SIZE_MAX - 8);
}

static void
a_size_that_overflows_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(
	    signal_of(ask_for_more_elements_than_there_are_bytes), SIGABRT);
	assert_int_equal(signal_of(ask_for_more_bytes_than_there_are), SIGABRT);
}

static void
a_buffer_holds_exactly_its_maximum(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(5);

	(void)state;
	assert_string_equal(buffer_string(&buffer), "");
	assert_int_equal(buffer_text(&buffer, "abc"), 0);
	assert_int_equal(buffer_append(&buffer, "de", 2), 0);
	assert_int_equal(buffer.length, 5);
	assert_string_equal(buffer_string(&buffer), "abcde");
	assert_false(buffer.overflowed);
	assert_int_equal(buffer_append(&buffer, "", 0), 0);
	assert_int_equal(buffer_char(&buffer, 'f'), -1);
	assert_true(buffer.overflowed);
	assert_string_equal(buffer_string(&buffer), "abcde");
}

static void
appending_beyond_the_maximum_appends_nothing_from_then_on(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(4);

	(void)state;
	assert_int_equal(buffer_text(&buffer, "ab"), 0);
	assert_int_equal(buffer_text(&buffer, "cde"), -1);
	assert_string_equal(buffer_string(&buffer), "ab");
	/* It would fit, but a hole in the middle would be worse. */
	assert_int_equal(buffer_text(&buffer, "c"), -1);
	assert_int_equal(buffer_printf(&buffer, "%d", 1), -1);
	assert_int_equal(buffer_append(&buffer, "x", SIZE_MAX), -1);
	assert_string_equal(buffer_string(&buffer), "ab");
	buffer_clear(&buffer);
	assert_int_equal(buffer_printf(&buffer, "%s", "full"), 0);
	assert_string_equal(buffer_string(&buffer), "full");
}

static void
a_buffer_of_nothing_takes_nothing(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(0);

	(void)state;
	assert_int_equal(buffer_text(&buffer, ""), 0);
	assert_string_equal(buffer_string(&buffer), "");
	assert_int_equal(buffer_char(&buffer, 'x'), -1);
	assert_int_equal(buffer.length, 0);
}

static void
a_buffer_grows_as_text_comes(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(100000);
	size_t i;

	(void)state;
	for (i = 0; i < 10000; i++)
		assert_int_equal(
		    buffer_printf(&buffer, "%04zu\n", i % 10000), 0);
	assert_int_equal(buffer.length, 50000);
	assert_int_equal(strlen(buffer_string(&buffer)), 50000);
	assert_memory_equal(buffer.bytes + 5 * 4711, "4711\n", 5);
	assert_true(buffer.allocated <= buffer.maximum + 1);
}

static void
bytes_are_taken_from_both_ends(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(100);

	(void)state;
	buffer_truncate(&buffer, 0);
	buffer_consume(&buffer, 0);
	buffer_append(&buffer, "one\0two", 7);
	buffer_consume(&buffer, 4);
	assert_string_equal(buffer_string(&buffer), "two");
	buffer_truncate(&buffer, 9);
	assert_int_equal(buffer.length, 3);
	buffer_truncate(&buffer, 2);
	assert_string_equal(buffer_string(&buffer), "tw");
	buffer_consume(&buffer, 2);
	assert_int_equal(buffer.length, 0);
	assert_string_equal(buffer_string(&buffer), "");
}

static void
taking_a_buffer_empties_it(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(10);
	auto_free char *nothing = buffer_take(&buffer);
	auto_free char *text = NULL;

	(void)state;
	assert_string_equal(nothing, "");
	buffer_text(&buffer, "text");
	text = buffer_take(&buffer);
	assert_string_equal(text, "text");
	assert_int_equal(buffer.length, 0);
	assert_string_equal(buffer_string(&buffer), "");
	assert_int_equal(buffer_text(&buffer, "0123456789"), 0);
}

static void
every_kind_of_error_has_a_word_and_a_code_of_its_own(void **state)
{
	int kind, other;

	(void)state;
	for (kind = ERR_INTERNAL; kind <= ERR_STORAGE_FULL; kind++) {
		const char *name = error_kind_name((enum error_kind)kind);
		struct error err;

		assert_int_equal(error_kind_parse(name), kind);
		assert_int_equal(
		    error_set(&err, (enum error_kind)kind, NULL, "x"), -1);
		assert_true(error_code(&err)[0] != '\0');
		for (other = ERR_INTERNAL; other < kind; other++)
			assert_string_not_equal(
			    name, error_kind_name((enum error_kind)other));
	}
	assert_int_equal(error_kind_parse("no such kind"), ERR_INTERNAL);
	assert_int_equal(error_kind_parse(""), ERR_INTERNAL);
}

static void
an_error_says_kind_code_field_and_message(void **state)
{
	struct error err;

	(void)state;
	memset(&err, 'x', sizeof err);
	error_set(&err, ERR_CONFLICT, "DEPLOYMENT_BUSY", "'%s' is busy", "a");
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(error_code(&err), "DEPLOYMENT_BUSY");
	assert_string_equal(err.message, "'a' is busy");
	assert_string_equal(err.field, "");
	assert_string_equal(err.detail, "");
	assert_string_equal(err.related, "");
	assert_int_equal(err.retry_after_s, 0);

	assert_int_equal(error_field(&err, "port", NULL, "no port"), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(error_code(&err), "INVALID_REQUEST");
	assert_string_equal(err.field, "port");
}

static void
errno_gives_kind_and_detail_but_not_the_message(void **state)
{
	static const struct {
		int number;
		enum error_kind kind;
	} cases[] = {
		{ ENOSPC, ERR_STORAGE_FULL },
		{ EDQUOT, ERR_STORAGE_FULL },
		{ EMFILE, ERR_UNAVAILABLE },
		{ ENFILE, ERR_UNAVAILABLE },
		{ ENOMEM, ERR_UNAVAILABLE },
		{ EAGAIN, ERR_UNAVAILABLE },
		{ EACCES, ERR_INTERNAL },
		{ EIO, ERR_INTERNAL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err;

		errno = cases[i].number;
		assert_int_equal(
		    error_errno(&err, "cannot write '%s'", "x"), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.message, "cannot write 'x'");
		assert_string_equal(err.detail, strerror(cases[i].number));
	}
}

static void
wrapping_puts_context_before_and_keeps_the_rest(void **state)
{
	struct error err;

	(void)state;
	error_field(&err, "name", "INVALID_NAME", "too long");
	error_detail(&err, "%d bytes", 99);
	assert_int_equal(error_wrap(&err, "cannot create '%s'", "blog"), -1);
	assert_string_equal(err.message, "cannot create 'blog': too long");
	assert_string_equal(error_code(&err), "INVALID_NAME");
	assert_string_equal(err.field, "name");
	assert_string_equal(err.detail, "99 bytes");
}

static void
long_texts_are_cut_at_their_end(void **state)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_alloc(&arena, 5000);
	struct error err;

	(void)state;
	memset(text, 'a', 4999);
	error_field(&err, text, text, "%s", text);
	error_detail(&err, "%s", text);
	error_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
	assert_int_equal(strlen(err.field), sizeof err.field - 1);
	assert_int_equal(strlen(err.code), sizeof err.code - 1);
}

/* The texts go into JSON, which holds UTF-8 and nothing else. */
static void
an_error_is_valid_utf8_wherever_a_text_in_it_was_cut(void **state)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_alloc(&arena, 3001);
	size_t length, i;

	(void)state;
	for (length = 0; length < 3000; length += 3)
		memcpy(text + length, "\xE2\x82\xAC", 3);
	for (i = 0; i < 12; i++) {
		struct error err;
		int cut = (int)(50 + i);

		error_field(&err, text + 3 * i, NULL, "'%.*s' is there twice",
		    cut, text);
		assert_true(utf8_is_valid(err.message, strlen(err.message)));
		assert_true(utf8_is_valid(err.field, strlen(err.field)));
		assert_non_null(strstr(err.message, "' is there twice"));
		error_set(&err, ERR_INTERNAL, NULL, "%.*s%s", (int)i,
		    "aaaaaaaaaaaa", text);
		assert_true(utf8_is_valid(err.message, strlen(err.message)));
		error_wrap(&err, "%.*s", cut, text);
		assert_true(utf8_is_valid(err.message, strlen(err.message)));
		error_detail(&err, "%.*s", cut, text);
		assert_true(utf8_is_valid(err.detail, strlen(err.detail)));
	}
}

static void
cleanup_closes_and_takes(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(take_fd(&fd), copy);
	assert_int_equal(fd, -1);
	cleanup_fd(&fd);
	errno = ENOSPC;
	cleanup_fd(&copy);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory_is_zeroed_and_fits_any_type),
		cmocka_unit_test(
		    an_arena_releases_in_reverse_order_and_can_be_used_again),
		cmocka_unit_test(growing_an_array_keeps_its_elements),
		cmocka_unit_test(arena_texts_are_copies_with_an_end),
		cmocka_unit_test(a_size_that_overflows_ends_the_process),
		cmocka_unit_test(a_buffer_holds_exactly_its_maximum),
		cmocka_unit_test(
		    appending_beyond_the_maximum_appends_nothing_from_then_on),
		cmocka_unit_test(a_buffer_of_nothing_takes_nothing),
		cmocka_unit_test(a_buffer_grows_as_text_comes),
		cmocka_unit_test(bytes_are_taken_from_both_ends),
		cmocka_unit_test(taking_a_buffer_empties_it),
		cmocka_unit_test(
		    every_kind_of_error_has_a_word_and_a_code_of_its_own),
		cmocka_unit_test(an_error_says_kind_code_field_and_message),
		cmocka_unit_test(
		    errno_gives_kind_and_detail_but_not_the_message),
		cmocka_unit_test(
		    wrapping_puts_context_before_and_keeps_the_rest),
		cmocka_unit_test(long_texts_are_cut_at_their_end),
		cmocka_unit_test(
		    an_error_is_valid_utf8_wherever_a_text_in_it_was_cut),
		cmocka_unit_test(cleanup_closes_and_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
