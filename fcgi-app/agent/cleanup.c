#include "agent/cleanup.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "docker/docker.h"
#include "docker/reference.h"
#include "store/mirror.h"
#include "store/revisions.h"
#include "json/json.h"

#include <string.h>

#define USAGE_TRIES 50
#define USAGE_PAUSE_MS 200

/* Revisions of each deployment that can be gone back to without a pull. */
#define REVISIONS_WITH_IMAGES 3

/* Names in full that images must keep, and images by their ids. */
struct kept {
	const char **names;
	size_t count, allocated;
	const char **ids;
	size_t id_count, id_allocated;
};

static void
keep(struct kept *kept, const char *reference, struct arena *arena)
{
	struct docker_reference parts;
	struct error ignored;

	if (docker_reference_parse(reference, arena, &parts, &ignored) < 0)
		return;
	kept->names = arena_grow(arena, kept->names, kept->count,
	    &kept->allocated, sizeof *kept->names);
	kept->names[kept->count++] = docker_reference_canonical(&parts, arena);
}

/* The image of a service; Compose names one that it builds by itself. */
static void
keep_service(struct kept *kept, const char *project,
    struct json_object *service, struct arena *arena)
{
	const char *image = json_text(service, "image");
	const char *name = json_text(service, "name");

	if (image != NULL && *image != '\0') {
		keep(kept, image, arena);
	} else if (name != NULL) {
		keep(kept, arena_printf(arena, "%s-%s", project, name), arena);
		keep(kept, arena_printf(arena, "%s_%s", project, name), arena);
	}
}

