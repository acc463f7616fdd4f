/*
 * Docker's answers as rows of the mirror: each function stores one answer in
 * a transaction of its own.
 */
#ifndef AGENT_MIRROR_ROWS_H
#define AGENT_MIRROR_ROWS_H

#include "base/arena.h"
#include "base/error.h"
#include "docker/docker.h"

#include <stddef.h>

struct store;

/* What the filter asked for and the answer does not have is deleted. */
int mirror_rows_containers(struct store *store,
    const struct docker_container_filter *filter,
    const struct docker_container *containers, size_t count,
    struct arena *arena, struct error *err);

/* What the answer does not have is deleted. */
int mirror_rows_images(struct store *store, const struct docker_image *images,
    size_t count, struct arena *arena, struct error *err);
int mirror_rows_volumes(struct store *store,
    const struct docker_volume *volumes, size_t count, struct arena *arena,
    struct error *err);
int mirror_rows_networks(struct store *store,
    const struct docker_network *networks, size_t count, struct arena *arena,
    struct error *err);

#endif
