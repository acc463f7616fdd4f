/* UTF-8, and log lines made of what clients and programs send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include <json-c/json.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Encodes as RFC 3629 says, for any code that fits four bytes. */
static size_t
encode(unsigned int code, size_t size, char *out)
{
	static const unsigned char leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t i;

	if (size == 1) {
		out[0] = (char)code;
		return 1;
	}
	for (i = size - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3F));
		code >>= 6;
	}
	out[0] = (char)(leads[size] | code);
	return size;
}

static size_t
shortest(unsigned int code)
{
	return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static void
every_code_point_but_surrogates_has_one_encoding(void **state)
{
	unsigned int code;
	size_t size;
	char bytes[4];

	(void)state;
	for (code = 0; code < 0x200000; code++) {
		bool exists =
		    code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);

		for (size = shortest(code); size <= 4; size++) {
			bool valid = exists && size == shortest(code);

			encode(code, size, bytes);
			if (utf8_is_valid(bytes, size) != valid ||
			    utf8_character_length(bytes, size) !=
				(valid ? size : 0))
				fail_msg("U+%04X in %zu bytes", code, size);
		}
	}
}

static void
a_character_that_is_cut_is_none(void **state)
{
	static const char *const characters[] = { "\xC3\xA4", "\xE2\x82\xAC",
		"\xF0\x9F\x98\x80" };
	size_t i, length;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (length = 1; length < strlen(characters[i]); length++) {
			/* Exactly this long, so that reading on is seen. */
			char *cut = malloc(length);

			memcpy(cut, characters[i], length);
			assert_false(utf8_is_valid(cut, length));
			assert_int_equal(utf8_character_length(cut, length), 0);
			free(cut);
		}
	}
	assert_true(utf8_is_valid("", 0));
	assert_int_equal(utf8_character_length("a", 0), 0);
}

static void
bytes_that_begin_nothing_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{ "\x80", 1 },
		{ "\xBF", 1 },
		{ "a\x80", 2 },
		{ "\xC0\xAF", 2 },
		{ "\xC1\xBF", 2 },
		{ "\xE0\x80\xAF", 3 },
		{ "\xF0\x80\x80\xAF", 4 },
		{ "\xED\xA0\x80", 3 },
		{ "\xED\xBF\xBF", 3 },
		{ "\xF4\x90\x80\x80", 4 },
		{ "\xF5\x80\x80\x80", 4 },
		{ "\xF8\x88\x80\x80\x80", 5 },
		{ "\xFE", 1 },
		{ "\xFF", 1 },
		{ "\xC3\xC3\xA4", 3 },
		{ "\xE2\x82\x28", 3 },
		{ "\xE2\x28\xAC", 3 },
		{ "\xC3\xA4\xC3", 3 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_false(utf8_is_valid(cases[i].bytes, cases[i].length));
	assert_true(utf8_is_valid("a\0\xC3\xA4", 4));
	assert_true(utf8_is_valid("\xEF\xBB\xBF\xEF\xBF\xBF", 6));
}

