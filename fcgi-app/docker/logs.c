#include "base/clock.h"
#include "docker/docker-private.h"
#include "docker/frames.h"

#define SOURCES_MAXIMUM 256
#define PARALLEL_MAXIMUM 8
#define IDLE_MS 1000
#define LOGS_TIMEOUT_MS 15000
#define RETRY_AFTER_S 1

struct reading;

struct source {
	struct reading *reading;
	size_t index;
	const char *id;
	struct frames frames;
	size_t given_bytes;
	bool is_full;
};

struct reading {
	const struct docker_log_options *options;
	size_t maximum_bytes;
	bool (*on_line)(void *context, const struct docker_log_line *line);
	void *context;
	struct source *sources;
	struct docker_follow follow;
};

static bool
tell_line(void *context, const struct frames_line *from)
{
	struct source *source = context;
	struct reading *reading = source->reading;
	struct docker_log_line line = {
		.source = source->index,
		.stream = from->stream,
		.timestamp = from->timestamp,
		.text = from->text,
		.length = from->length,
	};

	if (!reading->options->follow &&
	    line.length > reading->maximum_bytes - source->given_bytes) {
		source->is_full = true;
		return false;
	}
	if (!reading->options->follow)
		source->given_bytes += line.length;
	if (reading->on_line(reading->context, &line))
		return true;
	reading->follow.stopped = true;
	return false;
}

static int
read_log(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	struct source *source = stream->context;

	if (frames_feed(&source->frames, bytes, length, err) == 0)
		return 0;
	if (source->frames.stopped)
		stream->ended = true;
	return -1;
}

static void
end_log(struct docker_stream *stream)
{
	struct source *source = stream->context;

	frames_end(&source->frames);
}

/* With a TTY the log has no frames; nothing in its answer tells. */
static int
inspect_tty(
    struct docker *docker, const char *id, bool *has_tty, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_json struct json_object *answer = NULL;
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
		.id = id,
	};

	buffer_printf(&path, "/containers/%s/json", id);
	call.path = path.bytes;
	if (docker_call_json(docker, &call, &answer, err) < 0)
		return -1;
	*has_tty = json_boolean(json_member(answer, "Config"), "Tty", false);
	return 0;
}

static void
build_path(const char *id, const struct docker_log_options *options,
    struct buffer *path)
{
	buffer_printf(path,
	    "/containers/%s/logs?stdout=1&stderr=1&timestamps=1&follow=%d", id,
	    options->follow);
	if (options->tail >= 0)
		buffer_printf(path, "&tail=%d", options->tail);
	else
		buffer_text(path, "&tail=all");
	if (options->since_ms > 0)
		buffer_printf(path, "&since=%lld.%03d",
		    (long long)(options->since_ms / 1000),
		    (int)(options->since_ms % 1000));
}

static int
open_source(struct docker *docker, struct source *source,
    struct docker_stream *stream, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	bool has_tty = false;

	if (inspect_tty(docker, source->id, &has_tty, err) < 0)
		return -1;
	frames_init(&source->frames, has_tty, tell_line, source);
	stream->on_bytes = read_log;
	stream->on_end = end_log;
	stream->context = source;
	build_path(source->id, source->reading->options, &path);
	return docker_stream_open(
	    docker, stream, path.bytes, "container", source->id, err);
}

/*
 * Opens what can be. A container that is gone, or whose log cannot be read,
 * is left out; the count of those that are open, or -1.
 */
static int
open_sources(struct docker *docker, struct reading *reading, size_t *out_opened,
    struct error *first)
{
	struct docker_follow *follow = &reading->follow;
	struct error err;
	size_t i;

	*out_opened = 0;
	for (i = 0; i < follow->count; i++) {
		if (open_source(docker, &reading->sources[i],
			&follow->streams[i], &err) == 0) {
			++*out_opened;
			continue;
		}
		if (first->message[0] == '\0')
			*first = err;
		if (err.kind != ERR_NOT_FOUND) {
			*first = err;
			return -1;
		}
	}
	return 0;
}

/* Nothing was read at all: then the reason matters. */
static int
judge(const struct reading *reading, size_t opened, struct error *first,
    struct error *err)
{
	const struct docker_stream *stream;
	size_t refused = 0, i;

	for (i = 0; i < reading->follow.count; i++) {
		stream = &reading->follow.streams[i];
		if (!stream->refused)
			continue;
		if (first->message[0] == '\0')
			*first = stream->err;
		refused++;
	}
	if (refused < opened || reading->follow.count == 0)
		return 0;
	*err = *first;
	return -1;
}

static int
begin_reading(struct docker *docker, struct error *err)
{
	bool has_room;

	pthread_mutex_lock(&docker->lock);
	has_room = docker->readers_maximum == 0 ||
		   docker->readers < docker->readers_maximum;
	if (has_room)
		docker->readers++;
	pthread_mutex_unlock(&docker->lock);
	if (has_room)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "OVERLOADED",
	    "too many requests wait for Docker");
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

static void
end_reading(struct docker *docker)
{
	pthread_mutex_lock(&docker->lock);
	docker->readers--;
	pthread_mutex_unlock(&docker->lock);
}

static int
read_sources(struct docker *docker, struct reading *reading, struct error *err)
{
	struct error first = { 0 };
	size_t opened;

	if (open_sources(docker, reading, &opened, &first) < 0) {
		*err = first;
		return -1;
	}
	if (!reading->options->follow)
		reading->follow.deadline_ms =
		    clock_monotonic_ms() + LOGS_TIMEOUT_MS;
	if (opened > 0 && docker_streams_run(docker, &reading->follow, err) < 0)
		return -1;
	return judge(reading, opened, &first, err);
}

static int
check_ids(const char *const *ids, size_t count, struct error *err)
{
	size_t i;

	if (count > SOURCES_MAXIMUM)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "logs of more than %d containers", SOURCES_MAXIMUM);
	for (i = 0; i < count; i++)
		if (docker_check_id(ids[i], err) < 0)
			return -1;
	return 0;
}

int
docker_logs_read(struct docker *docker, const char *const *ids, size_t count,
    const struct docker_log_options *options, size_t maximum_bytes, int wake_fd,
    bool (*on_line)(void *context, const struct docker_log_line *line),
    bool (*on_idle)(void *context), void *context, bool *truncated,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct reading reading = {
		.options = options,
		.maximum_bytes = maximum_bytes,
		.on_line = on_line,
		.context = context,
		.follow = {
			.count = count,
			.parallel = options->follow ? 0 : PARALLEL_MAXIMUM,
			.wake_fd = wake_fd,
			.idle_ms = IDLE_MS,
			.on_idle = on_idle,
			.context = context,
		},
	};
	size_t i;
	int result;

	if (check_ids(ids, count, err) < 0 ||
	    (!options->follow && begin_reading(docker, err) < 0))
		return -1;
	reading.sources = arena_array(&arena, count, sizeof(struct source));
	reading.follow.streams =
	    arena_array(&arena, count, sizeof(struct docker_stream));
	for (i = 0; i < count; i++) {
		reading.sources[i].reading = &reading;
		reading.sources[i].index = i;
		reading.sources[i].id = ids[i];
	}
	result = read_sources(docker, &reading, err);
	if (!options->follow)
		end_reading(docker);
	if (truncated != NULL)
		*truncated = false;
	for (i = 0; i < count; i++) {
		if (truncated != NULL && reading.sources[i].is_full)
			*truncated = true;
		docker_stream_close(&reading.follow.streams[i]);
		frames_clear(&reading.sources[i].frames);
	}
	return result;
}
