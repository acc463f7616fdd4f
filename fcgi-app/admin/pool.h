/*
 * The command line of a pool: spawn-fcgi binds the socket and gives up root,
 * multiwatch keeps the processes alive, flatrun-fcgi answers.
 */
#ifndef ADMIN_POOL_H
#define ADMIN_POOL_H

#include "base/arena.h"
#include "settings/settings.h"

#include <stdbool.h>

enum pool { POOL_WORKERS, POOL_STREAMS };

/* program: flatrun-fcgi; nginx_group: whose members may connect. */
const char *const *pool_command(const struct settings *settings, enum pool pool,
    const char *program, const char *nginx_group, struct arena *arena);

#endif
