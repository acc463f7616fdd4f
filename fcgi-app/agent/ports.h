/*
 * Ports of the host that a document wants and somebody else has: containers
 * of other projects, as the Engine lists them, and programs of this host,
 * found by trying to bind.
 */
#ifndef AGENT_PORTS_H
#define AGENT_PORTS_H

#include "base/arena.h"
#include "base/error.h"
#include "compose/document.h"

#include <stddef.h>

struct agent;

struct port_collision {
	struct compose_host_port wanted;
	const char *container; /* that has it; NULL: a program of the host */
	const char *project;   /* of the container, or "" */
};

/*
 * All collisions of the document as the project; what the project's own
 * containers have is theirs to keep. In the arena.
 */
int ports_find_taken(struct agent *agent, const struct document *document,
    const char *project, struct arena *arena, struct port_collision **out,
    size_t *out_count, struct error *err);

/* ERR_CONFLICT PORT_IN_USE about the first of them. */
int ports_check(struct agent *agent, const struct document *document,
    const char *project, struct error *err);

#endif
