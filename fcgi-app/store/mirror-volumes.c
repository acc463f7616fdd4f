#include "store/mirror.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#include <string.h>

int
mirror_volume_put(struct store *store, const struct mirror_volume *volume,
    bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO volumes VALUES (?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (name) DO UPDATE SET driver = excluded.driver, "
		"mountpoint = excluded.mountpoint, scope = excluded.scope, "
		"created_at = excluded.created_at, labels = excluded.labels, "
		"options = excluded.options "
		"WHERE (driver, mountpoint, scope, created_at, labels, "
		"options) IS NOT (excluded.driver, excluded.mountpoint, "
		"excluded.scope, excluded.created_at, excluded.labels, "
		"excluded.options)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, volume->name);
	store_bind_text(statement, 2, volume->driver);
	store_bind_text(statement, 3, volume->mountpoint);
	store_bind_text(statement, 4, volume->scope);
	sqlite3_bind_int64(statement, 5, volume->created_at);
	store_bind_text(statement, 6, volume->labels);
	store_bind_text(statement, 7, volume->options);
	return mirror_run(store, statement, changed, err);
}

int
mirror_volumes_retain(struct store *store, const char *const *names,
    size_t count, bool *changed, struct error *err)
{
	return mirror_retain(store, names, count,
	    "DELETE FROM volumes WHERE name NOT IN "
	    "(SELECT id FROM temp.retained)",
	    changed, err);
}

static struct mirror_volume
read_volume(sqlite3_stmt *row, struct arena *arena)
{
	return (struct mirror_volume){
		.name = store_column_text(row, 0, arena),
		.driver = store_column_text(row, 1, arena),
		.mountpoint = store_column_text(row, 2, arena),
		.scope = store_column_text(row, 3, arena),
		.created_at = sqlite3_column_int64(row, 4),
		.labels = store_column_text(row, 5, arena),
		.options = store_column_text(row, 6, arena),
		.containers = store_column_text(row, 7, arena),
	};
}

/* name NULL: all. */
static int
list_volumes(struct store *store, const char *name, struct arena *arena,
    struct mirror_volume **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"WITH mounted AS (SELECT DISTINCT "
		"json_extract(m.value, '$.name') AS volume, c.name "
		"FROM containers c, json_each(c.mounts) m "
		"WHERE json_extract(m.value, '$.type') = 'volume' "
		"ORDER BY 1, 2), "
		"used AS MATERIALIZED (SELECT volume, "
		"json_group_array(name) AS names FROM mounted GROUP BY volume) "
		"SELECT v.*, coalesce(used.names, '[]') FROM volumes v "
		"LEFT JOIN used ON used.volume = v.name "
		"WHERE ?1 IS NULL OR v.name = ?1 ORDER BY v.name",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, name);
	return STORE_READ_ROWS(
	    store, statement, arena, read_volume, out, out_count, err);
}

int
mirror_volume_list(struct store *store, struct arena *arena,
    struct mirror_volume **out, size_t *out_count, struct error *err)
{
	return list_volumes(store, NULL, arena, out, out_count, err);
}

int
mirror_volume_get(struct store *store, const char *name, struct arena *arena,
    struct mirror_volume *out, struct error *err)
{
	struct mirror_volume *found;
	size_t count;

	if (list_volumes(store, name, arena, &found, &count, err) < 0)
		return -1;
	if (count == 0)
		return error_set(
		    err, ERR_NOT_FOUND, "VOLUME_NOT_FOUND", "Volume not found");
	*out = *found;
	return 0;
}
