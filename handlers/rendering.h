/*
 * Parts of answers that several resources have in common.
 */
#ifndef HANDLERS_RENDERING_H
#define HANDLERS_RENDERING_H

#include "base/arena.h"
#include "json/json.h"

#include <stdint.h>

struct sample;

/* The first 12 digits, as Docker shows ids. */
const char *rendering_short_id(struct arena *arena, const char *id);

/* Unix seconds as RFC 3339; NULL for 0, which is unknown. */
const char *rendering_time(struct arena *arena, int64_t at_s);

/* JSON from the store; an empty array or object where it is none of that. */
struct json_object *rendering_array(const char *stored);
struct json_object *rendering_object(const char *stored);

/* ContainerStats; without deployment_name where that is NULL or "". */
struct json_object *rendering_sample(
    const struct sample *sample, const char *deployment, struct arena *arena);

#endif
