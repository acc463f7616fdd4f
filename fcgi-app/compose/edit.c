#include "compose/edit.h"

#include "compose/edit-private.h"
#include "docker/reference.h"

#include <stdlib.h>
#include <string.h>

static const struct tree_kind document_kind = { "compose_content",
	"INVALID_COMPOSE" };
static const struct tree_kind fragment_kind = { "fragment", "INVALID_COMPOSE" };

int
edit_read(
    const struct compose_edit *edit, struct edit_source *out, struct error *err)
{
	struct node *root = NULL;

	if (tree_parse(&document_kind, edit->text, edit->length, edit->arena,
		&root, err) < 0)
		return -1;
	if (root == NULL || root->type != NODE_MAPPING)
		return error_field(err, document_kind.field, document_kind.code,
		    "no mapping with 'services'");
	*out = (struct edit_source){ .arena = edit->arena,
		.text = edit->text,
		.length = edit->length,
		.root = root };
	edit_measure(out);
	return 0;
}

static const struct entry *
find_member(const struct node *mapping, const char *key)
{
	size_t length = strlen(key);

	return mapping != NULL && mapping->type == NODE_MAPPING
		   ? node_entry(mapping, key, length, key_hash(key, length))
		   : NULL;
}

/* The tree as it will be: with another value of one member, or without it. */
static struct node *
with_member(struct arena *arena, const struct node *mapping, const char *key,
    struct node *value)
{
	const struct entry *old = find_member(mapping, key);
	struct node *node = arena_alloc(arena, sizeof *node);
	size_t i, count = 0;

	*node = *mapping;
	node->entries =
	    arena_array(arena, mapping->count + 1, sizeof *node->entries);
	for (i = 0; i < mapping->count; i++) {
		bool is_old = old != NULL && &mapping->entries[i] == old;

		if (is_old && value == NULL)
			continue;
		node->entries[count] = mapping->entries[i];
		if (is_old)
			node->entries[count].value = value;
		count++;
	}
	if (old == NULL && value != NULL) {
		struct node *name = arena_alloc(arena, sizeof *name);

		name->text = key;
		name->length = strlen(key);
		node->entries[count].key = name;
		node->entries[count].hash = key_hash(key, strlen(key));
		node->entries[count++].value = value;
	}
	node->count = count;
	return node;
}

/* The same at the end of a path; keys from end on are in value. */
static struct node *
with_path(struct arena *arena, const struct node *mapping,
    const char *const *path, const char *const *end, struct node *value)
{
	if (path == end)
		return with_member(arena, mapping, *path, value);
	return with_member(arena, mapping, *path,
	    with_path(
		arena, node_member(mapping, *path), path + 1, end, value));
}

static int
compare_splices(const void *left, const void *right)
{
	const struct edit_splice *a = left, *b = right;

	return a->from < b->from ? -1 : a->from > b->from;
}

int
edit_apply(struct compose_edit *edit, struct edit_splice *splices, size_t count,
    const struct node *expected, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct node *root = NULL;
	struct error failed;
	size_t i, at = 0;

	if (count > 1)
		qsort(splices, count, sizeof *splices, compare_splices);
	for (i = 0; i < count; i++) {
		buffer_append(&text, edit->text + at, splices[i].from - at);
		buffer_text(&text, splices[i].text);
		at = splices[i].to;
	}
	buffer_append(&text, edit->text + at, edit->length - at);
	if (text.overflowed)
		return error_field(err, document_kind.field, document_kind.code,
		    "larger than 1 MiB after the edit");
	if (tree_parse(&document_kind, buffer_string(&text), text.length,
		edit->arena, &root, &failed) < 0)
		return error_set(err, ERR_CONFLICT, "EDIT_NOT_POSSIBLE",
		    "the document would not be valid after the edit: %s",
		    failed.message);
	if (root == NULL || !node_is_equal(expected, root))
		return error_set(err, ERR_CONFLICT, "EDIT_NOT_POSSIBLE",
		    "the edit would change other places of the document too");
	edit->text =
	    arena_strndup(edit->arena, buffer_string(&text), text.length);
	edit->length = text.length;
	return 0;
}

/* Null, or a mapping without members: what a member can be put into. */
static bool
is_vacant(const struct node *node)
{
	return node_is_null(node) ||
	       (node->type == NODE_MAPPING && node->last == 0);
}

/*
 * Follows the path as far as there are mappings: *out_mapping is the last of
 * them, *path then the key in it.
 */
static int
find_mapping(const struct edit_source *source, const char *const **path,
    const struct node **out_mapping, struct error *err)
{
	const struct node *mapping = source->root;

	for (; (*path)[1] != NULL; (*path)++) {
		const struct entry *entry = find_member(mapping, **path);

		if (entry == NULL || is_vacant(entry->value))
			break;
		if (entry->merged || entry->value->copied)
			return edit_refuse(err, mapping,
			    "'%s' stands here by an alias", **path);
		if (entry->value->type != NODE_MAPPING)
			return edit_refuse(
			    err, entry->value, "'%s' is no mapping", **path);
		mapping = entry->value;
	}
	*out_mapping = mapping;
	return 0;
}

/* One line break at its end is none of it. */
static const char *
without_line_break(struct arena *arena, const char *text)
{
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length > 0 && text[length - 1] == '\r')
		length--;
	return arena_strndup(arena, text, length);
}

