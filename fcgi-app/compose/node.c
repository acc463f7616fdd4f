/* Nodes of the tree: members, what scalars say, whether two are the same. */
#include "compose/document-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint32_t
key_hash(const char *text, size_t length)
{
	uint32_t hash = 2166136261U;

	while (length-- > 0)
		hash = (hash ^ (unsigned char)*text++) * 16777619U;
	return hash;
}

const struct entry *
node_entry(
    const struct node *node, const char *key, size_t length, uint32_t hash)
{
	size_t i;

	for (i = 0; i < node->count; i++)
		if (node->entries[i].hash == hash &&
		    node->entries[i].key->length == length &&
		    memcmp(node->entries[i].key->text, key, length) == 0)
			return &node->entries[i];
	return NULL;
}

int
node_invalid(
    struct error *err, const struct node *node, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_field(err, "compose_content", "INVALID_COMPOSE",
	    "line %u, column %u: %s", node->line, node->column, text);
}

struct node *
node_member(const struct node *mapping, const char *key)
{
	size_t length = strlen(key);
	const struct entry *entry;

	if (mapping == NULL || mapping->type != NODE_MAPPING)
		return NULL;
	entry = node_entry(mapping, key, length, key_hash(key, length));
	return entry != NULL ? entry->value : NULL;
}

bool
node_is_null(const struct node *node)
{
	return node == NULL || (node->type == NODE_SCALAR && node->plain &&
				   scalar_resolve(node->text) == SCALAR_NULL);
}

const char *
node_member_text(const struct node *mapping, const char *key)
{
	const struct node *node = node_member(mapping, key);

	return node_is_scalar(node) && !node_is_null(node) ? node->text : NULL;
}

static bool
entries_are_equal(const struct node *left, const struct node *right)
{
	size_t i;

	for (i = 0; i < left->count; i++) {
		const struct entry *entry = &left->entries[i];
		const struct entry *other = node_entry(
		    right, entry->key->text, entry->key->length, entry->hash);

		if (other == NULL || !node_is_equal(entry->value, other->value))
			return false;
	}
	return true;
}

/* Without quotes or with, a string stays one; all else needs the same. */
static bool
scalars_are_equal(const struct node *left, const struct node *right)
{
	if (left->plain && right->plain && node_is_null(left))
		return node_is_null(right);
	return left->length == right->length &&
	       memcmp(left->text, right->text, left->length) == 0 &&
	       (left->plain == right->plain ||
		   !scalar_is_ambiguous(left->text));
}

bool
node_is_equal(const struct node *left, const struct node *right)
{
	size_t i;

	if (left->type != right->type || left->count != right->count)
		return false;
	if (left->type == NODE_SCALAR)
		return scalars_are_equal(left, right);
	if (left->type == NODE_MAPPING)
		return entries_are_equal(left, right);
	for (i = 0; i < left->count; i++)
		if (!node_is_equal(left->items[i], right->items[i]))
			return false;
	return true;
}
