/*
 * What a client wants to be true before its change: If-Match, If-None-Match,
 * and the plan it has seen (plan_id). Looked at by the job itself, when no
 * other change of the deployment runs and before anything is touched.
 */
#ifndef AGENT_CONDITIONS_H
#define AGENT_CONDITIONS_H

#include "agent/executor.h"

/*
 * The guard of executor_guard(): run->conditions is what the worker sent, as
 * jobs/protocol.h has it. ERR_PRECONDITION PRECONDITION_FAILED, with the
 * present "version" in the result; for a plan_id what plan_verify() says.
 */
int conditions_check(
    struct run *run, const struct job_kind *kind, struct error *err);

#endif
