#include "archive/frames.h"

#include "base/buffer.h"

#include <string.h>

int
frame_put(frame_sink *sink, void *context, const struct frame_head *head,
    const void *bytes)
{
	if (sink(context, head, sizeof *head) < 0)
		return -1;
	return head->length > 0 ? sink(context, bytes, head->length) : 0;
}

int
frame_put_error(frame_sink *sink, void *context, const struct error *failure)
{
	auto_buffer struct buffer text = BUFFER(FRAME_BYTES_MAXIMUM);
	struct frame_head head = { .type = FRAME_ERROR,
		.mode = (uint32_t)failure->kind };

	buffer_append(&text, failure->code, strlen(failure->code) + 1);
	buffer_append(&text, failure->message, strlen(failure->message) + 1);
	buffer_append(&text, failure->detail, strlen(failure->detail) + 1);
	head.length = (uint32_t)text.length;
	return frame_put(sink, context, &head, text.bytes);
}
