/*
 * The Engine tells of the end of a container, and wakes who waits for it,
 * before it unmounts its file system and writes the end down for its list:
 * on a busy machine that takes seconds. It holds the container's lock
 * meanwhile, and so does an inspection: who is answered is behind it.
 */
#include "base/clock.h"
#include "docker/docker-private.h"

#define IDLE_MS 50

/* What it says does not matter. */
static int
on_bytes(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	bool *settled = stream->context;

	(void)bytes;
	(void)length;
	(void)err;
	*settled = stream->ended = true;
	return -1;
}

/* Neither is an error a reason to wait. */
static void
on_end(struct docker_stream *stream)
{
	bool *settled = stream->context;

	*settled = true;
}

/* The time is up: not the Engine's fault, which a deadline would be. */
static bool
on_idle(void *context)
{
	const int64_t *until_ms = context;

	return clock_monotonic_ms() < *until_ms;
}

static int
open_inspections(struct docker *docker, const char *const *ids,
    struct docker_follow *follow, bool *settled, struct error *err)
{
	size_t i;

	for (i = 0; i < follow->count; i++) {
		auto_buffer struct buffer path = BUFFER(512);
		struct docker_stream *stream = &follow->streams[i];

		if (docker_check_id(ids[i], err) < 0)
			return -1;
		buffer_printf(&path, "/containers/%s/json", ids[i]);
		stream->context = &settled[i];
		stream->on_bytes = on_bytes;
		stream->on_end = on_end;
		if (docker_stream_open(docker, stream, path.bytes, "container",
			ids[i], err) < 0)
			return -1;
	}
	return 0;
}

void
docker_containers_settle(struct docker *docker, const char *const *ids,
    size_t count, int64_t timeout_ms, bool *settled)
{
	int64_t until_ms = clock_monotonic_ms() + timeout_ms;
	auto_arena struct arena arena = { 0 };
	struct docker_follow follow = {
		.streams =
		    arena_array(&arena, count, sizeof(struct docker_stream)),
		.count = count,
		.wake_fd = -1,
		.idle_ms = IDLE_MS,
		.on_idle = on_idle,
		.context = &until_ms,
	};
	struct error ignored;
	size_t i;

	for (i = 0; i < count; i++)
		settled[i] = false;
	if (docker_ready(docker, &ignored) < 0)
		return;
	if (open_inspections(docker, ids, &follow, settled, &ignored) == 0)
		docker_streams_run(docker, &follow, &ignored);
	for (i = 0; i < count; i++)
		docker_stream_close(&follow.streams[i]);
}
