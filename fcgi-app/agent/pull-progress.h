/*
 * How far a pull is, out of what the Engine says of each layer. No thread or
 * store: images.c feeds it.
 */
#ifndef AGENT_PULL_PROGRESS_H
#define AGENT_PULL_PROGRESS_H

#include "base/buffer.h"
#include "docker/docker.h"
#include "json/json.h"

#define PULL_LAYERS_MAXIMUM 512
#define PULL_STATUS_MAXIMUM 60

struct pull_layer {
	char id[13];
	char status[PULL_STATUS_MAXIMUM + 1];
	int64_t current, total;         /* bytes of the transfer */
	int64_t extracted, extractable; /* bytes put on the disk */
	bool is_complete, was_there;
};

struct pull_state {
	struct pull_layer layers[PULL_LAYERS_MAXIMUM];
	size_t count;
	double percent; /* never falls */
};

/*
 * Takes one message in, and appends a line to output when it says something
 * new: "abc123: Pull complete".
 */
void pull_state_note(struct pull_state *state,
    const struct docker_pull_progress *progress, struct buffer *output);

/* The image is there. */
void pull_state_finish(struct pull_state *state);

/*
 * {"layers": [{"id", "status", "current", "total"}], "current_bytes",
 * "total_bytes", "percent"} for the caller to release. total_bytes is of the
 * layers whose size is known so far.
 */
struct json_object *pull_state_to_json(struct pull_state *state);

#endif
