/*
 * Jobs as JSON, as the API shows them.
 */
#ifndef JOBS_RENDER_H
#define JOBS_RENDER_H

#include "base/arena.h"
#include "store/jobs.h"
#include "json/json.h"

/* "start" for "deployment.start". */
const char *job_action(const struct job *job);

/*
 * {id, job_id, kind, deployment, action, status, output, lines, error,
 * error_code, result, actor, request_id, created_at, started_at, finished_at};
 * without output and lines when with_output is false. The caller owns it.
 */
struct json_object *job_render(
    const struct job *job, bool with_output, struct arena *arena);

#endif
