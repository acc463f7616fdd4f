/* Which images are of no use any more, and what their removal frees. */
#ifndef AGENT_CLEANUP_H
#define AGENT_CLEANUP_H

#include "agent/executor.h"

#include <stdbool.h>

struct image_cleanup {
	bool all;     /* as images.h says */
	bool dry_run; /* only tells what would go */
	/* Images that have or had one of these names, such as
	 * "docker.io/library/nginx", and no others; NULL-ended; NULL: all. */
	const char *const *repositories;
};

/*
 * As images.h says. out gets "removed": [{"id", "tags", "size"}], "count",
 * "kept" (of those that were looked at), "freed_bytes" and "dry_run", also
 * when it was cancelled half-way.
 */
int cleanup_images(struct run *run, const struct image_cleanup *cleanup,
    struct json_object *out, struct error *err);

#endif
