/*
 * Plans: what a change of a deployment would do, told without doing it.
 *
 * A job of the kind "deployment.plan" runs the body of the change that it is
 * about, with run->plan set. Such a body decodes, reads and refuses as always,
 * but where it would change something it calls plan_files() and
 * plan_containers() and returns; what it noted is then compared with the
 * world. Functions that several bodies share (update_apply() and those of
 * project.h) do so themselves. A body that keeps to this has .plannable in its
 * row.
 *
 *	if (run->plan != NULL)
 *		return plan_containers(run, &(struct plan_containers){
 *		    .verb = PLAN_STOP });
 *
 * The answer has a plan_id: a keyed hash of the change, the files' version,
 * the project's containers and the images that it has. A change that comes
 * with a plan_id is done only if the same hash is found at its turn.
 */
#ifndef AGENT_PLAN_H
#define AGENT_PLAN_H

#include "agent/executor.h"
#include "compose/compose.h"

extern const struct job_kind plan_jobs[];

enum plan_verb {
	PLAN_NOTHING, /* containers stay as they are */
	PLAN_UP,      /* made, made anew and started as the files say */
	PLAN_START,   /* those there are */
	PLAN_STOP,
	PLAN_RESTART,
	PLAN_DOWN, /* removed */
};

struct plan_containers {
	enum plan_verb verb;
	unsigned int flags; /* of PLAN_UP: enum up_flags, of project.h */
	/* NULL-ended: only these services; NULL: all, with what is left of
	 * others. */
	const char *const *services;
	/* NULL-ended: services whose images are pulled anew; NULL: none, or
	 * with UP_FRESH_PULL all of the above. */
	const char *const *pull;
	/* Images that names stand for again, as revision_images_describe() has
	 * them; NULL: those they stand for now. */
	const char *images;
	/* Nothing else happens to what is pulled and built. */
	bool images_only;
};

/*
 * The files as they would be: in the arena, or longer; NULL for a deployment
 * that would be deleted. All of them: what stays is there, too. Returns 0.
 */
int plan_files(struct run *run, const struct compose_files *after);

/* What would become of the containers, with lists in the arena; each call adds
 * to those before: the last verb that is not PLAN_NOTHING stands. Returns 0. */
int plan_containers(struct run *run, const struct plan_containers *containers);

/*
 * Whether the change that the run is about has this plan_id at present; else
 * ERR_PRECONDITION PLAN_OUTDATED.
 */
int plan_verify(struct run *run, const struct job_kind *kind,
    const char *plan_id, struct error *err);

#endif
