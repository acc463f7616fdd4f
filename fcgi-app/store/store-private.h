/*
 * What the files of store/ share: prepared statements by their text, kept
 * with the connection. Only string literals may be passed as sql.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "base/arena.h"
#include "base/error.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define STATEMENT_MAXIMUM 256
#define BUSY_TIMEOUT_MS 5000

struct store {
	sqlite3 *db;
	bool in_transaction;
	size_t statement_count;
	struct {
		const char *sql;
		sqlite3_stmt *statement;
	} statements[STATEMENT_MAXIMUM];
};

/* The statement, reset and unbound; it belongs to the store. */
int store_prepare(struct store *store, const char *sql, sqlite3_stmt **out,
    struct error *err);

/* Binds text for as long as the caller's memory lives; NULL binds NULL. */
void store_bind_text(sqlite3_stmt *statement, int index, const char *text);

/* *row tells whether there is one; after the last the statement is reset. */
int store_step(
    struct store *store, sqlite3_stmt *statement, bool *row, struct error *err);

/*
 * Makes an array in the arena of what read_(statement, arena) gives for each
 * row. 0, or -1 with the outputs as they were.
 */
#define STORE_READ_ROWS(                                                    \
    store_, statement_, arena_, read_, out_, out_count_, err_)              \
	({                                                                  \
		__typeof__(*(out_)) rows_ = NULL;                           \
		size_t count_ = 0, allocated_ = 0;                          \
		bool row_ = false;                                          \
		int failed_;                                                \
                                                                            \
		while ((failed_ = store_step(                               \
			    (store_), (statement_), &row_, (err_))) == 0 && \
		       row_) {                                              \
			rows_ = arena_grow((arena_), rows_, count_,         \
			    &allocated_, sizeof *rows_);                    \
			rows_[count_++] = read_((statement_), (arena_));    \
		}                                                           \
		if (!failed_) {                                             \
			*(out_) = rows_;                                    \
			*(out_count_) = count_;                             \
		}                                                           \
		failed_ ? -1 : 0;                                           \
	})

/* Runs a statement that gives no rows. */
int store_run(struct store *store, sqlite3_stmt *statement, struct error *err);

/* Ends a statement before its last row. */
void store_finish(sqlite3_stmt *statement);

/* The column as text in the arena; NULL for NULL. */
char *store_column_text(
    sqlite3_stmt *statement, int column, struct arena *arena);

/* Fills err from SQLite's last error; always -1. */
int store_fail(struct store *store, struct error *err);

#endif
