/* Where values stand in a text, and what is written there instead. */
#include "base/utf8.h"
#include "compose/edit-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

size_t
edit_byte(const struct edit_source *source, size_t character)
{
	size_t at = 0;

	while (character-- > 0 && at < source->length) {
		size_t size = utf8_character_length(
		    source->text + at, source->length - at);

		at += size > 0 ? size : 1;
	}
	return at;
}

void
edit_fill_refusal(
    struct error *err, const struct node *node, const char *format, ...)
{
	char text[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	error_set(err, ERR_CONFLICT, "EDIT_NOT_POSSIBLE",
	    "line %u, column %u: %s", node->line, node->column, text);
}

static bool
is_break(char byte)
{
	return byte == '\n' || byte == '\r';
}

/* The byte where the line with the byte begins. */
static size_t
line_begin(const struct edit_source *source, size_t at)
{
	while (at > 0 && !is_break(source->text[at - 1]))
		at--;
	return at;
}

/* The byte where its line break, or the end of the text, is. */
static size_t
line_end(const struct edit_source *source, size_t at)
{
	while (at < source->length && !is_break(source->text[at]))
		at++;
	return at;
}

static size_t
next_line(const struct edit_source *source, size_t at)
{
	at = line_end(source, at);
	return at + line_break_length(source->text + at, source->length - at);
}

static size_t
skip_blanks(const struct edit_source *source, size_t at)
{
	return at + strspn(source->text + at, BLANKS);
}

/* Columns before the byte, from 0. */
static size_t
column_of(const struct edit_source *source, size_t at)
{
	return at - line_begin(source, at);
}

/* Whether nothing but spaces stands before it in its line. */
static bool
begins_its_line(const struct edit_source *source, size_t at)
{
	while (at > 0 && source->text[at - 1] == ' ')
		at--;
	return at == 0 || is_break(source->text[at - 1]);
}

void
edit_measure(struct edit_source *source)
{
	const struct node *services = node_member(source->root, "services");
	size_t end = line_end(source, 0), size, first;

	size = line_break_length(source->text + end, source->length - end);
	source->line_break =
	    size > 0 ? arena_strndup(source->arena, source->text + end, size)
		     : "\n";
	source->step = 2;
	if (services == NULL || services->type != NODE_MAPPING ||
	    services->flow || services->copied || services->last == 0)
		return;
	first = edit_byte(source, services->first);
	if (begins_its_line(source, first) && column_of(source, first) > 0)
		source->step = column_of(source, first);
}

static bool
is_in_block(const struct node *node)
{
	return node->type != NODE_SCALAR && !node->flow && node->last > 0;
}

/* The lines of the text, each behind a line break and as many spaces. */
static void
write_lines(const struct edit_source *source, const char *text, size_t column,
    struct buffer *out)
{
	for (;;) {
		size_t length = strcspn(text, "\r\n");

		buffer_text(out, source->line_break);
		if (text[strspn(text, BLANKS)] != '\0' &&
		    strspn(text, BLANKS) < length)
			buffer_printf(
			    out, "%*s%.*s", (int)column, "", (int)length, text);
		text += length;
		text += line_break_length(text, strlen(text));
		if (*text == '\0')
			return;
	}
}

/* From behind "key:" on, to before the line break at the end. */
static void
write_fragment(const struct edit_source *source,
    const struct edit_fragment *fragment, size_t column, struct buffer *out)
{
	const char *text = fragment->text;
	size_t length;

	if (is_in_block(fragment->node)) {
		write_lines(source, text, column, out);
		return;
	}
	if (*text == '\0')
		return;
	length = strcspn(text, "\r\n");
	buffer_printf(out, " %.*s", (int)length, text);
	text += length;
	text += line_break_length(text, strlen(text));
	if (*text != '\0')
		write_lines(source, text, column, out);
}

void
edit_nest(const struct edit_source *source, const char *key,
    const struct edit_fragment *fragment, struct buffer *out)
{
	scalar_write_string(out, key);
	buffer_char(out, ':');
	write_fragment(source, fragment, source->step, out);
}

int
edit_write_flow(const struct node *node, struct buffer *out, struct error *err)
{
	bool mapping = node->type == NODE_MAPPING;
	size_t i;

	if (node->type == NODE_SCALAR) {
		if (!node->plain || !scalar_is_ambiguous(node->text))
			scalar_write_quoted(
			    out, node->text, node->length, false);
		else if (node->length == 0)
			buffer_text(out, "null");
		else if (scalar_can_be_plain(node->text) &&
			 strpbrk(node->text, ", ") == NULL)
			buffer_text(out, node->text);
		else
			return edit_refuse(
			    err, node, "it cannot be written in braces");
		return 0;
	}
	buffer_char(out, mapping ? '{' : '[');
	for (i = 0; i < node->count; i++) {
		const struct node *child =
		    mapping ? node->entries[i].value : node->items[i];

		if (i > 0)
			buffer_text(out, ", ");
		if (mapping) {
			const struct node *key = node->entries[i].key;

			scalar_write_quoted(out, key->text, key->length, false);
			buffer_text(out, ": ");
		}
		if (edit_write_flow(child, out, err) < 0)
			return -1;
	}
	buffer_char(out, mapping ? '}' : ']');
	return 0;
}

/* The byte behind the colon of a key; in a line of its own unless in flow. */
static int
find_colon(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, size_t *out, struct error *err)
{
	size_t at = skip_blanks(source, edit_byte(source, entry->key->end));

	if (source->text[at] != ':' ||
	    (!mapping->flow &&
		!begins_its_line(source, edit_byte(source, entry->key->start))))
		return edit_refuse(err, entry->key,
		    "'%s' is written in a way that cannot be edited",
		    entry->key->text);
	*out = at + 1;
	return 0;
}

/* Behind the last byte of a value that is no blank: of a block scalar the
 * empty lines after it do not count. */
static size_t
value_end(
    const struct edit_source *source, const struct node *value, size_t colon)
{
	size_t end = edit_byte(source, value->end);

	if (end <= colon)
		return colon;
	while (end > colon && strchr(BLANKS "\r\n", source->text[end - 1]))
		end--;
	return end;
}

static int
replace_in_flow(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, const struct edit_fragment *fragment,
    struct buffer *text, struct edit_splice *out, struct error *err)
{
	const struct node *value = entry->value;
	struct error ignored;

