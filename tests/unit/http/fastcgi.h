/*
 * nginx's side of FastCGI 1.0, for tests: one request a connection.
 */
#ifndef TESTS_HTTP_FASTCGI_H
#define TESTS_HTTP_FASTCGI_H

#include "base/buffer.h"

#include <stddef.h>

enum fastcgi_type {
	FASTCGI_BEGIN = 1,
	FASTCGI_END = 3,
	FASTCGI_PARAMS = 4,
	FASTCGI_STDIN = 5,
	FASTCGI_STDOUT = 6,
};

/* Appends one record; of a length that fits in it. */
void fastcgi_record(struct buffer *out, enum fastcgi_type type,
    const void *bytes, size_t length);
/* Appends the record that begins request 1. */
void fastcgi_begin(struct buffer *out);
/* Appends a parameter as it stands within records. */
void fastcgi_parameter(struct buffer *out, const char *name, const char *value);
/* Appends the whole request: parameters as NAME, VALUE, …, NULL. */
void fastcgi_request(struct buffer *out, const char *const *parameters,
    const void *body, size_t length);

int fastcgi_connect(const char *path);
void fastcgi_send(int fd, const void *bytes, size_t length);

/*
 * Reads until the end of the request or of the connection. out is what went
 * to standard output: head and body. 1: the request was ended properly.
 */
int fastcgi_receive(int fd, struct buffer *out);

#endif