static int
keep_deployments(struct run *run, struct kept *kept, struct error *err)
{
	struct mirror_deployment *deployments;
	size_t count, i, j;

	if (mirror_deployment_list(
		run->store, &run->arena, &deployments, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		const char *text = deployments[i].services;
		auto_json struct json_object *services = NULL;
		struct error ignored;

		if (json_parse_trusted(
			text, strlen(text), &services, &ignored) < 0 ||
		    !json_object_is_type(services, json_type_array))
			continue;
		for (j = 0; j < json_object_array_length(services); j++)
			keep_service(kept, deployments[i].project,
			    json_object_array_get_idx(services, j),
			    &run->arena);
	}
	return 0;
}

static void
keep_ids(struct kept *kept, const char *text, struct arena *arena)
{
	auto_json struct json_object *images = NULL;
	struct error ignored;
	size_t i;

	if (json_parse_trusted(text, strlen(text), &images, &ignored) < 0 ||
	    !json_object_is_type(images, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(images); i++) {
		const char *id =
		    json_text(json_object_array_get_idx(images, i), "image_id");

		if (id == NULL)
			continue;
		kept->ids = arena_grow(arena, kept->ids, kept->id_count,
		    &kept->id_allocated, sizeof *kept->ids);
		kept->ids[kept->id_count++] = arena_strdup(arena, id);
	}
}

static int
keep_revisions(struct run *run, struct kept *kept, struct error *err)
{
	const char **images;
	size_t count, i;

	if (store_revision_images(run->store, REVISIONS_WITH_IMAGES,
		&run->arena, &images, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		keep_ids(kept, images[i], &run->arena);
	return 0;
}

static bool
has_kept_id(const struct kept *kept, const char *id)
{
	size_t i;

	for (i = 0; i < kept->id_count; i++)
		if (strcmp(kept->ids[i], id) == 0)
			return true;
	return false;
}

static bool
has_kept_name(const struct kept *kept, const char *const *names, size_t count,
    struct arena *arena)
{
	struct docker_reference parts;
	struct error ignored;
	const char *full;
	size_t i, j;

	for (i = 0; i < count; i++) {
		if (docker_reference_parse(names[i], arena, &parts, &ignored) <
		    0)
			continue;
		full = docker_reference_canonical(&parts, arena);
		for (j = 0; j < kept->count; j++)
			if (strcmp(full, kept->names[j]) == 0)
				return true;
	}
	return false;
}

static bool
is_used(const struct docker_image *image,
    const struct docker_container *containers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].image_id, image->id) == 0)
			return true;
	return false;
}

/* The Engine counts for one at a time, and refuses the others. */
static int
ask_usage(struct run *run, struct docker_image_usage *out, struct error *err)
{
	int tries = 0;

	while (
	    docker_image_usage(run->agent->docker, &run->arena, out, err) < 0) {
		if (err->kind != ERR_CONFLICT || ++tries == USAGE_TRIES ||
		    atomic_load(run->cancel))
			return -1;
		clock_sleep_ms(USAGE_PAUSE_MS);
	}
	return 0;
}

/* Whether one of its names, or of those it had, is in the repository. */
static bool
has_name_in(const char *const *names, size_t count,
    const char *const *repositories, struct arena *arena)
{
	struct docker_reference parts;
	struct error ignored;
	size_t i, k;

	for (i = 0; i < count; i++) {
		const char *full;

		if (docker_reference_parse(names[i], arena, &parts, &ignored) <
		    0)
			continue;
		full = arena_printf(arena, "%s/%s", parts.host, parts.path);
		for (k = 0; repositories[k] != NULL; k++)
			if (strcmp(repositories[k], full) == 0)
				return true;
	}
	return false;
}

static bool
is_looked_at(const struct docker_image *image,
    const struct image_cleanup *cleanup, struct arena *arena)
{
	return cleanup->repositories == NULL ||
	       has_name_in(image->tags, image->tag_count, cleanup->repositories,
		   arena) ||
	       has_name_in(image->digests, image->digest_count,
		   cleanup->repositories, arena);
}

/* Keeps of usage's images those that are of no use. */
static int
select_useless(struct run *run, struct docker_image_usage *usage,
    const struct image_cleanup *cleanup, size_t *out_looked_at,
    struct error *err)
{
	struct docker_container *containers;
	struct kept kept = { 0 };
	size_t container_count, i, count = 0;

	*out_looked_at = 0;
	if (docker_container_list(run->agent->docker, NULL, &run->arena,
		&containers, &container_count, err) < 0 ||
	    keep_deployments(run, &kept, err) < 0 ||
	    keep_revisions(run, &kept, err) < 0)
		return -1;
	for (i = 0; i < usage->count; i++) {
		const struct docker_image *image = &usage->images[i].image;

		if (!is_looked_at(image, cleanup, &run->arena))
			continue;
		(*out_looked_at)++;
		if ((!cleanup->all && image->tag_count > 0) ||
		    is_used(image, containers, container_count) ||
		    has_kept_id(&kept, image->id) ||
		    has_kept_name(
			&kept, image->tags, image->tag_count, &run->arena) ||
		    has_kept_name(&kept, image->digests, image->digest_count,
			&run->arena))
			continue;
		usage->images[count++] = usage->images[i];
	}
	usage->count = count;
	return 0;
}

/*
 * Without force: a container that was made of it since keeps it. One with
 * several names goes name by name.
 */
static int
remove_one(struct run *run, const struct docker_image *image, struct error *err)
{
	struct docker_image_removal removal;
	size_t i;

	if (image->tag_count <= 1)
		return docker_image_remove(run->agent->docker, image->id, false,
		    &run->arena, &removal, err);
	for (i = 0; i < image->tag_count; i++)
		if (docker_image_remove(run->agent->docker, image->tags[i],
			false, &run->arena, &removal, err) < 0)
			return -1;
	return 0;
}

static void
tell_removed(struct json_object *removed, const struct docker_image *image)
{
	struct json_object *object = json_object_new_object();
	struct json_object *tags = json_object_new_array();
	size_t i;

	for (i = 0; i < image->tag_count; i++)
		json_object_array_add(
		    tags, json_object_new_string(image->tags[i]));
	json_put_text(object, "id", image->id);
	json_put(object, "tags", tags);
	json_put_integer(object, "size", image->size_bytes);
	json_object_array_add(removed, object);
}

/* One that others are built on, or that just came into use, stays. */
static int
remove_all(struct run *run, const struct docker_image_usage *useless,
    struct json_object *removed, struct error *err)
{
	size_t i;

	for (i = 0; i < useless->count; i++) {
		const struct docker_image *image = &useless->images[i].image;

		if (atomic_load(run->cancel))
			return error_set(
			    err, ERR_CONFLICT, "JOB_CANCELLED", "cancelled");
		if (remove_one(run, image, err) == 0)
			tell_removed(removed, image);
		else if (err->kind != ERR_CONFLICT &&
			 err->kind != ERR_NOT_FOUND)
			return -1;
	}
	return 0;
}

static int64_t
sum_unshared(
    const struct docker_image_usage *useless, struct json_object *removed)
{
	int64_t bytes = 0;
	size_t i;

	for (i = 0; i < useless->count; i++) {
		const struct docker_image_use *use = &useless->images[i];

		bytes += use->image.size_bytes - use->shared_bytes;
		tell_removed(removed, &use->image);
	}
	return bytes;
}

static void
put_totals(struct json_object *out, size_t looked_at, int64_t freed_bytes)
{
	size_t count = json_object_array_length(json_member(out, "removed"));

	json_put_integer(out, "count", (int64_t)count);
	json_put_integer(
	    out, "kept", (int64_t)(looked_at > count ? looked_at - count : 0));
	json_put_integer(out, "freed_bytes", freed_bytes > 0 ? freed_bytes : 0);
}

int
cleanup_images(struct run *run, const struct image_cleanup *cleanup,
    struct json_object *out, struct error *err)
{
	struct json_object *removed = json_object_new_array();
	struct docker_image_usage before, after;
	struct error failure;
	size_t looked_at;
	int failed;

	json_put(out, "removed", removed);
	json_put_boolean(out, "dry_run", cleanup->dry_run);
	put_totals(out, 0, 0);
	if (ask_usage(run, &before, err) < 0 ||
	    select_useless(run, &before, cleanup, &looked_at, err) < 0)
		return -1;
	if (cleanup->dry_run) {
		put_totals(out, looked_at, sum_unshared(&before, removed));
		return 0;
	}
	failed = remove_all(run, &before, removed, &failure);
	after.layer_bytes = before.layer_bytes;
	if (json_object_array_length(removed) > 0 &&
	    ask_usage(run, &after, err) < 0)
		return -1;
	put_totals(out, looked_at, before.layer_bytes - after.layer_bytes);
	if (failed)
		*err = failure;
	return failed;
}