	out->from = edit_byte(source, value->start);
	out->to = edit_byte(source, value->end);
	if (out->from == out->to) {
		if (find_colon(source, mapping, entry, &out->from, &ignored) <
		    0) {
			out->from = edit_byte(source, entry->key->end);
			buffer_char(text, ':');
		}
		out->to = out->from;
		buffer_char(text, ' ');
	}
	return edit_write_flow(fragment->node, text, err);
}

/* The column of a new value of the key in the place of the old one. */
static size_t
child_column(const struct edit_source *source, const struct entry *entry,
    const struct node *new)
{
	size_t key = column_of(source, edit_byte(source, entry->key->start));
	const struct node *old = entry->value;
	size_t start, column;

	if (!is_in_block(old) || old->copied)
		return key + source->step;
	start = edit_byte(source, old->first);
	/* The first value of a list stands behind its dash. */
	if (old->type == NODE_SEQUENCE)
		start = edit_byte(source, old->start);
	column = column_of(source, start);
	if (!begins_its_line(source, start) || column < key ||
	    (column == key && new->type != NODE_SEQUENCE))
		return key + source->step;
	return column;
}

/*
 * What stays between "key:" and a new value: comments. *out_to is the end of
 * what the new one replaces.
 */
static const char *
keep_comments(const struct edit_source *source, const struct node *value,
    size_t colon, bool new_in_block, size_t *out_to)
{
	size_t start = edit_byte(source, value->start), from = colon, to;
	size_t end = value_end(source, value, colon);
	bool same_line = start <= line_end(source, colon);

	*out_to = line_end(source, end);
	if (same_line && !value->block &&
	    (value->type == NODE_SCALAR || value->flow || value->copied)) {
		from = end;
		to = *out_to;
	} else if (same_line) {
		to = from;
	} else if (new_in_block) {
		to = line_begin(source, start);
		while (to > from && is_break(source->text[to - 1]))
			to--;
	} else {
		to = line_end(source, colon);
	}
	if (skip_blanks(source, from) >= to)
		to = from;
	return arena_strndup(source->arena, source->text + from, to - from);
}

/* A value on its key's line gives way to another one, byte for byte. */
static bool
is_inline(
    const struct edit_source *source, const struct node *value, size_t colon)
{
	return value->end > value->start && !value->block &&
	       (value->type == NODE_SCALAR || value->flow || value->copied) &&
	       edit_byte(source, value->start) <= line_end(source, colon) &&
	       edit_byte(source, value->start) > colon;
}

static void
replace_in_block(const struct edit_source *source, const struct entry *entry,
    const struct edit_fragment *fragment, size_t colon, struct buffer *text,
    struct edit_splice *out)
{
	const struct node *value = entry->value;
	size_t column = child_column(source, entry, fragment->node);
	bool in_block = is_in_block(fragment->node);
	const char *kept;

