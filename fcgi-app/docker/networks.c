#include "docker/docker-private.h"

static const char *
copy_text(struct arena *arena, struct json_object *object, const char *name)
{
	const char *text = json_text(object, name);

	return text ? arena_strdup(arena, text) : "";
}

static int
build_path(const char *project, struct buffer *path)
{
	auto_json struct json_object *filters = json_object_new_object();
	auto_buffer struct buffer label = BUFFER(1024);
	struct json_object *values;

	buffer_text(path, "/networks");
	if (project == NULL)
		return 0;
	buffer_printf(&label, PROJECT_LABEL "=%s", project);
	values = json_object_new_array();
	json_object_array_add(
	    values, json_object_new_string(buffer_string(&label)));
	json_put(filters, "label", values);
	buffer_text(path, "?filters=");
	docker_query_text(path, json_serialize(filters, NULL));
	return path->overflowed || label.overflowed ? -1 : 0;
}

int
docker_network_list(struct docker *docker, const char *project,
    struct arena *arena, struct docker_network **out, size_t *out_count,
    struct error *err)
{
	auto_buffer struct buffer path = BUFFER(8192);
	auto_json struct json_object *rows = NULL;
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "network",
	};
	size_t count, i;

	if (build_path(project, &path) < 0)
		return error_field(
		    err, "project", NULL, "the project's name is too long");
	call.path = path.bytes;
	if (docker_call_json(docker, &call, &rows, err) < 0)
		return -1;
	if (!json_object_is_type(rows, json_type_array))
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	count = json_object_array_length(rows);
	*out = arena_array(arena, count, sizeof **out);
	for (i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		(*out)[i] = (struct docker_network){
			.id = copy_text(arena, row, "Id"),
			.name = copy_text(arena, row, "Name"),
			.driver = copy_text(arena, row, "Driver"),
			.project = copy_text(
			    arena, json_member(row, "Labels"), PROJECT_LABEL),
		};
	}
	*out_count = count;
	return 0;
}

int
docker_network_remove(struct docker *docker, const char *id, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = "DELETE",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "network",
		.id = id,
	};

	if (docker_check_id(id, err) < 0)
		return -1;
	buffer_printf(&path, "/networks/%s", id);
	call.path = path.bytes;
	return docker_call(docker, &call, &body, err);
}
