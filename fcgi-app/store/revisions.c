#include "store/revisions.h"

#include "base/clock.h"
#include "store/store-private.h"

static int
next_number(struct store *store, const char *deployment, int64_t *out,
    struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT coalesce(max(number), 0) + 1 FROM revisions "
		"WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	if (store_step(store, statement, &row, err) < 0)
		return -1;
	*out = row ? sqlite3_column_int64(statement, 0) : 1;
	store_finish(statement);
	return 0;
}

static int
insert(struct store *store, const struct revision *revision, int64_t number,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, revision->deployment);
	sqlite3_bind_int64(statement, 2, number);
	store_bind_text(statement, 3, revision->filename);
	store_bind_text(statement, 4, revision->compose);
	store_bind_text(statement, 5, revision->metadata);
	store_bind_text(statement, 6, revision->environment);
	store_bind_text(statement, 7, revision->actor);
	store_bind_text(statement, 8, revision->job_id);
	sqlite3_bind_int64(statement, 9, clock_wall_ms());
	if (store_run(store, statement, err) < 0)
		return -1;
	if (store_prepare(store,
		"DELETE FROM revisions WHERE deployment = ? AND number <= ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, revision->deployment);
	sqlite3_bind_int64(statement, 2, number - REVISIONS_KEPT);
	return store_run(store, statement, err);
}

int
store_revision_add(struct store *store, const struct revision *revision,
    int64_t *out_number, struct error *err)
{
	if (store_begin(store, err) < 0)
		return -1;
	if (next_number(store, revision->deployment, out_number, err) < 0 ||
	    insert(store, revision, *out_number, err) < 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

int
store_revisions_forget(
    struct store *store, const char *deployment, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM revisions WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	return store_run(store, statement, err);
}
