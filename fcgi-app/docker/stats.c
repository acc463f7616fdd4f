#include "docker/docker-private.h"

#include <strings.h>

static uint64_t
read_counter(struct json_object *object, const char *name)
{
	int64_t value = json_int(object, name, 0);

	return value > 0 ? (uint64_t)value : 0;
}

/*
 * What the container would miss if it were taken away: page cache that nobody
 * touched lately does not count. cgroup version 1 has the sum over children
 * as total_inactive_file, version 2 has inactive_file alone.
 */
static uint64_t
read_memory_usage(struct json_object *memory)
{
	struct json_object *details = json_member(memory, "stats");
	uint64_t usage = read_counter(memory, "usage");
	uint64_t cache = json_member(details, "total_inactive_file") != NULL
			     ? read_counter(details, "total_inactive_file")
			     : read_counter(details, "inactive_file");

	return cache < usage ? usage - cache : usage;
}

static void
read_networks(struct json_object *networks, struct docker_stats *out)
{
	if (!json_object_is_type(networks, json_type_object))
		return;
	json_object_object_foreach(networks, name, network)
	{
		(void)name;
		out->network_rx += read_counter(network, "rx_bytes");
		out->network_tx += read_counter(network, "tx_bytes");
	}
}

/* "Read" and "Write" with cgroup version 1, lower-case with version 2. */
static void
read_block(struct json_object *blkio, struct docker_stats *out)
{
	struct json_object *rows =
	    json_member(blkio, "io_service_bytes_recursive");
	struct json_object *row;
	const char *operation;
	size_t count, i;

	if (!json_object_is_type(rows, json_type_array))
		return;
	count = json_object_array_length(rows);
	for (i = 0; i < count; i++) {
		row = json_object_array_get_idx(rows, i);
		if ((operation = json_text(row, "op")) == NULL)
			continue;
		if (strcasecmp(operation, "read") == 0)
			out->block_read += read_counter(row, "value");
		else if (strcasecmp(operation, "write") == 0)
			out->block_write += read_counter(row, "value");
	}
}

static void
read_cpu(struct json_object *cpu, struct docker_stats *out)
{
	struct json_object *usage = json_member(cpu, "cpu_usage");
	struct json_object *each = json_member(usage, "percpu_usage");
	int64_t count = json_int(cpu, "online_cpus", 0);

	out->cpu_total_ns = read_counter(usage, "total_usage");
	out->system_cpu_ns = read_counter(cpu, "system_cpu_usage");
	if (count <= 0 && json_object_is_type(each, json_type_array))
		count = (int64_t)json_object_array_length(each);
	out->online_cpus =
	    count > 0 && count <= 65536 ? (unsigned int)count : 0;
}

int
docker_container_stats(struct docker *docker, const char *id,
    struct docker_stats *out, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_json struct json_object *answer = NULL;
	struct json_object *memory;
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
		.id = id,
	};

	if (docker_check_id(id, err) < 0)
		return -1;
	buffer_printf(&path, "/containers/%s/stats?stream=0&one-shot=1", id);
	call.path = path.bytes;
	if (docker_call_json(docker, &call, &answer, err) < 0)
		return -1;
	if (!json_object_is_type(answer, json_type_object))
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	memory = json_member(answer, "memory_stats");
	*out = (struct docker_stats){
		.memory_usage = read_memory_usage(memory),
		.memory_limit = read_counter(memory, "limit"),
		.pids =
		    read_counter(json_member(answer, "pids_stats"), "current"),
	};
	read_cpu(json_member(answer, "cpu_stats"), out);
	read_networks(json_member(answer, "networks"), out);
	read_block(json_member(answer, "blkio_stats"), out);
	return 0;
}
