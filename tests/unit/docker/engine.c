#include "tests/unit/docker/engine.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWERS_MAXIMUM 64
#define HEAD_MAXIMUM 65536
#define POLL_MS 20

struct engine {
	char directory[32], path[64];
	int listener;
	pthread_t thread;
	pthread_mutex_t lock;
	struct engine_answer answers[ANSWERS_MAXIMUM];
	size_t count;
	char request[HEAD_MAXIMUM];
	int connections, open;
	size_t sent_bytes;
	bool is_stopping;
};

struct connection {
	struct engine *engine;
	int fd;
};

static bool
is_stopping(struct engine *engine)
{
	bool stopping;

	pthread_mutex_lock(&engine->lock);
	stopping = engine->is_stopping;
	pthread_mutex_unlock(&engine->lock);
	return stopping;
}

/* Waits for events; false when the engine ends. */
static bool
wait_for(struct engine *engine, int fd, short events, short *out)
{
	struct pollfd polled = { .fd = fd, .events = events };

	do {
		if (is_stopping(engine))
			return false;
	} while (poll(&polled, 1, POLL_MS) <= 0);
	if (out != NULL)
		*out = polled.revents;
	return true;
}

static bool
send_all(struct engine *engine, int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent;

		if (!wait_for(engine, fd, POLLOUT, NULL))
			return false;
		sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN)
			continue;
		if (sent < 0)
			return false;
		pthread_mutex_lock(&engine->lock);
		engine->sent_bytes += (size_t)sent;
		pthread_mutex_unlock(&engine->lock);
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool
send_chopped(struct engine *engine, int fd, const struct engine_answer *answer)
{
	size_t chop = answer->chop ? answer->chop : answer->length, at;

	for (at = 0; at < answer->length; at += chop) {
		size_t left = answer->length - at;

		if (!send_all(engine, fd, answer->bytes + at,
			left < chop ? left : chop))
			return false;
	}
	return true;
}

/* Finds the answer; remembers the request. */
static struct engine_answer
find_answer(struct engine *engine, const char *head)
{
	struct engine_answer found = { .after = ENGINE_CLOSE };
	size_t i;

	pthread_mutex_lock(&engine->lock);
	if (strncmp(head, "GET /_ping", 10) != 0)
		snprintf(engine->request, sizeof engine->request, "%s", head);
	for (i = engine->count; i > 0; i--)
		if (strncmp(head, engine->answers[i - 1].request,
			strlen(engine->answers[i - 1].request)) == 0) {
			found = engine->answers[i - 1];
			break;
		}
	pthread_mutex_unlock(&engine->lock);
	return found;
}

static bool
answer_request(struct engine *engine, int fd, const char *head)
{
	struct engine_answer answer = find_answer(engine, head);
	int64_t until = clock_monotonic_ms() + answer.delay_ms;
	size_t times = answer.repeat ? answer.repeat : 1;
	short events = 0;
	char byte;

	while (clock_monotonic_ms() < until && !is_stopping(engine))
		clock_sleep_ms(5);
	while (times-- > 0)
		if (!send_chopped(engine, fd, &answer))
			return false;
	if (answer.after == ENGINE_HOLD)
		while (wait_for(engine, fd, POLLIN | POLLRDHUP, &events) &&
		       (events & (POLLRDHUP | POLLHUP)) == 0 &&
		       recv(fd, &byte, 1, 0) > 0)
			;
	return answer.after == ENGINE_KEEP;
}

/* Appends the body that the head says there is. */
static bool
read_body(struct engine *engine, int fd, char *head, size_t length)
{
	const char *header = strcasestr(head, "\r\nContent-Length: ");
	size_t left = header ? strtoul(header + 18, NULL, 10) : 0;

	while (left-- > 0) {
		if (length == HEAD_MAXIMUM - 1 ||
		    !wait_for(engine, fd, POLLIN, NULL) ||
		    recv(fd, head + length, 1, 0) != 1)
			return false;
		head[++length] = '\0';
	}
	return true;
}

static bool
serve_request(struct engine *engine, int fd)
{
	static const char end[] = "\r\n\r\n";
	char *head = xmalloc(HEAD_MAXIMUM);
	size_t length = 0;
	bool goes_on = false;

	while (
	    length < HEAD_MAXIMUM - 1 && wait_for(engine, fd, POLLIN, NULL)) {
		if (recv(fd, head + length, 1, 0) != 1)
			break;
		head[++length] = '\0';
		if (length >= 4 && strcmp(head + length - 4, end) == 0) {
			goes_on = read_body(engine, fd, head, length) &&
				  answer_request(engine, fd, head);
			break;
		}
	}
	free(head);
	return goes_on;
}

