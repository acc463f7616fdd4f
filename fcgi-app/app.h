/*
 * What a flatrun-fcgi process has opened: handlers reach every subsystem
 * through it. Made by main.c before the threads start, read-only after but
 * for stopping; each member says for itself how threads share it.
 */
#ifndef APP_H
#define APP_H

#include "http/token.h"

#include <stdatomic.h>
#include <stdbool.h>

struct app {
	const struct settings *settings;
	struct token_key token_key;
	struct docker *docker;         /* by the agent's read-only gate */
	struct jobs *jobs;             /* the agent */
	struct compose *compose;       /* for checking; the agent writes */
	struct cache *cache;           /* rendered lists */
	struct stream_places *streams; /* NULL outside the stream pool */
	atomic_bool stopping;
};

#endif
