/*
 * Runs jobs: on record before they start, of different subjects in parallel,
 * of one subject and class ("deployment") one at a time: a second is refused
 * while the first is under way.
 *
 * Lanes keep what takes minutes from delaying what takes a moment. Their
 * threads come when there is work and go when there is none.
 */
#ifndef AGENT_EXECUTOR_H
#define AGENT_EXECUTOR_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "json/json.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct agent;
struct executor;
struct plan;
struct store;

#define JOB_OUTPUT_MAXIMUM (256 * 1024)

/* One running job, as its body sees it; one thread. */
struct run {
	struct agent *agent;
	struct store *store; /* of this thread */
	struct arena arena;
	const char *id, *subject, *actor, *request_id;
	struct json_object *arguments;
	struct json_object *conditions; /* of the client, or NULL */
	struct plan *plan;          /* not NULL: nothing may change (plan.h) */
	struct json_object *result; /* to fill; owned by the run */
	int64_t progress_at_ms;     /* when progress was last put on record */
	struct buffer output;       /* of programs; overflow drops */
	int64_t stored_at_ms;       /* when output was last put on record */
	size_t stored_length;
	const atomic_bool *cancel; /* the job is to end, and soon */
};

/* What a kind of job does; *err says why it failed. */
typedef int job_body(struct run *run, struct error *err);

enum job_lane {
	LANE_PROGRAMS, /* Compose: jobs.parallel at once */
	LANE_PULLS,    /* images: as many again, for they may take an hour */
	LANE_ENGINE,   /* some calls of the Engine: 16 at once */
	LANE_EXEC,     /* programs in containers: 16 at once */
	LANE_COUNT,
};

struct job_kind {
	const char *name; /* JOB_…: "class.verb" */
	bool (*subject_is_valid)(const char *subject);
	job_body *body;
	enum job_lane lane;
	bool shared;    /* of one subject, several may run at once */
	bool plannable; /* the body changes nothing when run->plan is set */
};

/*
 * Each table ends with an empty row, the list of them with NULL. on_finished is
 * called in a job's thread.
 */
struct executor *executor_new(struct agent *agent,
    const struct job_kind *const *tables,
    void (*on_finished)(void *context, const char *job_id), void *context);
/*
 * The guard is asked before each body, in the job's thread and turn; with -1
 * the body is not begun. To be set before the first job comes.
 */
typedef int job_guard(
    struct run *run, const struct job_kind *kind, struct error *err);
void executor_guard(struct executor *executor, job_guard *guard);
/*
 * Refuses new jobs and begins none of those that wait; true when the running
 * ones have ended, or had 30 s for it. To be asked again and again.
 */
bool executor_drain(struct executor *executor);
/* Drains, then cancels what still runs, waits for the threads and frees all. */
void executor_stop(struct executor *executor);

struct submission {
	const char *kind, *subject, *actor, *request_id;
	/* NULL, or as in struct job. */
	const char *idempotency_key, *fingerprint, *answer;
	struct json_object *arguments;  /* shared, not taken */
	struct json_object *conditions; /* the same; NULL: none */
};

/*
 * Puts the job on record and queues it. ERR_INVALID for an unknown kind or a
 * subject out of grammar; ERR_CONFLICT DEPLOYMENT_BUSY (CONTAINER_BUSY, …) with
 * the id of the job in the way. store is the caller's.
 *
 * A submission whose key is on record is not queued again: *out_id is the job
 * that it was then, if that has ended; else ERR_CONFLICT IDEMPOTENCY_CONFLICT.
 * ERR_UNPROCESSABLE IDEMPOTENCY_KEY_REUSED: that was another request.
 */
int executor_submit(struct executor *executor, struct store *store,
    const struct submission *submission, struct arena *arena,
    const char **out_id, struct error *err);

/*
 * Ends a job: one that waits at once, one that runs as soon as its body looks;
 * both are then on record as failed, JOB_CANCELLED. false: it is not here.
 */
bool executor_cancel(
    struct executor *executor, struct store *store, const char *job_id);

/* NULL: there is no such kind. */
const struct job_kind *executor_find_kind(
    const struct executor *executor, const char *name);

/* Whether the job is queued or running here. */
bool executor_has(struct executor *executor, const char *job_id);

/* Decodes the job's arguments, once more, by a field table. */
struct field;
int run_decode(
    struct run *run, const struct field *fields, void *out, struct error *err);

/* Puts the output so far on record, at most once a second. */
void run_store_output(struct run *run);

/*
 * Puts progress (taken over) on record, at most twice a second unless it is
 * the last.
 */
void run_progress(struct run *run, struct json_object *progress, bool last);
/* Whether it would: for whom making it costs something. */
bool run_progress_is_due(const struct run *run);

#endif
