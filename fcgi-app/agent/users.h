/*
 * Which containers have a volume or a network, as the Engine says: for jobs
 * that were refused because of them.
 */
#ifndef AGENT_USERS_H
#define AGENT_USERS_H

#include "agent/executor.h"
#include "docker/docker.h"

#include <stdbool.h>

/* Running or not. */
bool volume_has_user(
    const struct docker_container *container, const char *volume);
/* Running: the others have an address there only when they start. */
bool network_has_user(
    const struct docker_container *container, const char *network_id);

/*
 * What "in use" is for clients: ERR_CONFLICT IN_USE, and the names in the job's
 * result as "used_by". Returns -1. An error of another kind stays as it is.
 */
int users_explain(struct run *run, const char *what, const char *of,
    bool (*has_user)(const struct docker_container *container, const char *of),
    struct error *err);

#endif
