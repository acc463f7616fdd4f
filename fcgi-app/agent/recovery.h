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
 * and empties the staging area. Each file is complete in any case: it was
 * staged and renamed; those of an update that was under way are put back.
 */
int recovery_run(struct agent *agent, struct store *store, struct error *err);

/*
 * When jobs can run, and before the first client's: submits one for each of
 * those updates, which puts its containers back.
 */
void recovery_resume(struct agent *agent, struct store *store);

#endif
