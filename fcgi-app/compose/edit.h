/*
 * Edits of a Compose text in place: what an edit is not about, comments,
 * order, quoting and line breaks among it, stays byte for byte.
 *
 * Every edit puts one piece of text where a value stands, reads the result
 * again and compares it with what was asked for: all the rest must be the same
 * document. What cannot be done so is refused, and the text stays as it was:
 * ERR_CONFLICT EDIT_NOT_POSSIBLE, for a value that stands elsewhere (an alias,
 * a merge) or that others refer to, and for what is written in a way that has
 * no place for it. Values in braces and brackets are edited in that style.
 *
 * Texts are bounded as in document.h: ERR_INVALID INVALID_COMPOSE for one that
 * is none before the edit. Nothing is checked but that: the edited text is
 * for document_parse(), document_check() or compose_check(), as any other.
 */
#ifndef COMPOSE_EDIT_H
#define COMPOSE_EDIT_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Each edit replaces text and length; what was there before stays readable. */
struct compose_edit {
	struct arena *arena;
	const char *text; /* ended by a NUL that does not count */
	size_t length;
};

/* Whether the text has the member that the NULL-ended path of keys leads to;
 * not for a text that is no document. */
bool compose_edit_has(const struct compose_edit *edit, const char *const *path);

/*
 * Makes the fragment (YAML, its own indentation from column 1; NULL: nothing,
 * as in "key:") the value of the member that the NULL-ended path of keys leads
 * to, such as { "services", "app", "ports", NULL }: in the place of its value,
 * or as a new member at the end of its mapping. Mappings on the way are made
 * when they are missing or empty. A value that is the same already stays as
 * it is written.
 */
int compose_edit_set(struct compose_edit *edit, const char *const *path,
    const char *fragment, struct error *err);

/* Takes the member out; fine when there is none. Not the only one of its
 * mapping: EDIT_NOT_POSSIBLE. */
int compose_edit_remove(
    struct compose_edit *edit, const char *const *path, struct error *err);

/* Adds a text behind the items of a list, which is made if it is missing. */
int compose_edit_append(struct compose_edit *edit, const char *const *path,
    const char *text, struct error *err);
/* Takes the item, counted from 0, out; with the last one goes the list. */
int compose_edit_drop(struct compose_edit *edit, const char *const *path,
    size_t index, struct error *err);

/* ERR_NOT_FOUND SERVICE_NOT_FOUND; ERR_INVALID INVALID_IMAGE. */
int compose_edit_image(struct compose_edit *edit, const char *service,
    const char *image, struct error *err);

/* compose_edit_set() of a key of a service that exists: ERR_NOT_FOUND
 * SERVICE_NOT_FOUND. */
int compose_edit_service_key(struct compose_edit *edit, const char *service,
    const char *key, const char *fragment, struct error *err);
/* compose_edit_remove() of one. */
int compose_edit_remove_key(struct compose_edit *edit, const char *service,
    const char *key, struct error *err);

/*
 * New members of "services", "volumes" or "networks", that are made when they
 * are missing: ERR_CONFLICT ALREADY_EXISTS.
 */
int compose_edit_add(struct compose_edit *edit, const char *section,
    const char *name, const char *fragment, struct error *err);

/*
 * Another name for a network, in "networks" and in all services' lists.
 * ERR_NOT_FOUND NETWORK_NOT_FOUND; ERR_CONFLICT ALREADY_EXISTS.
 */
int compose_edit_rename_network(struct compose_edit *edit, const char *from,
    const char *to, struct error *err);

#endif
