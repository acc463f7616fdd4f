/* What importing and copying share. */
#ifndef AGENT_IMPORTS_PRIVATE_H
#define AGENT_IMPORTS_PRIVATE_H

#include "agent/executor.h"
#include "compose/document.h"

/*
 * Checks a staged directory as the deployment that it is to become, and
 * completes it: names of containers, metadata, modes.
 */
int import_check(struct run *run, int directory, const char *name,
    struct document **out, struct error *err);

/* Removes a staged directory, if it is still there. */
void import_unstage(struct run *run, const char *staged);

job_body copy_deployment;

#endif
