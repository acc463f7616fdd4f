/*
 * Jobs that bring new images to a deployment: rebuild, deploy, pull, and the
 * clean-up of the images that these leave behind.
 *
 * What changes containers is a safe update (agent/updates.h) of the files as
 * they are: it waits until the new images are healthy, and brings the old ones
 * back when they do not get so. What is pulled or built before is not put to
 * use when that fails; a pull alone touches no container.
 *
 * The clean-up takes images of the repositories that the deployment's services
 * name, and never what a container, a deployment or one of the last healthy
 * revisions uses; after a deploy or a pull only those that have lost their
 * name, by itself others too.
 */
#ifndef AGENT_DEPLOYS_H
#define AGENT_DEPLOYS_H

#include "agent/executor.h"

extern const struct job_kind deploy_jobs[];

#endif
