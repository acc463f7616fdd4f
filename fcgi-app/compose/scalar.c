#include "base/utf8.h"
#include "compose/document-private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool
is_digits(const char *text, const char *digits)
{
	return *text != '\0' && text[strspn(text, digits)] == '\0';
}

static bool
is_integer(const char *text)
{
	if (text[0] == '0' && text[1] == 'x')
		return is_digits(text + 2, "0123456789abcdefABCDEF");
	if (text[0] == '0' && text[1] == 'o')
		return is_digits(text + 2, "01234567");
	if (*text == '-' || *text == '+')
		text++;
	return is_digits(text, "0123456789");
}

static bool
is_float(const char *text)
{
	const char *unsigned_text = text + (*text == '-' || *text == '+');
	size_t before, after = 0;

	if (strcmp(unsigned_text, ".inf") == 0 ||
	    strcmp(unsigned_text, ".Inf") == 0 ||
	    strcmp(unsigned_text, ".INF") == 0 || strcmp(text, ".nan") == 0 ||
	    strcmp(text, ".NaN") == 0 || strcmp(text, ".NAN") == 0)
		return true;
	text = unsigned_text;
	before = strspn(text, "0123456789");
	text += before;
	if (*text == '.') {
		after = strspn(text + 1, "0123456789");
		text += 1 + after;
	}
	if (before + after == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		return is_digits(text, "0123456789");
	}
	return *text == '\0';
}

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

enum scalar_type
scalar_resolve(const char *text)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL",
		NULL };
	static const char *const booleans[] = { "true", "True", "TRUE", "false",
		"False", "FALSE", NULL };

	if (is_one_of(text, nulls))
		return SCALAR_NULL;
	if (is_one_of(text, booleans))
		return SCALAR_BOOLEAN;
	if (is_integer(text))
		return SCALAR_INTEGER;
	return is_float(text) ? SCALAR_FLOAT : SCALAR_STRING;
}

/*
 * YAML 1.1 has numbers in bases 2, 8 and 60 with underscores, dates, and the
 * words yes, no, on and off: all begin with a digit or a sign, or are words.
 */
bool
scalar_is_ambiguous(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes",
		"no", "on", "off", "y", "n", NULL };
	size_t i;

	if (*text == '\0' || strchr("0123456789+-.~=<", *text) != NULL)
		return true;
	for (i = 0; words[i] != NULL; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/*
 * Fewer than YAML has, but all that numbers, dates and words are made of:
 * what fails here is a string to every reader, quoted or not.
 */
bool
scalar_can_be_plain(const char *text)
{
	const char *at;

	if (*text == '\0' || (!isalnum((unsigned char)*text) &&
				 strchr("_./+~-=<", *text) == NULL))
		return false;
	/* "- x" is an item, "---" begins a document. */
	if (*text == '-' && !isalnum((unsigned char)text[1]) && text[1] != '.')
		return false;
	for (at = text; *at != '\0'; at++) {
		if (*at == ':' && (at[1] == '\0' || at[1] == ' '))
			return false;
		if (*at == ' ' && (at[1] == '\0' || at[1] == ' '))
			return false;
		if (!isalnum((unsigned char)*at) &&
		    strchr("_./+~-=<:@, ", *at) == NULL)
			return false;
	}
	return true;
}

/* Line breaks of Unicode, controls and the byte order mark. */
static bool
must_be_escaped(const char *at, size_t size)
{
	unsigned char first = (unsigned char)*at;

	if (size == 1)
		return first < 0x20 || first == 0x7f;
	return (size == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0) ||
	       memcmp(at, "\xe2\x80\xa8", size) == 0 ||
	       memcmp(at, "\xe2\x80\xa9", size) == 0 ||
	       memcmp(at, "\xef\xbb\xbf", size) == 0 ||
	       memcmp(at, "\xef\xbf\xbe", size) == 0 ||
	       memcmp(at, "\xef\xbf\xbf", size) == 0;
}

static void
write_escape(struct buffer *out, const char *at, size_t size)
{
	unsigned int code = (unsigned char)*at;

	if (*at == '\n')
		buffer_text(out, "\\n");
	else if (*at == '\t')
		buffer_text(out, "\\t");
	else if (*at == '\r')
		buffer_text(out, "\\r");
	else if (size == 1)
		buffer_printf(out, "\\x%02X", code);
	else if (size == 2)
		buffer_printf(out, "\\u%04X",
		    (code & 0x1f) << 6 | ((unsigned char)at[1] & 0x3f));
	else
		buffer_printf(out, "\\u%04X",
		    (code & 0x0f) << 12 | ((unsigned char)at[1] & 0x3fU) << 6 |
			((unsigned char)at[2] & 0x3f));
}

void
scalar_write_quoted(
    struct buffer *out, const char *text, size_t length, bool doubled)
{
	size_t at, size, run = 0;

	buffer_char(out, '"');
	for (at = 0; at < length; at += size) {
		bool escaped;

		size = utf8_character_length(text + at, length - at);
		if (size == 0)
			size = 1;
		escaped = must_be_escaped(text + at, size);
		if (!escaped && strchr("\"\\$", text[at]) == NULL)
			continue;
		buffer_append(out, text + run, at - run);
		run = at;
		if (escaped) {
			write_escape(out, text + at, size);
			run = at + size;
		} else if (text[at] != '$') {
			buffer_char(out, '\\');
		} else if (doubled) {
			buffer_char(out, '$');
		}
	}
	buffer_append(out, text + run, length - run);
	buffer_char(out, '"');
}

void
scalar_write_string(struct buffer *out, const char *text)
{
	if (scalar_can_be_plain(text) && !scalar_is_ambiguous(text))
		buffer_text(out, text);
	else
		scalar_write_quoted(out, text, strlen(text), false);
}
