/*
 * Templates: read from the installed catalogue and the sources of the
 * configuration, checked, put on record for everybody.
 */
#ifndef AGENT_TEMPLATES_H
#define AGENT_TEMPLATES_H

#include "agent/executor.h"

/* The rows for executor_new(). */
extern const struct job_kind template_jobs[];

/*
 * Reads what is on this machine, at the agent's start; archives stay as they
 * were fetched last. What cannot be read is logged and stays as it was.
 */
void templates_load(struct agent *agent, struct store *store);

#endif
