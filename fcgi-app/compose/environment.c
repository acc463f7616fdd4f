/* .env.flatrun: "KEY=value" lines. */
#include "base/utf8.h"
#include "compose/compose-private.h"
#include "json/fields.h"

#include <string.h>

#define VARIABLES_MAXIMUM 1000
#define VALUE_MAXIMUM ((size_t)64 * 1024)
#define BLANKS " \t\r"

const struct field compose_variable_fields[] = {
	RENAMED_FIELD(struct compose_variable, name, "key", REQUIRED,
	    compose_variable_name_is_valid,
	    "a variable name: letters, digits and '_'", "INVALID_ENVIRONMENT"),
	STRING_FIELD(struct compose_variable, value, OPTIONAL, NULL, NULL),
	{ 0 },
};

static int
invalid(struct error *err, const char *text)
{
	return error_field(err, "env_vars", "INVALID_ENVIRONMENT", "%s", text);
}

static char *
trimmed(struct arena *arena, const char *text, size_t length)
{
	while (length > 0 && strchr(BLANKS, *text) != NULL) {
		text++;
		length--;
	}
	while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
		length--;
	return arena_strndup(arena, text, length);
}

static char *
without_quotes(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || (*text != '"' && *text != '\'') ||
	    text[length - 1] != *text)
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

bool
compose_environment_line(struct arena *arena, const char *line, size_t length,
    struct compose_variable *out)
{
	const char *equals = memchr(line, '=', length);
	char *name;

	if (equals == NULL)
		return false;
	name = trimmed(arena, line, (size_t)(equals - line));
	if (*name == '#')
		return false;
	if (strncmp(name, "export", 6) == 0 && name[6] != '\0' &&
	    strchr(BLANKS, name[6]) != NULL)
		name = trimmed(arena, name + 6, strlen(name + 6));
	if (!compose_variable_name_is_valid(name))
		return false;
	out->name = name;
	out->value = without_quotes(
	    trimmed(arena, equals + 1, length - (size_t)(equals + 1 - line)));
	return true;
}

int
compose_environment_parse(const char *text, struct arena *arena,
    struct compose_variable **out, size_t *out_count, struct error *err)
{
	struct compose_variable *variables =
	    arena_array(arena, VARIABLES_MAXIMUM, sizeof *variables);
	size_t count = 0;

	if (!utf8_is_valid(text, strlen(text)))
		return invalid(err, "the environment is not UTF-8");
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		struct compose_variable variable;

		if (compose_environment_line(arena, text, length, &variable)) {
			if (count == VARIABLES_MAXIMUM)
				return invalid(err, "more than 1000 variables");
			if (strlen(variable.value) > VALUE_MAXIMUM)
				return invalid(
				    err, "a value of more than 65536 bytes");
			variables[count++] = variable;
		}
		text += length;
		text += *text == '\n';
	}
	*out = variables;
	*out_count = count;
	return 0;
}

/*
 * Compose reads the file, too, where a service names it as its env_file: what
 * it would take for a comment, a variable or a quote goes into quotes.
 */
static void
write_value(const char *value, struct buffer *out)
{
	size_t length = strlen(value);
	bool special =
	    length > 0 && (strpbrk(value, "#$\"\\`") != NULL ||
			      strchr(BLANKS, value[0]) != NULL ||
			      strchr(BLANKS, value[length - 1]) != NULL);
	char quote = '\0';

	if (strchr(value, '\'') == NULL)
		quote = special ? '\'' : '\0';
	else if (special || *value == '\'')
		quote = '"';
	if (quote != '\0')
		buffer_char(out, quote);
	buffer_text(out, value);
	if (quote != '\0')
		buffer_char(out, quote);
}

int
compose_environment_format(const struct compose_variable *variables,
    size_t count, struct buffer *out, struct error *err)
{
	size_t i;

	if (count > VARIABLES_MAXIMUM)
		return invalid(err, "more than 1000 variables");
	for (i = 0; i < count; i++) {
		const char *value = variables[i].value;

		if (!compose_variable_name_is_valid(variables[i].name))
			return error_field(err, "env_vars",
			    "INVALID_ENVIRONMENT",
			    "the name of variable %zu must be 1 to 128 of "
			    "A-Z, a-z, 0-9 and '_', not beginning with a "
			    "digit",
			    i + 1);
		if (strpbrk(value, "\n\r") != NULL ||
		    !utf8_is_valid(value, strlen(value)) ||
		    strlen(value) > VALUE_MAXIMUM)
			return error_field(err, "env_vars",
			    "INVALID_ENVIRONMENT",
			    "the value of '%s' must be one line of at most "
			    "65536 bytes of UTF-8",
			    variables[i].name);
		buffer_printf(out, "%s=", variables[i].name);
		write_value(value, out);
		buffer_char(out, '\n');
	}
	if (out->overflowed)
		return invalid(err, "the environment is too large");
	return 0;
}

static const char *
find_value(const struct compose_variable *list, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].value;
	return NULL;
}

const char *
compose_environment_mask(
    const char *text, const char *other, const char *mark, struct arena *arena)
{
	auto_buffer struct buffer masked = BUFFER(4 * COMPOSE_TEXT_MAXIMUM);
	struct compose_variable *list, *others = NULL;
	size_t count, other_count = 0, i;
	struct error ignored;

	if (text == NULL ||
	    compose_environment_parse(text, arena, &list, &count, &ignored) < 0)
		return NULL;
	if (other != NULL && compose_environment_parse(other, arena, &others,
				 &other_count, &ignored) < 0)
		other_count = 0;
	for (i = 0; i < count; i++) {
		const char *before =
		    find_value(others, other_count, list[i].name);
		bool differs =
		    before != NULL && strcmp(before, list[i].value) != 0;

		buffer_printf(&masked, "%s=" COMPOSE_SECRET_MASK "%s\n",
		    list[i].name, differs ? mark : "");
	}
	return arena_strdup(arena, buffer_string(&masked));
}
