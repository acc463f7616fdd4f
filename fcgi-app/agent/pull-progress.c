#include "agent/pull-progress.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* What is not the last word is not the whole: the image is not there yet. */
#define UNFINISHED_MAXIMUM 99.0

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A layer is named by twelve digits; a tag could be, too. */
static bool
is_of_layer(const struct docker_pull_progress *progress)
{
	return strlen(progress->id) == 12 &&
	       strspn(progress->id, "0123456789abcdef") == 12 &&
	       !begins(progress->status, "Pulling from");
}

static struct pull_layer *
find_layer(struct pull_state *state, const char *id)
{
	struct pull_layer *layer;
	size_t i;

	for (i = 0; i < state->count; i++)
		if (strcmp(state->layers[i].id, id) == 0)
			return &state->layers[i];
	if (state->count == PULL_LAYERS_MAXIMUM)
		return NULL;
	layer = &state->layers[state->count++];
	snprintf(layer->id, sizeof layer->id, "%s", id);
	return layer;
}

/* These come many times a second, with numbers alone that are new. */
static bool
is_worth_a_line(const char *status)
{
	return !begins(status, "Downloading") &&
	       !begins(status, "Extracting") && !begins(status, "Waiting");
}

static void
write_line(const struct docker_pull_progress *progress, struct buffer *output)
{
	size_t room = output->maximum - output->length;

	/* Half a line would be no better than none. */
	if (strlen(progress->id) + strlen(progress->status) + 3 > room)
		return;
	if (progress->id[0] != '\0')
		buffer_printf(output, "%s: ", progress->id);
	buffer_printf(output, "%s\n", progress->status);
}

static void
note_layer(
    struct pull_layer *layer, const struct docker_pull_progress *progress)
{
	auto_buffer struct buffer text = BUFFER(sizeof layer->status - 1);
	const char *status = progress->status;

	utf8_append_printable(&text, status, PULL_STATUS_MAXIMUM);
	snprintf(
	    layer->status, sizeof layer->status, "%s", buffer_string(&text));
	if (begins(status, "Downloading")) {
		layer->current = progress->current;
		if (progress->total > 0)
			layer->total = progress->total;
		if (layer->total > 0 && layer->current > layer->total)
			layer->total = layer->current;
	} else if (begins(status, "Extracting")) {
		layer->current = layer->total;
		layer->extracted = progress->current;
		layer->extractable = progress->total;
	} else if (begins(status, "Download complete")) {
		layer->current = layer->total;
	} else if (begins(status, "Pull complete")) {
		layer->current = layer->total;
		layer->is_complete = true;
	} else if (begins(status, "Already exists")) {
		layer->was_there = true;
	}
}

void
pull_state_note(struct pull_state *state,
    const struct docker_pull_progress *progress, struct buffer *output)
{
	struct pull_layer *layer =
	    is_of_layer(progress) ? find_layer(state, progress->id) : NULL;
	bool is_new = layer == NULL ||
		      strncmp(layer->status, progress->status,
			  strlen(layer->status)) != 0 ||
		      layer->status[0] == '\0';

	if (progress->status[0] != '\0' && is_new &&
	    is_worth_a_line(progress->status))
		write_line(progress, output);
	if (layer != NULL)
		note_layer(layer, progress);
}

void
pull_state_finish(struct pull_state *state)
{
	size_t i;

	for (i = 0; i < state->count; i++) {
		state->layers[i].is_complete = true;
		state->layers[i].current = state->layers[i].total;
	}
	state->percent = 100;
}

/* Half for the transfer, half for the disk; 0 to 1. */
static double
part_of(const struct pull_layer *layer)
{
	double part = 0;

	if (layer->is_complete)
		return 1;
	if (layer->total > 0)
		part += 0.5 * (double)layer->current / (double)layer->total;
	else if (begins(layer->status, "Download complete"))
		part += 0.5;
	if (layer->extractable > 0 && layer->extracted <= layer->extractable)
		part +=
		    0.5 * (double)layer->extracted / (double)layer->extractable;
	return part;
}

/*
 * By bytes, as long as it is known how many there are; a layer that still
 * waits has no size, so then the layers count one by one if that is less. Those
 * that were there before do not count.
 */
static double
estimate(const struct pull_state *state)
{
	double by_bytes = 0, by_layers = 0, bytes = 0;
	bool knows_all = true;
	size_t i, count = 0;

	for (i = 0; i < state->count; i++) {
		const struct pull_layer *layer = &state->layers[i];

		if (layer->was_there)
			continue;
		count++;
		by_layers += part_of(layer);
		by_bytes += part_of(layer) * (double)layer->total;
		bytes += (double)layer->total;
		knows_all &= layer->total > 0 || layer->is_complete;
	}
	if (count == 0)
		return 0;
	by_layers = 100 * by_layers / (double)count;
	by_bytes = bytes > 0 ? 100 * by_bytes / bytes : by_layers;
	return knows_all || by_bytes < by_layers ? by_bytes : by_layers;
}

static struct json_object *
layer_to_json(const struct pull_layer *layer)
{
	struct json_object *object = json_object_new_object();
	bool extracts = begins(layer->status, "Extracting");

	json_put_text(object, "id", layer->id);
	json_put_text(object, "status", layer->status);
	json_put_integer(
	    object, "current", extracts ? layer->extracted : layer->current);
	json_put_integer(
	    object, "total", extracts ? layer->extractable : layer->total);
	return object;
}

struct json_object *
pull_state_to_json(struct pull_state *state)
{
	struct json_object *object = json_object_new_object();
	struct json_object *layers = json_object_new_array();
	double now = estimate(state);
	int64_t current = 0, total = 0;
	size_t i;

	if (now > UNFINISHED_MAXIMUM)
		now = UNFINISHED_MAXIMUM;
	if (now > state->percent)
		state->percent = now;
	for (i = 0; i < state->count; i++) {
		json_object_array_add(layers, layer_to_json(&state->layers[i]));
		current += state->layers[i].current;
		total += state->layers[i].total;
	}
	json_put(object, "layers", layers);
	json_put_integer(object, "current_bytes", current);
	json_put_integer(object, "total_bytes", total);
	/* To a tenth. */
	json_put(object, "percent",
	    json_object_new_double(
		(double)(int64_t)(state->percent * 10) / 10));
	return object;
}
