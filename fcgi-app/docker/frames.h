/*
 * The Engine's streams: a log, cut into lines, or a program's output.
 *
 * Without a TTY it is a sequence of frames: one byte for the stream (0 stdin,
 * 1 stdout, 2 stderr, 3 the Engine's own words), three zeroes, a big-endian
 * length, then that many bytes, which begin with a timestamp when those were
 * asked for. With a TTY it is the bytes alone, each line with its timestamp.
 * Nothing is kept but the line that is not complete.
 *
 * The output of a program run by exec comes in the same frames, but it is what
 * the program wrote: both streams are given out as they are.
 */
#ifndef DOCKER_FRAMES_H
#define DOCKER_FRAMES_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_LINE_MAXIMUM (16U * 1024)
#define FRAMES_TIMESTAMP_MAXIMUM 40

struct frames_line {
	const char *stream;    /* "stdout" or "stderr" */
	const char *timestamp; /* "" when there was none */
	const char *text;      /* UTF-8, without the line end */
	size_t length;
};

struct frames_output {
	struct buffer line;
	char timestamp[FRAMES_TIMESTAMP_MAXIMUM];
	char candidate[FRAMES_TIMESTAMP_MAXIMUM]; /* what may be the next one */
	size_t candidate_length;
	bool at_timestamp; /* the next bytes may be one */
	bool is_cut;       /* the line's beginning was given out already */
};

struct frames {
	bool has_tty;
	unsigned char head[8];
	size_t head_length;
	uint32_t left; /* bytes of the present frame */
	struct frames_output outputs[2];
	struct frames_output *current;
	struct buffer repaired;
	/* Returns false to stop. */
	bool (*on_line)(void *context, const struct frames_line *line);
	/* Instead, for what is no log. */
	void (*on_bytes)(void *context, const char *bytes, size_t length);
	void *context;
	bool stopped;
};

void frames_init(struct frames *frames, bool has_tty,
    bool (*on_line)(void *context, const struct frames_line *line),
    void *context);
/* For frames of bytes that are given out without being cut into lines. */
void frames_init_bytes(struct frames *frames,
    void (*on_bytes)(void *context, const char *bytes, size_t length),
    void *context);
void frames_clear(struct frames *frames);

/*
 * Takes the next bytes, however the stream was cut up. -1: they are no log
 * stream (err filled), or on_line returned false (stopped is set).
 */
int frames_feed(
    struct frames *frames, const char *bytes, size_t length, struct error *err);

/* Gives out the lines that have no end. */
void frames_end(struct frames *frames);

#endif
