/*
 * What Compose is given so that it can log in at registries: a directory of
 * root's alone (0700) below the run directory, with a config.json (0600) as
 * the Docker client has it. It is there while Compose runs.
 *
 * It holds what /root/.docker/config.json says, and for each registry with a
 * stored credential that one in place of what root has.
 */
#ifndef AGENT_LOGINS_H
#define AGENT_LOGINS_H

#include "agent/executor.h"

struct docker_login;
struct settings;

/* Puts a login into what a config.json has, in place of any for its host. */
void logins_put(struct json_object *config, const struct docker_login *login);

/* Removes what an agent that was killed left. */
int logins_tidy(const struct settings *settings, struct error *err);

/*
 * The path of the directory, in the arena, to be ended with logins_remove();
 * NULL when no credential is stored: root's own configuration will do.
 */
int logins_write(struct run *run, const char **out, struct error *err);
void logins_remove(struct run *run);

#endif
