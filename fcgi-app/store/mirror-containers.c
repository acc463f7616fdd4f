#include "store/mirror.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#include <string.h>

int
mirror_container_put(struct store *store,
    const struct mirror_container *container, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO containers VALUES "
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
		"image = excluded.image, image_id = excluded.image_id, "
		"state = excluded.state, status = excluded.status, "
		"health = excluded.health, created_at = excluded.created_at, "
		"project = excluded.project, service = excluded.service, "
		"ports = excluded.ports, networks = excluded.networks, "
		"labels = excluded.labels, mounts = excluded.mounts "
		"WHERE (name, image, image_id, state, status, health, "
		"created_at, project, service, ports, networks, labels, "
		"mounts) IS NOT "
		"(excluded.name, excluded.image, excluded.image_id, "
		"excluded.state, excluded.status, excluded.health, "
		"excluded.created_at, excluded.project, excluded.service, "
		"excluded.ports, excluded.networks, excluded.labels, "
		"excluded.mounts)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, container->id);
	store_bind_text(statement, 2, container->name);
	store_bind_text(statement, 3, container->image);
	store_bind_text(statement, 4, container->image_id);
	store_bind_text(statement, 5, container->state);
	store_bind_text(statement, 6, container->status);
	store_bind_text(statement, 7, container->health);
	sqlite3_bind_int64(statement, 8, container->created_at);
	store_bind_text(statement, 9, container->project);
	store_bind_text(statement, 10, container->service);
	store_bind_text(statement, 11, container->ports);
	store_bind_text(statement, 12, container->networks);
	store_bind_text(statement, 13, container->labels);
	store_bind_text(statement, 14, container->mounts);
	return mirror_run(store, statement, changed, err);
}

int
mirror_container_delete(
    struct store *store, const char *id, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM containers WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	return mirror_run(store, statement, changed, err);
}

int
mirror_containers_retain(struct store *store, const char *project,
    const char *const *ids, size_t count, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (mirror_fill_retained(store, ids, count, err) < 0)
		return -1;
	if (store_prepare(store,
		"DELETE FROM containers WHERE (?1 IS NULL OR project = ?1) "
		"AND id NOT IN (SELECT id FROM temp.retained)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, project);
	return mirror_run(store, statement, changed, err);
}

static struct mirror_container
read_container(sqlite3_stmt *row, struct arena *arena)
{
	return (struct mirror_container){
		.id = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.image = store_column_text(row, 2, arena),
		.image_id = store_column_text(row, 3, arena),
		.state = store_column_text(row, 4, arena),
		.status = store_column_text(row, 5, arena),
		.health = store_column_text(row, 6, arena),
		.created_at = sqlite3_column_int64(row, 7),
		.project = store_column_text(row, 8, arena),
		.service = store_column_text(row, 9, arena),
		.ports = store_column_text(row, 10, arena),
		.networks = store_column_text(row, 11, arena),
		.labels = store_column_text(row, 12, arena),
		.mounts = store_column_text(row, 13, arena),
	};
}

int
mirror_container_list(struct store *store, const char *project,
    struct arena *arena, struct mirror_container **out, size_t *out_count,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		project ? "SELECT * FROM containers WHERE project = ? "
			  "ORDER BY service, name"
			: "SELECT * FROM containers ORDER BY name",
		&statement, err) < 0)
		return -1;
	if (project != NULL)
		store_bind_text(statement, 1, project);
	return STORE_READ_ROWS(
	    store, statement, arena, read_container, out, out_count, err);
}

bool
mirror_is_id_beginning(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return digits >= ID_BEGINNING_MINIMUM && text[digits] == '\0';
}

/* The first of at most two rows; *count tells how many there are. */
static int
find_first(struct store *store, sqlite3_stmt *statement, struct arena *arena,
    struct mirror_container *out, size_t *count, struct error *err)
{
	bool row;

	for (*count = 0;; ++*count) {
		if (store_step(store, statement, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (*count == 0)
			*out = read_container(statement, arena);
	}
}

int
mirror_container_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_container *out, struct error *err)
{
	static const char *const queries[] = {
		"SELECT * FROM containers WHERE id = ?",
		"SELECT * FROM containers WHERE name = ? LIMIT 1",
		/* 'g' comes after every digit. */
		"SELECT * FROM containers WHERE id >= ?1 AND id < ?1 || 'g' "
		"LIMIT 2",
	};
	size_t tries = mirror_is_id_beginning(reference) ? 3 : 2, count, i;
	sqlite3_stmt *statement;

	for (i = 0; i < tries; i++) {
		if (store_prepare(store, queries[i], &statement, err) < 0)
			return -1;
		store_bind_text(statement, 1, reference);
		if (find_first(store, statement, arena, out, &count, err) < 0)
			return -1;
		if (count == 1)
			return 0;
		if (count > 1)
			return error_set(err, ERR_CONFLICT, "AMBIGUOUS_ID",
			    "several containers have an id that begins so");
	}
	return error_set(
	    err, ERR_NOT_FOUND, "CONTAINER_NOT_FOUND", "Container not found");
}
