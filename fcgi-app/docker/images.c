#include "docker/docker-private.h"

#include <string.h>

/* An image without a name used to have "<none>:<none>" for one. */
static bool
is_name(const char *text)
{
	return text != NULL && *text != '\0' && strstr(text, "<none>") == NULL;
}

static const char *const *
read_names(struct json_object *row, const char *member, struct arena *arena,
    size_t *out_count)
{
	size_t count, i;
	struct json_object *list = docker_row_list(row, member, &count);
	const char **names = arena_array(arena, count, sizeof *names);

	*out_count = 0;
	for (i = 0; i < count; i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		if (json_object_is_type(name, json_type_string) &&
		    is_name(json_object_get_string(name)))
			names[(*out_count)++] = json_object_get_string(name);
	}
	return names;
}

static void
read_image(
    struct json_object *row, struct arena *arena, struct docker_image *out)
{
	*out = (struct docker_image){
		.id = docker_row_text(row, "Id"),
		.size_bytes = json_int(row, "Size", 0),
		.created_at = json_int(row, "Created", 0),
		.labels = docker_row_object(row, "Labels", arena),
	};
	out->tags = read_names(row, "RepoTags", arena, &out->tag_count);
	out->digests =
	    read_names(row, "RepoDigests", arena, &out->digest_count);
	if (out->size_bytes < 0)
		out->size_bytes = 0;
}

int
docker_image_list(struct docker *docker, struct arena *arena,
    struct docker_image **out, size_t *out_count, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		.path = "/images/json",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "image",
	};
	struct json_object *rows;
	size_t count, i;

	if (docker_call_tree(
		docker, &call, json_type_array, arena, &rows, err) < 0)
		return -1;
	count = json_object_array_length(rows);
	*out = arena_array(arena, count, sizeof **out);
	*out_count = 0;
	for (i = 0; i < count; i++) {
		struct docker_image *image = &(*out)[*out_count];

		read_image(json_object_array_get_idx(rows, i), arena, image);
		*out_count += image->id[0] != '\0';
	}
	return 0;
}

static void
read_use(
    struct json_object *row, struct arena *arena, struct docker_image_use *out)
{
	read_image(row, arena, &out->image);
	/* -1: not counted. */
	out->shared_bytes = json_int(row, "SharedSize", 0);
	if (out->shared_bytes < 0)
		out->shared_bytes = 0;
	if (out->shared_bytes > out->image.size_bytes)
		out->shared_bytes = out->image.size_bytes;
}

int
docker_image_usage(struct docker *docker, struct arena *arena,
    struct docker_image_usage *out, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		/* Engines before 23 count all and ignore the type. */
		.path = "/system/df?type=image",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "image",
	};
	struct json_object *answer, *rows;
	size_t count, i;

	if (docker_call_tree(
		docker, &call, json_type_object, arena, &answer, err) < 0)
		return -1;
	rows = docker_row_list(answer, "Images", &count);
	out->layer_bytes = json_int(answer, "LayersSize", 0);
	out->images = arena_array(arena, count, sizeof *out->images);
	out->count = 0;
	for (i = 0; i < count; i++) {
		struct docker_image_use *use = &out->images[out->count];

		read_use(json_object_array_get_idx(rows, i), arena, use);
		out->count += use->image.id[0] != '\0';
	}
	return 0;
}

static int
check_image(const char *image, struct error *err)
{
	return docker_image_is_valid(image)
		   ? 0
		   : error_field(err, "id", "INVALID_IMAGE",
			 "id must be an image's id, or " REFERENCE_EXPECTED);
}

int
docker_image_get(struct docker *docker, const char *image, struct arena *arena,
    struct docker_image *out, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(1024);
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "image",
		.id = image,
		.is_reference = true,
	};
	struct json_object *row;

	if (check_image(image, err) < 0)
		return -1;
	buffer_printf(&path, "/images/%s/json", image);
	call.path = path.bytes;
	if (docker_call_tree(
		docker, &call, json_type_object, arena, &row, err) < 0)
		return -1;
	read_image(row, arena, out);
	return 0;
}

int
docker_image_tag(struct docker *docker, const char *id,
    const struct docker_reference *reference, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(2048);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = "POST",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "image",
		.id = id,
		.is_reference = true,
	};

	if (check_image(id, err) < 0)
		return -1;
	buffer_printf(&path, "/images/%s/tag?repo=", id);
	docker_query_text(&path, reference->name);
	buffer_text(&path, "&tag=");
	docker_query_text(&path, reference->tag);
	call.path = path.bytes;
	return docker_call(docker, &call, &body, err);
}

/* The rows {"Untagged": …} or {"Deleted": …} of one kind. */
static const char **
read_removed(struct json_object *rows, const char *member, struct arena *arena,
    size_t *out_count)
{
	size_t count = json_object_array_length(rows), i;
	const char **names = arena_array(arena, count, sizeof *names);

	*out_count = 0;
	for (i = 0; i < count; i++) {
		const char *name =
		    json_text(json_object_array_get_idx(rows, i), member);

		if (name != NULL)
			names[(*out_count)++] = name;
	}
	return names;
}

int
docker_image_remove(struct docker *docker, const char *image, bool force,
    struct arena *arena, struct docker_image_removal *out, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(1024);
	struct docker_call call = {
		.method = "DELETE",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "image",
		.id = image,
		.is_reference = true,
	};
	struct json_object *rows;

	if (check_image(image, err) < 0)
		return -1;
	buffer_printf(&path, "/images/%s?force=%d", image, force);
	call.path = path.bytes;
	if (docker_call_tree(
		docker, &call, json_type_array, arena, &rows, err) < 0)
		return -1;
	out->untagged =
	    read_removed(rows, "Untagged", arena, &out->untagged_count);
	out->deleted =
	    read_removed(rows, "Deleted", arena, &out->deleted_count);
	return 0;
}
