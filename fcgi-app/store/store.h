/*
 * The state that processes share: one SQLite database in WAL mode.
 *
 * A struct store is one connection: one thread at a time, opened after any
 * fork. The agent is the writer and the only one that checkpoints; workers
 * read, and write only what authentication needs. Nothing maps the file into
 * memory. A writer waits at most 5 s for another (then ERR_UNAVAILABLE
 * STATE_BUSY); a full disk is ERR_STORAGE_FULL; a damaged file
 * ERR_UNAVAILABLE STATE_CORRUPT.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

enum store_role {
	STORE_READER, /* workers: schema must be the current one */
	STORE_ADMIN,  /* flatrun-admin: migrates; no checkpoints */
	STORE_AGENT,  /* migrates, checks, checkpoints; synchronous=FULL */
	STORE_JOBS,   /* the agent's threads, once the agent has opened */
	STORE_MIRROR, /* the agent's re-creatable state: synchronous=NORMAL */
};

/*
 * Opens DIRECTORY/flatrun.db. STORE_ADMIN and STORE_AGENT create it (0660,
 * the group of the directory) and bring its schema up to date; a newer schema
 * than this program's is refused (STATE_NEWER). The caller ends *out with
 * store_close().
 */
int store_open(const char *directory, enum store_role role, struct store **out,
    struct error *err);
void store_close(struct store *store);
#define auto_store CLEANUP(store_release)
void store_release(struct store **store);

/*
 * ERR_UNAVAILABLE STATE_MISSING unless the database is there: for who must not
 * begin an empty one in place of one that was lost.
 */
int store_find(const char *directory, struct error *err);
/* Whether DIRECTORY/flatrun.db is no longer the file that is open here. */
bool store_has_moved(struct store *store);

/* PRAGMA quick_check, for the agent's start. */
int store_quick_check(struct store *store, struct error *err);
/* Moves the log into the database: the agent only, every minute or so. */
int store_checkpoint(struct store *store, struct error *err);

/* BEGIN IMMEDIATE … COMMIT; a failed body is undone by store_rollback(). */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

#endif
