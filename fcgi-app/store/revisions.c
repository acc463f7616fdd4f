#include "store/revisions.h"

#include "base/clock.h"
#include "store/store-private.h"
#include "store/updates.h"

#include <string.h>

static const char *const state_names[] = {
	[REVISION_SAVED] = "saved",
	[REVISION_APPLIED] = "applied",
	[REVISION_FAILED] = "failed",
};

const char *
revision_state_name(enum revision_state state)
{
	return state_names[state];
}

static enum revision_state
parse_state(const char *name)
{
	if (name != NULL && strcmp(name, "applied") == 0)
		return REVISION_APPLIED;
	return name != NULL && strcmp(name, "failed") == 0 ? REVISION_FAILED
							   : REVISION_SAVED;
}

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
insert(struct store *store, const struct revision *revision, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO revisions (deployment, number, filename, compose, "
		"metadata, environment, actor, job_id, created_at_ms, state, "
		"reason, images, restores, applied_at_ms) "
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, revision->deployment);
	sqlite3_bind_int64(statement, 2, revision->number);
	store_bind_text(statement, 3, revision->filename);
	store_bind_text(statement, 4, revision->compose);
	store_bind_text(statement, 5, revision->metadata);
	store_bind_text(statement, 6, revision->environment);
	store_bind_text(statement, 7, revision->actor);
	store_bind_text(statement, 8, revision->job_id);
	sqlite3_bind_int64(statement, 9, revision->created_at_ms);
	store_bind_text(statement, 10, revision_state_name(revision->state));
	store_bind_text(
	    statement, 11, revision->reason != NULL ? revision->reason : "");
	store_bind_text(statement, 12, revision->images);
	sqlite3_bind_int64(statement, 13, revision->restores);
	sqlite3_bind_int64(statement, 14, revision->applied_at_ms);
	return store_run(store, statement, err);
}

static int
prune(struct store *store, const struct revision *revision, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"DELETE FROM revisions WHERE deployment = ?1 AND number <= ?2 "
		"AND NOT is_current AND number IS NOT (SELECT max(number) "
		"FROM revisions WHERE deployment = ?1 AND state = 'applied') "
		"AND number NOT IN (SELECT back FROM updates "
		"WHERE deployment = ?1)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, revision->deployment);
	sqlite3_bind_int64(statement, 2, revision->number - REVISIONS_KEPT);
	return store_run(store, statement, err);
}

int
store_revision_add(
    struct store *store, struct revision *revision, struct error *err)
{
	revision->created_at_ms = clock_wall_ms();
	revision->applied_at_ms =
	    revision->state == REVISION_APPLIED ? revision->created_at_ms : 0;
	if (next_number(store, revision->deployment, &revision->number, err) <
		0 ||
	    insert(store, revision, err) < 0)
		return -1;
	return prune(store, revision, err);
}

int
store_revision_judge(struct store *store, const char *deployment,
    int64_t number, enum revision_state state, const char *images,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE revisions SET state = ?3, "
		"images = coalesce(?4, images), applied_at_ms = CASE WHEN "
		"?3 = 'applied' AND state <> 'applied' THEN ?5 "
		"ELSE applied_at_ms END "
		"WHERE deployment = ?1 AND number = ?2",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	sqlite3_bind_int64(statement, 2, number);
	store_bind_text(statement, 3, revision_state_name(state));
	store_bind_text(statement, 4, images);
	sqlite3_bind_int64(statement, 5, clock_wall_ms());
	return store_run(store, statement, err);
}

int
store_revision_make_current(struct store *store, const char *deployment,
    int64_t number, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE revisions SET is_current = (number = ?2) "
		"WHERE deployment = ?1 AND is_current <> (number = ?2)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	sqlite3_bind_int64(statement, 2, number);
	return store_run(store, statement, err);
}

