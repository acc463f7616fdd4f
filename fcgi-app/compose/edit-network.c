/* Another name for a network, wherever services name it. */
#include "compose/edit-private.h"

#include <string.h>

struct rename {
	const struct edit_source *source;
	const char *from, *to;
	struct edit_splice *splices;
	size_t count, allocated;
	struct error *err;
};

static bool
is_named(const struct rename *rename, const struct node *node)
{
	return node_is_scalar(node) && strcmp(node->text, rename->from) == 0;
}

/* A scalar that says the new name, with its place noted. */
static int
rename_scalar(struct rename *rename, const struct node *node, bool elsewhere,
    struct node **out)
{
	struct arena *arena = rename->source->arena;
	auto_buffer struct buffer text = BUFFER(KEY_MAXIMUM * 4);
	struct node *renamed = arena_alloc(arena, sizeof *renamed);

	if (elsewhere || node->aliased)
		return edit_refuse(rename->err, node,
		    "'%s' stands here by an alias", rename->from);
	scalar_write_string(&text, rename->to);
	rename->splices = arena_grow(arena, rename->splices, rename->count,
	    &rename->allocated, sizeof *rename->splices);
	rename->splices[rename->count++] = (struct edit_splice){
		.from = edit_byte(rename->source, node->start),
		.to = edit_byte(rename->source, node->end),
		.text = arena_strndup(arena, buffer_string(&text), text.length),
	};
	*renamed = *node;
	renamed->text = rename->to;
	renamed->length = strlen(rename->to);
	renamed->plain = text.bytes[0] != '"';
	*out = renamed;
	return 0;
}

static struct node *
copy_collection(struct arena *arena, const struct node *node)
{
	struct node *copy = arena_alloc(arena, sizeof *copy);

	*copy = *node;
	if (node->type == NODE_SEQUENCE) {
		copy->items =
		    arena_array(arena, node->count + 1, sizeof(struct node *));
		memcpy(copy->items, node->items,
		    node->count * sizeof(struct node *));
	} else {
		copy->entries =
		    arena_array(arena, node->count + 1, sizeof *copy->entries);
		memcpy(copy->entries, node->entries,
		    node->count * sizeof *copy->entries);
	}
	return copy;
}

static int
rename_key(struct rename *rename, struct entry *entry, bool elsewhere)
{
	if (!is_named(rename, entry->key))
		return 0;
	if (rename_scalar(rename, entry->key, elsewhere || entry->merged,
		&entry->key) < 0)
		return -1;
	entry->hash = key_hash(entry->key->text, entry->key->length);
	return 0;
}

static int
rename_item(struct rename *rename, struct node **item, bool elsewhere)
{
	return is_named(rename, *item) ? rename_scalar(rename, *item,
					     elsewhere || (*item)->copied, item)
				       : 0;
}

/* The key of a mapping, or items of a list; *list is then a changed copy. */
static int
rename_in_list(struct rename *rename, struct node **list, bool elsewhere)
{
	struct node *copy;
	size_t i;

	if (*list == NULL || (*list)->type == NODE_SCALAR ||
	    (*list)->count == 0)
		return 0;
	elsewhere |= (*list)->copied;
	copy = copy_collection(rename->source->arena, *list);
	for (i = 0; i < copy->count; i++)
		if (copy->type == NODE_SEQUENCE
			? rename_item(rename, &copy->items[i], elsewhere) < 0
			: rename_key(rename, &copy->entries[i], elsewhere) < 0)
			return -1;
	*list = copy;
	return 0;
}

/* The member's list; *mapping is then a changed copy. */
static int
rename_in_member(struct rename *rename, struct node **mapping, const char *key,
    bool elsewhere)
{
	struct node *copy;
	size_t i;

	if ((*mapping)->type != NODE_MAPPING || (*mapping)->count == 0)
		return 0;
	copy = copy_collection(rename->source->arena, *mapping);
	elsewhere |= copy->copied;
	for (i = 0; i < copy->count; i++)
		if (strcmp(copy->entries[i].key->text, key) == 0 &&
		    rename_in_list(rename, &copy->entries[i].value,
			elsewhere || copy->entries[i].merged) < 0)
			return -1;
	*mapping = copy;
	return 0;
}

static int
rename_in_services(struct rename *rename, struct node *root)
{
	struct node *services;
	size_t i, k;

	for (i = 0; i < root->count; i++) {
		struct entry *entry = &root->entries[i];

		if (strcmp(entry->key->text, "services") != 0 ||
		    entry->value->type != NODE_MAPPING ||
		    entry->value->count == 0)
			continue;
		services = copy_collection(rename->source->arena, entry->value);
		for (k = 0; k < services->count; k++)
			if (rename_in_member(rename,
				&services->entries[k].value, "networks",
				entry->merged || services->copied ||
				    services->entries[k].merged) < 0)
				return -1;
		entry->value = services;
	}
	return 0;
}

int
compose_edit_rename_network(struct compose_edit *edit, const char *from,
    const char *to, struct error *err)
{
	struct edit_source source;
	struct rename rename = {
		.source = &source, .from = from, .to = to, .err = err
	};
	const struct node *networks;
	struct node *root;

	if (edit_read(edit, &source, err) < 0)
		return -1;
	networks = node_member(source.root, "networks");
	if (node_member(networks, from) == NULL)
		return error_set(err, ERR_NOT_FOUND, "NETWORK_NOT_FOUND",
		    "the document has no network '%s'", from);
	if (node_member(networks, to) != NULL)
		return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
		    "the document has a network '%s' already", to);
	root = copy_collection(source.arena, source.root);
	if (rename_in_member(&rename, &root, "networks", false) < 0 ||
	    rename_in_services(&rename, root) < 0)
		return -1;
	return edit_apply(edit, rename.splices, rename.count, root, err);
}
