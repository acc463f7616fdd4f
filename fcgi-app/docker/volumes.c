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
