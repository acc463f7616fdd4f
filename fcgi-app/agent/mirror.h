/*
 * Keeps the mirror of Docker's containers, images, volumes and networks
 * fresh: follows the Engine's events, asks again for what they name, and for
 * everything on start, on reconnect and every health.resync_interval. Knows
 * whether Docker answers.
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

/* It answers, and the mirror has all it told since it came back. */
bool mirror_docker_is_up(const struct mirror *mirror);
/* Grows whenever Docker goes or comes back. */
int64_t mirror_docker_generation(const struct mirror *mirror);

/*
 * Ask Docker and store its answer before they return: a read after this sees
 * it. Any thread, with its own store; of each kind one asks at a time, so
 * that no older answer is stored over a newer one.
 *
 * Who uses an image, a volume or a network is what the containers tell: after
 * a change of containers only these have to be refreshed.
 */
int mirror_refresh_project(struct mirror *mirror, struct store *store,
    const char *project, struct error *err);
/* id: 64 hex. One that Docker does not have any more is deleted. */
int mirror_refresh_container(struct mirror *mirror, struct store *store,
    const char *id, struct error *err);
int mirror_refresh_images(
    struct mirror *mirror, struct store *store, struct error *err);
int mirror_refresh_volumes(
    struct mirror *mirror, struct store *store, struct error *err);
int mirror_refresh_networks(
    struct mirror *mirror, struct store *store, struct error *err);

#endif
