#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http/fastcgi.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_SIZE 8
#define RECORD_MAXIMUM 65535
#define TIMEOUT_S 60

void
fastcgi_record(struct buffer *out, enum fastcgi_type type, const void *bytes,
    size_t length)
{
	const unsigned char head[HEAD_SIZE] = { 1, (unsigned char)type, 0, 1,
		(unsigned char)(length >> 8), (unsigned char)length, 0, 0 };

	assert_true(length <= RECORD_MAXIMUM);
	buffer_append(out, head, sizeof head);
	buffer_append(out, bytes, length);
}

void
fastcgi_begin(struct buffer *out)
{
	/* A responder that closes the connection. */
	static const unsigned char body[8] = { 0, 1, 0 };

	fastcgi_record(out, FASTCGI_BEGIN, body, sizeof body);
}

static void
append_length(struct buffer *out, size_t length)
{
	if (length > 127) {
		buffer_char(out, (char)(0x80 | length >> 24));
		buffer_char(out, (char)(length >> 16));
		buffer_char(out, (char)(length >> 8));
	}
	buffer_char(out, (char)length);
}

void
fastcgi_parameter(struct buffer *out, const char *name, const char *value)
{
	append_length(out, strlen(name));
	append_length(out, strlen(value));
	buffer_text(out, name);
	buffer_text(out, value);
}

static void
append_stream(struct buffer *out, enum fastcgi_type type, const char *bytes,
    size_t length)
{
	while (length > 0) {
		size_t size = length < 32768 ? length : 32768;

		fastcgi_record(out, type, bytes, size);
		bytes += size;
		length -= size;
	}
	fastcgi_record(out, type, "", 0);
}

void
fastcgi_request(struct buffer *out, const char *const *parameters,
    const void *body, size_t length)
{
	struct buffer text = BUFFER(1024UL * 1024);

	for (; *parameters != NULL; parameters += 2)
		fastcgi_parameter(&text, parameters[0], parameters[1]);
	fastcgi_begin(out);
	append_stream(out, FASTCGI_PARAMS, text.bytes, text.length);
	append_stream(out, FASTCGI_STDIN, body, length);
	assert_false(text.overflowed || out->overflowed);
	buffer_clear(&text);
}

int
fastcgi_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

void
fastcgi_send(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t put = send(fd, at, length, MSG_NOSIGNAL);

		/* The service may have had enough. */
		if (put < 0)
			return;
		at += put;
		length -= (size_t)put;
	}
}

static int
read_exactly(int fd, void *bytes, size_t length)
{
	char *at = bytes;

	while (length > 0) {
		ssize_t got = recv(fd, at, length, 0);

		if (got <= 0)
			return -1;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

int
fastcgi_receive(int fd, struct buffer *out)
{
	unsigned char head[HEAD_SIZE];
	char content[RECORD_MAXIMUM + 255];

	while (read_exactly(fd, head, sizeof head) == 0) {
		size_t length = (size_t)head[4] << 8 | head[5];

		assert_int_equal(head[0], 1);
		if (read_exactly(fd, content, length + head[6]) < 0)
			return 0;
		if (head[1] == FASTCGI_END)
			return 1;
		if (head[1] == FASTCGI_STDOUT)
			buffer_append(out, content, length);
	}
	return 0;
}
