/*
 * New deployments out of what is there already: an archive, or another
 * deployment. They are made in the staging area, checked there as any other,
 * and appear as a whole or not at all.
 */
#ifndef AGENT_IMPORTS_H
#define AGENT_IMPORTS_H

#include "agent/executor.h"

/* The rows for executor_new(). */
extern const struct job_kind import_jobs[];

#endif
