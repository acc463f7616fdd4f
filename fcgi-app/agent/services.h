/*
 * Jobs on one service of a deployment: started, stopped, restarted, built
 * anew, its image pulled. The other services go on as they are.
 */
#ifndef AGENT_SERVICES_H
#define AGENT_SERVICES_H

#include "agent/executor.h"

extern const struct job_kind service_jobs[];

#endif
