/*
 * What a flatrun-fcgi process has opened: handlers reach every subsystem
 * through it. Made by main.c before the threads start, read-only after;
 * each member says for itself how threads share it.
 */
#ifndef APP_H
#define APP_H

#include "http/token.h"

struct app {
	const struct settings *settings;
	struct token_key token_key;
	struct docker *docker; /* by the agent's read-only gate */
	struct jobs *jobs;     /* the agent */
	struct cache *cache;   /* rendered lists */
	struct stream_places *streams; /* NULL outside the stream pool */
};

#endif
