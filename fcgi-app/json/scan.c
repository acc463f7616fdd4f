#include "json/scan.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "json/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL_LENGTH_MAXIMUM 512

struct name {
	const char *bytes; /* decoded */
	size_t length;
};

struct scan {
	const char *text;
	const char *at;
	const char *end;
	unsigned int depth;
	size_t values;
	struct arena arena; /* decoded names */
	struct error *err;
};

static int scan_value(struct scan *scan);

static int
fail(struct scan *scan, const char *what)
{
	return error_set(scan->err, ERR_INVALID, "INVALID_JSON",
	    "invalid JSON at byte %zu: %s", (size_t)(scan->at - scan->text),
	    what);
}

static void
skip_space(struct scan *scan)
{
	while (
	    scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' ||
					*scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

static int
peek(const struct scan *scan)
{
	return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

static int
hex_digit(int byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

/* The four digits after "\u". */
static int
scan_code_unit(struct scan *scan, unsigned int *out)
{
	int i, digit;

	*out = 0;
	for (i = 0; i < 4; i++) {
		if ((digit = hex_digit(peek(scan))) < 0)
			return fail(scan, "four hexadecimal digits expected");
		*out = *out << 4 | (unsigned int)digit;
		scan->at++;
	}
	return 0;
}

static char *
encode(char *out, unsigned int code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xC0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*out++ = (char)(0xE0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else {
		*out++ = (char)(0xF0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3F));
		*out++ = (char)(0x80 | (code >> 6 & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	}
	return out;
}

/* What follows a backslash; writes the character when out is given. */
static int
scan_escape(struct scan *scan, char **out)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	unsigned int code, low;
	int byte = peek(scan);

	if (byte == 'u') {
		scan->at++;
		if (scan_code_unit(scan, &code) < 0)
			return -1;
		if (code == 0)
			return fail(scan, "NUL in a string");
		if (code >= 0xDC00 && code <= 0xDFFF)
			return fail(scan, "lone surrogate");
		if (code >= 0xD800 && code <= 0xDBFF) {
			if (scan->end - scan->at < 2 || scan->at[0] != '\\' ||
			    scan->at[1] != 'u')
				return fail(scan, "lone surrogate");
			scan->at += 2;
			if (scan_code_unit(scan, &low) < 0)
				return -1;
			if (low < 0xDC00 || low > 0xDFFF)
				return fail(scan, "lone surrogate");
			code =
			    0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		}
		if (out != NULL)
			*out = encode(*out, code);
		return 0;
	}
	if (byte <= 0 || (letter = strchr(letters, byte)) == NULL)
		return fail(scan, "unknown escape");
	if (out != NULL)
		*(*out)++ = bytes[letter - letters];
	scan->at++;
	return 0;
}

/* A string; decodes it into the arena when name is given. */
static int
scan_string(struct scan *scan, struct name *name)
{
	const char *close;
	char *out = NULL;
	int byte;

	if (peek(scan) != '"')
		return fail(scan, "a string expected");
	scan->at++;
	if (name != NULL) {
		/* Decoded text is never longer than the text; find its end. */
		for (close = scan->at; close < scan->end && *close != '"';
		     close++)
			if (*close == '\\' && close + 1 < scan->end)
				close++;
		out = arena_alloc(&scan->arena, (size_t)(close - scan->at) + 1);
		name->bytes = out;
	}
	while ((byte = peek(scan)) != '"') {
		if (byte < 0)
			return fail(scan, "unterminated string");
		if (byte < 0x20)
			return fail(scan, "control byte in a string");
		scan->at++;
		if (byte == '\\') {
			if (scan_escape(scan, name ? &out : NULL) < 0)
				return -1;
		} else if (name != NULL) {
			*out++ = (char)byte;
		}
	}
	scan->at++;
	if (name != NULL)
		name->length = (size_t)(out - name->bytes);
	return 0;
}

static bool
skip_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->at++;
	return scan->at > start;
}

/* Below 2^63, which json-c would clip. */
static bool
is_held_as_integer(const char *text, size_t length)
{
	bool negative = *text == '-';
	uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;
	size_t i;

	for (i = negative; i < length; i++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(text[i] - '0'), &value))
			return false;
	return value <= limit;
}

/* Below 1.8e308, beyond which json-c has the word Infinity. */
static bool
is_held_as_real(const char *text, size_t length)
{
	char copy[REAL_LENGTH_MAXIMUM + 1];

	if (length > REAL_LENGTH_MAXIMUM)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return isfinite(strtod(copy, NULL));
}

static int
scan_number(struct scan *scan)
{
	const char *start = scan->at;
	bool real = false;
	size_t length;

	if (peek(scan) == '-')
		scan->at++;
	if (peek(scan) == '0')
		scan->at++;
	else if (!skip_digits(scan))
		return fail(scan, "a value expected");
	if (peek(scan) == '.') {
		real = true;
		scan->at++;
		if (!skip_digits(scan))
			return fail(scan, "a digit expected");
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		real = true;
		scan->at++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->at++;
		if (!skip_digits(scan))
			return fail(scan, "a digit expected");
	}
	length = (size_t)(scan->at - start);
	if (real ? is_held_as_real(start, length)
		 : is_held_as_integer(start, length))
		return 0;
	return fail(scan, "the number is too large");
}

static int
scan_literal(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length ||
	    memcmp(scan->at, word, length) != 0)
		return fail(scan, "a value expected");
	scan->at += length;
	return 0;
}

static int
compare_names(const void *left, const void *right)
{
	const struct name *a = left, *b = right;
	size_t shorter = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->bytes, b->bytes, shorter);

	if (order != 0)
		return order;
	return (a->length > b->length) - (a->length < b->length);
}

static int
check_duplicates(struct scan *scan, struct name *names, size_t count)
{
	size_t i;

	qsort(names, count, sizeof *names, compare_names);
	for (i = 1; i < count; i++) {
		if (compare_names(&names[i - 1], &names[i]) != 0)
			continue;
		error_set(scan->err, ERR_INVALID, "DUPLICATE_KEY",
		    "'%.60s' is there twice", names[i].bytes);
		snprintf(scan->err->field, sizeof scan->err->field, "%.60s",
		    names[i].bytes);
		return -1;
	}
	return 0;
}

/* Called behind '{' or '['; true when the container goes on after a ','. */
static int
next_element(struct scan *scan, char close, bool *more)
{
	skip_space(scan);
	*more = peek(scan) == ',';
	if (*more || peek(scan) == close) {
		scan->at++;
		return 0;
	}
	return fail(
	    scan, close == '}' ? "',' or '}' expected" : "',' or ']' expected");
}

static int
scan_members(struct scan *scan, struct name **names, size_t *count)
{
	size_t allocated = 0;
	bool more = true;

	skip_space(scan);
	if (peek(scan) == '}') {
		scan->at++;
		return 0;
	}
	while (more) {
		if (*count == JSON_MEMBERS_MAXIMUM)
			return fail(scan, "too many members in an object");
		if (*count == allocated) {
			allocated = allocated ? allocated * 2 : 16;
			*names = xrealloc(*names, allocated * sizeof **names);
		}
		skip_space(scan);
		if (scan_string(scan, &(*names)[*count]) < 0)
			return -1;
		++*count;
		skip_space(scan);
		if (peek(scan) != ':')
			return fail(scan, "':' expected");
		scan->at++;
		if (scan_value(scan) < 0 || next_element(scan, '}', &more) < 0)
			return -1;
	}
	return 0;
}

static int
scan_object(struct scan *scan)
{
	auto_free struct name *names = NULL;
	size_t count = 0;

	if (scan_members(scan, &names, &count) < 0)
		return -1;
	return count > 1 ? check_duplicates(scan, names, count) : 0;
}

static int
scan_array(struct scan *scan)
{
	bool more = true;

	skip_space(scan);
	if (peek(scan) == ']') {
		scan->at++;
		return 0;
	}
	while (more)
		if (scan_value(scan) < 0 || next_element(scan, ']', &more) < 0)
			return -1;
	return 0;
}

static int
scan_value(struct scan *scan)
{
	int byte, failed;

	skip_space(scan);
	if (++scan->values > JSON_VALUES_MAXIMUM)
		return fail(scan, "too many values");
	switch (byte = peek(scan)) {
	case '{':
	case '[':
		if (++scan->depth > JSON_DEPTH_MAXIMUM)
			return fail(scan, "nested too deeply");
		scan->at++;
		failed = byte == '{' ? scan_object(scan) : scan_array(scan);
		scan->depth--;
		return failed;
	case '"':
		return scan_string(scan, NULL);
	case 't':
		return scan_literal(scan, "true");
	case 'f':
		return scan_literal(scan, "false");
	case 'n':
		return scan_literal(scan, "null");
	default:
		return scan_number(scan);
	}
}

int
json_scan(const char *text, size_t length, struct error *err)
{
	struct scan scan = {
		.text = text, .at = text, .end = text + length, .err = err
	};
	int failed;

	if (!utf8_is_valid(text, length))
		return error_set(err, ERR_INVALID, "INVALID_JSON",
		    "invalid JSON: the text is not UTF-8");
	failed = scan_value(&scan);
	if (!failed) {
		skip_space(&scan);
		if (scan.at < scan.end)
			failed = fail(&scan, "text after the value");
	}
	arena_clear(&scan.arena);
	return failed;
}
