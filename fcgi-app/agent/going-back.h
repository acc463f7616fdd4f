/*
 * Puts a revision of a deployment back, in place of one that did not get
 * healthy or of one that an agent which was killed left half-way.
 */
#ifndef AGENT_GOING_BACK_H
#define AGENT_GOING_BACK_H

#include "agent/executor.h"
#include "docker/docker.h"
#include "store/revisions.h"
#include "store/updates.h"

struct compose;
struct store;

/*
 * The files alone, at once, and the record of the update says so. filename is
 * what the Compose file is called now.
 */
int going_back_files(struct compose *compose, struct store *store,
    const struct revision *revision, const char *filename, struct error *err);

struct going_back {
	const struct revision *revision; /* its files are on the disk */
	/* Whose containers may be there besides the revision's own project. */
	const char *project;
	enum update_before before;
	/* What ran before and need not settle again; none: all has to. */
	const struct docker_container *containers;
	size_t count;
	int64_t settle_ms, timeout_ms;
};

/*
 * Images and containers, then waits until it is healthy. A deployment that
 * was stopped or had no containers is that again. *cause says why not.
 */
int going_back_containers(struct run *run, const struct going_back *back,
    struct json_object **cause, struct error *err);

/* The job that ends what an agent before this one began; *found: there was
 * something. */
int going_back_resume(struct run *run, bool *found, struct error *err);

#endif
