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

struct error;
struct reply;
struct request;

struct app {
	const struct settings *settings;
	struct token_key token_key;
	struct docker *docker;         /* by the agent's read-only gate */
	struct jobs *jobs;             /* the agent */
	struct compose *compose;       /* for checking; the agent writes */
	struct cache *cache;           /* rendered lists */
	struct stream_places *streams; /* NULL outside the stream pool */
	struct store_watch *watch;     /* of the database, for streams */
	struct lookout *lookout;       /* for streams; else NULL */
	/*
	 * Asked before the handler of a POST with an Idempotency-Key. It has
	 * answered if reply->status is set. NULL: nobody is asked.
	 */
	int (*replay)(
	    struct request *request, struct reply *reply, struct error *err);
	atomic_bool stopping;
};

#endif
