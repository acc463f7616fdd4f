#include "settings/config-text.h"

#include "base/utf8.h"

#include <string.h>
#include <yaml.h>

#define DEPTH_MAXIMUM 16
#define NODES_MAXIMUM 5000
#define NAME_MAXIMUM 128

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	const char *path;
	unsigned int nodes;
};

bool
config_node_is_null(const struct config_node *node)
{
	return node->kind == CONFIG_SCALAR && node->plain &&
	       (*node->text == '\0' || strcmp(node->text, "~") == 0 ||
		   strcmp(node->text, "null") == 0);
}

static int
fail(const struct reader *reader, size_t line, struct error *err,
    const char *reason)
{
	return error_set(err, ERR_INVALID, "CONFIG_INVALID", "%s:%zu: %s",
	    reader->path, line, reason);
}

/* On success the caller ends the event with yaml_event_delete(). */
static int
next_event(struct reader *reader, yaml_event_t *event, struct error *err)
{
	const yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(&reader->parser, event))
		return 0;
	return fail(reader, parser->problem_mark.line + 1, err,
	    parser->problem != NULL ? parser->problem : "this is not YAML");
}

/* Anchors are refused where they are set, so an alias has none to name. */
static int
check_event(const struct reader *reader, const yaml_event_t *event,
    unsigned int depth, struct error *err)
{
	size_t line = event->start_mark.line + 1;
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return fail(reader, line, err, "aliases are not allowed here");
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	}
	if (anchor != NULL)
		return fail(reader, line, err, "anchors are not allowed here");
	if (tag != NULL)
		return fail(reader, line, err, "tags are not allowed here");
	if (depth > DEPTH_MAXIMUM)
		return fail(reader, line, err, "nested too deeply");
	if (reader->nodes > NODES_MAXIMUM)
		return fail(reader, line, err, "too many values");
	return 0;
}

static int
check_name(const struct reader *reader, const struct config_node *mapping,
    const yaml_event_t *event, struct error *err)
{
	size_t line = event->start_mark.line + 1;
	const struct config_node *other;
	const char *name;

	if (event->type != YAML_SCALAR_EVENT)
		return fail(reader, line, err, "a key must be a single word");
	name = (const char *)event->data.scalar.value;
	if (event->data.scalar.length > NAME_MAXIMUM ||
	    strlen(name) != event->data.scalar.length)
		return fail(reader, line, err, "a key must be a single word");
	for (other = mapping->first; other != NULL; other = other->next) {
		if (strcmp(other->key, name) == 0)
			return error_set(err, ERR_INVALID, "CONFIG_INVALID",
			    "%s:%zu: %s: is here twice, first on line %u",
			    reader->path, line, name, other->line);
	}
	return 0;
}

static int read_node(struct reader *reader, yaml_event_t *event,
    unsigned int depth, struct config_node **out, struct error *err);

static int
read_entries(struct reader *reader, struct config_node *node,
    unsigned int depth, struct error *err)
{
	struct config_node **end = &node->first;

	for (;;) {
		const char *key = NULL;
		unsigned int line = 0;
		yaml_event_t event;

		if (next_event(reader, &event, err) < 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT ||
		    event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		if (node->kind == CONFIG_MAPPING) {
			int failed =
			    check_event(reader, &event, depth, err) < 0 ||
			    check_name(reader, node, &event, err) < 0;

			if (!failed)
				key = arena_strdup(reader->arena,
				    (const char *)event.data.scalar.value);
			line = (unsigned int)event.start_mark.line + 1;
			yaml_event_delete(&event);
			if (failed || next_event(reader, &event, err) < 0)
				return -1;
		}
		if (read_node(reader, &event, depth + 1, end, err) < 0)
			return -1;
		(*end)->key = key;
		/* People look for the key, not for a value a line below. */
		if (key != NULL)
			(*end)->line = line;
		end = &(*end)->next;
	}
}

/* Takes the event over. */
static int
read_node(struct reader *reader, yaml_event_t *event, unsigned int depth,
    struct config_node **out, struct error *err)
{
	struct config_node *node = arena_alloc(reader->arena, sizeof *node);
	bool scalar = event->type == YAML_SCALAR_EVENT;
	int failed;

	reader->nodes++;
	failed = check_event(reader, event, depth, err);
	node->line = (unsigned int)event->start_mark.line + 1;
	if (!failed && scalar) {
		node->kind = CONFIG_SCALAR;
		node->plain =
		    event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		node->text = arena_strndup(reader->arena,
		    (const char *)event->data.scalar.value,
		    event->data.scalar.length);
		if (strlen(node->text) != event->data.scalar.length)
			failed = fail(
			    reader, node->line, err, "a NUL is not allowed");
	} else {
		node->kind = event->type == YAML_MAPPING_START_EVENT
				 ? CONFIG_MAPPING
				 : CONFIG_SEQUENCE;
	}
	yaml_event_delete(event);
	if (failed)
		return -1;
	*out = node;
	return scalar ? 0 : read_entries(reader, node, depth, err);
}

/* STREAM-START, then DOCUMENT-START node DOCUMENT-END, then STREAM-END. */
static int
read_stream(struct reader *reader, struct config_node **out, struct error *err)
{
	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		size_t line;

		if (next_event(reader, &event, err) < 0)
			return -1;
		type = event.type;
		line = event.start_mark.line + 1;
		if (type != YAML_STREAM_START_EVENT &&
		    type != YAML_STREAM_END_EVENT &&
		    type != YAML_DOCUMENT_START_EVENT &&
		    type != YAML_DOCUMENT_END_EVENT) {
			if (read_node(reader, &event, 1, out, err) < 0)
				return -1;
			continue;
		}
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type == YAML_DOCUMENT_START_EVENT && *out != NULL)
			return fail(
			    reader, line, err, "a second document begins here");
	}
}

int
config_text_parse(const char *path, const char *text, size_t length,
    struct arena *arena, struct config_node **out, struct error *err)
{
	struct reader reader = { .arena = arena, .path = path };
	struct config_node *root = NULL;
	int failed;

	if (!utf8_is_valid(text, length) || memchr(text, '\0', length) != NULL)
		return fail(&reader, 1, err, "the file is not UTF-8 text");
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail(
		    &reader, 1, err, "the file begins with a byte order mark");
	if (!yaml_parser_initialize(&reader.parser))
		return error_set(err, ERR_INTERNAL, NULL, "out of memory");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &reader.parser, (const unsigned char *)text, length);
	failed = read_stream(&reader, &root, err);
	yaml_parser_delete(&reader.parser);
	if (failed)
		return -1;
	if (root == NULL || config_node_is_null(root)) {
		root = arena_alloc(arena, sizeof *root);
		root->kind = CONFIG_MAPPING;
	}
	if (root->kind != CONFIG_MAPPING)
		return fail(&reader, root->line, err,
		    "the file must consist of 'key: value' lines");
	*out = root;
	return 0;
}
