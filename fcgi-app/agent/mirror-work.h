/*
 * What the mirror has to ask Docker for again: all of some kinds, or single
 * containers. Plain values: a zeroed one is empty.
 */
#ifndef AGENT_MIRROR_WORK_H
#define AGENT_MIRROR_WORK_H

#include <stdbool.h>
#include <stddef.h>

struct docker_event;

/* In the order of their refresh: containers name what the others hold. */
enum mirror_kind {
	MIRROR_IMAGES,
	MIRROR_VOLUMES,
	MIRROR_NETWORKS,
	MIRROR_CONTAINERS,
	MIRROR_KINDS,
};

#define MIRROR_WORK_MAXIMUM 128 /* single containers; more are all */
#define MIRROR_ID_SIZE 65

struct mirror_work {
	bool all[MIRROR_KINDS];
	size_t count;
	char ids[MIRROR_WORK_MAXIMUM][MIRROR_ID_SIZE];
};

extern const struct mirror_work mirror_work_everything;

bool mirror_work_is_empty(const struct mirror_work *work);
/* All of all kinds. */
bool mirror_work_is_everything(const struct mirror_work *work);

/* One container; what is no id stands for all of them. */
void mirror_work_container(struct mirror_work *work, const char *id);
void mirror_work_add(struct mirror_work *to, const struct mirror_work *from);

/* Adds what the event has made old. */
void mirror_work_of_event(
    struct mirror_work *work, const struct docker_event *event);

/* The single containers, NULL-ended; out has room for one more than the
 * maximum and points into work. */
void mirror_work_ids(const struct mirror_work *work, const char **out);

#endif
