/* Answers that are consumed as they come: events and logs. */
#include "base/clock.h"
#include "docker/docker-private.h"

#include <poll.h>

#define POLL_MAXIMUM_MS 1000

/* Whether the Engine sent its head; what it says with an error is kept. */
static bool
is_refused(struct docker_stream *stream)
{
	long status = 0;

	stream->has_head = true;
	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	return status != 200;
}

static size_t
receive(char *bytes, size_t size, size_t count, void *context)
{
	struct docker_stream *stream = context;
	size_t length = size * count;

	if (is_refused(stream)) {
		buffer_append(&stream->refusal, bytes, length);
		return stream->refusal.overflowed ? 0 : length;
	}
	if (stream->on_bytes(stream, bytes, length, &stream->err) < 0)
		return 0;
	return length;
}

/* The empty line that ends the head: a quiet log sends nothing after it. */
static size_t
receive_header(char *bytes, size_t size, size_t count, void *context)
{
	struct docker_stream *stream = context;

	if (bytes[0] == '\r' || bytes[0] == '\n')
		stream->has_head = true;
	return size * count;
}

int
docker_stream_open(struct docker *docker, struct docker_stream *stream,
    const char *path, const char *noun, const char *id, struct error *err)
{
	auto_buffer struct buffer url = BUFFER(REFUSAL_MAXIMUM);

	if ((stream->easy = curl_easy_init()) == NULL)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "no memory for a connection");
	stream->noun = noun;
	stream->id = id;
	stream->refusal.maximum = REFUSAL_MAXIMUM;
	docker_url(docker, path, &url);
	docker_configure(docker, stream->easy, url.bytes);
	if (stream->content != NULL)
		docker_post(stream->easy, stream->content);
	if (stream->headers != NULL)
		curl_easy_setopt(
		    stream->easy, CURLOPT_HTTPHEADER, stream->headers);
	curl_easy_setopt(stream->easy, CURLOPT_PRIVATE, stream);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(stream->easy, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(stream->easy, CURLOPT_HEADERDATA, stream);
	return 0;
}

void
docker_stream_close(struct docker_stream *stream)
{
	if (stream->easy != NULL)
		curl_easy_cleanup(stream->easy);
	stream->easy = NULL;
	buffer_clear(&stream->refusal);
}

static void
refuse(struct docker_stream *stream, long status)
{
	if (stream->explain != NULL)
		docker_refused_by(
		    stream->explain, status, &stream->refusal, &stream->err);
	else
		docker_refused(status, stream->noun, stream->id,
		    &stream->refusal, &stream->err);
}

/* What the end of one transfer means; -1 when it broke. */
static int
end_stream(struct docker *docker, struct docker_stream *stream, CURLcode code,
    struct error *err)
{
	long status = 0;

	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	if (stream->ended) /* on_bytes wanted no more */
		return 0;
	stream->ended = true;
	if (code == CURLE_OK || (status != 0 && status != 200)) {
		stream->refused = status != 200;
		if (stream->refused)
			refuse(stream, status);
		if (stream->on_end != NULL)
			stream->on_end(stream);
		return 0;
	}
	if (code == CURLE_WRITE_ERROR) {
		*err = stream->err;
		return -1;
	}
	return docker_transfer_failed(docker, stream->easy, code, err);
}

/* It no longer runs. */
static void
leave_follow(struct docker_follow *follow, struct docker_stream *stream)
{
	struct docker_stream **link;

	for (link = &follow->running; *link != NULL; link = &(*link)->next) {
		if (*link != stream)
			continue;
		*link = stream->next;
		break;
	}
	curl_multi_remove_handle(follow->multi, stream->easy);
}

/* Handles what ended; a connection that is done is closed at once. */
static int
collect_ended(
    struct docker *docker, struct docker_follow *follow, struct error *err)
{
	struct docker_stream *stream;
	CURLMsg *message;
	CURLcode code;
	char *private;
	int pending;

	while (
	    (message = curl_multi_info_read(follow->multi, &pending)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &private);
		stream = (struct docker_stream *)(void *)private;
		leave_follow(follow, stream);
		if (follow->stopped)
			return 0;
		if (end_stream(docker, stream, code, err) < 0)
			return -1;
		docker_stream_close(stream);
	}
	return 0;
}

