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
