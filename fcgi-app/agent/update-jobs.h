/*
 * Jobs that update a deployment and put an older revision of it back, in the
 * safe way of updates.h.
 */
#ifndef AGENT_UPDATE_JOBS_H
#define AGENT_UPDATE_JOBS_H

#include "agent/executor.h"

extern const struct job_kind update_jobs[];

#endif
