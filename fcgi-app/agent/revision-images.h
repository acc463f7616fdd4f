/*
 * The images of a revision: which ran, and how to have them again although
 * their names stand for others by now.
 */
#ifndef AGENT_REVISION_IMAGES_H
#define AGENT_REVISION_IMAGES_H

#include "agent/executor.h"
#include "compose/document.h"
#include "docker/docker.h"

/*
 * JSON array of {service, image, image_id, digests} of the containers, in the
 * run's arena: one for each service. document NULL: names as Docker has them.
 */
const char *revision_images_describe(struct run *run,
    const struct document *document, const struct docker_container *containers,
    size_t count);

/*
 * Lets the names stand for these images again, and pulls those that are gone
 * by their digests. ERR_UPSTREAM IMAGE_GONE when one is nowhere. images NULL:
 * nothing is known, nothing is done.
 */
int revision_images_restore(
    struct run *run, const char *images, struct error *err);

/*
 * Services of the document, NULL-ended and in the arena, whose image is not
 * here and cannot be built.
 */
int revision_images_missing(struct run *run, const struct document *document,
    const char *const **out, struct error *err);

#endif