	if (!in_block && is_inline(source, value, colon) &&
	    *fragment->text != '\0') {
		out->from = edit_byte(source, value->start);
		out->to = edit_byte(source, value->end);
		write_fragment(source, fragment, column, text);
		buffer_consume(text, 1);
		return;
	}
	out->from = colon;
	kept = keep_comments(source, value, colon, in_block, &out->to);
	if (in_block)
		buffer_text(text, kept);
	write_fragment(source, fragment, column, text);
	if (!in_block)
		buffer_text(text, kept);
}

int
edit_replace(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, const struct edit_fragment *fragment,
    struct edit_splice *out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	size_t colon;

	if (mapping->flow) {
		if (replace_in_flow(
			source, mapping, entry, fragment, &text, out, err) < 0)
			return -1;
	} else {
		if (find_colon(source, mapping, entry, &colon, err) < 0)
			return -1;
		replace_in_block(source, entry, fragment, colon, &text, out);
	}
	out->text =
	    arena_strndup(source->arena, buffer_string(&text), text.length);
	return text.overflowed ? edit_refuse(err, entry->key, "too large") : 0;
}

/*
 * Where a member after the last one of the mapping belongs: behind comments
 * that are indented as deep, which are about the last one.
 */
static size_t
find_tail(
    const struct edit_source *source, const struct node *mapping, size_t column)
{
	size_t at = edit_byte(source, mapping->last), tail;

	/* A block scalar ends where a line begins. */
	if (at > 0 && !is_break(source->text[at - 1]))
		at = next_line(source, at);
	tail = at;
	while (at < source->length) {
		size_t text = skip_blanks(source, at);

		if (source->text[text] == '#' && text - at >= column)
			tail = next_line(source, at);
		else if (text < line_end(source, at))
			break;
		at = next_line(source, at);
	}
	return tail;
}

static int
insert_in_block(const struct edit_source *source, const struct node *mapping,
    const char *key, const struct edit_fragment *fragment, struct buffer *text,
    struct edit_splice *out, struct error *err)
{
	size_t first = edit_byte(source, mapping->first);
	size_t column = column_of(source, first);
	bool open;

	if (!begins_its_line(source, first))
		return edit_refuse(
		    err, mapping, "there is no line to put '%s' after", key);
	out->from = out->to = find_tail(source, mapping, column);
	/* The text does not end with a line break, and will not either. */
	open = out->from > 0 && !is_break(source->text[out->from - 1]);
	if (open)
		buffer_text(text, source->line_break);
	buffer_printf(text, "%*s", (int)column, "");
	scalar_write_string(text, key);
	buffer_char(text, ':');
	write_fragment(source, fragment, column + source->step, text);
	if (!open)
		buffer_text(text, source->line_break);
	return 0;
}

int
edit_insert(const struct edit_source *source, const struct node *mapping,
    const char *key, const struct edit_fragment *fragment,
    struct edit_splice *out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);

	if (!mapping->flow) {
		if (insert_in_block(
			source, mapping, key, fragment, &text, out, err) < 0)
			return -1;
	} else {
		out->from = out->to = edit_byte(source, mapping->last);
		buffer_text(&text, ", ");
		scalar_write_quoted(&text, key, strlen(key), false);
		buffer_text(&text, ": ");
		if (edit_write_flow(fragment->node, &text, err) < 0)
			return -1;
	}
	out->text =
	    arena_strndup(source->arena, buffer_string(&text), text.length);
	return text.overflowed ? edit_refuse(err, mapping, "too large") : 0;
}

int
edit_cut(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, struct edit_splice *out, struct error *err)
{
	size_t colon, end;

	if (mapping->flow || mapping->count < 2)
		return edit_refuse(err, entry->key,
		    mapping->flow ? "nothing is taken out of braces"
				  : "'%s' is the only one here",
		    entry->key->text);
	if (find_colon(source, mapping, entry, &colon, err) < 0)
		return -1;
	end = value_end(source, entry->value, colon);
	out->from = line_begin(source, edit_byte(source, entry->key->start));
	out->to = next_line(source, end);
	out->text = "";
	return 0;
}

int
edit_append_item(const struct edit_source *source, const struct node *list,
    const char *item, struct edit_splice *out, struct error *err)
{
	size_t start = edit_byte(source, list->start);
	size_t column = column_of(source, start);
	bool open;

	if (list->flow) {
		out->from = out->to = edit_byte(source, list->last);
		/* Without quotes a comma would end it. */
		out->text = arena_printf(source->arena, ", %s%s%s",
		    *item == '"' ? "" : "\"", item, *item == '"' ? "" : "\"");
		return 0;
	}
	if (!begins_its_line(source, start))
		return edit_refuse(
		    err, list, "there is no line to put an item after");
	out->from = out->to = find_tail(source, list, column);
	open = out->from > 0 && !is_break(source->text[out->from - 1]);
	out->text = arena_printf(source->arena, "%s%*s- %s%s",
	    open ? source->line_break : "", (int)column, "", item,
	    open ? "" : source->line_break);
	return 0;
}

int
edit_cut_item(const struct edit_source *source, const struct node *list,
    size_t index, struct edit_splice *out, struct error *err)
{
	const struct node *item = list->items[index];
	size_t start = edit_byte(source, item->start);
	size_t end = value_end(source, item, start);
	size_t dash = start;

	while (dash > 0 && strchr(BLANKS, source->text[dash - 1]))
		dash--;
	if (dash == 0 || source->text[dash - 1] != '-' ||
	    !begins_its_line(source, dash - 1))
		return edit_refuse(
		    err, item, "the item does not stand in lines of its own");
	out->from = line_begin(source, dash - 1);
	out->to = next_line(source, end);
	out->text = "";
	return 0;
}
