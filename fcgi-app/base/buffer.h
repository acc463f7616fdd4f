/*
 * A growing run of bytes with a maximum from birth. The bytes are always
 * followed by a NUL that does not count, so that text can be used as such.
 *
 * Appending beyond the maximum appends nothing, returns -1 and sets
 * overflowed, which stays set: a writer may append many times and check once.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *bytes; /* NULL while nothing was appended */
	size_t length;
	size_t allocated;
	size_t maximum;
	bool overflowed;
};

#define BUFFER(maximum_bytes)              \
	{                                  \
		.maximum = (maximum_bytes) \
	}

void buffer_clear(struct buffer *buffer);
#define auto_buffer CLEANUP(buffer_clear)

/* Keeps the memory for the next use. */
void buffer_truncate(struct buffer *buffer, size_t length);

int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
int buffer_text(struct buffer *buffer, const char *text);
int buffer_char(struct buffer *buffer, char byte);
int buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops the first length bytes. */
void buffer_consume(struct buffer *buffer, size_t length);

/* The bytes as NUL-terminated text, "" when empty; valid until changed. */
const char *buffer_string(const struct buffer *buffer);
/* The bytes as malloc()ed text for the caller to free; empties the buffer. */
char *buffer_take(struct buffer *buffer);

#endif
