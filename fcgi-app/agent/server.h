/*
 * The agent's socket: takes job requests from workers, tells them when their
 * job is done. One poll loop; see jobs/protocol.h for the frames.
 */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct server;
struct store;

/* Listens on RUN/agent/agent.sock (0660, group of the workers). */
int server_open(struct agent *agent, struct server **out, struct error *err);
void server_close(struct server *server);

/*
 * Serves until agent->stopping; calls on_tick about twice a second, and when a
 * job has ended or server_wake() was called. store is this thread's.
 */
void server_run(struct server *server, struct store *store,
    void (*on_tick)(void *context), void *context);

/* Tells whoever waits for the job; any thread. */
void server_job_finished(void *server, const char *job_id);
/* Ends the wait of server_run(); from any thread or a signal handler. */
void server_wake(struct server *server);

#endif
