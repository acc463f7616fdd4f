#include "base/clock.h"
#include "docker/docker-private.h"
#include "docker/frames.h"

#include <stdlib.h>

#define SOURCES_MAXIMUM 256
#define PARALLEL_MAXIMUM 8
#define IDLE_MS 1000
#define LOGS_TIMEOUT_MS 15000

/* Of one that is followed, for as long as it is. */
#define FOLLOWED_BUFFER 4096

/* What reading and following have in common. */
struct log_reading {
	bool (*on_line)(void *context, const struct docker_log_line *line);
	void *context;
	struct docker_follow follow;
};

struct log_source {
	struct log_reading *reading;
	size_t number;
	struct frames frames;
};

static bool
tell_line(void *context, const struct frames_line *from)
{
	struct log_source *source = context;
	struct log_reading *reading = source->reading;
	struct docker_log_line line = {
		.source = source->number,
		.stream = from->stream,
		.timestamp = from->timestamp,
		.text = from->text,
		.length = from->length,
	};

	if (reading->on_line(reading->context, &line))
		return true;
	reading->follow.stopped = true;
	return false;
}

static int
read_log(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	struct log_source *source = stream->context;

	if (frames_feed(&source->frames, bytes, length, err) == 0)
		return 0;
	if (source->frames.stopped)
		stream->ended = true;
	return -1;
}

