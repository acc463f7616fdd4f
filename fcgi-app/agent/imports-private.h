/* What importing and copying share. */
#ifndef AGENT_IMPORTS_PRIVATE_H
#define AGENT_IMPORTS_PRIVATE_H

#include "agent/executor.h"
#include "compose/compose.h"

/*
 * Checks a staged directory as the deployment that it is to become, and
 * completes it: names of containers, metadata, modes.
 */
int import_check(struct run *run, int directory, const char *name,
    struct document **out, struct error *err);

/*
 * The Compose text as the deployment called name may have it: with its name,
 * and without the names of the containers that are those of a deployment called
 * from (NULL: all of them), which get new ones.
 */
int import_rename(struct run *run, const struct compose_files *files,
    const char *from, const char *name, const char **out, struct error *err);

/* Removes a staged directory, if it is still there. */
void import_unstage(struct run *run, const char *staged);

job_body copy_deployment;

#endif
