#include "agent/files.h"

#include "agent/agent.h"
#include "agent/files-private.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "jobs/files.h"
#include "jobs/protocol.h"
#include "settings/settings.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION_MAXIMUM 32
#define HEAVY_MAXIMUM 2
#define PEER_TIMEOUT_S 10
#define QUESTION_MAXIMUM ((size_t)64 * 1024)

struct files {
	struct agent *agent;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int listener, waker;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ended;
	int connections[CONNECTION_MAXIMUM]; /* descriptors, -1: free */
	size_t count, heavy;
};

/* What a connection's thread is given, and frees. */
struct task {
	struct files *files;
	int fd;
	size_t slot;
};

/* What is missing of the frame, and no byte more: pieces may follow it. */
static size_t
missing_bytes(const struct buffer *received)
{
	const unsigned char *head = (const unsigned char *)received->bytes;

	if (received->length < 4)
		return 4 - received->length;
	return 4 +
	       ((size_t)head[0] << 24 | (size_t)head[1] << 16 |
		   (size_t)head[2] << 8 | head[3]) -
	       received->length;
}

static int
receive_question(struct question *question, struct error *err)
{
	auto_buffer struct buffer received = BUFFER(QUESTION_MAXIMUM);

	while (question->asked == NULL) {
		char bytes[4096];
		size_t wanted = missing_bytes(&received);
		ssize_t got = recv(question->fd, bytes,
		    wanted < sizeof bytes ? wanted : sizeof bytes, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(err, ERR_INVALID, NULL,
			    "the question did not come");
		if (buffer_append(&received, bytes, (size_t)got) < 0)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "the question is too large");
		if (frame_take(&received, &question->asked, err) < 0)
			return -1;
	}
	return 0;
}

/* Takes one of the places for what takes long; false: there is none. */
static bool
take_heavy(struct files *files)
{
	bool taken;

	pthread_mutex_lock(&files->lock);
	taken = files->heavy < HEAVY_MAXIMUM;
	files->heavy += taken;
	pthread_mutex_unlock(&files->lock);
	return taken;
}

static void
leave_heavy(struct files *files)
{
	pthread_mutex_lock(&files->lock);
	files->heavy--;
	pthread_mutex_unlock(&files->lock);
}

static int
fail_busy(struct error *err)
{
	error_set(err, ERR_UNAVAILABLE, "TOO_MANY_REQUESTS",
	    "too many files are asked for at once");
	err->retry_after_s = 1;
	return -1;
}

static int
answer_question(
    struct files *files, struct question *question, struct error *err)
{
	question_answerer *answerer;
	bool is_heavy = false;
	const char *ask;
	int failed;

	if (receive_question(question, err) < 0)
		return -1;
	ask = json_text(question->asked, "ask");
	answerer = files_answerer(ask ? ask : "", &is_heavy);
	if (answerer == NULL)
		return error_set(
		    err, ERR_INVALID, NULL, "there is no such question");
	if (is_heavy && !take_heavy(files))
		return fail_busy(err);
	failed = answerer(question, err);
	if (is_heavy)
		leave_heavy(files);
	return failed;
}

static void
send_error(int fd, const struct error *err)
{
	auto_json struct json_object *answer = json_object_new_object();
	struct error ignored;

	json_put(answer, "error", error_to_json(err));
	frame_send(fd, answer, &ignored);
}

static void
serve_connection(struct files *files, int fd)
{
	struct question question = { .agent = files->agent,
		.fd = fd,
		.answer = json_object_new_object(),
		.descriptor = -1 };
	struct error err;

	if (answer_question(files, &question, &err) < 0) {
		if (err.kind == ERR_INTERNAL)
			log_error(
			    LOG_WARNING, "cannot answer about files", &err);
		send_error(fd, &err);
	} else if (frame_send_descriptor(
		       fd, question.answer, question.descriptor, &err) < 0 &&
		   err.kind == ERR_TOO_LARGE) {
		send_error(fd, &err);
	}
	cleanup_fd(&question.descriptor);
	json_object_put(question.asked);
	json_object_put(question.answer);
	arena_clear(&question.arena);
}

static void *
run_connection(void *context)
{
	struct task task = *(struct task *)context;
	struct files *files = task.files;

	free(context);
	serve_connection(files, task.fd);
	pthread_mutex_lock(&files->lock);
	close(task.fd);
	files->connections[task.slot] = -1;
	files->count--;
	pthread_cond_signal(&files->ended);
	pthread_mutex_unlock(&files->lock);
	return NULL;
}

/* A place for the connection; CONNECTION_MAXIMUM: there is none. */
static size_t
take_slot(struct files *files, int fd)
{
	size_t slot;

	pthread_mutex_lock(&files->lock);
	for (slot = 0; slot < CONNECTION_MAXIMUM; slot++)
		if (files->connections[slot] < 0)
			break;
	if (slot < CONNECTION_MAXIMUM) {
		files->connections[slot] = fd;
		files->count++;
	}
	pthread_mutex_unlock(&files->lock);
	return slot;
}