static void
end_log(struct docker_stream *stream)
{
	struct log_source *source = stream->context;

	if (!stream->refused)
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
append_time(struct buffer *path, const char *name, int64_t time_ms)
{
	if (time_ms > 0)
		buffer_printf(path, "&%s=%lld.%03d", name,
		    (long long)(time_ms / 1000), (int)(time_ms % 1000));
}

static void
build_path(const char *id, const struct docker_log_options *options,
    bool follow, struct buffer *path)
{
	buffer_printf(path,
	    "/containers/%s/logs?stdout=%d&stderr=%d&timestamps=1&follow=%d",
	    id, options->stream != DOCKER_LOG_STDERR,
	    options->stream != DOCKER_LOG_STDOUT, follow);
	if (options->tail >= 0)
		buffer_printf(path, "&tail=%d", options->tail);
	else
		buffer_text(path, "&tail=all");
	append_time(path, "since", options->since_ms);
	append_time(path, "until", options->until_ms);
}

static int
open_source(struct docker *docker, struct log_source *source, const char *id,
    const struct docker_log_options *options, bool follow,
    struct docker_stream *stream, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	bool has_tty = false;

	if (inspect_tty(docker, id, &has_tty, err) < 0)
		return -1;
	frames_init(&source->frames, has_tty, tell_line, source);
	stream->on_bytes = read_log;
	stream->context = source;
	build_path(id, options, follow, &path);
	return docker_stream_open(
	    docker, stream, path.bytes, "container", id, err);
}

/* Reading. */

/*
 * Opens what can be. A container that is gone, or whose log cannot be read,
 * is left out; the count of those that are open, or -1.
 */
static int
open_sources(struct docker *docker, struct log_source *sources,
    const char *const *ids, const struct docker_log_options *options,
    size_t *out_opened, struct error *first)
{
	struct docker_follow *follow = &sources[0].reading->follow;
	struct error err;
	size_t i;

	*out_opened = 0;
	for (i = 0; i < follow->count; i++) {
		follow->streams[i].on_end = end_log;
		if (open_source(docker, &sources[i], ids[i], options, false,
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
judge(const struct docker_follow *follow, size_t opened, struct error *first,
    struct error *err)
{
	const struct docker_stream *stream;
	size_t refused = 0, i;

	for (i = 0; i < follow->count; i++) {
		stream = &follow->streams[i];
		if (!stream->refused)
			continue;
		if (first->message[0] == '\0')
			*first = stream->err;
		refused++;
	}
	if (refused < opened)
		return 0;
	*err = *first;
	return -1;
}

static int
read_sources(struct docker *docker, struct log_source *sources,
    const char *const *ids, const struct docker_log_options *options,
    struct error *err)
{
	struct docker_follow *follow = &sources[0].reading->follow;
	struct error first = { 0 };
	size_t opened;

	if (open_sources(docker, sources, ids, options, &opened, &first) < 0) {
		*err = first;
		return -1;
	}
	follow->deadline_ms = clock_monotonic_ms() + LOGS_TIMEOUT_MS;
	if (opened > 0 && docker_streams_run(docker, follow, err) < 0)
		return -1;
	return judge(follow, opened, &first, err);
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
    const struct docker_log_options *options,
    bool (*on_line)(void *context, const struct docker_log_line *line),
    void *context, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct log_reading reading = {
		.on_line = on_line,
		.context = context,
		.follow = { .count = count,
		    .parallel = PARALLEL_MAXIMUM,
		    .wake_fd = -1 },
	};
	struct log_source *sources;
	size_t i;
	int result;

	if (check_ids(ids, count, err) < 0)
		return -1;
	if (count == 0)
		return 0;
	if (docker_reading_begin(docker, err) < 0)
		return -1;
	sources = arena_array(&arena, count, sizeof *sources);
	reading.follow.streams =
	    arena_array(&arena, count, sizeof *reading.follow.streams);
	for (i = 0; i < count; i++) {
		sources[i].reading = &reading;
		sources[i].number = i;
	}
	result = read_sources(docker, sources, ids, options, err);
	docker_reading_end(docker);
	for (i = 0; i < count; i++) {
		docker_stream_close(&reading.follow.streams[i]);
		frames_clear(&sources[i].frames);
	}
	return result;
}

/* Following. */

struct followed {
	struct log_source source;
	struct docker_stream stream;
	struct docker_logs *logs;
	struct followed *next;
	bool has_ended;
	char *id;
};

struct docker_logs {
	struct log_reading reading;
	struct docker *docker;
	const struct docker_log_listener *listener;
	struct followed *followed;
	size_t count;
};

static void
free_followed(struct followed *followed)
{
	docker_stream_close(&followed->stream);
	frames_clear(&followed->source.frames);
	free(followed->id);
	free(followed);
}

/* Not at once when they end: libcurl and frames.c may be using them. */
static void
free_ended(struct docker_logs *logs)
{
	struct followed **link = &logs->followed;
	struct followed *one;

	while ((one = *link) != NULL) {
		if (!one->has_ended) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		logs->count--;
		free_followed(one);
	}
}

static void
end_followed(struct docker_stream *stream)
{
	struct log_source *source = stream->context;
	/* The source is its first member. */
	struct followed *followed = (struct followed *)(void *)source;
	const struct docker_log_listener *listener = followed->logs->listener;

	end_log(stream);
	followed->has_ended = true;
	if (!followed->logs->reading.follow.stopped)
		listener->on_end(listener->context, source->number,
		    stream->refused ? &stream->err : NULL);
}

int
docker_logs_add(struct docker_logs *logs, const char *id, size_t number,
    const struct docker_log_options *options, struct error *err)
{
	struct followed *followed;

	if (logs->count == SOURCES_MAXIMUM)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "logs of more than %d containers", SOURCES_MAXIMUM);
	if (docker_check_id(id, err) < 0)
		return -1;
	followed = xcalloc(1, sizeof *followed);
	followed->logs = logs;
	followed->source.reading = &logs->reading;
	followed->source.number = number;
	followed->stream.on_end = end_followed;
	followed->id = xstrdup(id);
	if (open_source(logs->docker, &followed->source, followed->id, options,
		true, &followed->stream, err) < 0) {
		free_followed(followed);
		return -1;
	}
	curl_easy_setopt(
	    followed->stream.easy, CURLOPT_BUFFERSIZE, (long)FOLLOWED_BUFFER);
	if (docker_stream_join(&logs->reading.follow, &followed->stream, err) <
	    0) {
		free_followed(followed);
		return -1;
	}
	followed->next = logs->followed;
	logs->followed = followed;
	logs->count++;
	return 0;
}

static bool
tell_idle(void *context)
{
	struct docker_logs *logs = context;

	free_ended(logs);
	return logs->listener->on_idle(logs->listener->context, logs);
}

int
docker_logs_follow(struct docker *docker, int wake_fd,
    const struct docker_log_listener *listener, struct error *err)
{
	struct docker_logs logs = {
		.reading = {
			.on_line = listener->on_line,
			.context = listener->context,
			.follow = {
				.wake_fd = wake_fd,
				.idle_ms = IDLE_MS,
				.on_idle = tell_idle,
				.context = &logs,
				.waits = true,
			},
		},
		.docker = docker,
		.listener = listener,
	};
	struct followed *one;
	int result = docker_streams_run(docker, &logs.reading.follow, err);

	while ((one = logs.followed) != NULL) {
		logs.followed = one->next;
		free_followed(one);
	}
	return result;
}
