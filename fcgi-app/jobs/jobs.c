#include "jobs/jobs.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 10000
#define SEND_TIMEOUT_S 5
#define READ_MARGIN 1024

struct jobs {
	struct sockaddr_un address;
	int maximum_waiting;
	atomic_int waiting;
};

struct jobs *
jobs_open(const char *run_directory, int maximum_waiting)
{
	struct jobs *jobs = xcalloc(1, sizeof *jobs);

	jobs->maximum_waiting = maximum_waiting;
	jobs->address.sun_family = AF_UNIX;
	snprintf(jobs->address.sun_path, sizeof jobs->address.sun_path,
	    "%s/agent/agent.sock", run_directory);
	return jobs;
}

void
jobs_close(struct jobs *jobs)
{
	free(jobs);
}

static int
fail_unavailable(struct error *err)
{
	int number = errno;

	error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
	    "the agent does not answer");
	err->retry_after_s = 1;
	return error_detail(err, "agent.sock: %s", strerror(number));
}

static int
connect_agent(struct jobs *jobs, struct error *err)
{
	struct timeval limit = { .tv_sec = SEND_TIMEOUT_S };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(err, "cannot reach the agent");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&jobs->address,
		sizeof jobs->address) < 0)
		return fail_unavailable(err);
	return take_fd(&fd);
}

/*
 * Waits for a frame until the deadline (monotonic). *out is NULL when the
 * deadline came first; *closed when the agent closed the connection.
 */
static int
receive(int fd, struct buffer *received, int64_t deadline_ms,
    struct json_object **out, bool *closed, struct error *err)
{
	char chunk[4096];

	*closed = false;
	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_monotonic_ms();
		ssize_t got;

		if (frame_take(received, out, err) < 0)
			return -1;
		if (*out != NULL || left <= 0)
			return 0;
		if (poll(&poller, 1, (int)left) <= 0)
			continue;
		got = recv(fd, chunk, sizeof chunk, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			*closed = true;
			return 0;
		}
		buffer_append(received, chunk, (size_t)got);
	}
}

/*
 * Waits for {"done": true}, unless too many wait already; *closed when the
 * agent went away before.
 */
static int
await_end(struct jobs *jobs, int fd, struct buffer *received, int64_t wait_ms,
    bool *closed, struct error *err)
{
	auto_json struct json_object *answer = NULL;
	int failed = 0;

	*closed = false;
	if (wait_ms <= 0)
		return 0;
	if (atomic_fetch_add(&jobs->waiting, 1) < jobs->maximum_waiting)
		failed = receive(fd, received, clock_monotonic_ms() + wait_ms,
		    &answer, closed, err);
	atomic_fetch_sub(&jobs->waiting, 1);
	return failed;
}

static int
submit(int fd, struct buffer *received, const struct job_request *request,
    struct arena *arena, const char **out_id, struct error *err)
{
	auto_json struct json_object *frame = json_object_new_object();
	auto_json struct json_object *answer = NULL;
	bool closed;

	json_put_text(frame, "kind", request->kind);
	json_put_text(frame, "subject", request->subject);
	json_put_text(frame, "actor", request->actor);
	json_put_text(frame, "request_id", request->request_id);
	if (request->idempotency_key != NULL) {
		json_put_text(
		    frame, "idempotency_key", request->idempotency_key);
		json_put_text(frame, "fingerprint", request->fingerprint);
		json_put_text(frame, "answer", request->answer);
	}
	json_put(frame, "arguments",
	    request->arguments ? json_object_get(request->arguments)
			       : json_object_new_object());
	if (request->conditions != NULL)
		json_put(
		    frame, "conditions", json_object_get(request->conditions));
	if (frame_send(fd, frame, err) < 0 ||
	    receive(fd, received, clock_monotonic_ms() + ANSWER_TIMEOUT_MS,
		&answer, &closed, err) < 0)
		return -1;
	if (answer == NULL) {
		errno = closed ? ECONNRESET : ETIMEDOUT;
		return fail_unavailable(err);
	}
	if (json_member(answer, "error") != NULL) {
		error_from_json(json_member(answer, "error"), err);
		return -1;
	}
	*out_id = arena_strdup(arena, json_text(answer, "job_id"));
	if (*out_id == NULL)
		return error_set(
		    err, ERR_INTERNAL, NULL, "the agent spoke nonsense");
	return 0;
}

int
jobs_run(struct jobs *jobs, struct store *store,
    const struct job_request *request, int64_t wait_ms, struct arena *arena,
    struct job *out, struct error *err)
{
	auto_buffer struct buffer received =
	    BUFFER(FRAME_MAXIMUM + READ_MARGIN);
	auto_fd int fd = connect_agent(jobs, err);
	const char *id = NULL;
	bool closed = false;

	if (fd < 0 || submit(fd, &received, request, arena, &id, err) < 0)
		return -1;
	if (await_end(jobs, fd, &received, wait_ms, &closed, err) < 0)
		return -1;
	if (store_job_get(store, id, arena, out, err) < 0)
		return -1;
	if (closed && out->status < JOB_SUCCEEDED) {
		error_set(err, ERR_UNAVAILABLE, "JOB_INTERRUPTED",
		    "the service stopped while the job was under way");
		snprintf(err->related, sizeof err->related, "%s", id);
		return -1;
	}
	return 0;
}

static int
ask_and_await(struct jobs *jobs, const char *question, const char *id,
    int64_t wait_ms, struct error *err)
{
	auto_buffer struct buffer received =
	    BUFFER(FRAME_MAXIMUM + READ_MARGIN);
	auto_json struct json_object *frame = json_object_new_object();
	auto_fd int fd = connect_agent(jobs, err);
	bool closed;

	json_put_text(frame, question, id);
	if (fd < 0 || frame_send(fd, frame, err) < 0)
		return -1;
	return await_end(jobs, fd, &received, wait_ms, &closed, err);
}

int
jobs_wait(struct jobs *jobs, const char *id, int64_t wait_ms, struct error *err)
{
	return ask_and_await(jobs, "wait", id, wait_ms, err);
}

int
jobs_cancel(
    struct jobs *jobs, const char *id, int64_t wait_ms, struct error *err)
{
	return ask_and_await(jobs, "cancel", id, wait_ms, err);
}
