#include "agent/gate.h"

#include "agent/gate-private.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK_BYTES (16 * 1024)
#define CHUNKS_AT_ONCE 4
#define INSPECTION_MAXIMUM (1024U * 1024)
#define HEAD_TIMEOUT_MS 5000
#define ENGINE_TIMEOUT_MS 30000
#define DRAIN_TIMEOUT_MS 30000
#define ANSWER_TIMEOUT_MS 5000
#define TICK_MS 500
#define EVENTS_AT_ONCE 64
#define LOG_PAUSE_MS 10000

enum link_state {
	LINK_HEAD,    /* the client's request is being read */
	LINK_RELAY,   /* the Engine's answer goes to the client */
	LINK_INSPECT, /* the Engine's answer is collected */
	LINK_ANSWER,  /* an answer of the gate's own goes to the client */
};

/* One socket as epoll knows it. */
struct end {
	struct link *link; /* NULL: the listener or the waker */
	int fd;            /* -1: none */
	uint32_t events;   /* 0: not registered */
};

struct link {
	struct link *next, *previous;
	enum link_state state;
	struct end client, engine;
	struct buffer in;        /* the client's head, then the Engine's */
	struct buffer out;       /* for the client */
	struct buffer collected; /* LINK_INSPECT */
	int64_t deadline_ms;     /* 0: none */
	bool has_begun;          /* the Engine began to answer */
	bool is_dead;            /* freed after this round of events */
};

struct gate {
	pthread_t thread;
	char *socket_path;
	struct sockaddr_un docker;
	uid_t worker_uid;
	int epoll;
	struct end listener, waker;
	struct link *links, *dead;
	size_t link_count, link_maximum;
	int64_t tick_at_ms;
	uint64_t refused; /* since the log last said so */
	int64_t logged_at_ms;
	char chunk[CHUNK_BYTES];
};

/*
 * A socket that nothing is wanted from is taken out, since epoll reports a
 * hang-up even to those who did not ask.
 */
static int
set_events(struct gate *gate, struct end *end, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = end };
	int operation = EPOLL_CTL_MOD;

	if (end->fd < 0 || end->events == events)
		return 0;
	if (end->events == 0)
		operation = EPOLL_CTL_ADD;
	else if (events == 0)
		operation = EPOLL_CTL_DEL;
	end->events = events;
	return epoll_ctl(gate->epoll, operation, end->fd, &event);
}

static void
close_end(struct gate *gate, struct end *end)
{
	set_events(gate, end, 0);
	cleanup_fd(&end->fd);
	end->fd = -1;
}

/* The memory stays until no event of this round can point at it. */
static void
kill_link(struct gate *gate, struct link *link)
{
	if (link->is_dead)
		return;
	link->is_dead = true;
	close_end(gate, &link->client);
	close_end(gate, &link->engine);
	if (link->previous != NULL)
		link->previous->next = link->next;
	else
		gate->links = link->next;
	if (link->next != NULL)
		link->next->previous = link->previous;
	gate->link_count--;
	link->next = gate->dead;
	gate->dead = link;
}

static void
free_dead(struct gate *gate)
{
	struct link *link;

	while ((link = gate->dead) != NULL) {
		gate->dead = link->next;
		buffer_clear(&link->in);
		buffer_clear(&link->out);
		buffer_clear(&link->collected);
		free(link);
	}
}

