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
/* 20 lower-case hexadecimal digits. */
bool job_id_is_valid(const char *id);

enum job_status { JOB_PENDING, JOB_RUNNING, JOB_SUCCEEDED, JOB_FAILED };
const char *job_status_name(enum job_status status);
int job_status_parse(const char *name, enum job_status *out);

struct job {
	const char *id;
	const char *kind;    /* "deployment.start" */
	const char *subject; /* name of the deployment */
	enum job_status status;
	const char *actor; /* "key:0123456789ab", "config:…" */
	const char *request_id;
	const char *output; /* of the programs it ran, bounded; "" */
	const char *result; /* JSON object, or NULL */
	bool failed;        /* error is filled */
	struct error error;
	int64_t created_at_ms, started_at_ms, finished_at_ms; /* 0: not yet */
};

/* Writes a pending job; id, made here, is in the arena. */
int store_job_insert(struct store *store, struct job *job, struct arena *arena,
    struct error *err);
int store_job_start(struct store *store, const char *id, struct error *err);
int store_job_output(
    struct store *store, const char *id, const char *output, struct error *err);
/* failure NULL: succeeded. result may be NULL. Of an internal failure clients
 * are told no more than that; the log has the rest. */
int store_job_finish(struct store *store, const char *id, const char *output,
    const char *result, const struct error *failure, struct error *err);

/* ERR_NOT_FOUND JOB_NOT_FOUND. */
int store_job_get(struct store *store, const char *id, struct arena *arena,
    struct job *out, struct error *err);
/* The pending or running job of the subject; *found tells. */
int store_job_active(struct store *store, const char *subject,
    struct arena *arena, struct job *out, bool *found, struct error *err);

struct job_filter {
	const char *subject; /* NULL: any */
	const char *kind;    /* NULL: any */
	const char *status;  /* NULL: any */
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
