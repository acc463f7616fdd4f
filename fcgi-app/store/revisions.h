/*
 * Revisions: the files of a deployment as they were before a change.
 */
#ifndef STORE_REVISIONS_H
#define STORE_REVISIONS_H

#include "base/error.h"

#include <stdint.h>

struct store;

/* The newest this many are kept per deployment. */
#define REVISIONS_KEPT 50

struct revision {
	const char *deployment;
	const char *filename;
	const char *compose;
	const char *metadata;    /* or NULL */
	const char *environment; /* or NULL */
	const char *actor;
	const char *job_id;
};

/* Numbers count from 1 for each deployment. */
int store_revision_add(struct store *store, const struct revision *revision,
    int64_t *out_number, struct error *err);

/* Forgets all of a deployment that was deleted. */
int store_revisions_forget(
    struct store *store, const char *deployment, struct error *err);

#endif
