#include "base/clock.h"
#include "docker/docker-private.h"

#include <strings.h>

#define STATS_BATCH 64
#define STATS_MAXIMUM (1024U * 1024)

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

static int
read_answer(struct json_object *answer, struct docker_stats *out)
{
	struct json_object *memory = json_member(answer, "memory_stats");

	if (!json_object_is_type(answer, json_type_object))
		return -1;
	*out = (struct docker_stats){
		.is_known = true,
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

/* One of the answers that come at the same time. */
struct reading {
	struct buffer body;
	struct docker_stats *out;
};

static int
receive_stats(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	struct reading *reading = stream->context;

	/* One that is too large is left out when it ends. */
	(void)err;
	buffer_append(&reading->body, bytes, length);
	return 0;
}

static void
read_stats(struct docker_stream *stream)
{
	struct reading *reading = stream->context;
	auto_json struct json_object *answer = NULL;
	struct error ignored;

	if (stream->refused) /* its error says more */
		return;
	if (!reading->body.overflowed &&
	    json_parse_trusted(buffer_string(&reading->body),
		reading->body.length, &answer, &ignored) == 0 &&
	    read_answer(answer, reading->out) == 0)
		return;
	stream->refused = true;
	error_set(&stream->err, ERR_UPSTREAM, "DOCKER_ERROR",
	    "Docker's answer is broken");
}

static int
open_readings(struct docker *docker, const char *const *ids, size_t count,
    struct docker_stream *streams, struct reading *readings, struct error *err)
{
	size_t i;

	for (i = 0; i < count; i++) {
		auto_buffer struct buffer path = BUFFER(512);

		buffer_printf(
		    &path, "/containers/%s/stats?stream=0&one-shot=1", ids[i]);
		streams[i].context = &readings[i];
		streams[i].on_bytes = receive_stats;
		streams[i].on_end = read_stats;
		if (docker_stream_open(docker, &streams[i], path.bytes,
			"container", ids[i], err) < 0)
			return -1;
	}
	return 0;
}

static int
read_batch(struct docker *docker, const char *const *ids, size_t count,
    struct docker_stats *out, struct error *err)
{
	struct docker_stream streams[STATS_BATCH] = { 0 };
	struct reading readings[STATS_BATCH];
	struct docker_follow follow = { .streams = streams,
		.count = count,
		.deadline_ms = clock_monotonic_ms() + READ_TIMEOUT_MS,
		.wake_fd = -1 };
	bool any = false;
	int failed;
	size_t i;

	for (i = 0; i < count; i++) {
		out[i] = (struct docker_stats){ 0 };
		readings[i] = (struct reading){ .body = BUFFER(STATS_MAXIMUM),
			.out = &out[i] };
	}
	failed =
	    docker_ready(docker, err) < 0 ||
	    open_readings(docker, ids, count, streams, readings, err) < 0 ||
	    docker_streams_run(docker, &follow, err) < 0;
	for (i = 0; i < count; i++) {
		any |= out[i].is_known;
		docker_stream_close(&streams[i]);
		buffer_clear(&readings[i].body);
	}
	if (failed || any || count == 0)
		return failed ? -1 : 0;
	*err = streams[0].err;
	return -1;
}

int
docker_stats_read(struct docker *docker, const char *const *ids, size_t count,
    struct docker_stats *out, struct error *err)
{
	size_t first, batch;

	for (first = 0; first < count; first++)
		if (docker_check_id(ids[first], err) < 0)
			return -1;
	for (first = 0; first < count; first += batch) {
		batch =
		    count - first < STATS_BATCH ? count - first : STATS_BATCH;
		if (read_batch(docker, ids + first, batch, out + first, err) <
		    0)
			return -1;
	}
	return 0;
}
