/*
 * What the Engine says while it pulls. Texts must be UTF-8 without control
 * bytes, numbers not negative, and all the same however the stream is cut into
 * pieces. The first byte says how.
 */
#include "docker/progress.h"

#include "base/buffer.h"
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

static void
require_printable(const char *text, size_t maximum)
{
	size_t i;

	require(strlen(text) <= 3 * maximum);
	require(utf8_is_valid(text, strlen(text)));
	for (i = 0; text[i] != '\0'; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 127);
}

static void
keep_message(void *context, const struct progress_message *message)
{
	struct buffer *heard = context;

	require_printable(message->id, PROGRESS_ID_MAXIMUM);
	require_printable(message->status, PROGRESS_TEXT_MAXIMUM);
	if (message->failure != NULL)
		require_printable(message->failure, PROGRESS_TEXT_MAXIMUM);
	require(message->current >= 0 && message->total >= 0);
	buffer_printf(heard, "%s|%s|%s|%lld|%lld\n", message->id,
	    message->status, message->failure ? message->failure : "-",
	    (long long)message->current, (long long)message->total);
}

static int
read_stream(struct buffer *heard, const char *bytes, size_t size, size_t piece)
{
	struct progress progress;
	struct error err;
	size_t at, part;
	int result = 0;

	progress_init(&progress, keep_message, heard);
	for (at = 0; at < size && result == 0; at += part) {
		part = size - at < piece ? size - at : piece;
		result = progress_feed(&progress, bytes + at, part, &err);
	}
	if (result == 0 && progress_is_complete(&progress))
		result = 1;
	progress_clear(&progress);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_buffer struct buffer whole = BUFFER(16U * 1024 * 1024);
	auto_buffer struct buffer split = BUFFER(16U * 1024 * 1024);
	const char *stream = (const char *)bytes + 1;
	int result;

	if (size < 1)
		return 0;
	size--;
	result = read_stream(&whole, stream, size, size ? size : 1);
	require(
	    read_stream(&split, stream, size, (size_t)bytes[0] + 1) == result);
	require(whole.length == split.length);
	if (whole.length > 0)
		require(memcmp(whole.bytes, split.bytes, whole.length) == 0);
	return 0;
}
