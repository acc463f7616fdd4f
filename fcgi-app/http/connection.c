#include "http/connection.h"

#include "base/clock.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* nginx buffers request and answer: it is never slow, or it is gone. */
#define PEER_TIMEOUT_S 10

/* Out of descriptors or memory, trying again at once would not help. */
#define FAILED_ACCEPT_DELAY_MS 100

struct connection {
	FCGX_Request fcgi;
	int listening_socket;
	bool accepted;
};

int
connection_init(struct error *err)
{
	if (FCGX_Init() != 0)
		return error_set(
		    err, ERR_INTERNAL, NULL, "cannot initialise FastCGI");
	return 0;
}

void
connection_stop(void)
{
	FCGX_ShutdownPending();
}

struct connection *
connection_new(int listening_socket)
{
	struct connection *connection = xcalloc(1, sizeof *connection);

	/* No socket: libfcgi takes only what accept_peer() gives it. */
	FCGX_InitRequest(&connection->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	connection->listening_socket = listening_socket;
	return connection;
}

void
connection_free(struct connection *connection)
{
	if (connection == NULL)
		return;
	connection_finish(connection);
	FCGX_Free(&connection->fcgi, 1);
	free(connection);
}

static int
accept_peer(struct connection *connection)
{
	struct timeval limit = { .tv_sec = PEER_TIMEOUT_S };
	int fd =
	    accept4(connection->listening_socket, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno != EINTR && errno != ECONNABORTED)
			clock_sleep_ms(FAILED_ACCEPT_DELAY_MS);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	return fd;
}

bool
connection_wait(struct connection *connection)
{
	connection->fcgi.ipcFd = accept_peer(connection);
	return connection->fcgi.ipcFd >= 0;
}

/*
 * FCGX_Accept_r() accepts and reads all parameters before anybody can set a
 * limit, and a request that stops half-way would hold the thread for good. So
 * the connection is accepted by ourselves and handed over as one that was
 * kept open after an earlier request, which is where it goes on reading.
 */
bool
connection_begin(struct connection *connection)
{
	connection->fcgi.keepConnection = 1;
	if (FCGX_Accept_r(&connection->fcgi) != 0)
		return false;
	connection->accepted = true;
	return true;
}

const char *
connection_parameter(const struct connection *connection, const char *name)
{
	return FCGX_GetParam(name, connection->fcgi.envp);
}

int
connection_read(struct connection *connection, size_t length,
    struct buffer *out, struct error *err)
{
	char chunk[8192];

	while (length > 0) {
		size_t wanted = length < sizeof chunk ? length : sizeof chunk;
		int got = FCGX_GetStr(chunk, (int)wanted, connection->fcgi.in);

		if (got <= 0)
			return error_set(err, ERR_INVALID, NULL,
			    "the body is shorter than Content-Length says");
		if (buffer_append(out, chunk, (size_t)got) < 0)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "the body is larger than %zu bytes", out->maximum);
		length -= (size_t)got;
	}
	return 0;
}

size_t
connection_read_some(struct connection *connection, char *bytes, size_t size)
{
	int got = FCGX_GetStr(bytes, (int)size, connection->fcgi.in);

	return got > 0 ? (size_t)got : 0;
}

int
connection_write(
    struct connection *connection, const char *bytes, size_t length)
{
	return FCGX_PutStr(bytes, (int)length, connection->fcgi.out) ==
		       (int)length
		   ? 0
		   : -1;
}

int
connection_flush(struct connection *connection)
{
	return FCGX_FFlush(connection->fcgi.out) == 0 ? 0 : -1;
}

void
connection_finish(struct connection *connection)
{
	if (!connection->accepted)
		return;
	FCGX_Finish_r(&connection->fcgi);
	/* Also one that the peer would keep. */
	FCGX_Free(&connection->fcgi, 1);
	connection->accepted = false;
}

int
connection_fd(const struct connection *connection)
{
	return connection->fcgi.ipcFd;
}
