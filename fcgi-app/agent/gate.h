/*
 * The workers' view of Docker: a Unix socket that answers a closed list of
 * reading Engine requests and nothing else. The Docker socket itself is root.
 *
 *   GET /_ping
 *   GET /vN.NN/containers/{id}/logs   stdout, stderr, timestamps, follow,
 *                                     tail, since, until
 *   GET /vN.NN/containers/{id}/json   reduced, see below
 *
 * One request a connection. Its head (8 KiB, 5 s) is parsed, and a new one is
 * written for the Engine from the parts that were checked; no header and no
 * byte after the head passes. Whatever is not on the list is answered 403 in
 * the form of Docker's own errors, {"message": …}, and closed. Only root and
 * the workers' user may connect.
 *
 * Lists and statistics are in the store: nobody has to ask Docker, whose list
 * has every container's command line. An inspected container has secrets: its
 * environment, its command line, the output of its health checks. Its answer is
 * therefore made anew from Id, Name, Config.Tty, of State: Status, Running and
 * ExitCode, and of HostConfig the limits of memory and cores and the restart
 * policy's name.
 *
 * Other answers are relayed as they come, 16 KiB at a time: a client that
 * does not take those within 30 s is closed, and when it goes away, so does
 * the Engine's connection. Connections over the maximum get 503.
 */
#ifndef AGENT_GATE_H
#define AGENT_GATE_H

#include "base/error.h"

#include <sys/types.h>

struct gate;

/*
 * Listens on socket_path (mode 0660, group worker_gid; a socket that is there
 * is replaced) and serves it in a thread of its own. docker_socket is the
 * path of the Engine's socket, which need not be there yet. Each of the at most
 * maximum connections takes two descriptors. The caller ends
 * *out with gate_stop(), which also removes the socket; NULL is accepted.
 */
int gate_start(const char *socket_path, const char *docker_socket,
    size_t maximum, uid_t worker_uid, gid_t worker_gid, struct gate **out,
    struct error *err);
void gate_stop(struct gate *gate);

#endif
