#include "store/templates.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#define TEMPLATE_COLUMNS                                             \
	"SELECT id, source, name, category, type, priority, "        \
	"metadata, content FROM templates AS one WHERE NOT EXISTS "  \
	"(SELECT 1 FROM templates AS other WHERE other.id = one.id " \
	"AND other.rank > one.rank) "

static struct template read_template(sqlite3_stmt *row, struct arena *arena)
{
	return (struct template){
		.id = store_column_text(row, 0, arena),
		.source = store_column_text(row, 1, arena),
		.name = store_column_text(row, 2, arena),
		.category = store_column_text(row, 3, arena),
		.type = store_column_text(row, 4, arena),
		.priority = sqlite3_column_int64(row, 5),
		.metadata = store_column_text(row, 6, arena),
		.content = store_column_text(row, 7, arena),
	};
}

int
template_list(struct store *store, struct arena *arena, struct template **out,
    size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		TEMPLATE_COLUMNS
		"ORDER BY priority DESC, name COLLATE NOCASE, id",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_template, out, out_count, err);
}

int
template_get(struct store *store, const char *id, struct arena *arena,
    struct template *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(
		store, TEMPLATE_COLUMNS "AND id = ?", &statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (store_step(store, statement, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "TEMPLATE_NOT_FOUND",
		    "template '%.80s' not found", id);
	*out = read_template(statement, arena);
	store_finish(statement);
	return 0;
}

/* A row that says the same stays untouched, so that changed tells the truth. */
static int
write_template(struct store *store, const char *source, int64_t rank,
    const struct template *template, bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO templates (source, id, rank, name, category, "
		"type, priority, metadata, content) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
		"ON CONFLICT (id, source) DO UPDATE SET rank = ?3, "
		"name = ?4, category = ?5, type = ?6, priority = ?7, "
		"metadata = ?8, content = ?9 "
		"WHERE rank != ?3 OR metadata != ?8 OR content != ?9",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, source);
	store_bind_text(statement, 2, template->id);
	sqlite3_bind_int64(statement, 3, rank);
	store_bind_text(statement, 4, template->name);
	store_bind_text(statement, 5, template->category);
	store_bind_text(statement, 6, template->type);
	sqlite3_bind_int64(statement, 7, template->priority);
	store_bind_text(statement, 8, template->metadata);
	store_bind_text(statement, 9, template->content);
	return mirror_run(store, statement, changed, err);
}

static int
forget_others(struct store *store, const char *source,
    const struct template *templates, size_t count, bool *changed,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char **ids = arena_array(&arena, count + 1, sizeof *ids);
	sqlite3_stmt *statement;
	size_t i;

	for (i = 0; i < count; i++)
		ids[i] = templates[i].id;
	if (mirror_fill_retained(store, ids, count, err) < 0 ||
	    store_prepare(store,
		"DELETE FROM templates WHERE source = ? AND id NOT IN "
		"(SELECT id FROM temp.retained)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, source);
	return mirror_run(store, statement, changed, err);
}

int
template_replace(struct store *store, const char *source, int64_t rank,
    const struct template *templates, size_t count, bool *changed,
    struct error *err)
{
	size_t i;

	if (forget_others(store, source, templates, count, changed, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (write_template(
			store, source, rank, &templates[i], changed, err) < 0)
			return -1;
	return 0;
}

int
template_rank(struct store *store, const char *source, int64_t rank,
    bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE templates SET rank = ?2 WHERE source = ?1 AND "
		"rank != ?2",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, source);
	sqlite3_bind_int64(statement, 2, rank);
	return mirror_run(store, statement, changed, err);
}

int
template_retain_sources(struct store *store, const char *const *sources,
    size_t count, bool *changed, struct error *err)
{
	return mirror_retain(store, sources, count,
	    "DELETE FROM templates WHERE source NOT IN "
	    "(SELECT id FROM temp.retained)",
	    changed, err);
}
