#include "docker/frames.h"

#include "base/arena.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STAMP "2026-01-31T23:59:59.123456789Z"
#define STAMP_2 "2026-02-01T00:00:00.000000001Z"

/* Lines as "stream|timestamp|text\n". */
struct heard {
	struct buffer lines;
	int count, stop_after;
	size_t longest;
};

static bool
hear(void *context, const struct frames_line *line)
{
	struct heard *heard = context;

	assert_true(utf8_is_valid(line->text, line->length));
	buffer_printf(&heard->lines, "%s|%s|", line->stream, line->timestamp);
	buffer_append(&heard->lines, line->text, line->length);
	buffer_char(&heard->lines, '\n');
	if (line->length > heard->longest)
		heard->longest = line->length;
	return ++heard->count != heard->stop_after;
}

static void
add_frame(struct buffer *out, int stream, const char *bytes, size_t length)
{
	char head[8] = { (char)stream, 0, 0, 0, (char)(length >> 24),
		(char)(length >> 16), (char)(length >> 8), (char)length };

	buffer_append(out, head, sizeof head);
	buffer_append(out, bytes, length);
}

static void
add_text_frame(struct buffer *out, int stream, const char *text)
{
	add_frame(out, stream, text, strlen(text));
}

/* Feeds in pieces of chop bytes. */
static int
feed(struct heard *heard, bool has_tty, const struct buffer *bytes, size_t chop)
{
	struct frames frames;
	struct error err;
	size_t at, part;
	int result = 0;

	*heard = (struct heard){ .lines = BUFFER(1024 * 1024),
		.stop_after = heard->stop_after };
	frames_init(&frames, has_tty, hear, heard);
	for (at = 0; at < bytes->length && result == 0; at += part) {
		/* A copy of the piece's size: reading beyond it is seen. */
		char *piece;

		part = bytes->length - at < chop ? bytes->length - at : chop;
		piece = xmalloc(part);
		memcpy(piece, bytes->bytes + at, part);
		result = frames_feed(&frames, piece, part, &err);
		free(piece);
	}
	if (result == 0)
		frames_end(&frames);
	frames_clear(&frames);
	return result;
}

static void
lines_are_the_same_however_the_stream_is_split(void **state)
{
	static const char expected[] = "stdout|" STAMP "|hello world\n"
				       "stderr|" STAMP_2 "|oh no\n"
				       "stdout|" STAMP_2 "|\n"
				       "stdout|" STAMP_2 "|no end\n";
	auto_buffer struct buffer bytes = BUFFER(4096);
	size_t chop;

	(void)state;
	add_text_frame(&bytes, 1, STAMP " hello world\n");
	add_text_frame(&bytes, 2, STAMP_2 " oh no\r\n");
	add_text_frame(&bytes, 1, STAMP_2 " \n");
	add_text_frame(&bytes, 1, STAMP_2 " no end");
	for (chop = 1; chop <= bytes.length; chop++) {
		struct heard heard = { 0 };

		assert_int_equal(feed(&heard, false, &bytes, chop), 0);
		assert_string_equal(heard.lines.bytes, expected);
		buffer_clear(&heard.lines);
	}
}

static void
a_tty_has_no_frames_and_ends_lines_with_cr_lf(void **state)
{
	static const char expected[] = "stdout|" STAMP "|one\n"
				       "stdout|" STAMP_2 "|two\n";
	auto_buffer struct buffer bytes = BUFFER(4096);
	size_t chop;

	(void)state;
	buffer_text(&bytes, STAMP " one\r\n" STAMP_2 " two");
	for (chop = 1; chop <= bytes.length; chop++) {
		struct heard heard = { 0 };

		assert_int_equal(feed(&heard, true, &bytes, chop), 0);
		assert_string_equal(heard.lines.bytes, expected);
		buffer_clear(&heard.lines);
	}
}

static void
a_line_over_several_frames_is_one_line_with_its_first_time(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(4096);
	struct heard heard = { 0 };

	(void)state;
	add_text_frame(&bytes, 1, STAMP " first ");
	add_text_frame(&bytes, 2, STAMP " between\n");
	add_text_frame(&bytes, 1, STAMP_2 " second\n");
	assert_int_equal(feed(&heard, false, &bytes, 3), 0);
	assert_string_equal(heard.lines.bytes,
	    "stderr|" STAMP "|between\nstdout|" STAMP "|first second\n");
	buffer_clear(&heard.lines);
}

static void
what_is_no_timestamp_stays_text(void **state)
{
	static const char *const texts[] = { "plain words", "nospace",
		"2026-01-31T23:59:59.1X day", "2026-01-31T23:59:59",
		"2026-01-31T23:59:59.123456789123456789123456789Z x",
		"2026-13-aa" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		auto_buffer struct buffer bytes = BUFFER(4096);
		auto_buffer struct buffer expected = BUFFER(4096);
		struct heard heard = { 0 };

		add_text_frame(&bytes, 1, texts[i]);
		buffer_printf(&expected, "stdout||%s\n", texts[i]);
		assert_int_equal(feed(&heard, false, &bytes, 5), 0);
		assert_string_equal(heard.lines.bytes, expected.bytes);
		buffer_clear(&heard.lines);
	}
}

static void
a_time_with_a_zone_is_a_timestamp(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(4096);
	struct heard heard = { 0 };

	(void)state;
	add_text_frame(&bytes, 1, "2026-01-31T23:59:59.5+02:00 text\n");
	assert_int_equal(feed(&heard, false, &bytes, 100), 0);
	assert_string_equal(
	    heard.lines.bytes, "stdout|2026-01-31T23:59:59.5+02:00|text\n");
	buffer_clear(&heard.lines);
}

