/*
 * What is done to the containers of one Compose project: by the Compose
 * program on the checked document, or, where the files cannot run, by the
 * Engine's API and Compose's labels.
 *
 * Called by job bodies, which may be those of plans (plan.h): what changes
 * something then notes what it would do. Output of programs goes to the run.
 * Take minutes.
 */
#ifndef AGENT_PROJECT_H
#define AGENT_PROJECT_H

#include "agent/executor.h"
#include "compose/compose.h"

#include <stdbool.h>

enum up_flags {
	UP_FORCE_RECREATE = 1,
	UP_NO_CACHE = 2,   /* builds without cache first */
	UP_FRESH_PULL = 4, /* pulls images even when they are there */
	UP_BUILD = 8,      /* builds first, with what is cached */
};

/*
 * Does what the flags want before containers are touched, pulls and builds,
 * and pulls the images of the services (NULL-ended; NULL: none): for texts
 * that are still to come, or NULL for what is on the disk.
 */
int project_prepare(struct run *run, const char *project,
    const struct compose_files *candidate, unsigned int flags,
    const char *const *services, struct error *err);

/* Errors as compose_run() has them. */
int project_up(struct run *run, const char *project, unsigned int flags,
    struct error *err);
/* Makes what is missing or differs, and starts none of it. */
int project_create(struct run *run, const char *project, struct error *err);
int project_stop(struct run *run, const char *project, struct error *err);
int project_restart(struct run *run, const char *project, struct error *err);
/* Removes containers and networks; named volumes stay. */
int project_down(struct run *run, const char *project, struct error *err);

/*
 * One service, and no other. Flags as above; building is of that one alone.
 * project-services.c has them.
 */
int project_service_up(struct run *run, const char *project,
    const char *service, unsigned int flags, struct error *err);
int project_service_stop(struct run *run, const char *project,
    const char *service, struct error *err);
int project_service_restart(struct run *run, const char *project,
    const char *service, struct error *err);
/* Pulls what can be pulled of these, NULL-ended and of the run's arena.
 * Touches no container. */
int project_pull(struct run *run, const char *project,
    const char *const *services, struct error *err);
/* Without the files, by Compose's labels. */
int project_service_stop_containers(struct run *run, const char *project,
    const char *service, struct error *err);
/* Whether it has containers, running or not. */
int project_service_exists(struct run *run, const char *project,
    const char *service, bool *out, struct error *err);

/* `compose <arguments>` (NULL-ended) with its output for the run. */
int project_compose(struct run *run, const char *project,
    const char *const *arguments, struct error *err);

/* The same without the files. */
int project_stop_containers(
    struct run *run, const char *project, struct error *err);
int project_remove_containers(
    struct run *run, const char *project, struct error *err);

int project_has_containers(
    struct run *run, const char *project, bool *out, struct error *err);

/*
 * Compose's configuration hashes of the candidate (NULL: of what is on the
 * disk), a line "service hash" each, appended to out.
 */
int project_hashes(struct run *run, const char *project,
    const struct compose_files *candidate, struct buffer *out,
    struct error *err);
/* The one of the service, in the arena, or NULL. */
const char *project_find_hash(
    const char *hashes, const char *service, struct arena *arena);

/*
 * Whether the containers of the project, as the mirror has them, are not what
 * the files now say (Compose's configuration hash per service). A project
 * without containers does not differ. true when it cannot be told.
 */
bool project_differs(struct run *run, const char *project);

/*
 * Puts right what a Compose that was killed while it recreated a container
 * left: "<12 hex>_<name>" beside or in place of the container "<name>". Every
 * later start would fail with a conflict.
 */
int project_clear_leftovers(
    struct agent *agent, const char *project, struct error *err);

#endif