static bool
would_wait(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Sends what it can of the buffer; -1 when the socket is broken. */
static int
send_buffer(int fd, struct buffer *buffer)
{
	ssize_t sent = send(fd, buffer->bytes, buffer->length, MSG_NOSIGNAL);

	if (would_wait(sent))
		return 0;
	if (sent < 0)
		return -1;
	buffer_consume(buffer, (size_t)sent);
	return 0;
}

/* Sends to the client; when all is sent, goes on with the Engine or ends. */
static void
flush_client(struct gate *gate, struct link *link)
{
	if (send_buffer(link->client.fd, &link->out) < 0) {
		kill_link(gate, link);
		return;
	}
	if (link->out.length > 0) {
		set_events(gate, &link->client, EPOLLRDHUP | EPOLLOUT);
		return;
	}
	if (link->state == LINK_ANSWER) {
		kill_link(gate, link);
		return;
	}
	buffer_clear(&link->out);
	link->deadline_ms = 0;
	set_events(gate, &link->client, EPOLLRDHUP | EPOLLIN);
	set_events(gate, &link->engine, EPOLLIN);
}

/* The answer in link->out is the last thing the client gets. */
static void
give_answer(struct gate *gate, struct link *link)
{
	close_end(gate, &link->engine);
	link->state = LINK_ANSWER;
	link->deadline_ms = clock_monotonic_ms() + ANSWER_TIMEOUT_MS;
	flush_client(gate, link);
}

static void
give_message(struct gate *gate, struct link *link, int status,
    const char *reason, const char *message)
{
	gate_answer_message(status, reason, message, &link->out);
	give_answer(gate, link);
}

/* A worker never asks for more than the list: one that does is worth a line. */
static void
refuse(struct gate *gate, struct link *link)
{
	int64_t now = clock_monotonic_ms();

	gate->refused++;
	if (now >= gate->logged_at_ms + LOG_PAUSE_MS) {
		log_event(LOG_WARNING, "engine gate refused requests",
		    LOG_NUMBER("count", gate->refused));
		gate->logged_at_ms = now;
		gate->refused = 0;
	}
	give_message(gate, link, 403, "Forbidden",
	    "this request is not on the gate's list");
}

static int
connect_engine(const struct gate *gate)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* A full queue is EAGAIN here: as good as refused. */
	if (connect(fd, (const struct sockaddr *)&gate->docker,
		sizeof gate->docker) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
send_request(struct gate *gate, struct link *link)
{
	if (send_buffer(link->engine.fd, &link->in) < 0) {
		give_message(gate, link, 502, "Bad Gateway",
		    "the Engine closed the connection");
		return;
	}
	if (link->in.length == 0)
		buffer_clear(&link->in);
	set_events(gate, &link->engine,
	    link->in.length > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
forward(
    struct gate *gate, struct link *link, const struct gate_request *request)
{
	buffer_truncate(&link->in, 0);
	if (gate_request_write(request, &link->in) < 0) {
		refuse(gate, link);
		return;
	}
	if ((link->engine.fd = connect_engine(gate)) < 0) {
		give_message(gate, link, 503, "Service Unavailable",
		    "the Engine does not answer");
		return;
	}
	link->state = request->kind == GATE_INSPECT ? LINK_INSPECT : LINK_RELAY;
	link->deadline_ms = clock_monotonic_ms() + ENGINE_TIMEOUT_MS;
	send_request(gate, link);
}

static void
read_head(struct gate *gate, struct link *link)
{
	size_t room = GATE_HEAD_MAXIMUM - link->in.length;
	ssize_t got = recv(link->client.fd, gate->chunk, room, 0);
	struct gate_request request;

	if (would_wait(got))
		return;
	if (got <= 0) {
		kill_link(gate, link);
		return;
	}
	buffer_append(&link->in, gate->chunk, (size_t)got);
	if (memmem(link->in.bytes, link->in.length, "\r\n\r\n", 4) == NULL) {
		if (link->in.length == GATE_HEAD_MAXIMUM)
			refuse(gate, link);
		return;
	}
	if (gate_request_read(link->in.bytes, link->in.length, &request) < 0)
		refuse(gate, link);
	else
		forward(gate, link, &request);
	gate_request_clear(&request);
}

static void
handle_client(struct gate *gate, struct link *link, uint32_t events)
{
	bool has_left = (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0;
	bool has_bytes = (events & EPOLLIN) != 0;

	/* A byte after its request is as good as leaving. */
	if (has_left || (has_bytes && link->state != LINK_HEAD))
		kill_link(gate, link);
	else if (has_bytes)
		read_head(gate, link);
	else if (events & EPOLLOUT)
		flush_client(gate, link);
}

/* Passes bytes on; what the client does not take now stops the Engine. */
static void
relay(struct gate *gate, struct link *link, size_t length)
{
	ssize_t sent = send(link->client.fd, gate->chunk, length, MSG_NOSIGNAL);

	link->has_begun = true;
	link->deadline_ms = 0;
	if (sent < 0 && !would_wait(sent)) {
		kill_link(gate, link);
		return;
	}
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == length)
		return;
	buffer_append(&link->out, gate->chunk + sent, length - (size_t)sent);
	link->deadline_ms = clock_monotonic_ms() + DRAIN_TIMEOUT_MS;
	set_events(gate, &link->engine, 0);
	set_events(gate, &link->client, EPOLLRDHUP | EPOLLOUT);
}

static void
collect(struct gate *gate, struct link *link, size_t length)
{
	if (buffer_append(&link->collected, gate->chunk, length) < 0)
		give_message(gate, link, 502, "Bad Gateway",
		    "the Engine's answer is too large");
}

static void
end_engine(struct gate *gate, struct link *link)
{
	close_end(gate, &link->engine);
	if (link->state == LINK_INSPECT) {
		gate_answer_inspection(buffer_string(&link->collected),
		    link->collected.length, &link->out);
		give_answer(gate, link);
	} else if (!link->has_begun) {
		give_message(gate, link, 502, "Bad Gateway",
		    "the Engine closed the connection");
	} else {
		kill_link(gate, link);
	}
}

static void
read_engine(struct gate *gate, struct link *link)
{
	int round;

	for (round = 0; round < CHUNKS_AT_ONCE; round++) {
		ssize_t got =
		    recv(link->engine.fd, gate->chunk, CHUNK_BYTES, 0);

		if (would_wait(got))
			return;
		if (got <= 0) {
			end_engine(gate, link);
			return;
		}
		if (link->state == LINK_INSPECT)
			collect(gate, link, (size_t)got);
		else
			relay(gate, link, (size_t)got);
		if (link->engine.fd < 0 || link->out.length > 0)
			return;
	}
}

static void
handle_engine(struct gate *gate, struct link *link, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && link->in.length > 0)
		send_request(gate, link);
	if (link->engine.events != 0 && (events & ~(uint32_t)EPOLLOUT) != 0)
		read_engine(gate, link);
}

static bool
is_allowed(const struct gate *gate, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == gate->worker_uid);
}

static void
add_link(struct gate *gate, int fd)
{
	struct link *link = xcalloc(1, sizeof *link);

	link->client = (struct end){ .link = link, .fd = fd };
	link->engine = (struct end){ .link = link, .fd = -1 };
	link->in.maximum = GATE_HEAD_MAXIMUM + 256; /* the head written anew */
	link->out.maximum = GATE_ANSWER_MAXIMUM;
	link->collected.maximum = INSPECTION_MAXIMUM;
	link->deadline_ms = clock_monotonic_ms() + HEAD_TIMEOUT_MS;
	link->next = gate->links;
	if (gate->links != NULL)
		gate->links->previous = link;
	gate->links = link;
	gate->link_count++;
	if (set_events(gate, &link->client, EPOLLRDHUP | EPOLLIN) < 0)
		kill_link(gate, link);
	else if (gate->link_count > gate->link_maximum)
		give_message(gate, link, 503, "Service Unavailable",
		    "too many connections");
}

static void
accept_clients(struct gate *gate)
{
	int fd;

	while ((fd = accept4(gate->listener.fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (is_allowed(gate, fd))
			add_link(gate, fd);
		else
			close(fd);
	}
	/* Out of descriptors: try again at the next tick, not at once. */
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		set_events(gate, &gate->listener, 0);
}

static void
expire_link(struct gate *gate, struct link *link)
{
	bool is_waiting = link->state == LINK_INSPECT ||
			  (link->state == LINK_RELAY && !link->has_begun);

	if (is_waiting)
		give_message(gate, link, 504, "Gateway Timeout",
		    "the Engine took too long to answer");
	else
		kill_link(gate, link);
}

static void
tick(struct gate *gate)
{
	int64_t now = clock_monotonic_ms();
	struct link *link, *next;

	if (now < gate->tick_at_ms)
		return;
	gate->tick_at_ms = now + TICK_MS;
	set_events(gate, &gate->listener, EPOLLIN);
	for (link = gate->links; link != NULL; link = next) {
		next = link->next;
		if (link->deadline_ms != 0 && now >= link->deadline_ms)
			expire_link(gate, link);
	}
}

/* Nothing is due while there is no connection: then it sleeps. */
static int
wait_ms(const struct gate *gate)
{
	return gate->links != NULL || gate->listener.events == 0 ? TICK_MS : -1;
}

/* Serves one round of events; false when told to stop. */
static bool
serve_round(struct gate *gate)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count, i;

	count = epoll_wait(gate->epoll, events, EVENTS_AT_ONCE, wait_ms(gate));
	for (i = 0; i < count; i++) {
		struct end *end = events[i].data.ptr;
		struct link *link = end->link;

		if (end == &gate->waker)
			return false;
		if (end == &gate->listener)
			accept_clients(gate);
		else if (!link->is_dead && end == &link->client)
			handle_client(gate, link, events[i].events);
		else if (!link->is_dead && end->events != 0)
			handle_engine(gate, link, events[i].events);
	}
	tick(gate);
	free_dead(gate);
	return true;
}

static void *
serve(void *context)
{
	struct gate *gate = context;

	while (serve_round(gate))
		;
	return NULL;
}

static int
fill_address(const char *path, struct sockaddr_un *out, struct error *err)
{
	size_t length = strlen(path);

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length >= sizeof out->sun_path)
		return error_set(err, ERR_INVALID, NULL,
		    "the path of a socket is longer than %zu bytes",
		    sizeof out->sun_path - 1);
	memcpy(out->sun_path, path, length);
	return 0;
}

/* What a killed agent left behind; anything but a socket stays. */
static void
remove_stale(const char *path)
{
	struct stat found;

	if (lstat(path, &found) == 0 && S_ISSOCK(found.st_mode))
		unlink(path);
}

/* The socket is nobody's but ours until its group is right. */
static int
listen_at(const char *path, gid_t gid, struct error *err)
{
	auto_fd int fd = -1;
	struct sockaddr_un address;

	if (fill_address(path, &address, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	remove_stale(path);
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    lchown(path, (uid_t)-1, gid) < 0 || chmod(path, 0660) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return error_errno(err, "cannot listen for the workers");
	return take_fd(&fd);
}

static void
free_gate(struct gate *gate)
{
	while (gate->links != NULL)
		kill_link(gate, gate->links);
	free_dead(gate);
	cleanup_fd(&gate->waker.fd);
	cleanup_fd(&gate->epoll);
	if (gate->listener.fd >= 0)
		unlink(gate->socket_path);
	cleanup_fd(&gate->listener.fd);
	free(gate->socket_path);
	free(gate);
}

static int
open_gate(struct gate *gate, gid_t worker_gid, struct error *err)
{
	gate->listener.fd = listen_at(gate->socket_path, worker_gid, err);
	if (gate->listener.fd < 0)
		return -1;
	gate->epoll = epoll_create1(EPOLL_CLOEXEC);
	gate->waker.fd = eventfd(0, EFD_CLOEXEC);
	if (gate->epoll < 0 || gate->waker.fd < 0 ||
	    set_events(gate, &gate->listener, EPOLLIN) < 0 ||
	    set_events(gate, &gate->waker, EPOLLIN) < 0)
		return error_errno(err, "cannot serve the workers");
	return 0;
}

/* Signals are for the main thread. */
static int
start_thread(struct gate *gate, struct error *err)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&gate->thread, NULL, serve, gate);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code == 0)
		return 0;
	errno = code;
	return error_errno(err, "cannot serve the workers");
}

int
gate_start(const char *socket_path, const char *docker_socket, size_t maximum,
    uid_t worker_uid, gid_t worker_gid, struct gate **out, struct error *err)
{
	struct gate *gate = xcalloc(1, sizeof *gate);

	gate->socket_path = xstrdup(socket_path);
	gate->link_maximum = maximum;
	gate->worker_uid = worker_uid;
	gate->epoll = gate->waker.fd = gate->listener.fd = -1;
	if (fill_address(docker_socket, &gate->docker, err) < 0 ||
	    open_gate(gate, worker_gid, err) < 0 ||
	    start_thread(gate, err) < 0) {
		free_gate(gate);
		return -1;
	}
	*out = gate;
	return 0;
}

void
gate_stop(struct gate *gate)
{
	uint64_t one = 1;

	if (gate == NULL)
		return;
	while (write(gate->waker.fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(gate->thread, NULL);
	free_gate(gate);
}
