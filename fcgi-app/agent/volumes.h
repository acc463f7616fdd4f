/*
 * What jobs do to volumes: create, remove, prune.
 *
 * A prune removes what no container has, running or not: anonymous volumes, or
 * with "all" every one. It leaves a named volume whose project is that of a
 * deployment we have: a site that is stopped has its data there.
 */
#ifndef AGENT_VOLUMES_H
#define AGENT_VOLUMES_H

#include "agent/executor.h"
#include "docker/docker.h"

extern const struct job_kind volume_jobs[];

/* Whether a name or label says that nobody gave the volume a name. */
bool volume_is_anonymous(const struct docker_volume *volume);

#endif
