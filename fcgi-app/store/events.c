#include "store/events.h"

#include "store/store-private.h"

int
store_event_list(struct store *store, int64_t after, size_t limit,
    struct arena *arena, struct event **out, size_t *out_count,
    struct error *err)
{
	struct event *events = arena_array(arena, limit, sizeof *events);
	sqlite3_stmt *statement;
	size_t count = 0;
	bool row;

	if (store_prepare(store,
		"SELECT number, at_ms, type, id, name, status, health, "
		"deployment, kind, error_code FROM events "
		"WHERE number > ? ORDER BY number LIMIT ?",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, after);
	sqlite3_bind_int64(statement, 2, (int64_t)limit);
	for (;;) {
		if (store_step(store, statement, &row, err) < 0)
			return -1;
		if (!row)
			break;
		events[count++] = (struct event){
			.number = sqlite3_column_int64(statement, 0),
			.at_ms = sqlite3_column_int64(statement, 1),
			.type = store_column_text(statement, 2, arena),
			.id = store_column_text(statement, 3, arena),
			.name = store_column_text(statement, 4, arena),
			.status = store_column_text(statement, 5, arena),
			.health = store_column_text(statement, 6, arena),
			.deployment = store_column_text(statement, 7, arena),
			.kind = store_column_text(statement, 8, arena),
			.error_code = store_column_text(statement, 9, arena),
		};
	}
	*out = events;
	*out_count = count;
	return 0;
}

int
store_event_range(struct store *store, int64_t *out_oldest, int64_t *out_newest,
    struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT (SELECT min(number) FROM events), "
		"(SELECT max(number) FROM events)",
		&statement, err) < 0 ||
	    store_step(store, statement, &row, err) < 0)
		return -1;
	*out_oldest = row ? sqlite3_column_int64(statement, 0) : 0;
	*out_newest = row ? sqlite3_column_int64(statement, 1) : 0;
	store_finish(statement);
	return 0;
}

int
store_events_prune(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"DELETE FROM events WHERE number <= "
		"(SELECT max(number) FROM events) - ?",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, EVENTS_KEPT);
	return store_run(store, statement, err);
}
