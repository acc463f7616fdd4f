#include "docker/docker-private.h"

#define EVENT_MAXIMUM (1024 * 1024)
#define IDLE_MS 250
#define EVENTS_PATH                                                           \
	"/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22image%22%2C" \
	"%22volume%22%2C%22network%22%5D%7D"

struct reader {
	struct json_tokener *tokener;
	size_t pending_bytes; /* of the event that is not complete */
	struct docker_follow *follow;
	bool (*on_event)(void *context, const struct docker_event *event);
	void *context;
};

static bool
tell_event(struct reader *reader, struct json_object *object)
{
	struct json_object *actor = json_member(object, "Actor");
	struct json_object *attributes = json_member(actor, "Attributes");
	struct docker_event event = {
		.type = docker_row_text(object, "Type"),
		.action = docker_row_text(object, "Action"),
		.id = docker_row_text(actor, "ID"),
		.name = docker_row_text(attributes, "name"),
		.container = docker_row_text(attributes, "container"),
		.project = docker_row_text(attributes, PROJECT_LABEL),
		.time_ms = json_int(object, "timeNano", 0) / 1000000,
	};

	if (event.time_ms == 0) {
		event.time_ms = json_int(object, "time", 0);
		if (event.time_ms < INT64_MAX / 1000)
			event.time_ms *= 1000;
	}
	return reader->on_event(reader->context, &event);
}

static int
fail_broken(struct error *err)
{
	return error_set(
	    err, ERR_UPSTREAM, "DOCKER_ERROR", "Docker's answer is broken");
}

/* One object after another, each anywhere across the chunks. */
static int
read_events(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	struct reader *reader = stream->context;

	while (length > 0) {
		auto_json struct json_object *object =
		    json_tokener_parse_ex(reader->tokener, bytes, (int)length);
		size_t used = json_tokener_get_parse_end(reader->tokener);

		if (json_tokener_get_error(reader->tokener) ==
		    json_tokener_continue) {
			reader->pending_bytes += length;
			return reader->pending_bytes <= EVENT_MAXIMUM
				   ? 0
				   : fail_broken(err);
		}
		if (!json_object_is_type(object, json_type_object))
			return fail_broken(err);
		reader->pending_bytes = 0;
		bytes += used;
		length -= used;
		if (!tell_event(reader, object)) {
			reader->follow->stopped = stream->ended = true;
			return -1;
		}
	}
	return 0;
}

static int
build_path(int64_t since_s, struct buffer *path)
{
	buffer_text(path, EVENTS_PATH);
	if (since_s > 0)
		buffer_printf(path, "&since=%lld", (long long)since_s);
	return path->overflowed ? -1 : 0;
}

/* Without an end of its own: that it ended at all means it broke. */
static int
follow_events(
    struct docker *docker, struct docker_follow *follow, struct error *err)
{
	const struct docker_stream *stream = follow->streams;

	if (docker_streams_run(docker, follow, err) < 0)
		return -1;
	if (stream->refused) {
		*err = stream->err;
		return -1;
	}
	if (stream->ended && !follow->stopped)
		return error_set(err, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
		    "Docker ended its events");
	return 0;
}

int
docker_events_follow(struct docker *docker, int64_t since_s,
    bool (*on_event)(void *context, const struct docker_event *event),
    bool (*on_idle)(void *context), void *context, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	struct reader reader = { .on_event = on_event, .context = context };
	struct docker_stream stream = {
		.on_bytes = read_events,
		.context = &reader,
	};
	struct docker_follow follow = {
		.streams = &stream,
		.count = 1,
		.wake_fd = -1,
		.idle_ms = IDLE_MS,
		.on_idle = on_idle,
		.context = context,
	};
	int result = -1;

	build_path(since_s, &path);
	reader.follow = &follow;
	reader.tokener = json_tokener_new();
	json_tokener_set_flags(reader.tokener,
	    JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	if (docker_ready(docker, err) == 0 &&
	    docker_stream_open(
		docker, &stream, path.bytes, "event stream", NULL, err) == 0)
		result = follow_events(docker, &follow, err);
	docker_stream_close(&stream);
	json_tokener_free(reader.tokener);
	return result;
}
