/* What the files about edits share: places in a text, and pieces put there. */
#ifndef COMPOSE_EDIT_PRIVATE_H
#define COMPOSE_EDIT_PRIVATE_H

#include "compose/document-private.h"
#include "compose/edit.h"

/* A text that is being edited, as it was read. */
struct edit_source {
	struct arena *arena;
	const char *text;
	size_t length;
	const char *line_break; /* as the text has it */
	size_t step;            /* columns that services are indented by */
	const struct node *root;
};

/* What becomes the value of a member. */
struct edit_fragment {
	const char *text;
	const struct node *node;
};

/* Bytes from..to give way to the text. */
struct edit_splice {
	size_t from, to;
	const char *text;
};

/* Reads the text. ERR_INVALID INVALID_COMPOSE. */
int edit_read(const struct compose_edit *edit, struct edit_source *out,
    struct error *err);

/* Sorts the splices, and replaces the edit's text if it then reads as
 * expected; else EDIT_NOT_POSSIBLE. */
int edit_apply(struct compose_edit *edit, struct edit_splice *splices,
    size_t count, const struct node *expected, struct error *err);

/* Sets line_break and step; the rest is set already. */
void edit_measure(struct edit_source *source);

/* The byte that the character, counted from 0, begins with. */
size_t edit_byte(const struct edit_source *source, size_t character);

/* ERR_CONFLICT EDIT_NOT_POSSIBLE at the node's line and column. */
void edit_fill_refusal(struct error *err, const struct node *node,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* -1, as error_set() is. */
#define edit_refuse(err, node, ...) \
	ERROR_RESULT(edit_fill_refusal((err), (node), __VA_ARGS__))

/* Appends the value in braces and brackets, on one line. */
int edit_write_flow(
    const struct node *node, struct buffer *out, struct error *err);

/* A mapping of one member, as a fragment. */
void edit_nest(const struct edit_source *source, const char *key,
    const struct edit_fragment *fragment, struct buffer *out);

/* In each case entry is a member of mapping, and stands in it itself. */
int edit_replace(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, const struct edit_fragment *fragment,
    struct edit_splice *out, struct error *err);
int edit_insert(const struct edit_source *source, const struct node *mapping,
    const char *key, const struct edit_fragment *fragment,
    struct edit_splice *out, struct error *err);
int edit_cut(const struct edit_source *source, const struct node *mapping,
    const struct entry *entry, struct edit_splice *out, struct error *err);

/* The same for a list: an item, as it is written, behind those it has; and
 * one of them, which is not the only one and stands in lines of its own. */
int edit_append_item(const struct edit_source *source, const struct node *list,
    const char *item, struct edit_splice *out, struct error *err);
int edit_cut_item(const struct edit_source *source, const struct node *list,
    size_t index, struct edit_splice *out, struct error *err);

#endif
