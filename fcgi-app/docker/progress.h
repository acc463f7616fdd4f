/*
 * What the Engine says while it pulls: JSON objects one after another, cut
 * anywhere. Internal to docker/.
 *
 * Texts are made printable and cut, so that they can be shown. An object
 * over 256 KiB, or what is no object, is ERR_UPSTREAM DOCKER_ERROR.
 */
#ifndef DOCKER_PROGRESS_H
#define DOCKER_PROGRESS_H

#include "base/error.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_OBJECT_MAXIMUM (256U * 1024)
#define PROGRESS_ID_MAXIMUM 128
#define PROGRESS_TEXT_MAXIMUM 300

struct progress_message {
	const char *id;         /* of a layer, or the tag, or "" */
	const char *status;     /* "Downloading", or "" */
	const char *failure;    /* the pull failed: why; else NULL */
	int64_t current, total; /* bytes, never negative; 0: not said */
};

struct progress {
	struct json_tokener *tokener;
	size_t pending_bytes; /* of the object that is not complete */
	void (*on_message)(
	    void *context, const struct progress_message *message);
	void *context;
};

void progress_init(struct progress *progress,
    void (*on_message)(void *context, const struct progress_message *message),
    void *context);
void progress_clear(struct progress *progress);

int progress_feed(struct progress *progress, const char *bytes, size_t length,
    struct error *err);
/* Whether it ended between two objects. */
bool progress_is_complete(const struct progress *progress);

#endif
