#include "jobs/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_SIZE 4
#define RETRY_MAXIMUM_S 3600

int
socket_send(int fd, const void *from, size_t length)
{
	const char *bytes = from;

	while (length > 0) {
		ssize_t put = send(fd, bytes, length, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

/* It goes with the first byte. */
static int
send_head(int fd, const unsigned char *head, int passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)head,
		.iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *item = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	item->cmsg_level = SOL_SOCKET;
	item->cmsg_type = SCM_RIGHTS;
	item->cmsg_len = CMSG_LEN(sizeof passed);
	memcpy(CMSG_DATA(item), &passed, sizeof passed);
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == 1 ? socket_send(fd, head + 1, HEAD_SIZE - 1) : -1;
}

int
frame_send(int fd, struct json_object *object, struct error *err)
{
	return frame_send_descriptor(fd, object, -1, err);
}

int
frame_send_descriptor(
    int fd, struct json_object *object, int passed, struct error *err)
{
	size_t length;
	const char *text = json_serialize(object, &length);
	unsigned char head[HEAD_SIZE] = { (unsigned char)(length >> 24),
		(unsigned char)(length >> 16), (unsigned char)(length >> 8),
		(unsigned char)length };

	if (length > FRAME_MAXIMUM)
		return error_set(
		    err, ERR_TOO_LARGE, NULL, "the change is too large");
	if ((passed < 0 ? socket_send(fd, head, sizeof head)
			: send_head(fd, head, passed)) < 0 ||
	    socket_send(fd, text, length) < 0) {
		error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
		    "the agent does not answer");
		err->retry_after_s = 1;
		return -1;
	}
	return 0;
}

int
frame_take(struct buffer *received, struct json_object **out, struct error *err)
{
	const unsigned char *head = (const unsigned char *)received->bytes;
	size_t length;

	*out = NULL;
	if (received->length < HEAD_SIZE)
		return 0;
	length = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
		 (size_t)head[2] << 8 | head[3];
	if (length == 0 || length > FRAME_MAXIMUM)
		return error_set(err, ERR_INVALID, NULL, "not a frame");
	if (received->length < HEAD_SIZE + length)
		return 0;
	if (json_parse_trusted(received->bytes + HEAD_SIZE, length, out, err) <
	    0)
		return -1;
	buffer_consume(received, HEAD_SIZE + length);
	if (*out == NULL)
		return error_set(err, ERR_INVALID, NULL, "not a frame");
	return 0;
}

struct json_object *
error_to_json(const struct error *err)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "kind", error_kind_name(err->kind));
	json_put_text(object, "code", err->code);
	json_put_text(object, "field", err->field);
	json_put_text(object, "message", err->message);
	json_put_text(object, "detail", err->detail);
	json_put_text(object, "related", err->related);
	json_put_integer(object, "retry_after_s", err->retry_after_s);
	return object;
}

static void
copy_text(struct json_object *object, const char *name, char *out, size_t size)
{
	const char *text = json_text(object, name);

	snprintf(out, size, "%s", text ? text : "");
}

void
error_from_json(struct json_object *object, struct error *err)
{
	const char *kind = json_text(object, "kind");
	int64_t seconds = json_int(object, "retry_after_s", 0);

	memset(err, 0, sizeof *err);
	err->kind = error_kind_parse(kind ? kind : "");
	copy_text(object, "code", err->code, sizeof err->code);
	copy_text(object, "field", err->field, sizeof err->field);
	copy_text(object, "message", err->message, sizeof err->message);
	copy_text(object, "detail", err->detail, sizeof err->detail);
	copy_text(object, "related", err->related, sizeof err->related);
	if (seconds > 0 && seconds <= RETRY_MAXIMUM_S)
		err->retry_after_s = (unsigned int)seconds;
}
