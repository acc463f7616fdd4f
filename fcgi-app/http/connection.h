/*
 * A FastCGI connection: one request from nginx by libfcgi.
 *
 * All use of libfcgi is in connection.c. connection_wait() may be called by
 * many threads on the same listening socket; each has a connection of its
 * own.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct connection;

/* Once per process, before any thread. */
int connection_init(struct error *err);
/* From a signal handler: connection_wait() gives up from now on, once its
 * thread is interrupted. */
void connection_stop(void);

struct connection *connection_new(int listening_socket);
void connection_free(struct connection *connection);

/* Accepts a connection; false: interrupted, or no descriptor is left. */
bool connection_wait(struct connection *connection);
/* Reads the parameters of its request; false: what connected sent none. */
bool connection_begin(struct connection *connection);
/* A FastCGI parameter such as "REQUEST_METHOD"; NULL when absent. */
const char *connection_parameter(
    const struct connection *connection, const char *name);
/* Reads the body of length bytes; ERR_INVALID when the client stops early. */
int connection_read(struct connection *connection, size_t length,
    struct buffer *out, struct error *err);
/* Reads some of the body, size bytes at most; 0 when it ended. */
size_t connection_read_some(
    struct connection *connection, char *bytes, size_t size);
/* -1: nginx has gone. */
int connection_write(
    struct connection *connection, const char *bytes, size_t length);
int connection_flush(struct connection *connection);
/* Ends the request and closes the connection. */
void connection_finish(struct connection *connection);

/* For poll(): hang-up means that the client has gone. */
int connection_fd(const struct connection *connection);

#endif
