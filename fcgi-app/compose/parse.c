/*
 * From libyaml's events to a tree. libyaml has no limits of its own, and its
 * time is quadratic in the depth of brackets: every limit is looked at with
 * the event that breaks it, before more of the text is read.
 */
#include "base/utf8.h"
#include "compose/document-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor {
	const char *name;
	struct node *node;
	bool complete; /* an alias inside its own node would never end */
};

struct reader {
	yaml_parser_t parser;
	const struct tree_kind *kind;
	struct arena *arena;
	struct error *err;
	struct anchor *anchors;
	size_t anchor_count, anchor_allocated;
	size_t nodes, aliases, scalar_bytes;
};

static int
fail_at(struct reader *reader, size_t line, size_t column, const char *text)
{
	return error_field(reader->err, reader->kind->field, reader->kind->code,
	    "line %zu, column %zu: %s", line, column, text);
}

static int
fail_event(struct reader *reader, const yaml_event_t *event, const char *text)
{
	return fail_at(reader, event->start_mark.line + 1,
	    event->start_mark.column + 1, text);
}

static int
fail_node(struct reader *reader, const struct node *node, const char *text)
{
	return fail_at(reader, node->line, node->column, text);
}

static int
next_event(struct reader *reader, yaml_event_t *event)
{
	yaml_parser_t *parser = &reader->parser;
	char text[200];

	if (yaml_parser_parse(parser, event))
		return 0;
	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	snprintf(text, sizeof text, "%s%s%s",
	    parser->context ? parser->context : "", parser->context ? ": " : "",
	    parser->problem ? parser->problem : "not YAML");
	return fail_at(reader, parser->problem_mark.line + 1,
	    parser->problem_mark.column + 1, text);
}

/* Doubles what count elements of size_bytes fill. */
static void *
grow(struct arena *arena, const void *old, size_t count, size_t *allocated,
    size_t size_bytes)
{
	void *new;

	*allocated = *allocated == 0 ? 4 : *allocated * 2;
	new = arena_array(arena, *allocated, size_bytes);
	if (count > 0)
		memcpy(new, old, count * size_bytes);
	return new;
}

static struct node *
new_node(struct reader *reader, enum node_type type, const yaml_event_t *event)
{
	struct node *node;

	if (++reader->nodes > NODES_MAXIMUM) {
		fail_event(reader, event, "more than 10000 values");
		return NULL;
	}
	node = arena_alloc(reader->arena, sizeof *node);
	node->type = type;
	node->line = (unsigned int)event->start_mark.line + 1;
	node->column = (unsigned int)event->start_mark.column + 1;
	node->start = event->start_mark.index;
	node->end = event->end_mark.index;
	return node;
}

/* Returns the place of the anchor, to be completed, or -1 for none. */
static long
add_anchor(struct reader *reader, const yaml_char_t *name, struct node *node)
{
	struct anchor *anchor;

	if (name == NULL)
		return -1;
	if (reader->anchor_count == reader->anchor_allocated)
		reader->anchors =
		    grow(reader->arena, reader->anchors, reader->anchor_count,
			&reader->anchor_allocated, sizeof *reader->anchors);
	anchor = &reader->anchors[reader->anchor_count];
	anchor->name = arena_strdup(reader->arena, (const char *)name);
	anchor->node = node;
	return (long)reader->anchor_count++;
}

static int
check_collection_tag(struct reader *reader, const yaml_event_t *event,
    const yaml_char_t *tag, const char *expected)
{
	if (tag == NULL || strcmp((const char *)tag, expected) == 0)
		return 0;
	return fail_event(reader, event, "this tag is not supported");
}

