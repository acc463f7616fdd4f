/*
 * The log demultiplexer. The lines must be UTF-8, bounded, and the same
 * however the stream is cut into pieces. The first byte says how.
 */
#include "docker/frames.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static bool
keep_line(void *context, const struct frames_line *line)
{
	struct buffer *heard = context;

	require(line->length <= 3U * FRAMES_LINE_MAXIMUM);
	require(strlen(line->timestamp) < FRAMES_TIMESTAMP_MAXIMUM);
	require(utf8_is_valid(line->text, line->length));
	buffer_printf(heard, "%s|%s|", line->stream, line->timestamp);
	buffer_append(heard, line->text, line->length);
	buffer_char(heard, '\n');
	return true;
}

static int
read_stream(struct buffer *heard, bool has_tty, const char *bytes, size_t size,
    size_t piece)
{
	struct frames frames;
	struct error err;
	size_t at, part;
	int result = 0;

	frames_init(&frames, has_tty, keep_line, heard);
	for (at = 0; at < size && result == 0; at += part) {
		part = size - at < piece ? size - at : piece;
		result = frames_feed(&frames, bytes + at, part, &err);
	}
	if (result == 0)
		frames_end(&frames);
	frames_clear(&frames);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_buffer struct buffer whole = BUFFER(16U * 1024 * 1024);
	auto_buffer struct buffer split = BUFFER(16U * 1024 * 1024);
	const char *stream = (const char *)bytes + 1;
	bool has_tty;
	int result;

	if (size < 1)
		return 0;
	has_tty = bytes[0] & 1;
	size--;
	result = read_stream(&whole, has_tty, stream, size, size ? size : 1);
	require(read_stream(&split, has_tty, stream, size,
		    (size_t)(bytes[0] >> 1) + 1) == result);
	require(whole.length == split.length);
	if (whole.length > 0)
		require(memcmp(whole.bytes, split.bytes, whole.length) == 0);
	return 0;
}