static void
repairing_keeps_what_is_valid_and_replaces_the_rest(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(100);

	(void)state;
	assert_int_equal(utf8_append_repaired(
			     &buffer, "a\xFF\xC3\xA4\xE2\x82z\xED\xA0\x80", 10),
	    0);
	assert_string_equal(buffer_string(&buffer),
	    "a\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBDz"
	    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_true(utf8_is_valid(buffer.bytes, buffer.length));
}

static void
repairing_stops_at_the_maximum_between_characters(void **state)
{
	auto_buffer struct buffer buffer = BUFFER(4);

	(void)state;
	assert_int_equal(utf8_append_repaired(&buffer, "\xC3\xA4\xFF", 3), -1);
	assert_string_equal(buffer_string(&buffer), "\xC3\xA4");
}

/* What log_fields() writes to standard error. */
struct capture {
	int file, saved;
};

static void
capture_begin(struct capture *capture)
{
	capture->file = memfd_create("log", MFD_CLOEXEC);
	capture->saved = dup(STDERR_FILENO);
	assert_true(capture->file >= 0 && capture->saved >= 0);
	dup2(capture->file, STDERR_FILENO);
}

static char *
capture_end(struct capture *capture)
{
	off_t size = lseek(capture->file, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	assert_int_equal(pread(capture->file, text, (size_t)size, 0), size);
	close(capture->file);
	return text;
}

/* Reads one line as JSON; the caller puts it. */
static struct json_object *
parse_line(char *text)
{
	struct json_object *object;
	char *end = strchr(text, '\n');

	assert_non_null(end);
	assert_true(utf8_is_valid(text, (size_t)(end - text)));
	*end = '\0';
	object = json_tokener_parse(text);
	assert_non_null(object);
	assert_true(json_object_is_type(object, json_type_object));
	return object;
}

static const char *
member(struct json_object *object, const char *name)
{
	struct json_object *found = NULL;

	json_object_object_get_ex(object, name, &found);
	return json_object_get_string(found);
}

static void
a_log_line_is_one_json_object(void **state)
{
	struct capture capture;
	struct json_object *line;
	char *text;
	int64_t logged_ms;

	(void)state;
	capture_begin(&capture);
	log_event(LOG_WARNING, "it happened", LOG_TEXT("who", "me"),
	    LOG_NUMBER("count", INT64_MIN), LOG_TEXT("nobody", NULL));
	text = capture_end(&capture);
	assert_non_null(strchr(text, '\n'));
	assert_string_equal(strchr(text, '\n'), "\n");
	line = parse_line(text);
	assert_string_equal(member(line, "level"), "warning");
	assert_string_equal(member(line, "message"), "it happened");
	assert_string_equal(member(line, "who"), "me");
	assert_string_equal(member(line, "count"), "-9223372036854775808");
	assert_null(member(line, "nobody"));
	assert_int_equal(json_object_object_length(line), 5);
	assert_int_equal(clock_parse(member(line, "time"), &logged_ms), 0);
	assert_in_range(clock_wall_ms() - logged_ms, 0, 10000);
	json_object_put(line);
	free(text);
}

static void
what_clients_send_cannot_break_a_log_line(void **state)
{
	char hostile[256];
	struct capture capture;
	struct json_object *line;
	char *text, *newline;
	int i;

	(void)state;
	for (i = 1; i < 256; i++)
		hostile[i - 1] = (char)i;
	hostile[255] = '\0';
	capture_begin(&capture);
	log_event(LOG_ERROR, hostile, LOG_TEXT("text", hostile),
	    LOG_TEXT("forged", "\"}\n{\"level\":\"info\""));
	text = capture_end(&capture);
	newline = strchr(text, '\n');
	assert_int_equal(newline[1], '\0');
	*newline = '\0';
	for (i = 0; text[i] != '\0'; i++)
		assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7F);
	*newline = '\n';
	line = parse_line(text);
	assert_string_equal(member(line, "level"), "error");
	assert_string_equal(member(line, "forged"), "\"}\n{\"level\":\"info\"");
	assert_memory_equal(member(line, "text"), hostile, 0x7F);
	json_object_put(line);
	free(text);
}

static void
long_texts_are_cut_but_the_line_is_whole(void **state)
{
	static const char *const parts[] = { "a", "\x01", "\xC3\xA4", "\"",
		"\xFF" };
	char *text, *long_text = calloc(1, 100001);
	struct json_object *line;
	struct capture capture;
	size_t i, at, size;

	(void)state;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size = strlen(parts[i]);
		for (at = 0; at + size <= 100000; at += size)
			memcpy(long_text + at, parts[i], size);
		capture_begin(&capture);
		log_event(LOG_ERROR, long_text, LOG_TEXT("one", long_text),
		    LOG_TEXT("two", long_text), LOG_NUMBER("three", 3));
		text = capture_end(&capture);
		assert_true(strlen(text) <= 8192);
		line = parse_line(text);
		assert_string_equal(member(line, "three"), "3");
		json_object_put(line);
		free(text);
		memset(long_text, 0, 100001);
	}
	free(long_text);
}

