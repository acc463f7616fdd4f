#include "admin/template.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz_0123456789"

static int
fail(unsigned int line, struct error *err, const char *reason)
{
	return error_set(err, ERR_INVALID, "TEMPLATE_INVALID",
	    "line %u of the template: %s", line, reason);
}

static const struct template_value *
find_value(const struct template_value *values, const char *name, size_t length)
{
	for (; values->name != NULL; values++)
		if (strlen(values->name) == length &&
		    strncmp(values->name, name, length) == 0)
			return values;
	return NULL;
}

/* The length of the name in "@name@" at text, or 0. */
static size_t
name_length(const char *text, size_t length)
{
	size_t name;

	if (length < 3 || *text != '@')
		return 0;
	name = strspn(text + 1, NAME_CHARACTERS);
	return name > 0 && name + 2 <= length && text[name + 1] == '@' ? name
								       : 0;
}

static int
fill_line(const char *text, size_t length, unsigned int number,
    const struct template_value *values, struct buffer *out, struct error *err)
{
	size_t i = 0;

	while (i < length) {
		const struct template_value *value;
		size_t name = name_length(text + i, length - i);

		if (name == 0) {
			buffer_char(out, text[i++]);
			continue;
		}
		value = find_value(values, text + i + 1, name);
		if (value == NULL || value->text == NULL)
			return fail(number, err, "a value that is not there");
		buffer_text(out, value->text);
		i += name + 2;
	}
	return 0;
}

/* Reads "@if name@" and "@if !name@"; *out: the lines are wanted. */
static int
read_condition(const char *text, size_t length, unsigned int number,
    const struct template_value *values, bool *out, struct error *err)
{
	const struct template_value *value;
	bool negated = length > 4 && text[4] == '!';
	size_t start = negated ? 5 : 4;

	if (length < start + 2 || text[length - 1] != '@')
		return fail(number, err, "an @if without its last '@'");
	value = find_value(values, text + start, length - 1 - start);
	if (value == NULL)
		return fail(number, err, "an @if about nothing known");
	*out = (value->text != NULL) != negated;
	return 0;
}

int
template_fill(const char *text, const struct template_value *values,
    struct buffer *out, struct error *err)
{
	unsigned int number = 0;
	bool inside = false, wanted = true;

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		bool ended = text[length] == '\n';

		number++;
		if (length == 5 && strncmp(text, "@end@", 5) == 0) {
			if (!inside)
				return fail(number, err, "an @end@ too many");
			inside = false;
			wanted = true;
		} else if (strncmp(text, "@if ", 4) == 0) {
			if (inside)
				return fail(number, err, "an @if inside one");
			inside = true;
			if (read_condition(
				text, length, number, values, &wanted, err) < 0)
				return -1;
		} else if (wanted) {
			if (fill_line(text, length + ended, number, values, out,
				err) < 0)
				return -1;
		}
		text += length + ended;
	}
	if (inside)
		return fail(number, err, "an @if without an @end@");
	if (out->overflowed)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "the filled template is too large");
	return 0;
}
