#include "docker/frames.h"

#include "base/utf8.h"

#include <string.h>

#define STREAM_STDERR 2
#define STREAM_LAST 3

void
frames_init(struct frames *frames, bool has_tty,
    bool (*on_line)(void *context, const struct frames_line *line),
    void *context)
{
	memset(frames, 0, sizeof *frames);
	frames->has_tty = has_tty;
	frames->on_line = on_line;
	frames->context = context;
	frames->outputs[0].line.maximum = FRAMES_LINE_MAXIMUM;
	frames->outputs[1].line.maximum = FRAMES_LINE_MAXIMUM;
	/* Each invalid byte becomes three. */
	frames->repaired.maximum = 3U * FRAMES_LINE_MAXIMUM;
	if (has_tty) {
		frames->current = &frames->outputs[0];
		frames->current->at_timestamp = true;
	}
}

void
frames_init_bytes(struct frames *frames,
    void (*on_bytes)(void *context, const char *bytes, size_t length),
    void *context)
{
	frames_init(frames, false, NULL, context);
	frames->on_bytes = on_bytes;
}

void
frames_clear(struct frames *frames)
{
	buffer_clear(&frames->outputs[0].line);
	buffer_clear(&frames->outputs[1].line);
	buffer_clear(&frames->repaired);
}

/* Whether text has the shape's digits and marks; gives its length, or 0. */
static size_t
match_shape(const char *text, size_t length, const char *shape)
{
	size_t i;

	for (i = 0; shape[i] != '\0'; i++)
		if (i >= length ||
		    (shape[i] == '0' ? text[i] < '0' || text[i] > '9'
				     : text[i] != shape[i]))
			return 0;
	return i;
}

/* 2026-01-31T23:59:59.123456789Z, or with +01:00 at its end. */
static bool
is_timestamp(const char *text, size_t length)
{
	size_t used = match_shape(text, length, "0000-00-00T00:00:00");

	if (used == 0)
		return false;
	if (used < length && text[used] == '.')
		for (used++;
		     used < length && text[used] >= '0' && text[used] <= '9';)
			used++;
	text += used;
	length -= used;
	return (length == 1 && text[0] == 'Z') ||
	       (length == 6 && (match_shape(text, length, "+00:00") > 0 ||
				   match_shape(text, length, "-00:00") > 0));
}

/* Bytes at the end that begin a character which has not fully come. */
static size_t
count_incomplete(const char *bytes, size_t length)
{
	size_t back, size;

	for (back = 1; back <= 3 && back <= length; back++) {
		unsigned char lead = (unsigned char)bytes[length - back];

		if ((lead & 0xC0) == 0x80)
			continue;
		size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
		return lead >= 0xC2 && lead <= 0xF4 && back < size ? back : 0;
	}
	return 0;
}

static int
give_line(struct frames *frames, struct frames_output *output, size_t length)
{
	struct frames_line line = {
		.stream = output == &frames->outputs[0] ? "stdout" : "stderr",
		.timestamp = output->timestamp,
		.text = buffer_string(&output->line),
		.length = length,
	};

	if (!utf8_is_valid(line.text, length)) {
		buffer_truncate(&frames->repaired, 0);
		utf8_append_repaired(&frames->repaired, line.text, length);
		line.text = buffer_string(&frames->repaired);
		line.length = frames->repaired.length;
	}
	if (frames->on_line(frames->context, &line))
		return 0;
	frames->stopped = true;
	return -1;
}

/* The line's end: what a cut left of it may be nothing. */
static int
end_line(struct frames *frames, struct frames_output *output)
{
	size_t length = output->line.length;
	int result = 0;

	if (length > 0 && output->line.bytes[length - 1] == '\r')
		length--;
	if (length > 0 || !output->is_cut)
		result = give_line(frames, output, length);
	buffer_truncate(&output->line, 0);
	output->is_cut = false;
	return result;
}

/* Gives out a full line's beginning, up to a whole character. */
static int
cut_line(struct frames *frames, struct frames_output *output)
{
	size_t length = output->line.length;

	length -= count_incomplete(output->line.bytes, length);
	if (give_line(frames, output, length) < 0)
		return -1;
	buffer_consume(&output->line, length);
	output->is_cut = true;
	/* The Engine cuts at the same length; then a timestamp comes again. */
	if (frames->has_tty)
		output->at_timestamp = true;
	return 0;
}

static int
add_text(struct frames *frames, struct frames_output *output, const char *bytes,
    size_t length)
{
	while (length > 0) {
		size_t room = output->line.maximum - output->line.length;
		size_t part = length < room ? length : room;

		if (part == 0) {
			if (cut_line(frames, output) < 0)
				return -1;
			continue;
		}
		buffer_append(&output->line, bytes, part);
		bytes += part;
		length -= part;
	}
	return 0;
}

