#include "agent/server.h"

#include "agent/agent.h"
#include "agent/executor.h"
#include "base/clock.h"
#include "base/log.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PEER_MAXIMUM 512
#define TICK_MS 500
#define BACKLOG 128
#define SEND_TIMEOUT_S 2
#define ACCEPT_PAUSE_MS 20

struct peer {
	int fd;
	struct buffer received;
	char job_id[JOB_ID_LENGTH + 1]; /* waited for, or "" */
};

struct server {
	struct agent *agent;
	struct store *store;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int listener;
	int finished[2]; /* pipe of job ids, each JOB_ID_LENGTH bytes */
	struct peer peers[PEER_MAXIMUM];
	size_t count;
};

int
server_open(struct agent *agent, struct server **out, struct error *err)
{
	struct server *server = xcalloc(1, sizeof *server);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*out = server;
	server->agent = agent;
	server->listener = server->finished[0] = server->finished[1] = -1;
	snprintf(server->path, sizeof server->path, "%s/agent/agent.sock",
	    agent->settings->run_directory);
	memcpy(address.sun_path, server->path, sizeof address.sun_path);
	unlink(server->path);
	if (pipe2(server->finished, O_CLOEXEC) < 0)
		return error_errno(err, "cannot open the agent's socket");
	server->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0 ||
	    bind(server->listener, (struct sockaddr *)&address,
		sizeof address) < 0 ||
	    chown(server->path, (uid_t)-1, agent->worker_gid) < 0 ||
	    chmod(server->path, 0660) < 0 ||
	    listen(server->listener, BACKLOG) < 0)
		return error_errno(err, "cannot open the agent's socket");
	return 0;
}

static void
drop_peer(struct server *server, size_t i)
{
	close(server->peers[i].fd);
	buffer_clear(&server->peers[i].received);
	server->peers[i] = server->peers[--server->count];
}

void
server_close(struct server *server)
{
	if (server == NULL)
		return;
	while (server->count > 0)
		drop_peer(server, server->count - 1);
	cleanup_fd(&server->listener);
	cleanup_fd(&server->finished[0]);
	cleanup_fd(&server->finished[1]);
	unlink(server->path);
	free(server);
}

void
server_job_finished(void *context, const char *job_id)
{
	struct server *server = context;
	ssize_t written = write(server->finished[1], job_id, JOB_ID_LENGTH);

	(void)written; /* at most PIPE_BUF: all or an error */
}

void
server_wake(struct server *server)
{
	static const char nobody[JOB_ID_LENGTH + 1] = "00000000000000000000";

	server_job_finished(server, nobody);
}

static bool
may_speak(const struct server *server, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == server->agent->worker_uid);
}

static void
accept_peer(struct server *server)
{
	struct timeval limit = { .tv_sec = SEND_TIMEOUT_S };
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		/* Out of descriptors, the poll would end at once for ever. */
		if (errno == EMFILE || errno == ENFILE)
			clock_sleep_ms(ACCEPT_PAUSE_MS);
		return;
	}
	if (server->count == PEER_MAXIMUM || !may_speak(server, fd)) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	server->peers[server->count++] =
	    (struct peer){ .fd = fd, .received = BUFFER(FRAME_MAXIMUM + 4096) };
}

static int
answer_done(struct peer *peer)
{
	auto_json struct json_object *answer = json_object_new_object();
	struct error ignored;

	json_put_boolean(answer, "done", true);
	return frame_send(peer->fd, answer, &ignored);
}

/* Told when the job has ended, which may be now. */
static int
await_job(struct server *server, struct peer *peer, const char *id)
{
	if (!executor_has(server->agent->executor, id))
		return answer_done(peer);
	snprintf(peer->job_id, sizeof peer->job_id, "%s", id);
	return 0;
}

/* -1: it is not one. */
static int
read_submission(struct json_object *frame, struct submission *out)
{
	*out = (struct submission){
		.kind = json_text(frame, "kind"),
		.subject = json_text(frame, "subject"),
		.actor = json_text(frame, "actor"),
		.request_id = json_text(frame, "request_id"),
		.idempotency_key = json_text(frame, "idempotency_key"),
		.fingerprint = json_text(frame, "fingerprint"),
		.answer = json_text(frame, "answer"),
		.arguments = json_member(frame, "arguments"),
		.conditions = json_member(frame, "conditions"),
	};
	if (out->conditions != NULL &&
	    !json_object_is_type(out->conditions, json_type_object))
		return -1;
	return out->kind != NULL && out->subject != NULL &&
		       out->actor != NULL && out->request_id != NULL &&
		       json_object_is_type(out->arguments, json_type_object)
		   ? 0
		   : -1;
}