/* Puts the fragment below the keys that have no mapping yet, and reads it. */
static int
make_fragment(const struct edit_source *source, const char *const *keys,
    const char *text, struct edit_fragment *out, struct node **out_node,
    struct error *err)
{
	struct node *node = NULL;
	const char *line;
	size_t count = 0;

	text = without_line_break(source->arena, text != NULL ? text : "");
	/* There is a line break behind it, to which block scalars look. */
	line = arena_printf(source->arena, "%s\n", text);
	if (tree_parse(&fragment_kind, line, strlen(line), source->arena, &node,
		err) < 0)
		return -1;
	if (node == NULL) {
		node = arena_alloc(source->arena, sizeof *node);
		node->plain = true;
		node->text = text = "";
	}
	while (keys[count] != NULL)
		count++;
	while (count-- > 0) {
		auto_buffer struct buffer nested = BUFFER(COMPOSE_TEXT_MAXIMUM);
		const struct edit_fragment inner = { text, node };
		struct node *outer = arena_alloc(source->arena, sizeof *outer);

		edit_nest(source, keys[count], &inner, &nested);
		outer->type = NODE_MAPPING;
		outer->last = 1;
		node = with_member(source->arena, outer, keys[count], node);
		text = arena_strndup(
		    source->arena, buffer_string(&nested), nested.length);
	}
	*out = (struct edit_fragment){ text, node };
	*out_node = node;
	return 0;
}

bool
compose_edit_has(const struct compose_edit *edit, const char *const *path)
{
	struct edit_source source;
	const struct node *node;
	struct error ignored;

	if (edit_read(edit, &source, &ignored) < 0)
		return false;
	for (node = source.root; node != NULL && *path != NULL; path++)
		node = node_member(node, *path);
	return node != NULL;
}

int
compose_edit_set(struct compose_edit *edit, const char *const *path,
    const char *text, struct error *err)
{
	const char *const *key = path;
	struct edit_source source;
	struct edit_fragment fragment;
	struct edit_splice splice;
	const struct node *mapping;
	const struct entry *entry;
	struct node *value;
	int failed;

	if (edit_read(edit, &source, err) < 0 ||
	    find_mapping(&source, &key, &mapping, err) < 0 ||
	    make_fragment(&source, key + 1, text, &fragment, &value, err) < 0)
		return -1;
	entry = find_member(mapping, *key);
	if (entry != NULL && !entry->merged) {
		if (node_is_equal(entry->value, value))
			return 0;
		if (entry->value->aliased)
			return edit_refuse(
			    err, entry->value, "an alias refers to '%s'", *key);
		failed = edit_replace(
		    &source, mapping, entry, &fragment, &splice, err);
	} else {
		failed = edit_insert(
		    &source, mapping, *key, &fragment, &splice, err);
	}
	return failed
		   ? -1
		   : edit_apply(edit, &splice, 1,
			 with_path(edit->arena, source.root, path, key, value),
			 err);
}

int
compose_edit_remove(
    struct compose_edit *edit, const char *const *path, struct error *err)
{
	const char *const *key = path;
	struct edit_source source;
	struct edit_splice splice;
	const struct node *mapping;
	const struct entry *entry;

	if (edit_read(edit, &source, err) < 0 ||
	    find_mapping(&source, &key, &mapping, err) < 0)
		return -1;
	entry = find_member(mapping, *key);
	if (entry == NULL || key[1] != NULL)
		return 0;
	if (entry->merged)
		return edit_refuse(
		    err, mapping, "'%s' stands here by an alias", *key);
	if (edit_cut(&source, mapping, entry, &splice, err) < 0)
		return -1;
	return edit_apply(edit, &splice, 1,
	    with_path(edit->arena, source.root, path, key, NULL), err);
}

static int
check_service(
    const struct compose_edit *edit, const char *service, struct error *err)
{
	struct edit_source source;
	const struct node *services;

	if (edit_read(edit, &source, err) < 0)
		return -1;
	services = node_member(source.root, "services");
	if (node_member(services, service) == NULL)
		return error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
		    "the document has no service '%s'", service);
	return 0;
}

int
compose_edit_service_key(struct compose_edit *edit, const char *service,
    const char *key, const char *fragment, struct error *err)
{
	const char *const path[] = { "services", service, key, NULL };

	return check_service(edit, service, err) < 0
		   ? -1
		   : compose_edit_set(edit, path, fragment, err);
}

int
compose_edit_remove_key(struct compose_edit *edit, const char *service,
    const char *key, struct error *err)
{
	const char *const path[] = { "services", service, key, NULL };

	return check_service(edit, service, err) < 0
		   ? -1
		   : compose_edit_remove(edit, path, err);
}

int
compose_edit_image(struct compose_edit *edit, const char *service,
    const char *image, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(4096);

	if (!docker_reference_is_valid(image))
		return error_field(err, "image", "INVALID_IMAGE",
		    "'image' must be an image reference");
	scalar_write_string(&text, image);
	return compose_edit_service_key(
	    edit, service, "image", buffer_string(&text), err);
}

int
compose_edit_add(struct compose_edit *edit, const char *section,
    const char *name, const char *fragment, struct error *err)
{
	const char *const path[] = { section, name, NULL };

	if (compose_edit_has(edit, path))
		return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
		    "the document has '%s' in '%s' already", name, section);
	return compose_edit_set(edit, path, fragment, err);
}
