/* Items of lists: added behind the others, and taken out with their lines. */
#include "compose/edit-private.h"

#include <string.h>

/* What the path leads to, if all of it stands there itself. */
static const struct entry *
find_own(const struct edit_source *source, const char *const *path,
    const struct node **out_mapping)
{
	const struct node *node = source->root;
	const struct entry *entry = NULL;

	for (; node != NULL && *path != NULL; path++) {
		size_t length = strlen(*path);

		if (node->type != NODE_MAPPING || node->copied)
			return NULL;
		*out_mapping = node;
		entry =
		    node_entry(node, *path, length, key_hash(*path, length));
		if (entry == NULL || entry->merged)
			return NULL;
		node = entry->value;
	}
	return node != NULL && !node->copied ? entry : NULL;
}

static struct node *
copy_list(struct arena *arena, const struct node *list)
{
	struct node *copy = arena_alloc(arena, sizeof *copy);

	*copy = *list;
	copy->items =
	    arena_array(arena, list->count + 1, sizeof(struct node *));
	memcpy(copy->items, list->items, list->count * sizeof(struct node *));
	return copy;
}

/* The same tree with another list. */
static const struct node *
with_list(struct arena *arena, const struct node *node, const struct node *old,
    struct node *new)
{
	struct node *copy;
	size_t i;

	if (node == old)
		return new;
	if (node->type != NODE_MAPPING || node->count == 0)
		return node;
	copy = arena_alloc(arena, sizeof *copy);
	*copy = *node;
	copy->entries = arena_array(arena, node->count, sizeof *copy->entries);
	for (i = 0; i < node->count; i++) {
		copy->entries[i] = node->entries[i];
		copy->entries[i].value = (struct node *)with_list(
		    arena, node->entries[i].value, old, new);
	}
	return copy;
}

int
compose_edit_append(struct compose_edit *edit, const char *const *path,
    const char *text, struct error *err)
{
	auto_buffer struct buffer item = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const struct node *mapping = NULL, *list;
	const struct entry *entry;
	struct edit_source source;
	struct edit_splice splice;
	struct node *added, *changed;

	if (edit_read(edit, &source, err) < 0)
		return -1;
	entry = find_own(&source, path, &mapping);
	list = entry != NULL ? entry->value : NULL;
	scalar_write_string(&item, text);
	if (list == NULL || list->type != NODE_SEQUENCE || list->count == 0)
		return compose_edit_set(edit, path,
		    arena_printf(edit->arena, "- %s\n", buffer_string(&item)),
		    err);
	if (edit_append_item(
		&source, list, buffer_string(&item), &splice, err) < 0)
		return -1;
	added = arena_alloc(edit->arena, sizeof *added);
	added->text = text;
	added->length = strlen(text);
	changed = copy_list(edit->arena, list);
	changed->items[changed->count++] = added;
	return edit_apply(edit, &splice, 1,
	    with_list(edit->arena, source.root, list, changed), err);
}

int
compose_edit_drop(struct compose_edit *edit, const char *const *path,
    size_t index, struct error *err)
{
	const struct node *mapping = NULL, *list;
	const struct entry *entry;
	struct edit_source source;
	struct edit_splice splice;
	struct node *changed;

	if (edit_read(edit, &source, err) < 0)
		return -1;
	entry = find_own(&source, path, &mapping);
	list = entry != NULL ? entry->value : NULL;
	if (list == NULL || list->type != NODE_SEQUENCE || index >= list->count)
		return edit_refuse(err, list != NULL ? list : source.root,
		    "there is no list to take it out of");
	if (list->count == 1)
		return compose_edit_remove(edit, path, err);
	changed = copy_list(edit->arena, list);
	memmove(&changed->items[index], &changed->items[index + 1],
	    (list->count - index - 1) * sizeof(struct node *));
	changed->count--;
	if (list->flow) {
		auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);

		if (edit_write_flow(changed, &text, err) < 0)
			return -1;
		return compose_edit_set(edit, path, buffer_string(&text), err);
	}
	if (edit_cut_item(&source, list, index, &splice, err) < 0)
		return -1;
	return edit_apply(edit, &splice, 1,
	    with_list(edit->arena, source.root, list, changed), err);
}
