/*
 * What jobs do to networks: create, remove, connect a container, disconnect
 * one. Docker's own are not removed, and nothing is connected to host or none.
 */
#ifndef AGENT_NETWORKS_H
#define AGENT_NETWORKS_H

#include "agent/executor.h"

extern const struct job_kind network_jobs[];

#endif
