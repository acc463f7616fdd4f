/*
 * What jobs do to deployments: create, update, start, stop, restart, delete.
 *
 * Each body validates its arguments again (the workers that sent them parse
 * what the internet sends), changes files and containers, and refreshes the
 * mirror before it returns, so that a read after the change sees it. It runs
 * while no other job of the deployment does.
 */
#ifndef AGENT_DEPLOYMENTS_H
#define AGENT_DEPLOYMENTS_H

#include "agent/executor.h"

/* The rows for executor_new(). */
extern const struct job_kind deployment_jobs[];

#endif
