/*
 * What jobs do to a deployment's files: write, delete, make directories, set
 * permissions, put what an archive has in their place.
 *
 * Everything happens beneath the deployment's directory handle without
 * following links. A new text of the Compose file, service.yml or .env.flatrun
 * goes the way of an update (agent/updates.h), with its checks and a revision;
 * otherwise nobody takes these away: ERR_FORBIDDEN MANAGED_FILE.
 */
#ifndef AGENT_FILE_JOBS_H
#define AGENT_FILE_JOBS_H

#include "agent/executor.h"

/* The rows for executor_new(). */
extern const struct job_kind file_jobs[];

#endif
