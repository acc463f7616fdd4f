#include "store/jobs.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/store-private.h"

#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
	[JOB_PENDING] = "pending",
	[JOB_RUNNING] = "running",
	[JOB_SUCCEEDED] = "succeeded",
	[JOB_FAILED] = "failed",
};

const char *
job_status_name(enum job_status status)
{
	return status_names[status];
}

int
job_status_parse(const char *name, enum job_status *out)
{
	int i;

	for (i = JOB_PENDING; i <= JOB_FAILED; i++) {
		if (strcmp(status_names[i], name) != 0)
			continue;
		*out = (enum job_status)i;
		return 0;
	}
	return -1;
}

bool
job_id_is_valid(const char *id)
{
	return strlen(id) == JOB_ID_LENGTH &&
	       strspn(id, "0123456789abcdef") == JOB_ID_LENGTH;
}

static int
release_key(struct store *store, const struct job *job, struct error *err)
{
	sqlite3_stmt *statement;

	if (job->idempotency_key == NULL)
		return 0;
	if (store_prepare(store,
		"UPDATE jobs SET idempotency_key = NULL WHERE actor = ? AND "
		"idempotency_key = ? AND created_at_ms < ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, job->actor);
	store_bind_text(statement, 2, job->idempotency_key);
	sqlite3_bind_int64(statement, 3, clock_wall_ms() - IDEMPOTENCY_MS);
	return store_run(store, statement, err);
}

int
store_job_insert(struct store *store, struct job *job, struct arena *arena,
    struct error *err)
{
	sqlite3_stmt *statement;
	char digits[9];

	if (release_key(store, job, err) < 0)
		return -1;

	/* The time first: ids sort by age. */
	random_hex(digits, 8);
	job->created_at_ms = clock_wall_ms();
	job->id = arena_printf(arena, "%012llx%s",
	    (unsigned long long)job->created_at_ms & 0xFFFFFFFFFFFFULL, digits);
	job->status = JOB_PENDING;
	if (store_prepare(store,
		"INSERT INTO jobs (id, kind, subject, status, actor, "
		"request_id, created_at_ms, idempotency_key, fingerprint, "
		"answer) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, job->id);
	store_bind_text(statement, 2, job->kind);
	store_bind_text(statement, 3, job->subject);
	store_bind_text(statement, 4, job->actor);
	store_bind_text(statement, 5, job->request_id);
	sqlite3_bind_int64(statement, 6, job->created_at_ms);
	store_bind_text(statement, 7, job->idempotency_key);
	store_bind_text(statement, 8, job->fingerprint);
	store_bind_text(statement, 9, job->answer);
	return store_run(store, statement, err);
}

int
store_job_start(struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE jobs SET status = 'running', started_at_ms = ? "
		"WHERE id = ?",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, clock_wall_ms());
	store_bind_text(statement, 2, id);
	return store_run(store, statement, err);
}

int
store_job_output(
    struct store *store, const char *id, const char *output, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "UPDATE jobs SET output = ? WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, output);
	store_bind_text(statement, 2, id);
	return store_run(store, statement, err);
}

int
store_job_progress(struct store *store, const char *id, const char *progress,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "UPDATE jobs SET progress = ? WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, progress);
	store_bind_text(statement, 2, id);
	return store_run(store, statement, err);
}

int
store_job_finish(struct store *store, const char *id, const char *output,
    const char *result, const struct error *failure, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE jobs SET status = ?, output = ?, result = ?, "
		"error_kind = ?, error_code = ?, error_field = ?, "
		"error_message = ?, finished_at_ms = max(?, started_at_ms) "
		"WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1,
	    status_names[failure != NULL ? JOB_FAILED : JOB_SUCCEEDED]);
	store_bind_text(statement, 2, output);
	store_bind_text(statement, 3, result);
	if (failure != NULL) {
		store_bind_text(statement, 4, error_kind_name(failure->kind));
		store_bind_text(statement, 5, error_code(failure));
		store_bind_text(statement, 6, failure->field);
		store_bind_text(statement, 7, error_public(failure));
	}
	sqlite3_bind_int64(statement, 8, clock_wall_ms());
	store_bind_text(statement, 9, id);
	return store_run(store, statement, err);
}

#define JOB_COLUMNS                                                           \
	"SELECT id, kind, subject, status, actor, request_id, result, "       \
	"error_kind, error_code, error_field, error_message, created_at_ms, " \
	"started_at_ms, finished_at_ms, progress, idempotency_key, "          \
	"fingerprint, answer, "

static void
read_error(sqlite3_stmt *row, struct job *job)
{
	const char *kind = (const char *)sqlite3_column_text(row, 7);

	if (kind == NULL)
		return;
	job->failed = true;
	error_set(&job->error, error_kind_parse(kind),
	    (const char *)sqlite3_column_text(row, 8), "%s",
	    (const char *)sqlite3_column_text(row, 10));
	snprintf(job->error.field, sizeof job->error.field, "%s",
	    (const char *)sqlite3_column_text(row, 9));
}

static struct job
read_job(sqlite3_stmt *row, struct arena *arena)
{
	struct job job = {
		.id = store_column_text(row, 0, arena),
		.kind = store_column_text(row, 1, arena),
		.subject = store_column_text(row, 2, arena),
		.actor = store_column_text(row, 4, arena),
		.request_id = store_column_text(row, 5, arena),
		.result = store_column_text(row, 6, arena),
		.created_at_ms = sqlite3_column_int64(row, 11),
		.started_at_ms = sqlite3_column_int64(row, 12),
		.finished_at_ms = sqlite3_column_int64(row, 13),
		.progress = store_column_text(row, 14, arena),
		.idempotency_key = store_column_text(row, 15, arena),
		.fingerprint = store_column_text(row, 16, arena),
		.answer = store_column_text(row, 17, arena),
		.output = store_column_text(row, 18, arena),
	};

	job_status_parse(
	    (const char *)sqlite3_column_text(row, 3), &job.status);
	read_error(row, &job);
	return job;
}

/* The one row that a prepared statement has, if any. */
static int
take_job(struct store *store, sqlite3_stmt *statement, struct arena *arena,
    struct job *out, bool *found, struct error *err)
{
	if (store_step(store, statement, found, err) < 0)
		return -1;
	if (*found) {
		*out = read_job(statement, arena);
		store_finish(statement);
	}
	return 0;
}

int
store_job_get(struct store *store, const char *id, struct arena *arena,
    struct job *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(store, JOB_COLUMNS "output FROM jobs WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (take_job(store, statement, arena, out, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(
		    err, ERR_NOT_FOUND, "JOB_NOT_FOUND", "Job not found");
	return 0;
}

int
store_job_by_key(struct store *store, const char *actor, const char *key,
    struct arena *arena, struct job *out, bool *found, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		JOB_COLUMNS "output FROM jobs WHERE actor = ? AND "
			    "idempotency_key = ? AND created_at_ms >= ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, actor);
	store_bind_text(statement, 2, key);
	sqlite3_bind_int64(statement, 3, clock_wall_ms() - IDEMPOTENCY_MS);
	return take_job(store, statement, arena, out, found, err);
}

int
job_check_replay(
    const struct job *job, const char *fingerprint, struct error *err)
{
	if (job->fingerprint == NULL || fingerprint == NULL ||
	    strcmp(job->fingerprint, fingerprint) != 0)
		return error_set(err, ERR_UNPROCESSABLE,
		    "IDEMPOTENCY_KEY_REUSED",
		    "this Idempotency-Key was used for another request");
	if (job->status >= JOB_SUCCEEDED)
		return 0;
	error_set(err, ERR_CONFLICT, "IDEMPOTENCY_CONFLICT",
	    "the request with this Idempotency-Key is under way");
	snprintf(err->related, sizeof err->related, "%s", job->id);
	return -1;
}

int
store_job_active(struct store *store, const char *class_name,
    const char *subject, struct arena *arena, struct job *out, bool *found,
    struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		JOB_COLUMNS "output FROM jobs WHERE subject = ? AND "
			    "status IN ('pending', 'running') AND "
			    "kind GLOB ? || '.*' ORDER BY number LIMIT 1",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, subject);
	store_bind_text(statement, 2, class_name);
	return take_job(store, statement, arena, out, found, err);
}

static int
read_jobs(struct store *store, sqlite3_stmt *statement, struct arena *arena,
    struct job **out, size_t *out_count, struct error *err)
{
	return STORE_READ_ROWS(
	    store, statement, arena, read_job, out, out_count, err);
}

#define JOB_MATCHES                                                      \
	"FROM jobs WHERE (?1 IS NULL OR subject = ?1) AND "              \
	"(?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR status = ?3) AND " \
	"(?6 IS NULL OR kind GLOB ?6 || '.*') AND (?7 IS NULL OR actor = ?7) "

static void
bind_filter(sqlite3_stmt *statement, const struct job_filter *filter)
{
	store_bind_text(statement, 1, filter->subject);
	store_bind_text(statement, 2, filter->kind);
	store_bind_text(statement, 3, filter->status);
	store_bind_text(statement, 6, filter->class_name);
	store_bind_text(statement, 7, filter->actor);
}

int
store_job_list(struct store *store, const struct job_filter *filter,
    struct arena *arena, struct job **out, size_t *out_count, int64_t *total,
    struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(
		store, "SELECT count(*) " JOB_MATCHES, &statement, err) < 0)
		return -1;
	bind_filter(statement, filter);
	if (store_step(store, statement, &row, err) < 0)
		return -1;
	*total = row ? sqlite3_column_int64(statement, 0) : 0;
	store_finish(statement);
	if (store_prepare(store,
		JOB_COLUMNS "'' " JOB_MATCHES
			    "ORDER BY number DESC LIMIT ?4 OFFSET ?5",
		&statement, err) < 0)
		return -1;
	bind_filter(statement, filter);
	sqlite3_bind_int64(statement, 4, filter->limit);
	sqlite3_bind_int64(statement, 5, filter->offset);
	return read_jobs(store, statement, arena, out, out_count, err);
}

int
store_jobs_interrupt(struct store *store, struct arena *arena, struct job **out,
    size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;
	int failed;

	if (store_begin(store, err) < 0)
		return -1;
	failed =
	    store_prepare(store,
		JOB_COLUMNS "output FROM jobs WHERE status IN "
			    "('pending', 'running') ORDER BY number",
		&statement, err) < 0 ||
	    read_jobs(store, statement, arena, out, out_count, err) < 0 ||
	    store_prepare(store,
		"UPDATE jobs SET status = 'failed', "
		"error_kind = 'unavailable', error_code = 'JOB_INTERRUPTED', "
		"error_field = '', error_message = 'the service stopped while "
		"the job was under way', finished_at_ms = max(?, "
		"started_at_ms) WHERE status IN ('pending', 'running')",
		&statement, err) < 0;
	if (!failed) {
		sqlite3_bind_int64(statement, 1, clock_wall_ms());
		failed = store_run(store, statement, err) < 0;
	}
	if (failed) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

int
store_jobs_prune(struct store *store, int64_t before_ms, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"DELETE FROM jobs WHERE status IN ('succeeded', 'failed') "
		"AND finished_at_ms < ?",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, before_ms);
	return store_run(store, statement, err);
}
