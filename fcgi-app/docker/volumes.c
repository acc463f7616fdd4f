#include "docker/docker-private.h"

int
docker_volume_list(struct docker *docker, struct arena *arena,
    struct docker_volume **out, size_t *out_count, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		.path = "/volumes",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "volume",
	};
	struct json_object *answer, *rows;
	size_t count, i;

	if (docker_call_tree(
		docker, &call, json_type_object, arena, &answer, err) < 0)
		return -1;
	/* Without a volume there is null instead of a list. */
	rows = docker_row_list(answer, "Volumes", &count);
	*out = arena_array(arena, count, sizeof **out);
	*out_count = 0;
	for (i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		struct docker_volume volume = {
			.name = docker_row_text(row, "Name"),
			.driver = docker_row_text(row, "Driver"),
			.mountpoint = docker_row_text(row, "Mountpoint"),
			.scope = docker_row_text(row, "Scope"),
			.created_at = docker_row_time(row, "CreatedAt"),
			.labels = docker_row_object(row, "Labels", arena),
			.options = docker_row_object(row, "Options", arena),
		};

		if (volume.name[0] != '\0')
			(*out)[(*out_count)++] = volume;
	}
	return 0;
}

int
docker_volume_sizes(struct docker *docker, struct arena *arena,
    struct docker_volume_size **out, size_t *out_count, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		/* An Engine that does not know the filter tells everything. */
		.path = "/system/df?type=volume",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "volume",
		.waits_for_others = true,
	};
	struct json_object *answer, *rows;
	size_t count, i;

	if (docker_call_tree(
		docker, &call, json_type_object, arena, &answer, err) < 0)
		return -1;
	rows = docker_row_list(answer, "Volumes", &count);
	*out = arena_array(arena, count, sizeof **out);
	*out_count = count;
	for (i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		struct json_object *usage = json_member(row, "UsageData");

		(*out)[i] = (struct docker_volume_size){
			.name = docker_row_text(row, "Name"),
			.size_bytes = json_int(usage, "Size", -1),
			.reference_count = json_int(usage, "RefCount", -1),
		};
	}
	return 0;
}

int
docker_volume_create(struct docker *docker,
    const struct docker_volume_options *options, struct error *err)
{
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	auto_json struct json_object *content = json_object_new_object();
	struct docker_call call = {
		.method = "POST",
		.path = "/volumes/create",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "volume",
	};

	json_put_text(content, "Name", options->name);
	json_put_text(content, "Driver", options->driver);
	if (options->driver_options != NULL)
		json_put(content, "DriverOpts",
		    json_object_get(options->driver_options));
	if (options->labels != NULL)
		json_put(content, "Labels", json_object_get(options->labels));
	call.content = json_serialize(content, NULL);
	return docker_call(docker, &call, &body, err);
}

int
docker_volume_remove(
    struct docker *docker, const char *name, bool force, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = "DELETE",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "volume",
		.id = name,
	};

	if (docker_check_id(name, err) < 0)
		return -1;
	buffer_printf(&path, "/volumes/%s?force=%d", name, force);
	call.path = path.bytes;
	return docker_call(docker, &call, &body, err);
}
