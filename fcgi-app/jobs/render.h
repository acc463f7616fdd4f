/*
 * Jobs as JSON, as the API shows them.
 */
#ifndef JOBS_RENDER_H
#define JOBS_RENDER_H

#include "base/arena.h"
#include "store/jobs.h"
#include "store/keys.h"
#include "json/json.h"

/* "start" for "deployment.start" and for "deployment.service_start". */
const char *job_action(const struct job *job);

/* Whether its kind is "deployment.…" for "deployment". */
bool job_is_of(const struct job *job, const char *class_name);

/*
 * Takes the output of a program that somebody ran in a container away, unless
 * the role may run one: it may be a whole database.
 */
void job_withhold(struct job *job, enum role role);

/*
 * {id, job_id, kind, subject, deployment and service (of a job on one), action,
 * status, output, lines, error, error_code, progress, result, actor,
 * request_id, created_at, started_at, finished_at}; without output and lines
 * when with_output is false. The caller owns it.
 */
struct json_object *job_render(
    const struct job *job, bool with_output, struct arena *arena);

#endif