static void
long_lines_are_cut_between_characters(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(1024 * 1024);
	auto_buffer struct buffer text = BUFFER(1024 * 1024);
	struct heard heard = { 0 };
	int i;

	(void)state;
	buffer_text(&text, STAMP " x");
	for (i = 0; i < 20000; i++)
		buffer_text(&text, "\xC3\xA9");
	buffer_char(&text, '\n');
	add_frame(&bytes, 1, text.bytes, text.length);
	assert_int_equal(feed(&heard, false, &bytes, 1000), 0);
	assert_int_equal(heard.count, 3);
	assert_int_equal(heard.longest, FRAMES_LINE_MAXIMUM);
	assert_null(strstr(heard.lines.bytes, "\xEF\xBF\xBD"));
	buffer_clear(&heard.lines);
}

static void
a_line_of_exactly_the_maximum_is_not_cut(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(1024 * 1024);
	auto_buffer struct buffer text = BUFFER(1024 * 1024);
	struct heard heard = { 0 };
	size_t i;

	(void)state;
	buffer_text(&text, STAMP " ");
	for (i = 0; i < FRAMES_LINE_MAXIMUM; i++)
		buffer_char(&text, 'x');
	buffer_char(&text, '\n');
	add_frame(&bytes, 1, text.bytes, text.length);
	assert_int_equal(feed(&heard, false, &bytes, 777), 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.longest, FRAMES_LINE_MAXIMUM);
	buffer_clear(&heard.lines);
}

/* The Engine cuts at 16 KiB as well, and then repeats the timestamp. */
static void
a_line_that_the_engine_cut_has_no_timestamp_in_its_middle(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(1024 * 1024);
	size_t i;
	int tty;

	(void)state;
	for (tty = 0; tty <= 1; tty++) {
		auto_buffer struct buffer text = BUFFER(1024 * 1024);
		struct heard heard = { 0 };

		buffer_truncate(&bytes, 0);
		buffer_text(&text, STAMP " ");
		for (i = 0; i < FRAMES_LINE_MAXIMUM; i++)
			buffer_char(&text, 'x');
		if (tty) {
			buffer_append(&bytes, text.bytes, text.length);
			buffer_text(&bytes, STAMP_2 " rest\r\n");
		} else {
			add_frame(&bytes, 1, text.bytes, text.length);
			add_text_frame(&bytes, 1, STAMP_2 " rest\n");
		}
		assert_int_equal(feed(&heard, tty, &bytes, 333), 0);
		assert_int_equal(heard.count, 2);
		assert_non_null(strstr(heard.lines.bytes, "|rest\n"));
		buffer_clear(&heard.lines);
	}
}

static void
bytes_that_are_no_text_are_repaired(void **state)
{
	static const char binary[] = STAMP " a\xFF\xC0\xAF"
					   "b\xE2\x82\n";
	auto_buffer struct buffer bytes = BUFFER(4096);
	struct heard heard = { 0 };

	(void)state;
	add_text_frame(&bytes, 1, binary);
	assert_int_equal(feed(&heard, false, &bytes, 1), 0);
	assert_string_equal(heard.lines.bytes,
	    "stdout|" STAMP "|a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
	    "b\xEF\xBF\xBD\xEF\xBF\xBD\n");
	buffer_clear(&heard.lines);
}

static void
what_is_no_frame_is_an_error(void **state)
{
	static const char *const heads[] = { "hello wo", "\4\0\0\0\0\0\0\1",
		"\1\1\0\0\0\0\0\1", "\1\0\0\1\0\0\0\1" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		auto_buffer struct buffer bytes = BUFFER(4096);
		struct heard heard = { 0 };

		buffer_append(&bytes, heads[i], 8);
		assert_int_equal(feed(&heard, false, &bytes, 8), -1);
		buffer_clear(&heard.lines);
	}
}

static void
empty_frames_give_nothing(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(4096);
	struct heard heard = { 0 };

	(void)state;
	add_text_frame(&bytes, 1, "");
	add_text_frame(&bytes, 2, "");
	add_text_frame(&bytes, 1, STAMP " x\n");
	assert_int_equal(feed(&heard, false, &bytes, 2), 0);
	assert_string_equal(heard.lines.bytes, "stdout|" STAMP "|x\n");
	buffer_clear(&heard.lines);
}

static void
a_listener_can_stop_it(void **state)
{
	auto_buffer struct buffer bytes = BUFFER(4096);
	struct heard heard = { .stop_after = 1 };

	(void)state;
	add_text_frame(&bytes, 1, STAMP " one\n");
	add_text_frame(&bytes, 1, STAMP " two\n");
	assert_int_equal(feed(&heard, false, &bytes, 1000), -1);
	assert_int_equal(heard.count, 1);
	buffer_clear(&heard.lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_are_the_same_however_the_stream_is_split),
		cmocka_unit_test(a_tty_has_no_frames_and_ends_lines_with_cr_lf),
		cmocka_unit_test(
		    a_line_over_several_frames_is_one_line_with_its_first_time),
		cmocka_unit_test(what_is_no_timestamp_stays_text),
		cmocka_unit_test(a_time_with_a_zone_is_a_timestamp),
		cmocka_unit_test(long_lines_are_cut_between_characters),
		cmocka_unit_test(a_line_of_exactly_the_maximum_is_not_cut),
		cmocka_unit_test(
		    a_line_that_the_engine_cut_has_no_timestamp_in_its_middle),
		cmocka_unit_test(bytes_that_are_no_text_are_repaired),
		cmocka_unit_test(what_is_no_frame_is_an_error),
		cmocka_unit_test(empty_frames_give_nothing),
		cmocka_unit_test(a_listener_can_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
