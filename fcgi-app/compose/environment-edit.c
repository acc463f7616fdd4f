/* .env.flatrun changed in place, and which of its values are secrets. */
#include "compose/compose-private.h"

#include <string.h>
#include <strings.h>

#define TEXT_MAXIMUM ((size_t)1024 * 1024)

static int
fail(struct error *err, const char *name)
{
	return error_field(err, "env_vars", "INVALID_ENVIRONMENT",
	    "'%.128s' is there twice", name);
}

/* The new list, and which line of the old text each variable stays in. */
struct edit {
	struct arena *arena;
	const struct compose_variable *variables;
	size_t count;
	size_t *lines; /* 0: none; the last one of a variable counts */
	struct buffer *out;
};

/* The variable's number in the new list; count when it is not there. */
static size_t
find(const struct edit *edit, const char *name)
{
	size_t i;

	for (i = 0; i < edit->count; i++)
		if (strcmp(edit->variables[i].name, name) == 0)
			break;
	return i;
}

static int
check_unique(const struct edit *edit, struct error *err)
{
	size_t i;

	for (i = 0; i < edit->count; i++)
		if (find(edit, edit->variables[i].name) != i)
			return fail(err, edit->variables[i].name);
	return 0;
}

static void
find_lines(struct edit *edit, const char *text)
{
	struct compose_variable had;
	size_t number, i;

	for (number = 1; *text != '\0'; number++) {
		size_t length = strcspn(text, "\n");

		if (compose_environment_line(edit->arena, text, length, &had) &&
		    (i = find(edit, had.name)) < edit->count)
			edit->lines[i] = number;
		text += length + (text[length] == '\n');
	}
}

static int
write_variable(struct edit *edit, size_t i, struct error *err)
{
	return compose_environment_format(
	    &edit->variables[i], 1, edit->out, err);
}

static int
edit_line(struct edit *edit, const char *line, size_t length, size_t number,
    struct error *err)
{
	struct compose_variable had;
	size_t i;

	if (compose_environment_line(edit->arena, line, length, &had)) {
		i = find(edit, had.name);
		if (i == edit->count || edit->lines[i] != number)
			return 0;
		if (strcmp(edit->variables[i].value, had.value) != 0)
			return write_variable(edit, i, err);
	}
	buffer_append(edit->out, line, length);
	buffer_char(edit->out, '\n');
	return 0;
}

int
compose_environment_edit(const char *text,
    const struct compose_variable *variables, size_t count, struct arena *arena,
    const char **out_text, struct error *err)
{
	auto_buffer struct buffer out = BUFFER(TEXT_MAXIMUM);
	struct edit edit = { .arena = arena,
		.variables = variables,
		.count = count,
		.lines = arena_array(arena, count, sizeof *edit.lines),
		.out = &out };
	size_t number, i;

	if (check_unique(&edit, err) < 0)
		return -1;
	find_lines(&edit, text);
	for (number = 1; *text != '\0'; number++) {
		size_t length = strcspn(text, "\n");

		if (edit_line(&edit, text, length, number, err) < 0)
			return -1;
		text += length + (text[length] == '\n');
	}
	for (i = 0; i < count; i++)
		if (edit.lines[i] == 0 && write_variable(&edit, i, err) < 0)
			return -1;
	if (out.overflowed)
		return error_field(err, "env_vars", "INVALID_ENVIRONMENT",
		    "the environment is too large");
	*out_text = arena_strdup(arena, buffer_string(&out));
	return 0;
}

/* "scheme://user:password@": for connection strings of any kind. */
static bool
has_password(const char *value)
{
	const char *at = strstr(value, "://"), *end, *colon;

	if (at == NULL)
		return false;
	at += 3;
	end = at + strcspn(at, "/?# ");
	colon = memchr(at, ':', (size_t)(end - at));
	return colon != NULL &&
	       memchr(colon, '@', (size_t)(end - colon)) != NULL;
}

bool
compose_variable_is_secret(const char *name, const char *value)
{
	static const char *const words[] = { "PASS", "PWD", "SECRET", "TOKEN",
		"KEY", "CREDENTIAL", "PRIVATE", "SALT", "AUTH", "DSN",
		"CERTIFICATE", "SIGNATURE", "HASH", "WEBHOOK" };
	size_t i;

	if (*value == '\0')
		return false;
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return has_password(value) || strstr(value, "PRIVATE KEY-----") != NULL;
}
