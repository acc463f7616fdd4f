/*
 * Safe changes of a deployment: its files, and what runs after them.
 *
 * What was is on record before anything changes (store/revisions.h), and is
 * put back when what comes does not get healthy: the files, the images by
 * their ids, the containers. Services that do not change are not touched.
 *
 *   1. The new texts are checked. A revision is recorded for them, and before
 *      it one for what is on the disk unless that is the newest.
 *   2. Images that are missing (or asked for anew) are pulled, ports of others
 *      looked for. What fails until here has touched nothing.
 *   3. The update is on record (store/updates.h), the files are written,
 *      Compose brings them up.
 *   4. All is waited for until it is healthy (agent/settling.h).
 *   5. If not: files, images and containers go back, and are waited for.
 *
 * An agent that is killed between 3 and 5 puts the files back when it starts
 * (agent/recovery.h) and then runs 5 as a job of its own.
 */
#ifndef AGENT_UPDATES_H
#define AGENT_UPDATES_H

#include "agent/executor.h"
#include "compose/update-arguments.h"

struct revision;

struct update {
	/* All files and the images of a revision; NULL: the texts below. */
	const struct revision *revision;
	/* New texts; NULL: it stays as it is on the disk. */
	const char *compose;     /* the Compose file */
	const char *environment; /* .env.flatrun */
	const char *metadata;    /* service.yml */

	const char *reason; /* for the revision; NULL: none */
	bool apply;         /* else the files alone change */
	/* The rest is for apply. */
	unsigned int flags; /* enum up_flags, of project.h */
	/* NULL-ended: services whose images are pulled although they are
	 * there; NULL: none, or with UP_FRESH_PULL all. */
	const char *const *pull;
	int64_t settle_ms, timeout_ms; /* 0: as configured */
	/* An HTTP answer that the new version has to give; path NULL: none. */
	struct probe_arguments probe;
};

/*
 * Changes the job's deployment (run->subject). The job is of the class
 * "deployment": nothing else changes it meanwhile.
 *
 * run->result gets "name", "revision" (the number of the new one), "outcome",
 * "applied", "needs_apply" and, where something was put back or is broken,
 * "restored_revision" and "cause" (agent/cause.h); "rollback_cause" is why
 * the old version does not run either.
 *
 *   outcome     error
 *   saved       -                          the files, without apply
 *   applied     -                          it runs and is healthy
 *   refused     as found                   nothing was touched
 *   rolled_back ERR_UPSTREAM ROLLED_BACK   the old version runs again
 *   failed      ERR_UPSTREAM ROLLBACK_FAILED   the old version does not run
 */
int update_apply(
    struct run *run, const struct update *update, struct error *err);

#endif
