/*
 * Puts right what an agent that did not end by itself left behind.
 */
#ifndef AGENT_RECOVERY_H
#define AGENT_RECOVERY_H

#include "base/error.h"

struct agent;
struct store;

/*
 * Before anything else runs: kills children of the agent that was (found by
 * the mark in their environment), marks its jobs as failed, JOB_INTERRUPTED,
 * and empties the staging area. Files are complete in any case: they are
 * staged and renamed.
 */
int recovery_run(struct agent *agent, struct store *store, struct error *err);

#endif
