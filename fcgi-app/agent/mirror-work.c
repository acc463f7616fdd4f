#include "agent/mirror-work.h"

#include "docker/docker.h"

#include <stdio.h>
#include <string.h>

const struct mirror_work mirror_work_everything = {
	.all = { true, true, true, true },
};

bool
mirror_work_is_empty(const struct mirror_work *work)
{
	int kind;

	for (kind = 0; kind < MIRROR_KINDS; kind++)
		if (work->all[kind])
			return false;
	return work->count == 0;
}

bool
mirror_work_is_everything(const struct mirror_work *work)
{
	int kind;

	for (kind = 0; kind < MIRROR_KINDS; kind++)
		if (!work->all[kind])
			return false;
	return true;
}

void
mirror_work_container(struct mirror_work *work, const char *id)
{
	size_t i;

	for (i = 0; i < work->count; i++)
		if (strcmp(work->ids[i], id) == 0)
			return;
	if (i == MIRROR_WORK_MAXIMUM || strlen(id) >= MIRROR_ID_SIZE ||
	    !docker_id_is_valid(id))
		work->all[MIRROR_CONTAINERS] = true;
	else
		snprintf(work->ids[work->count++], MIRROR_ID_SIZE, "%s", id);
}

void
mirror_work_add(struct mirror_work *to, const struct mirror_work *from)
{
	size_t i;
	int kind;

	for (kind = 0; kind < MIRROR_KINDS; kind++)
		to->all[kind] |= from->all[kind];
	for (i = 0; i < from->count; i++)
		mirror_work_container(to, from->ids[i]);
}

static bool
begins_with_one_of(const char *action, const char *const *beginnings)
{
	for (; *beginnings != NULL; beginnings++)
		if (strncmp(action, *beginnings, strlen(*beginnings)) == 0)
			return true;
	return false;
}

/*
 * A healthcheck is an exec every few seconds; the others, too, leave the
 * container as it is.
 */
static bool
changes_container(const char *action)
{
	static const char *const harmless[] = { "exec_", "top", "attach",
		"detach", "resize", "export", "archive-path", "extract-to-dir",
		"copy", NULL };

	return !begins_with_one_of(action, harmless);
}

static bool
changes_image(const char *action)
{
	static const char *const harmless[] = { "push", "save", NULL };

	return !begins_with_one_of(action, harmless);
}

static bool
is_one_of(const char *action, const char *first, const char *second)
{
	return strcmp(action, first) == 0 || strcmp(action, second) == 0;
}

void
mirror_work_of_event(struct mirror_work *work, const struct docker_event *event)
{
	if (strcmp(event->type, "container") == 0) {
		if (changes_container(event->action))
			mirror_work_container(work, event->id);
	} else if (strcmp(event->type, "image") == 0) {
		work->all[MIRROR_IMAGES] |= changes_image(event->action);
	} else if (strcmp(event->type, "volume") == 0) {
		/* Who mounts it is told by events of the container. */
		if (!is_one_of(event->action, "mount", "unmount"))
			work->all[MIRROR_VOLUMES] = true;
	} else if (strcmp(event->type, "network") == 0) {
		/* Who is attached is told by the container alone: 1,000 of
		 * them start without a look at the networks. */
		if (is_one_of(event->action, "connect", "disconnect"))
			mirror_work_container(work, event->container);
		else
			work->all[MIRROR_NETWORKS] = true;
	}
}

void
mirror_work_ids(const struct mirror_work *work, const char **out)
{
	size_t i;

	for (i = 0; i < work->count; i++)
		out[i] = work->ids[i];
	out[i] = NULL;
}
