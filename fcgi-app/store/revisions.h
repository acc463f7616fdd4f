/*
 * Revisions: the states that a deployment's files had, with the images that
 * ran and what became of each. The agent writes, workers read.
 */
#ifndef STORE_REVISIONS_H
#define STORE_REVISIONS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/*
 * The newest this many are kept per deployment, and besides them the current
 * one, the newest that was applied and those of an update under way.
 */
#define REVISIONS_KEPT 50

enum revision_state {
	REVISION_SAVED,   /* on the disk, or meant for it */
	REVISION_APPLIED, /* it was brought up and healthy */
	REVISION_FAILED,  /* it was not, or something kept it from that */
};
const char *revision_state_name(enum revision_state state);

struct revision {
	const char *deployment;
	int64_t number; /* from 1 for each deployment */
	enum revision_state state;
	const char *filename;
	const char *compose;
	const char *metadata;    /* or NULL */
	const char *environment; /* or NULL; secret */
	/* JSON array of {service, image, image_id, digests}, or NULL. */
	const char *images;
	const char *actor;
	const char *reason; /* "" for none */
	const char *job_id;
	int64_t restores;                     /* 0: none */
	int64_t created_at_ms, applied_at_ms; /* 0: never */
	bool is_current;                      /* its files are on the disk */
};

/*
 * Adds it under the next number, which is put into it, created now. Within the
 * caller's transaction, as all that change below.
 */
int store_revision_add(
    struct store *store, struct revision *revision, struct error *err);

/* images NULL: as they are. applied_at is now when it becomes applied. */
int store_revision_judge(struct store *store, const char *deployment,
    int64_t number, enum revision_state state, const char *images,
    struct error *err);

/* Its files are on the disk, and of no other of the deployment. */
int store_revision_make_current(struct store *store, const char *deployment,
    int64_t number, struct error *err);

/* Forgets all of a deployment that was deleted, an update under way too; needs
 * no transaction. */
int store_revisions_forget(
    struct store *store, const char *deployment, struct error *err);

/* With its texts. ERR_NOT_FOUND REVISION_NOT_FOUND. */
int store_revision_get(struct store *store, const char *deployment,
    int64_t number, struct arena *arena, struct revision *out,
    struct error *err);
/* The current one; *found tells. */
int store_revision_current(struct store *store, const char *deployment,
    struct arena *arena, struct revision *out, bool *found, struct error *err);
/* The newest before the number; *found tells. */
int store_revision_before(struct store *store, const char *deployment,
    int64_t number, struct arena *arena, struct revision *out, bool *found,
    struct error *err);

/* Without texts, the newest first. *total: all there are. */
int store_revision_list(struct store *store, const char *deployment,
    int64_t limit, int64_t offset, struct arena *arena, struct revision **out,
    size_t *out_count, int64_t *total, struct error *err);

/*
 * Current ones that were started and are not known to be healthy; of
 * deployments that nothing changes at the moment. Without texts.
 */
int store_revision_unjudged(struct store *store, struct arena *arena,
    struct revision **out, size_t *out_count, struct error *err);

/*
 * The images, JSON as above, of each deployment's newest applied revisions, as
 * many as there may be.
 */
int store_revision_images(struct store *store, int64_t each,
    struct arena *arena, const char ***out, size_t *out_count,
    struct error *err);

#endif