static void
free_slot(struct files *files, size_t slot)
{
	pthread_mutex_lock(&files->lock);
	files->connections[slot] = -1;
	files->count--;
	pthread_mutex_unlock(&files->lock);
}

static bool
peer_is_allowed(const struct files *files, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == files->agent->worker_uid);
}

/* Hands the connection to a thread of its own; -1: it stays the caller's. */
static int
begin_connection(struct files *files, int fd)
{
	size_t slot = take_slot(files, fd);
	struct task *task;
	pthread_t thread;

	if (slot == CONNECTION_MAXIMUM)
		return -1;
	task = xcalloc(1, sizeof *task);
	*task = (struct task){ .files = files, .fd = fd, .slot = slot };
	if (pthread_create(&thread, NULL, run_connection, task) == 0) {
		pthread_detach(thread);
		return 0;
	}
	free(task);
	free_slot(files, slot);
	return -1;
}

static void
accept_connection(struct files *files)
{
	struct timeval limit = { .tv_sec = PEER_TIMEOUT_S };
	auto_fd int fd = accept4(files->listener, NULL, NULL, SOCK_CLOEXEC);
	struct error err;

	if (fd < 0 || !peer_is_allowed(files, fd))
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (begin_connection(files, fd) == 0) {
		take_fd(&fd);
		return;
	}
	fail_busy(&err);
	send_error(fd, &err);
}

static void *
run_files(void *context)
{
	struct files *files = context;
	struct pollfd pollers[2] = { { .fd = files->listener,
					 .events = POLLIN },
		{ .fd = files->waker, .events = POLLIN } };

	for (;;) {
		if (poll(pollers, 2, -1) < 0)
			continue;
		if (pollers[1].revents != 0)
			return NULL;
		if (pollers[0].revents != 0)
			accept_connection(files);
	}
}

static int
listen_for_workers(struct files *files, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat found;

	snprintf(files->path, sizeof files->path, "%s/agent/" FILES_SOCKET,
	    files->agent->settings->run_directory);
	memcpy(address.sun_path, files->path, sizeof address.sun_path);
	if (lstat(files->path, &found) == 0 && S_ISSOCK(found.st_mode))
		unlink(files->path);
	files->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Nobody's but ours until its group is right. */
	if (files->listener < 0 || fchmod(files->listener, 0600) < 0 ||
	    bind(files->listener, (const struct sockaddr *)&address,
		sizeof address) < 0 ||
	    lchown(files->path, (uid_t)-1, files->agent->worker_gid) < 0 ||
	    chmod(files->path, 0660) < 0 ||
	    listen(files->listener, SOMAXCONN) < 0)
		return error_errno(err, "cannot listen for the workers");
	return 0;
}

/* Signals are for the main thread. */
static int
start_files_thread(struct files *files, struct error *err)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&files->thread, NULL, run_files, files);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	files->has_thread = code == 0;
	if (code == 0)
		return 0;
	errno = code;
	return error_errno(err, "cannot serve the workers");
}

int
files_start(struct agent *agent, struct files **out, struct error *err)
{
	struct files *files = xcalloc(1, sizeof *files);
	size_t i;

	files->agent = agent;
	files->listener = -1;
	files->waker = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&files->lock, NULL);
	pthread_cond_init(&files->ended, NULL);
	for (i = 0; i < CONNECTION_MAXIMUM; i++)
		files->connections[i] = -1;
	if (listen_for_workers(files, err) < 0 ||
	    start_files_thread(files, err) < 0) {
		files_stop(files);
		return -1;
	}
	*out = files;
	return 0;
}

/* Nobody is waited for who does not send any more. */
static void
end_connections(struct files *files)
{
	size_t i;

	pthread_mutex_lock(&files->lock);
	for (i = 0; i < CONNECTION_MAXIMUM; i++)
		if (files->connections[i] >= 0)
			shutdown(files->connections[i], SHUT_RDWR);
	while (files->count > 0)
		pthread_cond_wait(&files->ended, &files->lock);
	pthread_mutex_unlock(&files->lock);
}

void
files_stop(struct files *files)
{
	uint64_t one = 1;

	if (files == NULL)
		return;
	if (files->has_thread) {
		while (
		    write(files->waker, &one, sizeof one) < 0 && errno == EINTR)
			;
		pthread_join(files->thread, NULL);
	}
	end_connections(files);
	if (files->listener >= 0)
		unlink(files->path);
	cleanup_fd(&files->listener);
	cleanup_fd(&files->waker);
	pthread_mutex_destroy(&files->lock);
	pthread_cond_destroy(&files->ended);
	free(files);
}
