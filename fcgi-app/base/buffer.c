#include "base/buffer.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buffer_clear(struct buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->length = buffer->allocated = 0;
	buffer->overflowed = false;
}

void
buffer_truncate(struct buffer *buffer, size_t length)
{
	if (length >= buffer->length)
		return;
	buffer->length = length;
	buffer->bytes[length] = '\0';
}

/* Makes room for length more bytes and their NUL. */
static int
reserve(struct buffer *buffer, size_t length)
{
	size_t needed, size;

	if (buffer->overflowed || length > buffer->maximum - buffer->length) {
		buffer->overflowed = true;
		return -1;
	}
	needed = buffer->length + length + 1;
	if (needed <= buffer->allocated)
		return 0;
	size = buffer->allocated ? buffer->allocated : 64;
	while (size < needed)
		size *= 2;
	if (size > buffer->maximum + 1)
		size = buffer->maximum + 1;
	buffer->bytes = xrealloc(buffer->bytes, size);
	buffer->allocated = size;
	return 0;
}

int
buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	if (reserve(buffer, length) < 0)
		return -1;
	if (length > 0)
		memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	buffer->bytes[buffer->length] = '\0';
	return 0;
}

int
buffer_text(struct buffer *buffer, const char *text)
{
	return buffer_append(buffer, text, strlen(text));
}

int
buffer_char(struct buffer *buffer, char byte)
{
	return buffer_append(buffer, &byte, 1);
}

int
buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || reserve(buffer, (size_t)length) < 0)
		return -1;
	va_start(arguments, format);
	vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format,
	    arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
	return 0;
}

void
buffer_consume(struct buffer *buffer, size_t length)
{
	if (length == 0)
		return;
	memmove(
	    buffer->bytes, buffer->bytes + length, buffer->length - length + 1);
	buffer->length -= length;
}

const char *
buffer_string(const struct buffer *buffer)
{
	return buffer->bytes ? buffer->bytes : "";
}

char *
buffer_take(struct buffer *buffer)
{
	char *text = buffer->bytes ? TAKE(buffer->bytes) : xstrdup("");

	buffer_clear(buffer);
	return text;
}
