/*
 * Jobs on record: one row for every change, written before it starts. The
 * agent writes, workers read.
 */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define JOB_ID_LENGTH 20
#define IDEMPOTENCY_MS (INT64_C(24) * 3600 * 1000)
/* 20 lower-case hexadecimal digits. */
bool job_id_is_valid(const char *id);

enum job_status { JOB_PENDING, JOB_RUNNING, JOB_SUCCEEDED, JOB_FAILED };
const char *job_status_name(enum job_status status);
int job_status_parse(const char *name, enum job_status *out);

struct job {
	const char *id;
	const char *kind;    /* "deployment.start": class and verb */
	const char *subject; /* name or id of the object of that class */
	enum job_status status;
	const char *actor; /* "key:0123456789ab", "config:…" */
	const char *request_id;
	const char *output;   /* of the programs it ran, bounded; "" */
	const char *result;   /* JSON object, or NULL */
	const char *progress; /* JSON object, or NULL */
	/*
	 * For a request with an Idempotency-Key, else NULL: the key, a MAC of
	 * the request, and how to render the answer (JSON, the handlers' own).
	 */
	const char *idempotency_key, *fingerprint, *answer;
	bool failed; /* error is filled */
	struct error error;
	int64_t created_at_ms, started_at_ms, finished_at_ms; /* 0: not yet */
};

/*
 * Writes a pending job; id, made here, is in the arena. A key that an older
 * job than IDEMPOTENCY_MS has is taken from it.
 */
int store_job_insert(struct store *store, struct job *job, struct arena *arena,
    struct error *err);
int store_job_start(struct store *store, const char *id, struct error *err);
int store_job_output(
    struct store *store, const char *id, const char *output, struct error *err);
int store_job_progress(struct store *store, const char *id,
    const char *progress, struct error *err);
/* failure NULL: succeeded. result may be NULL. Of an internal failure clients
 * are told no more than that; the log has the rest. */
int store_job_finish(struct store *store, const char *id, const char *output,
    const char *result, const struct error *failure, struct error *err);

/* ERR_NOT_FOUND JOB_NOT_FOUND. */
int store_job_get(struct store *store, const char *id, struct arena *arena,
    struct job *out, struct error *err);
/*
 * The job, at most IDEMPOTENCY_MS old, of the actor's request with this key;
 * *found tells. What the job's fingerprint must be is the caller's.
 */
int store_job_by_key(struct store *store, const char *actor, const char *key,
    struct arena *arena, struct job *out, bool *found, struct error *err);
/*
 * Whether the job, found by its key, can be the answer to a request: else
 * ERR_UNPROCESSABLE IDEMPOTENCY_KEY_REUSED for one with another fingerprint,
 * ERR_CONFLICT IDEMPOTENCY_CONFLICT while the job is under way.
 */
int job_check_replay(
    const struct job *job, const char *fingerprint, struct error *err);
/*
 * The pending or running job of the subject, of the class ("deployment");
 * *found tells.
 */
int store_job_active(struct store *store, const char *class_name,
    const char *subject, struct arena *arena, struct job *out, bool *found,
    struct error *err);

struct job_filter {
	const char *class_name; /* "deployment"; NULL: any */
	const char *subject;    /* NULL: any */
	const char *kind;       /* NULL: any */
	const char *status;     /* NULL: any */
	const char *actor;      /* NULL: any */
	int64_t limit, offset;
};
/* The newest first, without output. *total: all that match. */
int store_job_list(struct store *store, const struct job_filter *filter,
    struct arena *arena, struct job **out, size_t *out_count, int64_t *total,
    struct error *err);

/*
 * For the agent's start: jobs that were pending or running become failed,
 * JOB_INTERRUPTED; they are returned as they were.
 */
int store_jobs_interrupt(struct store *store, struct arena *arena,
    struct job **out, size_t *out_count, struct error *err);
/* Forgets finished jobs that ended before. */
int store_jobs_prune(struct store *store, int64_t before_ms, struct error *err);

#endif
