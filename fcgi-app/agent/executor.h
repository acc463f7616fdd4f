/*
 * Runs jobs: on record before they start, of different subjects in parallel,
 * of one subject one at a time (a second is refused while the first is under
 * way). A fixed number of threads, jobs.parallel.
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
struct store;

#define JOB_OUTPUT_MAXIMUM (256 * 1024)

/* One running job, as its body sees it; one thread. */
struct run {
	struct agent *agent;
	struct store *store; /* of this thread */
	struct arena arena;
	const char *id, *subject, *actor, *request_id;
	struct json_object *arguments;
	struct json_object *result; /* to fill; owned by the run */
	struct buffer output;       /* of programs; overflow drops */
	int64_t stored_at_ms;       /* when output was last put on record */
	size_t stored_length;
	const atomic_bool *cancel;
};

/* What a kind of job does; *err says why it failed. */
typedef int job_body(struct run *run, struct error *err);

struct job_kind {
	const char *name;
	bool (*subject_is_valid)(const char *subject);
	job_body *body;
};

/* kinds ends with an empty row. on_finished is called in a job's thread. */
int executor_start(struct agent *agent, const struct job_kind *kinds,
    void (*on_finished)(void *context, const char *job_id), void *context,
    struct executor **out, struct error *err);
/*
 * Refuses new jobs and begins none of those that wait; true when the running
 * ones have ended, or had 30 s for it. To be asked again and again.
 */
bool executor_drain(struct executor *executor);
/* Drains, then cancels what still runs, and waits for the threads. */
void executor_stop(struct executor *executor);

/*
 * Puts the job on record and queues it. ERR_INVALID for an unknown kind or a
 * subject out of grammar; ERR_CONFLICT DEPLOYMENT_BUSY with the id of the job
 * in the way. arguments is shared, not taken. store is the caller's.
 */
int executor_submit(struct executor *executor, struct store *store,
    const char *kind, const char *subject, const char *actor,
    const char *request_id, struct json_object *arguments, struct arena *arena,
    const char **out_id, struct error *err);

/* Whether the job is queued or running here. */
bool executor_has(struct executor *executor, const char *job_id);

/* Puts the output so far on record, at most once a second. */
void run_store_output(struct run *run);

#endif
