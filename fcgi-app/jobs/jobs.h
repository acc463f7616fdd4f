/*
 * Changes: submitted to the agent as jobs and waited for. What handlers use
 * for everything that is not a read.
 *
 * One struct jobs per process, callable from any thread.
 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

#include "base/arena.h"
#include "base/error.h"
#include "jobs/protocol.h"
#include "store/jobs.h"
#include "json/json.h"

#include <stdint.h>

struct jobs;
struct store;

/*
 * run_directory is copied; nothing is connected yet. At most maximum_waiting
 * threads wait for jobs at a time; further ones get the job under way at
 * once, so that waiting clients never keep others from being answered.
 */
struct jobs *jobs_open(const char *run_directory, int maximum_waiting);
void jobs_close(struct jobs *jobs);

struct job_request {
	const char *kind; /* JOB_… */
	const char *subject;
	const char *actor;
	const char *request_id;
	/* NULL, or as in struct job. */
	const char *idempotency_key, *fingerprint, *answer;
	struct json_object *arguments;  /* borrowed; NULL: none */
	struct json_object *conditions; /* as in protocol.h; the same */
};

/*
 * Submits the job and waits at most wait_ms for its end; *out is then the
 * job as it is on record (read by store): finished, or still under way.
 *
 * ERR_CONFLICT DEPLOYMENT_BUSY and the like (related: the job in the way),
 * what job_check_replay() says,
 * ERR_UNAVAILABLE AGENT_UNAVAILABLE, ERR_UNAVAILABLE JOB_INTERRUPTED when the
 * agent ended meanwhile (related: the job).
 */
int jobs_run(struct jobs *jobs, struct store *store,
    const struct job_request *request, int64_t wait_ms, struct arena *arena,
    struct job *out, struct error *err);

/* Waits at most wait_ms for the end of a job under way. */
int jobs_wait(
    struct jobs *jobs, const char *id, int64_t wait_ms, struct error *err);

/* Ends a job under way, and waits at most wait_ms for that. */
int jobs_cancel(
    struct jobs *jobs, const char *id, int64_t wait_ms, struct error *err);

#endif