/* A tag may say what the text is anyway, or make it a string. */
static int
apply_scalar_tag(
    struct reader *reader, const yaml_event_t *event, struct node *node)
{
	static const struct {
		const char *tag;
		enum scalar_type type;
	} tags[] = {
		{ "null", SCALAR_NULL },
		{ "bool", SCALAR_BOOLEAN },
		{ "int", SCALAR_INTEGER },
		{ "float", SCALAR_FLOAT },
	};
	const char *tag = (const char *)event->data.scalar.tag;
	enum scalar_type type = scalar_resolve(node->text);
	size_t i;

	if (tag == NULL)
		return 0;
	if (strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "str") == 0) {
		node->plain = false;
		return 0;
	}
	for (i = 0; i < sizeof tags / sizeof tags[0]; i++)
		if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
		    strcmp(tag + strlen(TAG_PREFIX), tags[i].tag) == 0 &&
		    node->plain && type == tags[i].type)
			return 0;
	return fail_event(reader, event, "this tag is not supported");
}

static int
read_scalar(struct reader *reader, const yaml_event_t *event, struct node **out)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	struct node *node = new_node(reader, NODE_SCALAR, event);

	if (node == NULL)
		return -1;
	if (length > SCALAR_MAXIMUM)
		return fail_event(
		    reader, event, "a value of more than 65536 bytes");
	if (memchr(value, '\0', length) != NULL)
		return fail_event(reader, event, "a value with a NUL byte");
	node->text = arena_strndup(reader->arena, value, length);
	node->length = length;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
		      event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
	reader->scalar_bytes += length;
	if (apply_scalar_tag(reader, event, node) < 0)
		return -1;
	add_anchor(reader, event->data.scalar.anchor, node);
	if (reader->anchor_count > 0 && event->data.scalar.anchor != NULL)
		reader->anchors[reader->anchor_count - 1].complete = true;
	*out = node;
	return 0;
}

/* A copy, so that interpolation sees every value once. */
static int
copy_node(struct reader *reader, const yaml_event_t *event,
    const struct node *from, int depth, struct node **out)
{
	struct node *node;
	size_t i;

	if (depth > DEPTH_MAXIMUM)
		return fail_event(reader, event, "nested deeper than 64");
	if ((node = new_node(reader, from->type, event)) == NULL)
		return -1;
	*node = *from;
	node->start = event->start_mark.index;
	node->end = event->end_mark.index;
	node->copied = true;
	node->aliased = false;
	reader->scalar_bytes += from->length;
	if (reader->scalar_bytes > SCALARS_MAXIMUM)
		return fail_event(
		    reader, event, "aliases make this larger than 4 MiB");
	if (from->type == NODE_SEQUENCE)
		node->items =
		    arena_array(reader->arena, from->count, sizeof(void *));
	if (from->type == NODE_MAPPING)
		node->entries = arena_array(
		    reader->arena, from->count, sizeof *node->entries);
	for (i = 0; i < from->count; i++) {
		const struct node *child = from->type == NODE_SEQUENCE
					       ? from->items[i]
					       : from->entries[i].value;
		struct node *copy = NULL;

		if (copy_node(reader, event, child, depth + 1, &copy) < 0)
			return -1;
		if (from->type == NODE_SEQUENCE) {
			node->items[i] = copy;
		} else {
			node->entries[i] = from->entries[i];
			node->entries[i].value = copy;
		}
	}
	*out = node;
	return 0;
}

static int
read_alias(struct reader *reader, const yaml_event_t *event, int depth,
    struct node **out)
{
	const char *name = (const char *)event->data.alias.anchor;
	size_t i = reader->anchor_count;

	if (++reader->aliases > ALIASES_MAXIMUM)
		return fail_event(reader, event, "more than 100 aliases");
	while (i > 0 && strcmp(reader->anchors[i - 1].name, name) != 0)
		i--;
	if (i == 0)
		return fail_event(reader, event, "an unknown alias");
	if (!reader->anchors[i - 1].complete)
		return fail_event(
		    reader, event, "an alias that contains itself");
	reader->anchors[i - 1].node->aliased = true;
	return copy_node(
	    reader, event, reader->anchors[i - 1].node, depth, out);
}

