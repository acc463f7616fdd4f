/*
 * What the files of the mirror share: one for each kind of object.
 */
#ifndef STORE_MIRROR_PRIVATE_H
#define STORE_MIRROR_PRIVATE_H

#include "base/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define ID_BEGINNING_MINIMUM 4

struct store;

/* Runs a change; sets *changed if it did change a row. */
int mirror_run(struct store *store, sqlite3_stmt *statement, bool *changed,
    struct error *err);

/* Puts the ids into temp.retained (id), for a DELETE of all others. */
int mirror_fill_retained(struct store *store, const char *const *ids,
    size_t count, struct error *err);

/*
 * Deletes all but the ids; sql is the DELETE, a literal that leaves what is in
 * temp.retained.
 */
int mirror_retain(struct store *store, const char *const *ids, size_t count,
    const char *sql, bool *changed, struct error *err);

/* Whether the text can be the beginning of an id: enough hex digits. */
bool mirror_is_id_beginning(const char *text);

#endif
