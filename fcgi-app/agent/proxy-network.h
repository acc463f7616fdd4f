/*
 * The network that deployments share with their proxy: documents name it as an
 * external one, and cannot start without it.
 */
#ifndef AGENT_PROXY_NETWORK_H
#define AGENT_PROXY_NETWORK_H

#include "agent/executor.h"

/*
 * Makes it when the deployment's document wants it and it is not there. What
 * fails is logged: the start will say so, too.
 */
void proxy_network_ensure(struct run *run);

#endif
