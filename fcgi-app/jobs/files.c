#include "jobs/files.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "jobs/protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_TIMEOUT_S 30
#define END_TIMEOUT_MS 60000
#define READ_MARGIN 1024

static int
fail_unavailable(struct error *err)
{
	int number = errno;

	error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
	    "the agent does not answer");
	err->retry_after_s = 1;
	return error_detail(err, FILES_SOCKET ": %s", strerror(number));
}

static int
connect_files(const char *run_directory, struct error *err)
{
	struct timeval limit = { .tv_sec = SEND_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(err, "cannot reach the agent");
	snprintf(address.sun_path, sizeof address.sun_path,
	    "%s/agent/" FILES_SOCKET, run_directory);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return fail_unavailable(err);
	return take_fd(&fd);
}

/* Keeps the first descriptor that comes along, closes others. */
static void
take_descriptors(struct msghdr *message, int *descriptor)
{
	struct cmsghdr *item;

	for (item = CMSG_FIRSTHDR(message); item != NULL;
	     item = CMSG_NXTHDR(message, item)) {
		int passed;

		if (item->cmsg_level != SOL_SOCKET ||
		    item->cmsg_type != SCM_RIGHTS ||
		    item->cmsg_len != CMSG_LEN(sizeof passed))
			continue;
		memcpy(&passed, CMSG_DATA(item), sizeof passed);
		if (*descriptor < 0)
			*descriptor = passed;
		else
			close(passed);
	}
}

static ssize_t
receive_some(int fd, char *bytes, size_t size, int *descriptor)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	if (got > 0)
		take_descriptors(&message, descriptor);
	return got;
}

static int
receive_answer(int fd, int64_t timeout_ms, struct json_object **out,
    int *descriptor, struct error *err)
{
	auto_buffer struct buffer received =
	    BUFFER(FRAME_MAXIMUM + READ_MARGIN + 4096);
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	char chunk[4096];

	while (*out == NULL) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_monotonic_ms();
		ssize_t got;

		errno = ETIMEDOUT;
		if (left <= 0)
			return fail_unavailable(err);
		if (poll(&poller, 1, (int)left) <= 0)
			continue;
		got = receive_some(fd, chunk, sizeof chunk, descriptor);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return fail_unavailable(err);
		buffer_append(&received, chunk, (size_t)got);
		if (frame_take(&received, out, err) < 0)
			return -1;
	}
	if (json_member(*out, "error") == NULL)
		return 0;
	error_from_json(json_member(*out, "error"), err);
	return -1;
}

int
files_ask(const char *run_directory, struct json_object *question,
    int64_t timeout_ms, struct json_object **out, int *out_descriptor,
    struct error *err)
{
	auto_fd int fd = connect_files(run_directory, err);
	auto_fd int descriptor = -1;
	auto_json struct json_object *answer = NULL;

	if (fd < 0 || frame_send(fd, question, err) < 0 ||
	    receive_answer(fd, timeout_ms, &answer, &descriptor, err) < 0)
		return -1;
	*out = TAKE(answer);
	*out_descriptor = take_fd(&descriptor);
	return 0;
}

int
files_upload_begin(
    const char *run_directory, struct files_upload *out, struct error *err)
{
	auto_json struct json_object *question = json_object_new_object();

	out->fd = connect_files(run_directory, err);
	json_put_text(question, "ask", "upload");
	if (out->fd >= 0 && frame_send(out->fd, question, err) == 0)
		return 0;
	files_upload_abandon(out);
	return -1;
}

/* The agent said why before it closed the connection. */
static int
fail_send(struct files_upload *upload, struct error *err)
{
	auto_json struct json_object *answer = NULL;
	auto_fd int descriptor = -1;

	if (receive_answer(
		upload->fd, END_TIMEOUT_MS, &answer, &descriptor, err) == 0)
		error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
		    "the agent does not answer");
	files_upload_abandon(upload);
	return -1;
}

int
files_upload_send(struct files_upload *upload, const char *bytes, size_t length,
    struct error *err)
{
	while (length > 0) {
		size_t size =
		    length < FILES_PIECE_MAXIMUM ? length : FILES_PIECE_MAXIMUM;
		const char head[] = { (char)(size >> 24), (char)(size >> 16),
			(char)(size >> 8), (char)size };

		if (socket_send(upload->fd, head, sizeof head) < 0 ||
		    socket_send(upload->fd, bytes, size) < 0)
			return fail_send(upload, err);
		bytes += size;
		length -= size;
	}
	return 0;
}

int
files_upload_end(struct files_upload *upload, struct arena *arena,
    const char **out_token, struct error *err)
{
	static const char head[4] = { 0 };
	auto_json struct json_object *answer = NULL;
	auto_fd int descriptor = -1;
	const char *token;

	if (socket_send(upload->fd, head, sizeof head) < 0)
		return fail_send(upload, err);
	if (receive_answer(
		upload->fd, END_TIMEOUT_MS, &answer, &descriptor, err) < 0) {
		files_upload_abandon(upload);
		return -1;
	}
	files_upload_abandon(upload);
	token = json_text(answer, "upload");
	if (token == NULL)
		return error_set(
		    err, ERR_INTERNAL, NULL, "the agent spoke nonsense");
	*out_token = arena_strdup(arena, token);
	return 0;
}

void
files_upload_abandon(struct files_upload *upload)
{
	cleanup_fd(&upload->fd);
	upload->fd = -1;
}

void
files_discard(const char *run_directory, const char *token)
{
	auto_json struct json_object *question = json_object_new_object();
	auto_json struct json_object *answer = NULL;
	auto_fd int descriptor = -1;
	struct error ignored;

	/* The agent forgets it by itself, too. */
	json_put_text(question, "ask", "discard");
	json_put_text(question, "upload", token);
	files_ask(run_directory, question, END_TIMEOUT_MS, &answer, &descriptor,
	    &ignored);
}
