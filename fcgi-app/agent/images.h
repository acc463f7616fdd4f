/*
 * Jobs that pull and remove images.
 *
 * image.cleanup removes what no container uses: images without a name, or
 * with "all" every one; never one that the files of a deployment name, so that
 * a stopped site can start without a pull, nor one of its last three revisions
 * that were healthy, so that going back needs none either. The bytes it freed
 * are what Docker's layers took before less what they take after. A dry run
 * tells at most what each image alone takes: layers that several of those
 * images share and nobody else has are not counted, so it is a lower bound.
 */
#ifndef AGENT_IMAGES_H
#define AGENT_IMAGES_H

#include "agent/executor.h"

extern const struct job_kind image_jobs[];

#endif
