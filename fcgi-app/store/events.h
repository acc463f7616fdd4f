/*
 * What changed, in order: state changes of deployments, containers and jobs.
 *
 * The schema's triggers write the rows within the change's own transaction.
 * The agent forgets the oldest; numbers are never used again, so that a
 * reader knows whether it missed any.
 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct store;

#define EVENTS_KEPT 10000

struct event {
	int64_t number;
	int64_t at_ms;          /* Unix milliseconds */
	const char *type;       /* deployment, container, job */
	const char *id;         /* of a container (64 hex) or job, or "" */
	const char *name;       /* of the object; the subject of a job */
	const char *status;     /* a container's state, or "removed" */
	const char *health;     /* of a deployment or container, or "" */
	const char *deployment; /* a container's project, or "" */
	const char *kind;       /* of a job, or "" */
	const char *error_code; /* of a failed job, or "" */
};

/* Those after the given number, the oldest first, at most limit. */
int store_event_list(struct store *store, int64_t after, size_t limit,
    struct arena *arena, struct event **out, size_t *out_count,
    struct error *err);

/* What is on record now: the oldest and the newest number; 0 and 0: none. */
int store_event_range(struct store *store, int64_t *out_oldest,
    int64_t *out_newest, struct error *err);

/* Keeps the newest EVENTS_KEPT. */
int store_events_prune(struct store *store, struct error *err);

#endif
