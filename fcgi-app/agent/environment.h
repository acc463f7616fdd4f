/*
 * Jobs that change .env.flatrun and service.yml: as updates of the deployment
 * (agent/updates.h), which put them on record and may bring them up.
 *
 * A variable whose value is the mask of a secret keeps the one it has: clients
 * send back what they were shown.
 */
#ifndef AGENT_ENVIRONMENT_H
#define AGENT_ENVIRONMENT_H

#include "agent/executor.h"

/* The rows for executor_new(). */
extern const struct job_kind environment_jobs[];

#endif
