/*
 * Keeps the mirror of the deployments' directories fresh: people edit them by
 * hand, so inotify(7) tells what changed, and a full look every
 * health.resync_interval what it missed. Where the system has no instance of
 * inotify left, they are looked at every three seconds instead.
 */
#ifndef AGENT_DIRECTORIES_H
#define AGENT_DIRECTORIES_H

#include "base/error.h"

struct agent;
struct directories;
struct store;

/* Starts a thread that looks at all directories and then watches. */
int directories_start(
    struct agent *agent, struct directories **out, struct error *err);
/* agent->stopping must be set. */
void directories_stop(struct directories *directories);

/* Reads one deployment's files and stores them, or that it is gone. Any
 * thread, with its own store. */
int directories_refresh(struct agent *agent, struct store *store,
    const char *name, struct error *err);

#endif
