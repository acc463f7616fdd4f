/* Jobs that change which kinds of registries there are on record. */
#ifndef AGENT_REGISTRIES_H
#define AGENT_REGISTRIES_H

#include "agent/executor.h"

extern const struct job_kind registry_jobs[];

#endif
