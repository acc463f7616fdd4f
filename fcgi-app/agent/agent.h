/*
 * flatrun-agent: the one process that changes anything. What its parts share.
 *
 * main.c opens it all, starts the threads and serves the socket; each thread
 * that needs the store has a connection of its own.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/seal.h"
#include "base/error.h"
#include "compose/compose.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct agent {
	const struct settings *settings;
	struct compose_policy policy;
	struct compose *compose;
	struct compose_program program; /* path "": none was found yet */
	struct docker *docker;
	struct credentials *credentials;
	struct mirror *mirror;
	struct executor *executor;
	struct server *server; /* open before any thread starts */
	struct seal_key seal_key;
	const char *mark; /* in every child's environment */
	uid_t worker_uid;
	gid_t worker_gid;
	atomic_bool stopping;
	atomic_bool state_lost; /* the database went away or is damaged */
};

/* Finds the Compose program unless that was done; any thread. */
int agent_compose_program(
    struct agent *agent, struct compose_program *out, struct error *err);

#endif
