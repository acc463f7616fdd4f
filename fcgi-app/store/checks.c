#include "store/checks.h"

#include "store/store-private.h"

int
store_check_put(
    struct store *store, const struct check_record *record, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO checks (deployment, container_id, status, reason, "
		"http_status, duration_ms, checked_at_ms, changed_at_ms) "
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (deployment) DO UPDATE SET "
		"container_id = excluded.container_id, "
		"status = excluded.status, reason = excluded.reason, "
		"http_status = excluded.http_status, "
		"duration_ms = excluded.duration_ms, "
		"checked_at_ms = excluded.checked_at_ms, "
		"changed_at_ms = excluded.changed_at_ms",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, record->deployment);
	store_bind_text(statement, 2, record->container_id);
	store_bind_text(statement, 3, record->status);
	store_bind_text(statement, 4, record->reason);
	sqlite3_bind_int(statement, 5, record->http_status);
	sqlite3_bind_int64(statement, 6, record->duration_ms);
	sqlite3_bind_int64(statement, 7, record->checked_at_ms);
	sqlite3_bind_int64(statement, 8, record->changed_at_ms);
	return store_run(store, statement, err);
}

int
store_check_delete(
    struct store *store, const char *deployment, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM checks WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	return store_run(store, statement, err);
}

#define COLUMNS                                                          \
	"SELECT deployment, container_id, status, reason, http_status, " \
	"duration_ms, checked_at_ms, changed_at_ms FROM checks "

static struct check_record
read_check(sqlite3_stmt *row, struct arena *arena)
{
	return (struct check_record){
		.deployment = store_column_text(row, 0, arena),
		.container_id = store_column_text(row, 1, arena),
		.status = store_column_text(row, 2, arena),
		.reason = store_column_text(row, 3, arena),
		.http_status = sqlite3_column_int(row, 4),
		.duration_ms = sqlite3_column_int64(row, 5),
		.checked_at_ms = sqlite3_column_int64(row, 6),
		.changed_at_ms = sqlite3_column_int64(row, 7),
	};
}

int
store_check_list(struct store *store, struct arena *arena,
    struct check_record **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(
		store, COLUMNS "ORDER BY deployment", &statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_check, out, out_count, err);
}

int
store_check_find(struct store *store, const char *deployment,
    struct arena *arena, struct check_record *out, bool *out_found,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(
		store, COLUMNS "WHERE deployment = ?", &statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	if (store_step(store, statement, out_found, err) < 0)
		return -1;
	if (*out_found) {
		*out = read_check(statement, arena);
		store_finish(statement);
	}
	return 0;
}