/* The candidate is complete: it is a timestamp, or text like any other. */
static int
settle_candidate(struct frames *frames, struct frames_output *output)
{
	size_t length = output->candidate_length;
	char *candidate = output->candidate;

	output->at_timestamp = false;
	output->candidate_length = 0;
	if (length == 0 || candidate[length - 1] != ' ' ||
	    !is_timestamp(candidate, length - 1))
		return add_text(frames, output, candidate, length);
	/* A frame that goes on with a line repeats the time; the first counts.
	 */
	if (output->line.length > 0 && !output->is_cut)
		return 0;
	memcpy(output->timestamp, candidate, length - 1);
	output->timestamp[length - 1] = '\0';
	return 0;
}

/* Collects up to a space; gives the count of bytes used, or -1. */
static int
read_timestamp(struct frames *frames, struct frames_output *output,
    const char *bytes, size_t length)
{
	size_t used = 0;

	while (output->candidate_length < FRAMES_TIMESTAMP_MAXIMUM &&
	       bytes[used] != '\n') {
		char byte = bytes[used++];

		output->candidate[output->candidate_length++] = byte;
		if (byte == ' ')
			break;
		if (used == length)
			return (int)used; /* more of it may come */
	}
	return settle_candidate(frames, output) < 0 ? -1 : (int)used;
}

static int
read_text(struct frames *frames, struct frames_output *output,
    const char *bytes, size_t length)
{
	while (length > 0) {
		const char *end;
		size_t part;

		/* A full line is cut first: that may change what comes next. */
		if (output->line.length == output->line.maximum &&
		    bytes[0] != '\n' && cut_line(frames, output) < 0)
			return -1;
		if (output->at_timestamp) {
			int used =
			    read_timestamp(frames, output, bytes, length);

			if (used < 0)
				return -1;
			bytes += used;
			length -= (size_t)used;
			continue;
		}
		part = output->line.maximum - output->line.length;
		if (part > length)
			part = length;
		end = memchr(bytes, '\n', part ? part : 1);
		if (end != NULL)
			part = (size_t)(end - bytes);
		if (add_text(frames, output, bytes, part) < 0)
			return -1;
		if (end != NULL) {
			if (end_line(frames, output) < 0)
				return -1;
			output->at_timestamp = frames->has_tty;
			part++;
		}
		bytes += part;
		length -= part;
	}
	return 0;
}

static int
start_frame(struct frames *frames, struct error *err)
{
	const unsigned char *head = frames->head;

	if (head[0] > STREAM_LAST || head[1] || head[2] || head[3])
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's stream is broken");
	frames->left = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 |
		       (uint32_t)head[6] << 8 | head[7];
	frames->head_length = 0;
	frames->current = &frames->outputs[head[0] >= STREAM_STDERR];
	frames->current->at_timestamp = true;
	return 0;
}

/* The next bytes of a frame. */
static int
read_payload(struct frames *frames, const char *bytes, size_t length)
{
	if (frames->on_bytes == NULL)
		return read_text(frames, frames->current, bytes, length);
	frames->on_bytes(frames->context, bytes, length);
	return 0;
}

/* What looked like a timestamp when the frame ended is not one. */
static int
end_frame(struct frames *frames)
{
	if (frames->on_bytes != NULL || !frames->current->at_timestamp)
		return 0;
	return settle_candidate(frames, frames->current);
}

int
frames_feed(
    struct frames *frames, const char *bytes, size_t length, struct error *err)
{
	if (frames->has_tty)
		return read_text(frames, frames->current, bytes, length);
	while (length > 0) {
		size_t part;

		if (frames->left == 0) {
			frames->head[frames->head_length++] =
			    (unsigned char)*bytes++;
			length--;
			if (frames->head_length == sizeof frames->head &&
			    start_frame(frames, err) < 0)
				return -1;
			continue;
		}
		part = length < frames->left ? length : frames->left;
		if (read_payload(frames, bytes, part) < 0)
			return -1;
		frames->left -= (uint32_t)part;
		bytes += part;
		length -= part;
		if (frames->left == 0 && end_frame(frames) < 0)
			return -1;
	}
	return 0;
}

void
frames_end(struct frames *frames)
{
	size_t i;

	for (i = 0; i < 2 && !frames->stopped; i++) {
		struct frames_output *output = &frames->outputs[i];

		if (output->candidate_length > 0 &&
		    settle_candidate(frames, output) < 0)
			return;
		if (output->line.length > 0)
			end_line(frames, output);
	}
}
