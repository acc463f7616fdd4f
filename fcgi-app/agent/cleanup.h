/* Which images are of no use any more, and what their removal frees. */
#ifndef AGENT_CLEANUP_H
#define AGENT_CLEANUP_H

#include "agent/executor.h"

#include <stdbool.h>

/*
 * As images.h says. The run's result is {"removed": [{"id", "tags", "size"}],
 * "count", "freed_bytes", "dry_run"}, also when it was cancelled half-way.
 */
int cleanup_images(struct run *run, bool all, bool dry_run, struct error *err);

#endif