static int read_node(
    struct reader *reader, yaml_event_t *event, int depth, struct node **out);

/* What a collection encloses, values that are merged into it included. */
static void
note_extent(struct node *node, const struct node *first_child,
    const struct node *last_child)
{
	if (node->last == 0)
		node->first = first_child->start;
	node->last = last_child->end;
}

/* Of a collection, with the event that ends it. */
static void
note_end(struct node *node, const yaml_event_t *event)
{
	if (node->flow)
		node->end = event->end_mark.index;
	else if (node->last > 0)
		node->end = node->last;
}

static int
read_sequence(struct reader *reader, int depth, struct node *node)
{
	size_t allocated = 0;

	for (;;) {
		yaml_event_t event;
		struct node *item = NULL;
		bool end;
		int result;

		if (next_event(reader, &event) < 0)
			return -1;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		result = end ? 0 : read_node(reader, &event, depth + 1, &item);
		if (end)
			note_end(node, &event);
		yaml_event_delete(&event);
		if (end || result < 0)
			return result;
		note_extent(node, item, item);
		if (node->count == allocated)
			node->items = grow(reader->arena, node->items,
			    node->count, &allocated, sizeof(void *));
		node->items[node->count++] = item;
	}
}

static void
add_entry(struct reader *reader, struct node *node, size_t *allocated,
    struct node *key, struct node *value)
{
	if (node->count == *allocated)
		node->entries = grow(reader->arena, node->entries, node->count,
		    allocated, sizeof *node->entries);
	node->entries[node->count].key = key;
	node->entries[node->count].value = value;
	node->entries[node->count].hash = key_hash(key->text, key->length);
	node->entries[node->count].merged = false;
	node->count++;
}

static int
check_key(
    struct reader *reader, const struct node *node, const struct node *key)
{
	char text[KEY_MAXIMUM + 40];
	size_t i;

	if (!node_is_scalar(key) ||
	    (key->plain && scalar_resolve(key->text) != SCALAR_STRING))
		return fail_node(reader, key, "a key that is no string");
	if (key->length > KEY_MAXIMUM)
		return fail_node(reader, key, "a key of more than 255 bytes");
	for (i = 0; i < key->length; i++)
		if ((unsigned char)key->text[i] < 0x20 || key->text[i] == 0x7f)
			return fail_node(
			    reader, key, "a key with a control character");
	/* Readers differ on whether a quoted "<<" merges. */
	if (!key->plain && strcmp(key->text, "<<") == 0)
		return fail_node(reader, key, "a quoted merge key");
	if (node_entry(node, key->text, key->length,
		key_hash(key->text, key->length)) == NULL)
		return 0;
	snprintf(text, sizeof text, "duplicate key '%s'", key->text);
	return fail_node(reader, key, text);
}

/* Adds the members of from that the mapping has not. */
static int
merge_mapping(struct reader *reader, struct node *node, size_t *allocated,
    const struct node *from)
{
	size_t i;

	if (from->type != NODE_MAPPING)
		return fail_node(reader, from, "a merge of what is no mapping");
	for (i = 0; i < from->count; i++) {
		const struct entry *entry = &from->entries[i];

		if (node_entry(node, entry->key->text, entry->key->length,
			entry->hash) != NULL)
			continue;
		entry->value->copied = true;
		add_entry(reader, node, allocated, entry->key, entry->value);
		node->entries[node->count - 1].merged = true;
	}
	return 0;
}

static int
merge(struct reader *reader, struct node *node, size_t *allocated,
    const struct node *from)
{
	size_t i;

	if (from->type != NODE_SEQUENCE)
		return merge_mapping(reader, node, allocated, from);
	for (i = 0; i < from->count; i++)
		if (merge_mapping(reader, node, allocated, from->items[i]) < 0)
			return -1;
	return 0;
}

