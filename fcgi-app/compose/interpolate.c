/*
 * Variables in scalar values, read as Compose v2 reads them: braces nest, and
 * a '$' that begins no name is itself.
 */
#include "compose/document-private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAXIMUM 32

struct interpolation {
	struct arena *arena;
	const struct compose_variable **sorted;
	size_t count;
	size_t total;            /* bytes of all scalars so far */
	const struct node *node; /* being looked at */
	struct error *err;
};

static int
compare_variables(const void *left, const void *right)
{
	const struct compose_variable *a =
	    *(const struct compose_variable *const *)left;
	const struct compose_variable *b =
	    *(const struct compose_variable *const *)right;
	int order = strcmp(a->name, b->name);

	/* The last of one name comes first. */
	return order != 0 ? order : (a < b) - (a > b);
}

static const char *
find_variable(
    const struct interpolation *interpolation, const char *name, size_t length)
{
	size_t low = 0, high = interpolation->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *found = interpolation->sorted[middle]->name;

		if (strncmp(found, name, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == interpolation->count ||
	    strncmp(interpolation->sorted[low]->name, name, length) != 0 ||
	    interpolation->sorted[low]->name[length] != '\0')
		return NULL;
	return interpolation->sorted[low]->value;
}

static size_t
name_length(const char *text, const char *end)
{
	const char *at = text;

	if (at == end || (!isalpha((unsigned char)*at) && *at != '_'))
		return 0;
	while (at < end && (isalnum((unsigned char)*at) || *at == '_'))
		at++;
	return (size_t)(at - text);
}

static int
fail(struct interpolation *interpolation, const char *text)
{
	return node_invalid(
	    interpolation->err, interpolation->node, "%s", text);
}

static int
append(struct interpolation *interpolation, struct buffer *out,
    const char *text, size_t length)
{
	if (buffer_append(out, text, length) < 0)
		return fail(interpolation,
		    "its variables make this value larger than 65536 bytes");
	return 0;
}

static int expand(struct interpolation *interpolation, const char *text,
    const char *end, int nesting, struct buffer *out);

/* The '}' that closes the braces beginning at text, or NULL. */
static const char *
find_closing(const char *text, const char *end)
{
	int open = 0;

	for (; text < end; text++) {
		if (*text == '{')
			open++;
		else if (*text == '}' && --open == 0)
			return text;
	}
	return NULL;
}

static int
fail_required(struct interpolation *interpolation, const char *name,
    size_t length, const char *text, const char *end)
{
	return node_invalid(interpolation->err, interpolation->node,
	    "variable '%.*s' is required%s%.*s",
	    (int)(length < 128 ? length : 128), name, text < end ? ": " : "",
	    (int)(end - text < 200 ? end - text : 200), text);
}

/* "NAME", "NAME:-default" and so on, as it is between the braces. */
static int
expand_braces(struct interpolation *interpolation, const char *text,
    const char *end, int nesting, struct buffer *out)
{
	size_t length = name_length(text, end);
	const char *name = text;
	const char *value = find_variable(interpolation, name, length);
	bool missing = value == NULL;
	char operation;

	text += length;
	if (length == 0)
		return fail(interpolation, "'${' without a variable's name");
	if (text < end && *text == ':') {
		missing = value == NULL || *value == '\0';
		text++;
		if (text == end)
			return fail(interpolation, "'${' that is not valid");
	}
	operation = text < end ? *text++ : '\0';
	switch (operation) {
	case '\0':
		break;
	case '-':
		if (missing)
			return expand(
			    interpolation, text, end, nesting + 1, out);
		break;
	case '+':
		if (!missing)
			return expand(
			    interpolation, text, end, nesting + 1, out);
		value = NULL;
		break;
	case '?':
		if (missing)
			return fail_required(
			    interpolation, name, length, text, end);
		break;
	default:
		return fail(interpolation, "'${' that is not valid");
	}
	return value == NULL ? 0
			     : append(interpolation, out, value, strlen(value));
}

/* What a '$' begins; *text is behind it afterwards. */
static int
expand_dollar(struct interpolation *interpolation, const char **text,
    const char *end, int nesting, struct buffer *out)
{
	const char *at = *text + 1;
	size_t length = name_length(at, end);

	if (length > 0) {
		const char *value = find_variable(interpolation, at, length);

		*text = at + length;
		return value == NULL
			   ? 0
			   : append(interpolation, out, value, strlen(value));
	}
	if (at < end && *at == '{') {
		const char *closing = find_closing(at, end);

		if (closing == NULL)
			return fail(interpolation, "'${' without '}'");
		*text = closing + 1;
		return expand_braces(
		    interpolation, at + 1, closing, nesting, out);
	}
	*text = at < end && *at == '$' ? at + 1 : at;
	return append(interpolation, out, "$", 1);
}

static int
expand(struct interpolation *interpolation, const char *text, const char *end,
    int nesting, struct buffer *out)
{
	if (nesting > NESTING_MAXIMUM)
		return fail(interpolation, "variables nested deeper than 32");
	while (text < end) {
		const char *dollar = memchr(text, '$', (size_t)(end - text));
		const char *stop = dollar != NULL ? dollar : end;

		if (append(interpolation, out, text, (size_t)(stop - text)) < 0)
			return -1;
		text = stop;
		if (dollar != NULL &&
		    expand_dollar(interpolation, &text, end, nesting, out) < 0)
			return -1;
	}
	return 0;
}

static int
interpolate_scalar(struct interpolation *interpolation, struct node *node)
{
	interpolation->node = node;
	if (memchr(node->text, '$', node->length) != NULL) {
		auto_buffer struct buffer out = BUFFER(SCALAR_MAXIMUM);

		if (expand(interpolation, node->text, node->text + node->length,
			0, &out) < 0)
			return -1;
		node->text = arena_strndup(
		    interpolation->arena, buffer_string(&out), out.length);
		node->length = out.length;
		/*
		 * To Compose an interpolated value is a string, which it makes
		 * a number where the key wants one. So are quoted ones.
		 */
		node->plain = false;
	}
	interpolation->total += node->length;
	if (interpolation->total > SCALARS_MAXIMUM)
		return fail(interpolation,
		    "variables make the document larger than 4 MiB");
	return 0;
}

static int
interpolate_node(struct interpolation *interpolation, struct node *node)
{
	size_t i;

	if (node->type == NODE_SCALAR)
		return interpolate_scalar(interpolation, node);
	for (i = 0; i < node->count; i++)
		if (interpolate_node(
			interpolation, node->type == NODE_SEQUENCE
					   ? node->items[i]
					   : node->entries[i].value) < 0)
			return -1;
	return 0;
}

static int
give_value(
    struct interpolation *interpolation, struct node *node, const char *text)
{
	node->text = text;
	node->length = strlen(text);
	node->plain = false;
	interpolation->node = node;
	interpolation->total += node->length;
	if (node->length > SCALAR_MAXIMUM ||
	    interpolation->total > SCALARS_MAXIMUM)
		return fail(interpolation, "the variable is too large");
	return 0;
}

/* "NAME" alone, or "NAME:", takes the value that the environment has. */
static int
pass_variables(struct interpolation *interpolation, struct node *list)
{
	size_t i;

	for (i = 0;
	     list != NULL && list->type == NODE_SEQUENCE && i < list->count;
	     i++) {
		struct node *item = list->items[i];
		const char *value;

		if (item->type != NODE_SCALAR || strchr(item->text, '='))
			continue;
		value = find_variable(interpolation, item->text, item->length);
		if (value != NULL && give_value(interpolation, item,
					 arena_printf(interpolation->arena,
					     "%s=%s", item->text, value)) < 0)
			return -1;
	}
	for (i = 0;
	     list != NULL && list->type == NODE_MAPPING && i < list->count;
	     i++) {
		struct entry *entry = &list->entries[i];
		const char *value;

		if (!node_is_null(entry->value))
			continue;
		value = find_variable(
		    interpolation, entry->key->text, entry->key->length);
		if (value != NULL &&
		    give_value(interpolation, entry->value, value) < 0)
			return -1;
	}
	return 0;
}

static int
interpolate_document(
    struct interpolation *interpolation, struct document *document)
{
	const struct node *root = document->root;
	const struct node *services = document->services_node;
	size_t i;

	for (i = 0; i < root->count; i++) {
		const char *key = root->entries[i].key->text;

		/* What Compose does not read may hold anything. */
		if (strncmp(key, "x-", 2) == 0 || strcmp(key, "version") == 0)
			continue;
		if (interpolate_node(interpolation, root->entries[i].value) < 0)
			return -1;
	}
	for (i = 0; services != NULL && services->type == NODE_MAPPING &&
		    i < services->count;
	     i++) {
		const struct node *service = services->entries[i].value;

		if (pass_variables(interpolation,
			node_member(service, "environment")) < 0 ||
		    pass_variables(interpolation,
			node_member(node_member(service, "build"), "args")) < 0)
			return -1;
	}
	return 0;
}

int
document_interpolate(struct document *document,
    const struct compose_variable *variables, size_t count, struct error *err)
{
	struct interpolation interpolation = {
		.arena = document->arena,
		.count = count,
		.err = err,
	};
	size_t i;

	interpolation.sorted =
	    arena_array(document->arena, count + 1, sizeof(void *));
	for (i = 0; i < count; i++)
		interpolation.sorted[i] = &variables[i];
	qsort(interpolation.sorted, count, sizeof(void *), compare_variables);
	if (interpolate_document(&interpolation, document) < 0)
		return -1;
	document_list_services(document);
	return 0;
}
