#include "store/mirror.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#include <string.h>

int
mirror_run(struct store *store, sqlite3_stmt *statement, bool *changed,
    struct error *err)
{
	if (store_run(store, statement, err) < 0)
		return -1;
	if (sqlite3_changes(store->db) > 0)
		*changed = true;
	return 0;
}

int
mirror_fill_retained(struct store *store, const char *const *ids, size_t count,
    struct error *err)
{
	sqlite3_stmt *statement;
	size_t i;

	if (store_prepare(store,
		"CREATE TEMP TABLE IF NOT EXISTS retained "
		"(id TEXT PRIMARY KEY) WITHOUT ROWID",
		&statement, err) < 0 ||
	    store_run(store, statement, err) < 0)
		return -1;
	if (store_prepare(store, "DELETE FROM temp.retained", &statement, err) <
		0 ||
	    store_run(store, statement, err) < 0)
		return -1;
	if (store_prepare(store,
		"INSERT OR IGNORE INTO temp.retained VALUES (?)", &statement,
		err) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		store_bind_text(statement, 1, ids[i]);
		if (store_run(store, statement, err) < 0)
			return -1;
	}
	return 0;
}

int
mirror_retain(struct store *store, const char *const *ids, size_t count,
    const char *sql, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (mirror_fill_retained(store, ids, count, err) < 0 ||
	    store_prepare(store, sql, &statement, err) < 0)
		return -1;
	return mirror_run(store, statement, changed, err);
}

int
mirror_deployment_put(struct store *store,
    const struct mirror_deployment *deployment, bool *changed,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO deployments (name, path, filename, project, type, "
		"compose, services, metadata, problem, modified_at_ms, "
		"version) "
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, '')) "
		"ON CONFLICT (name) DO UPDATE SET path = excluded.path, "
		"filename = excluded.filename, project = excluded.project, "
		"type = excluded.type, compose = excluded.compose, "
		"services = excluded.services, metadata = excluded.metadata, "
		"problem = excluded.problem, "
		"modified_at_ms = excluded.modified_at_ms, "
		"version = excluded.version "
		"WHERE (path, filename, project, type, compose, services, "
		"metadata, problem, modified_at_ms, version) IS NOT "
		"(excluded.path, "
		"excluded.filename, excluded.project, excluded.type, "
		"excluded.compose, excluded.services, excluded.metadata, "
		"excluded.problem, excluded.modified_at_ms, "
		"excluded.version)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment->name);
	store_bind_text(statement, 2, deployment->path);
	store_bind_text(statement, 3, deployment->filename);
	store_bind_text(statement, 4, deployment->project);
	store_bind_text(statement, 5, deployment->type);
	store_bind_text(statement, 6, deployment->compose);
	store_bind_text(statement, 7, deployment->services);
	store_bind_text(statement, 8, deployment->metadata);
	store_bind_text(statement, 9, deployment->problem);
	sqlite3_bind_int64(statement, 10, deployment->modified_at_ms);
	store_bind_text(statement, 11, deployment->version);
	return mirror_run(store, statement, changed, err);
}

int
mirror_deployment_delete(
    struct store *store, const char *name, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM deployments WHERE name = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, name);
	return mirror_run(store, statement, changed, err);
}

int
mirror_commit(struct store *store, bool changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (changed &&
	    (store_prepare(store,
		 "UPDATE meta SET value = value + 1 WHERE key = 'generation'",
		 &statement, err) < 0 ||
		store_run(store, statement, err) < 0)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

int
mirror_generation(struct store *store, int64_t *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT value FROM meta WHERE key = 'generation'", &statement,
		err) < 0 ||
	    store_step(store, statement, &row, err) < 0)
		return -1;
	*out = row ? sqlite3_column_int64(statement, 0) : 0;
	store_finish(statement);
	return 0;
}

int
mirror_read(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "BEGIN", &statement, err) < 0 ||
	    store_run(store, statement, err) < 0)
		return -1;
	store->in_transaction = true;
	return 0;
}

void
mirror_read_end(struct store *store)
{
	store_rollback(store);
}

static struct mirror_deployment
read_deployment(sqlite3_stmt *row, struct arena *arena)
{
	return (struct mirror_deployment){
		.name = store_column_text(row, 0, arena),
		.path = store_column_text(row, 1, arena),
		.filename = store_column_text(row, 2, arena),
		.project = store_column_text(row, 3, arena),
		.type = store_column_text(row, 4, arena),
		.services = store_column_text(row, 5, arena),
		.metadata = store_column_text(row, 6, arena),
		.problem = store_column_text(row, 7, arena),
		.modified_at_ms = sqlite3_column_int64(row, 8),
		.health = store_column_text(row, 9, arena),
		.version = store_column_text(row, 10, arena),
		.compose = store_column_text(row, 11, arena),
	};
}

#define DEPLOYMENT_COLUMNS                                                 \
	"SELECT name, path, filename, project, type, services, metadata, " \
	"problem, modified_at_ms, health, version, "

int
mirror_deployment_list(struct store *store, struct arena *arena,
    struct mirror_deployment **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		DEPLOYMENT_COLUMNS "NULL FROM deployments ORDER BY name",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_deployment, out, out_count, err);
}

int
mirror_deployment_get(struct store *store, const char *name,
    struct arena *arena, struct mirror_deployment *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(store,
		DEPLOYMENT_COLUMNS "compose FROM deployments WHERE name = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, name);
	if (store_step(store, statement, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "DEPLOYMENT_NOT_FOUND",
		    "Deployment not found");
	*out = read_deployment(statement, arena);
	store_finish(statement);
	return 0;
}
