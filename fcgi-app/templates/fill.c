/* What a template leaves open is filled in: names, secrets, files. */
#include "base/file.h"
#include "compose/edit.h"
#include "templates/templates-private.h"

#include <openssl/evp.h>
#include <string.h>

/* "${KEY}" at text: the variable that is meant, or NULL. */
static const struct compose_variable *
find_reference(const char *text, const struct compose_variable *variables,
    size_t count, size_t *out_length)
{
	size_t length = strcspn(text + 2, "}"), i;

	if (text[2 + length] != '}')
		return NULL;
	for (i = 0; i < count; i++)
		if (strlen(variables[i].name) == length &&
		    strncmp(variables[i].name, text + 2, length) == 0) {
			*out_length = length + 3;
			return &variables[i];
		}
	return NULL;
}

int
template_substitute(const char *text, const struct compose_variable *variables,
    size_t count, struct arena *arena, const char **out, struct error *err)
{
	auto_buffer struct buffer filled = BUFFER(COMPOSE_TEXT_MAXIMUM);

	while (*text != '\0') {
		size_t length = strcspn(text, "$");
		const struct compose_variable *variable = NULL;

		buffer_append(&filled, text, length);
		text += length;
		if (text[0] == '$' && text[1] == '{')
			variable =
			    find_reference(text, variables, count, &length);
		if (variable != NULL) {
			buffer_text(&filled, variable->value);
			text += length;
			continue;
		}
		length = text[0] == '$' && text[1] == '$' ? 2 : *text == '$';
		buffer_append(&filled, text, length);
		text += length;
	}
	if (filled.overflowed)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "the text is too large once it is filled in");
	*out = arena_strndup(arena, buffer_string(&filled), filled.length);
	return 0;
}

int
template_compose(const struct template *template,
    const struct template_place *place, struct arena *arena, const char **out,
    struct error *err)
{
	static const char *const path[] = { "networks", "proxy", NULL };
	struct compose_variable variables[] = TEMPLATE_PLACE_VARIABLES(place);
	struct compose_edit edit = { .arena = arena };

	if (template_substitute(template->content, variables,
		TEMPLATE_PLACE_COUNT, arena, &edit.text, err) < 0)
		return -1;
	edit.length = strlen(edit.text);
	if (strcmp(place->network, "proxy") != 0 &&
	    compose_edit_has(&edit, path) &&
	    compose_edit_rename_network(&edit, "proxy", place->network, err) <
		0)
		return -1;
	*out = edit.text;
	return 0;
}

/* Each character is one of 62, all of them as likely. */
static void
append_alphanumeric(struct buffer *out, size_t length)
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "abcdefghijklmnopqrstuvwxyz0123456789";

	while (length > 0) {
		unsigned char byte;

		random_bytes(&byte, 1);
		if (byte >= 4 * (sizeof characters - 1))
			continue;
		buffer_char(out, characters[byte % (sizeof characters - 1)]);
		length--;
	}
}

static void
append_base64(struct buffer *out, size_t length)
{
	unsigned char bytes[256], text[4 * ((sizeof bytes + 2) / 3) + 1];

	random_bytes(bytes, length);
	EVP_EncodeBlock(text, bytes, (int)length);
	buffer_text(out, (const char *)text);
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(text, sizeof text);
}

static const char *
make_secret(const struct template_secret *secret, struct arena *arena)
{
	auto_buffer struct buffer text = BUFFER(4096);
	char digits[2 * 256 + 1];
	size_t bytes = (size_t)secret->bytes;

	buffer_text(&text, secret->prefix);
	if (strcmp(secret->encoding, "hex") == 0) {
		random_hex(digits, 2 * bytes);
		buffer_text(&text, digits);
	} else if (strcmp(secret->encoding, "alphanumeric") == 0) {
		append_alphanumeric(&text, bytes);
	} else {
		append_base64(&text, bytes);
	}
	return arena_strdup(arena, buffer_string(&text));
}

struct environment_list {
	struct compose_variable *variables;
	size_t count, allocated;
	struct arena *arena;
};

/* Unless there is one of that name. */
static void
add_variable(struct environment_list *list, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->variables[i].name, name) == 0)
			return;
	list->variables = arena_grow(list->arena, list->variables, list->count,
	    &list->allocated, sizeof *list->variables);
	list->variables[list->count++] =
	    (struct compose_variable){ name, value };
}

static int
add_template_lines(struct environment_list *list, const char *lines,
    const struct template_place *place, struct error *err)
{
	struct compose_variable variables[] = TEMPLATE_PLACE_VARIABLES(place);
	struct compose_variable *parsed;
	const char *filled;
	size_t count, i;

	if (template_substitute(lines, variables, TEMPLATE_PLACE_COUNT,
		list->arena, &filled, err) < 0 ||
	    compose_environment_parse(
		filled, list->arena, &parsed, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		add_variable(list, parsed[i].name, parsed[i].value);
	return 0;
}

int
template_environment(const struct template *template,
    const struct template_place *place, const struct compose_variable *given,
    size_t given_count, struct arena *arena, struct compose_variable **out,
    size_t *out_count, struct error *err)
{
	struct environment_list list = { .arena = arena };
	struct template_details details;
	size_t i;

	if (template_details(template, arena, &details, err) < 0)
		return -1;
	list.allocated = given_count + details.secrets_count;
	list.variables =
	    arena_array(arena, list.allocated + 1, sizeof *list.variables);
	for (; list.count < given_count; list.count++)
		list.variables[list.count] = given[list.count];
	for (i = 0; i < details.secrets_count; i++)
		add_variable(&list, details.secrets[i].key,
		    make_secret(&details.secrets[i], arena));
	if (details.env_template != NULL &&
	    add_template_lines(&list, details.env_template, place, err) < 0)
		return -1;
	*out = list.variables;
	*out_count = list.count;
	return 0;
}

int
template_files(const struct template *template,
    const struct template_place *place,
    const struct compose_variable *variables, size_t variable_count,
    struct arena *arena, struct compose_file **out, size_t *out_count,
    struct error *err)
{
	struct compose_variable places[] = TEMPLATE_PLACE_VARIABLES(place);
	struct compose_variable *all = arena_array(
	    arena, variable_count + TEMPLATE_PLACE_COUNT, sizeof *all);
	struct template_details details;
	size_t i;

	if (template_details(template, arena, &details, err) < 0)
		return -1;
	memcpy(all, places, sizeof places);
	if (variable_count > 0)
		memcpy(all + TEMPLATE_PLACE_COUNT, variables,
		    variable_count * sizeof *all);
	*out = arena_array(arena, details.files_count + 1, sizeof **out);
	for (i = 0; i < details.files_count; i++) {
		const char *text;

		if (template_substitute(details.files[i].content, all,
			variable_count + TEMPLATE_PLACE_COUNT, arena, &text,
			err) < 0)
			return -1;
		(*out)[i] = (struct compose_file){ details.files[i].path, text,
			strlen(text) };
	}
	*out_count = details.files_count;
	return 0;
}
