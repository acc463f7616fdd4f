/*
 * Jobs that change one place of a deployment's Compose file and leave the
 * rest of its text as it is (compose/edit.h); what follows is an update like
 * any other (agent/updates.h).
 */
#ifndef AGENT_EDITS_H
#define AGENT_EDITS_H

#include "agent/executor.h"

extern const struct job_kind edit_jobs[];

#endif
