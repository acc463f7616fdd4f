/* The checked tree as YAML that every reader reads alike. */
#include "compose/document-private.h"

#include <string.h>

static void
indent(struct buffer *out, int depth)
{
	buffer_printf(out, "%*s", depth * 2, "");
}

/*
 * A plain scalar stays plain only where it may be a number, a boolean, a date
 * or null: it means to Compose what it meant. All else is a string.
 */
static void
write_scalar(struct buffer *out, const struct node *node)
{
	if (node->plain && node->length == 0)
		buffer_text(out, "null");
	else if (node->plain && scalar_can_be_plain(node->text))
		buffer_append(out, node->text, node->length);
	else
		scalar_write_quoted(out, node->text, node->length, true);
}

/* Keys are strings, in which Compose looks for no variables. */
static void
write_key(struct buffer *out, const struct node *key)
{
	scalar_write_string(out, key->text);
	buffer_char(out, ':');
}

static void write_value(struct buffer *out, const struct node *node, int depth);

static void
write_mapping(struct buffer *out, const struct node *node, int depth)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		/* The first key of an item stands behind its dash. */
		if (i > 0)
			indent(out, depth);
		write_key(out, node->entries[i].key);
		write_value(out, node->entries[i].value, depth + 1);
	}
}

static void
write_sequence(struct buffer *out, const struct node *node, int depth)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];

		indent(out, depth);
		buffer_char(out, '-');
		if (item->type == NODE_MAPPING && item->count > 0) {
			buffer_char(out, ' ');
			write_mapping(out, item, depth + 1);
		} else {
			write_value(out, item, depth + 1);
		}
	}
}

/* Behind "key:" or "-", to the end of the line. */
static void
write_value(struct buffer *out, const struct node *node, int depth)
{
	if (node->type != NODE_SCALAR && node->count == 0) {
		buffer_text(
		    out, node->type == NODE_MAPPING ? " {}\n" : " []\n");
		return;
	}
	if (node->type == NODE_SCALAR) {
		buffer_char(out, ' ');
		write_scalar(out, node);
		buffer_char(out, '\n');
		return;
	}
	buffer_char(out, '\n');
	if (node->type == NODE_SEQUENCE) {
		write_sequence(out, node, depth);
		return;
	}
	indent(out, depth);
	write_mapping(out, node, depth);
}

static bool
is_dropped(const char *key, const char *const *dropped)
{
	if (strncmp(key, "x-", 2) == 0)
		return true;
	for (; *dropped != NULL; dropped++)
		if (strcmp(*dropped, key) == 0)
			return true;
	return false;
}

static void
write_without(struct buffer *out, const struct node *node, int depth,
    const char *const *dropped)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		if (is_dropped(node->entries[i].key->text, dropped))
			continue;
		indent(out, depth);
		write_key(out, node->entries[i].key);
		write_value(out, node->entries[i].value, depth + 1);
	}
}

static void
write_services(struct buffer *out, const struct node *services)
{
	/* "develop" is for a command that nobody runs here. */
	static const char *const dropped[] = { "develop", NULL };
	size_t i;

	buffer_text(out, "services:\n");
	for (i = 0; i < services->count; i++) {
		indent(out, 1);
		write_key(out, services->entries[i].key);
		buffer_char(out, '\n');
		write_without(out, services->entries[i].value, 2, dropped);
	}
}

int
document_normalise(
    const struct document *document, struct buffer *out, struct error *err)
{
	/* The project's name is given to Compose beside the document. */
	static const char *const dropped[] = { "version", "name", "services",
		NULL };

	write_services(out, document->services_node);
	write_without(out, document->root, 0, dropped);
	if (out->overflowed)
		return error_field(err, "compose_content", "INVALID_COMPOSE",
		    "larger than %zu bytes when it is written out",
		    out->maximum);
	return 0;
}