static void
lines_below_the_level_are_not_written(void **state)
{
	struct capture capture;
	enum log_level level;
	char *text;

	(void)state;
	assert_int_equal(log_level_parse("warn", &level), 0);
	assert_int_equal(level, LOG_WARNING);
	assert_int_equal(log_level_parse("warning", &level), 0);
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("INFO", &level), -1);
	assert_int_equal(log_level_parse("", &level), -1);

	capture_begin(&capture);
	log_message(LOG_DEBUG, "unseen");
	log_set_level(LOG_ERROR);
	log_message(LOG_WARNING, "unseen");
	log_set_level(LOG_DEBUG);
	log_message(LOG_DEBUG, "seen");
	log_set_level(LOG_INFO);
	text = capture_end(&capture);
	assert_null(strstr(text, "unseen"));
	assert_non_null(strstr(text, "\"seen\""));
	free(text);
}

static void
an_error_is_logged_with_its_detail(void **state)
{
	struct capture capture;
	struct json_object *line;
	struct error err;
	char *text;

	(void)state;
	error_field(&err, "name", "INVALID_NAME", "too long");
	error_detail(&err, "said the program");
	capture_begin(&capture);
	log_error(LOG_WARNING, "refused", &err);
	text = capture_end(&capture);
	line = parse_line(text);
	assert_string_equal(member(line, "message"), "refused");
	assert_string_equal(member(line, "code"), "INVALID_NAME");
	assert_string_equal(member(line, "error"), "too long");
	assert_string_equal(member(line, "detail"), "said the program");
	assert_string_equal(member(line, "field"), "name");
	json_object_put(line);
	free(text);
}

#define THREADS 4
#define LINES 500

static void *
write_lines(void *context)
{
	int i;

	for (i = 0; i < LINES; i++)
		log_event(LOG_INFO, "line", LOG_TEXT("thread", context),
		    LOG_NUMBER("number", i));
	return NULL;
}

static void
threads_do_not_mix_their_lines(void **state)
{
	static char names[THREADS][2] = { "0", "1", "2", "3" };
	int next[THREADS] = { 0 };
	pthread_t threads[THREADS];
	struct capture capture;
	char *text, *at;
	int i;

	(void)state;
	capture_begin(&capture);
	/* As a service manager's pipe does: each write at the end. */
	fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, write_lines, names[i]),
		    0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = capture_end(&capture);
	for (at = text, i = 0; i < THREADS * LINES; i++) {
		char *end = strchr(at, '\n');
		struct json_object *line = parse_line(at);
		int thread = member(line, "thread")[0] - '0';

		assert_int_equal(
		    strtol(member(line, "number"), NULL, 10), next[thread]);
		next[thread]++;
		json_object_put(line);
		at = end + 1;
	}
	assert_int_equal(*at, '\0');
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_code_point_but_surrogates_has_one_encoding),
		cmocka_unit_test(a_character_that_is_cut_is_none),
		cmocka_unit_test(bytes_that_begin_nothing_are_refused),
		cmocka_unit_test(
		    repairing_keeps_what_is_valid_and_replaces_the_rest),
		cmocka_unit_test(
		    repairing_stops_at_the_maximum_between_characters),
		cmocka_unit_test(a_log_line_is_one_json_object),
		cmocka_unit_test(what_clients_send_cannot_break_a_log_line),
		cmocka_unit_test(long_texts_are_cut_but_the_line_is_whole),
		cmocka_unit_test(lines_below_the_level_are_not_written),
		cmocka_unit_test(an_error_is_logged_with_its_detail),
		cmocka_unit_test(threads_do_not_mix_their_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
