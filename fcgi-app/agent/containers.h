/*
 * What jobs do to containers: start, stop, restart, remove, change limits.
 *
 * A container that is so already is success. Each body validates its arguments
 * again and refreshes the mirror before it returns, also when it failed.
 */
#ifndef AGENT_CONTAINERS_H
#define AGENT_CONTAINERS_H

#include "agent/executor.h"

extern const struct job_kind container_jobs[];

#endif