/* Takes the merge keys out, and in what they refer to. */
static int
apply_merge(struct reader *reader, struct node *node, size_t allocated)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		struct node *from = node->entries[i].value;

		if (strcmp(node->entries[i].key->text, "<<") != 0)
			continue;
		node->count--;
		memmove(&node->entries[i], &node->entries[i + 1],
		    (node->count - i) * sizeof *node->entries);
		return merge(reader, node, &allocated, from);
	}
	return 0;
}

static int
read_mapping(struct reader *reader, int depth, struct node *node)
{
	size_t allocated = 0;

	for (;;) {
		yaml_event_t event;
		struct node *key = NULL, *value = NULL;
		bool end;
		int result;

		if (next_event(reader, &event) < 0)
			return -1;
		end = event.type == YAML_MAPPING_END_EVENT;
		result = end ? 0 : read_node(reader, &event, depth + 1, &key);
		if (key != NULL && event.type == YAML_ALIAS_EVENT)
			result = fail_event(reader, &event, "an alias as key");
		if (end)
			note_end(node, &event);
		yaml_event_delete(&event);
		if (end)
			return apply_merge(reader, node, allocated);
		if (result < 0 || key == NULL ||
		    check_key(reader, node, key) < 0 ||
		    next_event(reader, &event) < 0)
			return -1;
		result = read_node(reader, &event, depth + 1, &value);
		yaml_event_delete(&event);
		if (result < 0)
			return -1;
		add_entry(reader, node, &allocated, key, value);
		note_extent(node, key, value);
	}
}

static int
read_collection(struct reader *reader, const yaml_event_t *event, int depth,
    struct node **out)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	struct node *node =
	    new_node(reader, mapping ? NODE_MAPPING : NODE_SEQUENCE, event);
	long anchor;
	int result;

	if (node == NULL)
		return -1;
	if (mapping) {
		node->flow =
		    event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		anchor =
		    add_anchor(reader, event->data.mapping_start.anchor, node);
		result = check_collection_tag(reader, event,
		    event->data.mapping_start.tag, TAG_PREFIX "map");
		if (result == 0)
			result = read_mapping(reader, depth, node);
	} else {
		node->flow = event->data.sequence_start.style ==
			     YAML_FLOW_SEQUENCE_STYLE;
		anchor =
		    add_anchor(reader, event->data.sequence_start.anchor, node);
		result = check_collection_tag(reader, event,
		    event->data.sequence_start.tag, TAG_PREFIX "seq");
		if (result == 0)
			result = read_sequence(reader, depth, node);
	}
	if (anchor >= 0)
		reader->anchors[anchor].complete = true;
	*out = node;
	return result;
}

/* depth counts the collections around the node, itself included. */
static int
read_node(
    struct reader *reader, yaml_event_t *event, int depth, struct node **out)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event, out);
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event, depth, out);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (depth > DEPTH_MAXIMUM)
			return fail_event(
			    reader, event, "nested deeper than 64");
		return read_collection(reader, event, depth, out);
	default:
		return fail_event(reader, event, "not YAML");
	}
}

/* The events around the one document. */
static int
read_document(struct reader *reader, yaml_event_t *event, struct node **out)
{
	int result;

	if (event->type == YAML_STREAM_END_EVENT)
		return 0;
	yaml_event_delete(event); /* document start */
	if (next_event(reader, event) < 0)
		return -1;
	result = read_node(reader, event, 1, out);
	yaml_event_delete(event);
	if (result < 0 || next_event(reader, event) < 0) /* document end */
		return -1;
	yaml_event_delete(event);
	if (next_event(reader, event) < 0)
		return -1;
	if (event->type != YAML_STREAM_END_EVENT)
		return fail_event(reader, event, "a second document");
	return 0;
}

