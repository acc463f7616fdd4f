#include "store/updates.h"

#include "base/clock.h"
#include "store/store-private.h"

#include <string.h>

static const char *const phase_names[] = {
	[UPDATE_FILES] = "files",
	[UPDATE_CONTAINERS] = "containers",
	[UPDATE_BACK] = "back",
};

static const char *const before_names[] = {
	[BEFORE_ABSENT] = "absent",
	[BEFORE_STOPPED] = "stopped",
	[BEFORE_RUNNING] = "running",
};

static int
find_name(const char *const *names, const unsigned char *wanted)
{
	int i;

	for (i = 2; i > 0; i--)
		if (strcmp(names[i], (const char *)wanted) == 0)
			break;
	return i;
}

int
store_update_put(
    struct store *store, const struct update_record *record, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT OR REPLACE INTO updates (deployment, job_id, revision, "
		"back, phase, before, started_at_ms) "
		"VALUES (?, ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, record->deployment);
	store_bind_text(statement, 2, record->job_id);
	sqlite3_bind_int64(statement, 3, record->revision);
	sqlite3_bind_int64(statement, 4, record->back);
	store_bind_text(statement, 5, phase_names[record->phase]);
	store_bind_text(statement, 6, before_names[record->before]);
	sqlite3_bind_int64(statement, 7, clock_wall_ms());
	return store_run(store, statement, err);
}

int
store_update_phase(struct store *store, const char *deployment,
    enum update_phase phase, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE updates SET phase = ? WHERE deployment = ?", &statement,
		err) < 0)
		return -1;
	store_bind_text(statement, 1, phase_names[phase]);
	store_bind_text(statement, 2, deployment);
	return store_run(store, statement, err);
}

int
store_update_remove(
    struct store *store, const char *deployment, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM updates WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	return store_run(store, statement, err);
}

#define COLUMNS "deployment, job_id, revision, back, phase, before"

static struct update_record
read_record(sqlite3_stmt *row, struct arena *arena)
{
	return (struct update_record){
		.deployment = store_column_text(row, 0, arena),
		.job_id = store_column_text(row, 1, arena),
		.revision = sqlite3_column_int64(row, 2),
		.back = sqlite3_column_int64(row, 3),
		.phase = (enum update_phase)find_name(
		    phase_names, sqlite3_column_text(row, 4)),
		.before = (enum update_before)find_name(
		    before_names, sqlite3_column_text(row, 5)),
	};
}

int
store_update_find(struct store *store, const char *deployment,
    struct arena *arena, struct update_record *out, bool *found,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT " COLUMNS " FROM updates WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	if (store_step(store, statement, found, err) < 0)
		return -1;
	if (!*found)
		return 0;
	*out = read_record(statement, arena);
	store_finish(statement);
	return 0;
}

int
store_update_list(struct store *store, struct arena *arena,
    struct update_record **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT " COLUMNS " FROM updates ORDER BY deployment",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_record, out, out_count, err);
}
