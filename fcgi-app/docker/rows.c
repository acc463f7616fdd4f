#include "docker/docker-private.h"

#include "base/clock.h"

static void
release_tree(void *tree)
{
	json_object_put(tree);
}

int
docker_call_tree(struct docker *docker, const struct docker_call *call,
    enum json_type type, struct arena *arena, struct json_object **out,
    struct error *err)
{
	if (docker_call_json(docker, call, out, err) < 0)
		return -1;
	arena_defer(arena, release_tree, *out);
	if (!json_object_is_type(*out, type))
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	return 0;
}

const char *
docker_row_text(struct json_object *row, const char *name)
{
	const char *text = json_text(row, name);

	return text ? text : "";
}

struct json_object *
docker_row_object(
    struct json_object *row, const char *name, struct arena *arena)
{
	struct json_object *object = json_member(row, name);

	if (json_object_is_type(object, json_type_object))
		return object;
	object = json_object_new_object();
	arena_defer(arena, release_tree, object);
	return object;
}

struct json_object *
docker_row_list(struct json_object *row, const char *name, size_t *out_count)
{
	struct json_object *list = json_member(row, name);

	*out_count = 0;
	if (!json_object_is_type(list, json_type_array))
		return NULL;
	*out_count = json_object_array_length(list);
	return list;
}

int64_t
docker_row_time(struct json_object *row, const char *name)
{
	const char *text = json_text(row, name);
	int64_t wall_ms;

	/* What was never set is written as the year 1. */
	if (text == NULL || clock_parse(text, &wall_ms) < 0 || wall_ms < 0)
		return 0;
	return wall_ms / 1000;
}