static int
read_stream(struct reader *reader, struct node **out)
{
	yaml_event_t event;
	int result;

	if (next_event(reader, &event) < 0)
		return -1;
	yaml_event_delete(&event); /* stream start */
	if (next_event(reader, &event) < 0)
		return -1;
	result = read_document(reader, &event, out);
	yaml_event_delete(&event);
	return result;
}

size_t
line_break_length(const char *text, size_t length)
{
	static const char *const breaks[] = { "\r\n", "\r", "\n", "\xc2\x85",
		"\xe2\x80\xa8", "\xe2\x80\xa9", NULL };
	size_t i;

	for (i = 0; breaks[i] != NULL; i++)
		if (length >= strlen(breaks[i]) &&
		    memcmp(text, breaks[i], strlen(breaks[i])) == 0)
			return strlen(breaks[i]);
	return 0;
}

static bool
begins_line(const char *text, const char *at)
{
	size_t before = (size_t)(at - text), size;

	for (size = 1; size <= 3 && size <= before; size++)
		if (line_break_length(at - size, size) == size)
			return true;
	return before == 0;
}

/*
 * libyaml compares each %TAG directive with all before it, and only then
 * says that there is a document: thousands of them take seconds.
 */
static bool
has_tag_directive(const char *text, size_t length)
{
	const char *at = text, *end = text + length;

	while ((at = memmem(at, (size_t)(end - at), "%TAG", 4)) != NULL) {
		if (begins_line(text, at))
			return true;
		at += 4;
	}
	return false;
}

static int
check_bytes(struct reader *reader, const char *text, size_t length)
{
	if (length > COMPOSE_TEXT_MAXIMUM)
		return error_field(reader->err, reader->kind->field,
		    reader->kind->code, "larger than 1 MiB");
	if (length >= 2 &&
	    (memcmp(text, "\xff\xfe", 2) == 0 ||
		memcmp(text, "\xfe\xff", 2) == 0 ||
		(length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)))
		return fail_at(reader, 1, 1, "a byte order mark");
	if (memchr(text, '\0', length) != NULL)
		return error_field(reader->err, reader->kind->field,
		    reader->kind->code, "a NUL byte");
	if (!utf8_is_valid(text, length))
		return error_field(reader->err, reader->kind->field,
		    reader->kind->code, "not UTF-8");
	if (has_tag_directive(text, length))
		return error_field(reader->err, reader->kind->field,
		    reader->kind->code, "a %%TAG directive");
	return 0;
}

int
tree_parse(const struct tree_kind *kind, const char *text, size_t length,
    struct arena *arena, struct node **out_root, struct error *err)
{
	struct reader reader = { .kind = kind, .arena = arena, .err = err };
	struct node *root = NULL;
	int result;

	if (check_bytes(&reader, text, length) < 0)
		return -1;
	if (!yaml_parser_initialize(&reader.parser))
		abort();
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &reader.parser, (const unsigned char *)text, length);
	result = read_stream(&reader, &root);
	yaml_parser_delete(&reader.parser);
	if (result == 0)
		*out_root = root;
	return result;
}

int
document_parse(const char *text, size_t length, struct arena *arena,
    struct document **out, struct error *err)
{
	static const struct tree_kind kind = { "compose_content",
		"INVALID_COMPOSE" };
	struct document *document;
	struct node *root = NULL;

	if (tree_parse(&kind, text, length, arena, &root, err) < 0)
		return -1;
	if (root == NULL)
		return error_field(err, kind.field, kind.code, "empty");
	if (root->type != NODE_MAPPING)
		return node_invalid(err, root, "no mapping with 'services'");
	document = arena_alloc(arena, sizeof *document);
	document->arena = arena;
	document->source = arena_strndup(arena, text, length);
	document->source_length = length;
	document->root = root;
	document->services_node = node_member(root, "services");
	document_list_services(document);
	*out = document;
	return 0;
}

const char *
document_name(const struct document *document)
{
	return node_member_text(document->root, "name");
}