static void *
serve_connection(void *context)
{
	struct connection *connection = context;
	struct engine *engine = connection->engine;

	while (serve_request(engine, connection->fd))
		;
	close(connection->fd);
	free(connection);
	pthread_mutex_lock(&engine->lock);
	engine->open--;
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

static void *
accept_connections(void *context)
{
	struct engine *engine = context;
	struct connection *connection;
	pthread_t thread;
	int fd;

	while (wait_for(engine, engine->listener, POLLIN, NULL)) {
		if ((fd = accept(engine->listener, NULL, NULL)) < 0)
			continue;
		connection = xmalloc(sizeof *connection);
		*connection = (struct connection){ engine, fd };
		pthread_mutex_lock(&engine->lock);
		engine->connections++;
		engine->open++;
		pthread_mutex_unlock(&engine->lock);
		if (pthread_create(
			&thread, NULL, serve_connection, connection) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

struct engine *
engine_start(void)
{
	struct engine *engine = xcalloc(1, sizeof *engine);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	pthread_mutex_init(&engine->lock, NULL);
	snprintf(
	    engine->directory, sizeof engine->directory, "/tmp/engine-XXXXXX");
	if (mkdtemp(engine->directory) == NULL)
		abort();
	snprintf(engine->path, sizeof engine->path, "%s/docker.sock",
	    engine->directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", engine->path);
	engine->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(engine->listener, (struct sockaddr *)&address,
		sizeof address) < 0 ||
	    listen(engine->listener, 1024) < 0 ||
	    pthread_create(&engine->thread, NULL, accept_connections, engine) !=
		0)
		abort();
	engine_answers(
	    engine, &(struct engine_answer){
			.request = "GET /_ping",
			.bytes = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n"
				 "Content-Length: 2\r\n\r\nOK",
		    });
	return engine;
}

void
engine_hide(struct engine *engine)
{
	unlink(engine->path);
}

void
engine_stop(struct engine *engine)
{
	size_t i;

	pthread_mutex_lock(&engine->lock);
	engine->is_stopping = true;
	pthread_mutex_unlock(&engine->lock);
	pthread_join(engine->thread, NULL);
	while (engine_open_connections(engine) > 0)
		clock_sleep_ms(2);
	close(engine->listener);
	unlink(engine->path);
	rmdir(engine->directory);
	for (i = 0; i < engine->count; i++) {
		free((char *)engine->answers[i].request);
		free((char *)engine->answers[i].bytes);
	}
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

const char *
engine_path(struct engine *engine)
{
	return engine->path;
}

void
engine_answers(struct engine *engine, const struct engine_answer *answer)
{
	struct engine_answer copy = *answer;
	char *bytes;

	if (copy.length == 0)
		copy.length = strlen(copy.bytes);
	bytes = xmalloc(copy.length);
	memcpy(bytes, copy.bytes, copy.length);
	copy.bytes = bytes;
	copy.request = xstrdup(copy.request);
	pthread_mutex_lock(&engine->lock);
	if (engine->count == ANSWERS_MAXIMUM)
		abort();
	engine->answers[engine->count++] = copy;
	pthread_mutex_unlock(&engine->lock);
}

void
engine_answers_json(struct engine *engine, const char *request,
    const char *status, const char *body)
{
	auto_buffer struct buffer bytes = BUFFER(64U * 1024 * 1024);

	buffer_printf(&bytes,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    status, strlen(body), body);
	engine_answers(engine, &(struct engine_answer){
				   .request = request,
				   .bytes = bytes.bytes,
				   .length = bytes.length,
			       });
}

const char *
engine_request(struct engine *engine)
{
	return engine->request;
}

int
engine_connections(struct engine *engine)
{
	int count;

	pthread_mutex_lock(&engine->lock);
	count = engine->connections;
	pthread_mutex_unlock(&engine->lock);
	return count;
}

int
engine_open_connections(struct engine *engine)
{
	int count;

	pthread_mutex_lock(&engine->lock);
	count = engine->open;
	pthread_mutex_unlock(&engine->lock);
	return count;
}

size_t
engine_sent_bytes(struct engine *engine)
{
	size_t count;

	pthread_mutex_lock(&engine->lock);
	count = engine->sent_bytes;
	pthread_mutex_unlock(&engine->lock);
	return count;
}

bool
engine_wait_open(struct engine *engine, int count)
{
	int64_t until = clock_monotonic_ms() + 2000;

	while (engine_open_connections(engine) > count) {
		if (clock_monotonic_ms() > until)
			return false;
		clock_sleep_ms(2);
	}
	return true;
}
