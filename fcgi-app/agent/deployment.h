/*
 * What the jobs that change a deployment share: its files, read and checked,
 * and the mirror's refresh after the change.
 */
#ifndef AGENT_DEPLOYMENT_H
#define AGENT_DEPLOYMENT_H

#include "agent/executor.h"
#include "compose/compose.h"

/* The files of the job's deployment, and its project's name. */
struct deployment {
	struct compose_files files;
	struct document *document; /* NULL when it cannot run */
	const char *project;
};

/* Into the run's arena; *err then also says why its document cannot run. */
int deployment_load(struct run *run, struct deployment *out, struct error *err);
/* The same for what needs a document that can run. */
int deployment_load_runnable(
    struct run *run, struct deployment *out, struct error *err);

/* The mirror after a change; what fails here is repeated by the keepers. The
 * result, if there is one, gets the "version" of the files. */
void deployment_refresh(struct run *run, const char *project);

#endif
