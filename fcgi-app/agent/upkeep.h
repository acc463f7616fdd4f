/*
 * What has to be done now and then: checkpoints of the store every minute,
 * and every hour forgetting old jobs and emptying old trash.
 */
#ifndef AGENT_UPKEEP_H
#define AGENT_UPKEEP_H

#include "base/error.h"

struct agent;
struct upkeep;

int upkeep_start(struct agent *agent, struct upkeep **out, struct error *err);
/* agent->stopping must be set. */
void upkeep_stop(struct upkeep *upkeep);

#endif
