/*
 * The health of deployments: asks what runs whether it serves, as its
 * service.yml says, and keeps the answers in the store.
 *
 * Which deployments run, and where, is what the mirror says. One failed check
 * makes nobody unhealthy: three in a row do, asked for sooner. What has just
 * been started is given a minute.
 */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include "base/error.h"

struct agent;
struct health;

int health_start(struct agent *agent, struct health **out, struct error *err);
/* After agent->stopping: ends the thread and frees all. */
void health_stop(struct health *health);

#endif