static bool
has_hung_up(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLRDHUP };

	return fd >= 0 && poll(&polled, 1, 0) > 0 &&
	       (polled.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) !=
		   0;
}

static bool
is_too_slow(const struct docker_follow *follow)
{
	int64_t now = clock_monotonic_ms();
	const struct docker_stream *stream;

	if (follow->deadline_ms != 0)
		return now >= follow->deadline_ms;
	for (stream = follow->running; stream != NULL; stream = stream->next)
		if (!stream->has_head &&
		    now >= stream->joined_at_ms + READ_TIMEOUT_MS)
			return true;
	return false;
}

/* Waits for bytes, a hang-up or the time to be idle. */
static void
wait_for_bytes(const struct docker_follow *follow, int64_t idle_at_ms)
{
	struct curl_waitfd waker = { .fd = follow->wake_fd };
	int64_t wait_ms = POLL_MAXIMUM_MS;

	if (follow->on_idle != NULL)
		wait_ms = idle_at_ms - clock_monotonic_ms();
	if (wait_ms < 0)
		wait_ms = 0;

	/* Without events asked for, only hang-ups and errors end the wait. */
	curl_multi_poll(follow->multi, &waker, follow->wake_fd >= 0 ? 1 : 0,
	    (int)wait_ms, NULL);
}

static int
run(struct docker *docker, struct docker_follow *follow, struct error *err)
{
	int64_t idle_at_ms = clock_monotonic_ms();
	int running;

	while (follow->running != NULL || follow->waits) {
		if (curl_multi_perform(follow->multi, &running) != CURLM_OK)
			return error_set(
			    err, ERR_INTERNAL, NULL, "cannot read from Docker");
		if (collect_ended(docker, follow, err) < 0)
			return -1;
		if (follow->stopped ||
		    (follow->running == NULL && !follow->waits) ||
		    has_hung_up(follow->wake_fd))
			return 0;
		if (is_too_slow(follow))
			return docker_transfer_failed(
			    docker, NULL, CURLE_OPERATION_TIMEDOUT, err);
		if (follow->on_idle != NULL &&
		    clock_monotonic_ms() >= idle_at_ms) {
			if (!follow->on_idle(follow->context))
				return 0;
			idle_at_ms = clock_monotonic_ms() + follow->idle_ms;
			continue; /* what joined begins at once */
		}
		wait_for_bytes(follow, idle_at_ms);
	}
	return 0;
}

int
docker_stream_join(struct docker_follow *follow, struct docker_stream *stream,
    struct error *err)
{
	if (curl_multi_add_handle(follow->multi, stream->easy) != CURLM_OK)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "no memory for a connection");
	stream->joined_at_ms = clock_monotonic_ms();
	stream->next = follow->running;
	follow->running = stream;
	return 0;
}

static int
join_all(struct docker_follow *follow, struct error *err)
{
	size_t i;

	if (follow->parallel > 0)
		curl_multi_setopt(follow->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
		    (long)follow->parallel);
	for (i = 0; i < follow->count; i++)
		if (follow->streams[i].easy != NULL &&
		    docker_stream_join(follow, &follow->streams[i], err) < 0)
			return -1;
	return 0;
}

static bool
has_begun(const struct docker_follow *follow)
{
	const struct docker_stream *stream;

	for (stream = follow->running; stream != NULL; stream = stream->next)
		if (stream->has_head)
			return true;
	return false;
}

int
docker_streams_run(
    struct docker *docker, struct docker_follow *follow, struct error *err)
{
	int result;

	follow->multi = curl_multi_init();
	if (follow->multi == NULL)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "no memory for a connection");
	result = join_all(follow, err);
	if (result == 0)
		result = run(docker, follow, err);
	/* What takes long but has begun does not hang. */
	docker_leave(docker, has_begun(follow) ? 0 : result, err);
	while (follow->running != NULL)
		leave_follow(follow, follow->running);
	curl_multi_cleanup(follow->multi);
	return result;
}
