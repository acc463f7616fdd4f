/*
 * Changes of a deployment's files, and what runs after them.
 */
#ifndef AGENT_UPDATES_H
#define AGENT_UPDATES_H

#include "agent/executor.h"

extern const struct job_kind update_jobs[];

#endif
