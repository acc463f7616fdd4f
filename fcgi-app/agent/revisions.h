/*
 * What is on the disk as a revision, and what a plain start makes of it.
 */
#ifndef AGENT_REVISIONS_H
#define AGENT_REVISIONS_H

#include "agent/executor.h"
#include "compose/compose.h"
#include "store/revisions.h"

struct deployment;
struct store;

/* Whether the revision has these very texts, under whatever filename. */
bool revision_has_files(
    const struct revision *revision, const struct compose_files *files);
struct compose_files revision_files(const struct revision *revision);

/*
 * The revision of what is on the disk: the current one; or, number 0, one that
 * is to be added, since somebody wrote the files by hand. In the run's arena.
 */
int revision_of_disk(struct run *run, const struct compose_files *files,
    struct revision *out, struct error *err);
/* Adds it unless it is there, and makes it the current one; within the
 * caller's transaction. */
int revision_keep_disk(
    struct run *run, struct revision *disk, struct error *err);

/*
 * After Compose brought up what is on the disk: its revision has the images
 * that run, and is an applied one if all of it looks fine. Failures are logged.
 */
void revision_note_start(struct run *run, const struct deployment *deployment);
/*
 * Now and then: what was started, and is known by now to be healthy, becomes
 * an applied revision. By the mirror alone.
 */
void revisions_promote(struct store *store);
/* After a deployment was created: its first revision. */
void revision_note_create(struct run *run);

#endif