int
store_revisions_forget(
    struct store *store, const char *deployment, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_update_remove(store, deployment, err) < 0 ||
	    store_prepare(store, "DELETE FROM revisions WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	return store_run(store, statement, err);
}

/* What every query below selects, in the order of read_revision(). */
#define HEAD                                                                   \
	"deployment, number, state, filename, images, actor, reason, job_id, " \
	"restores, created_at_ms, applied_at_ms, is_current"
#define TEXTS ", compose, metadata, environment"

static struct revision
read_head(sqlite3_stmt *row, struct arena *arena)
{
	return (struct revision){
		.deployment = store_column_text(row, 0, arena),
		.number = sqlite3_column_int64(row, 1),
		.state = parse_state((const char *)sqlite3_column_text(row, 2)),
		.filename = store_column_text(row, 3, arena),
		.images = store_column_text(row, 4, arena),
		.actor = store_column_text(row, 5, arena),
		.reason = store_column_text(row, 6, arena),
		.job_id = store_column_text(row, 7, arena),
		.restores = sqlite3_column_int64(row, 8),
		.created_at_ms = sqlite3_column_int64(row, 9),
		.applied_at_ms = sqlite3_column_int64(row, 10),
		.is_current = sqlite3_column_int(row, 11) != 0,
	};
}

/* One that has all its texts. */
static int
read_whole(struct store *store, sqlite3_stmt *statement, struct arena *arena,
    struct revision *out, bool *found, struct error *err)
{
	if (store_step(store, statement, found, err) < 0)
		return -1;
	if (!*found)
		return 0;
	*out = read_head(statement, arena);
	out->compose = store_column_text(statement, 12, arena);
	out->metadata = store_column_text(statement, 13, arena);
	out->environment = store_column_text(statement, 14, arena);
	store_finish(statement);
	return 0;
}

int
store_revision_get(struct store *store, const char *deployment, int64_t number,
    struct arena *arena, struct revision *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(store,
		"SELECT " HEAD TEXTS " FROM revisions "
		"WHERE deployment = ? AND number = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	sqlite3_bind_int64(statement, 2, number);
	if (read_whole(store, statement, arena, out, &found, err) < 0)
		return -1;
	return found ? 0
		     : error_set(err, ERR_NOT_FOUND, "REVISION_NOT_FOUND",
			   "deployment '%s' has no revision %lld", deployment,
			   (long long)number);
}

int
store_revision_current(struct store *store, const char *deployment,
    struct arena *arena, struct revision *out, bool *found, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT " HEAD TEXTS " FROM revisions "
		"WHERE deployment = ? AND is_current",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	return read_whole(store, statement, arena, out, found, err);
}

int
store_revision_before(struct store *store, const char *deployment,
    int64_t number, struct arena *arena, struct revision *out, bool *found,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT " HEAD TEXTS " FROM revisions "
		"WHERE deployment = ? AND number < ? "
		"ORDER BY number DESC LIMIT 1",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	sqlite3_bind_int64(statement, 2, number);
	return read_whole(store, statement, arena, out, found, err);
}

static int
count_all(struct store *store, const char *deployment, int64_t *out,
    struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT count(*) FROM revisions WHERE deployment = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	if (store_step(store, statement, &row, err) < 0)
		return -1;
	*out = row ? sqlite3_column_int64(statement, 0) : 0;
	store_finish(statement);
	return 0;
}

int
store_revision_list(struct store *store, const char *deployment, int64_t limit,
    int64_t offset, struct arena *arena, struct revision **out,
    size_t *out_count, int64_t *total, struct error *err)
{
	sqlite3_stmt *statement;

	if (count_all(store, deployment, total, err) < 0 ||
	    store_prepare(store,
		"SELECT " HEAD " FROM revisions WHERE deployment = ? "
		"ORDER BY number DESC LIMIT ? OFFSET ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, deployment);
	sqlite3_bind_int64(statement, 2, limit);
	sqlite3_bind_int64(statement, 3, offset);
	return STORE_READ_ROWS(
	    store, statement, arena, read_head, out, out_count, err);
}

int
store_revision_unjudged(struct store *store, struct arena *arena,
    struct revision **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT " HEAD " FROM revisions WHERE is_current AND "
		"state = 'saved' AND images IS NOT NULL AND "
		"deployment NOT IN (SELECT deployment FROM updates) AND "
		"deployment NOT IN (SELECT subject FROM jobs WHERE "
		"status IN ('pending', 'running') AND "
		"kind LIKE 'deployment.%')",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_head, out, out_count, err);
}

static const char *
read_text(sqlite3_stmt *row, struct arena *arena)
{
	return store_column_text(row, 0, arena);
}

int
store_revision_images(struct store *store, int64_t each, struct arena *arena,
    const char ***out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"SELECT images FROM (SELECT images, row_number() OVER "
		"(PARTITION BY deployment ORDER BY number DESC) AS place "
		"FROM revisions WHERE state = 'applied' AND "
		"deployment IN (SELECT name FROM deployments)) "
		"WHERE place <= ? AND images IS NOT NULL",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, each);
	return STORE_READ_ROWS(
	    store, statement, arena, read_text, out, out_count, err);
}