/* A job that has ended already, by an Idempotency-Key, is done at once. */
static int
answer_submit(
    struct server *server, struct peer *peer, struct json_object *frame)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json_object *answer = json_object_new_object();
	struct submission submission;
	const char *id = NULL;
	struct error err;

	if (read_submission(frame, &submission) < 0)
		return -1;
	if (executor_submit(server->agent->executor, server->store, &submission,
		&arena, &id, &err) == 0)
		json_put_text(answer, "job_id", id);
	else
		json_put(answer, "error", error_to_json(&err));
	if (frame_send(peer->fd, answer, &err) < 0)
		return -1;
	return id != NULL ? await_job(server, peer, id) : 0;
}

static int
answer_frame(
    struct server *server, struct peer *peer, struct json_object *frame)
{
	const char *wait = json_text(frame, "wait");
	const char *cancel = json_text(frame, "cancel");
	const char *id = cancel != NULL ? cancel : wait;

	if (id == NULL)
		return answer_submit(server, peer, frame);
	if (!job_id_is_valid(id))
		return -1;
	if (cancel != NULL)
		executor_cancel(server->agent->executor, server->store, cancel);
	return await_job(server, peer, id);
}

/* -1: the peer is gone or speaks nonsense. */
static int
read_peer(struct server *server, struct peer *peer)
{
	char chunk[16384];
	ssize_t got = recv(peer->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	struct error err;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0 || buffer_append(&peer->received, chunk, (size_t)got) < 0)
		return -1;
	for (;;) {
		auto_json struct json_object *frame = NULL;

		if (frame_take(&peer->received, &frame, &err) < 0)
			return -1;
		if (frame == NULL)
			return 0;
		if (answer_frame(server, peer, frame) < 0)
			return -1;
	}
}

static void
tell_finished(struct server *server)
{
	char id[JOB_ID_LENGTH + 1] = "";
	size_t i;

	if (read(server->finished[0], id, JOB_ID_LENGTH) != JOB_ID_LENGTH)
		return;
	for (i = server->count; i-- > 0;) {
		struct peer *peer = &server->peers[i];

		if (strcmp(peer->job_id, id) != 0)
			continue;
		peer->job_id[0] = '\0';
		if (answer_done(peer) < 0)
			drop_peer(server, i);
	}
}

static size_t
fill_polled(const struct server *server, struct pollfd *polled)
{
	size_t i;

	polled[0] = (struct pollfd){ .fd = server->listener, .events = POLLIN };
	polled[1] =
	    (struct pollfd){ .fd = server->finished[0], .events = POLLIN };
	for (i = 0; i < server->count; i++)
		polled[2 + i] = (struct pollfd){ .fd = server->peers[i].fd,
			.events = POLLIN };
	return 2 + server->count;
}

void
server_run(struct server *server, struct store *store,
    void (*on_tick)(void *context), void *context)
{
	struct pollfd polled[PEER_MAXIMUM + 2];
	int64_t tick_at_ms = 0;
	size_t count, i;

	server->store = store;
	while (!atomic_load(&server->agent->stopping)) {
		if (clock_monotonic_ms() >= tick_at_ms) {
			on_tick(context);
			tick_at_ms = clock_monotonic_ms() + TICK_MS;
		}
		count = fill_polled(server, polled);
		if (poll(polled, count, TICK_MS) <= 0)
			continue;
		/* From the end: dropping moves the last one into the gap. */
		for (i = count - 2; i-- > 0;)
			if (polled[2 + i].revents != 0 &&
			    read_peer(server, &server->peers[i]) < 0)
				drop_peer(server, i);
		if (polled[1].revents != 0) {
			tell_finished(server);
			tick_at_ms = 0;
		}
		if (polled[0].revents != 0)
			accept_peer(server);
	}
}
