/*
 * Keeps the mirror of Docker's containers fresh: follows the Engine's events,
 * asks again for what they name, and for everything on start, on reconnect
 * and every health.resync_interval. Knows whether Docker answers.
 */
#ifndef AGENT_MIRROR_H
#define AGENT_MIRROR_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct mirror;
struct store;

/* Starts two threads; agent is borrowed. */
int mirror_start(struct agent *agent, struct mirror **out, struct error *err);
/* Ends them; agent->stopping must be set. */
void mirror_stop(struct mirror *mirror);

bool mirror_docker_is_up(const struct mirror *mirror);
/* Grows whenever Docker goes or comes back. */
int64_t mirror_docker_generation(const struct mirror *mirror);

/*
 * Asks Docker for the containers of the project and stores them before it
 * returns: a read after this sees them. Any thread, with its own store.
 */
int mirror_refresh_project(struct mirror *mirror, struct store *store,
    const char *project, struct error *err);

#endif
