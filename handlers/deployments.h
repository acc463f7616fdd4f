/*
 * What the handlers of one deployment share.
 */
#ifndef HANDLERS_DEPLOYMENTS_H
#define HANDLERS_DEPLOYMENTS_H

#include "handlers/change.h"

struct mirror_deployment;

/* The deployment that the path names: INVALID_NAME, DEPLOYMENT_NOT_FOUND. */
int deployment_find(
    struct request *request, struct mirror_deployment *out, struct error *err);

/*
 * Its services in the file's order, each with what its container is: a new
 * array.
 */
int deployment_services(struct request *request,
    const struct mirror_deployment *deployment, struct json_object **out,
    struct error *err);

/*
 * Runs the change of the deployment that the path names, which becomes its
 * subject. The agent checks again; a name that is not there is told at once.
 */
int deployment_change(struct request *request, struct reply *reply,
    struct change *change, struct error *err);

#endif
