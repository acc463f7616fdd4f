#include "handlers/rendering.h"

#include "base/clock.h"
#include "store/samples.h"

#include <string.h>

#define SHORT_ID 12

const char *
rendering_short_id(struct arena *arena, const char *id)
{
	size_t length = strlen(id);

	return arena_strndup(arena, id, length < SHORT_ID ? length : SHORT_ID);
}

const char *
rendering_time(struct arena *arena, int64_t at_s)
{
	return at_s != 0 ? clock_text_ms(arena, at_s * 1000) : NULL;
}

static struct json_object *
parse_stored(const char *stored, enum json_type type)
{
	struct json_object *value = NULL;
	struct error ignored;

	if (json_parse_trusted(stored, strlen(stored), &value, &ignored) == 0 &&
	    json_object_is_type(value, type))
		return value;
	json_object_put(value);
	return type == json_type_array ? json_object_new_array()
				       : json_object_new_object();
}

struct json_object *
rendering_array(const char *stored)
{
	return parse_stored(stored, json_type_array);
}

struct json_object *
rendering_object(const char *stored)
{
	return parse_stored(stored, json_type_object);
}

struct json_object *
rendering_sample(
    const struct sample *sample, const char *deployment, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	double memory_percent = sample->memory_limit > 0
				    ? (double)sample->memory_usage /
					  (double)sample->memory_limit * 100
				    : 0;

	json_put_text(object, "container_id",
	    rendering_short_id(arena, sample->container_id));
	json_put_text(object, "name", sample->name);
	json_put_text(object, "service", sample->service);
	if (deployment != NULL && deployment[0] != '\0')
		json_put_text(object, "deployment_name", deployment);
	json_put(
	    object, "cpu_percent", json_object_new_double(sample->cpu_percent));
	json_put_integer(object, "memory_usage", sample->memory_usage);
	json_put_integer(object, "memory_limit", sample->memory_limit);
	json_put(
	    object, "memory_percent", json_object_new_double(memory_percent));
	json_put_integer(object, "network_rx", sample->network_rx);
	json_put_integer(object, "network_tx", sample->network_tx);
	json_put_integer(object, "block_read", sample->block_read);
	json_put_integer(object, "block_write", sample->block_write);
	json_put_integer(object, "pids", sample->pids);
	json_put_text(object, "sampled_at",
	    sample->sampled_at_ms > 0
		? clock_text_ms(arena, sample->sampled_at_ms)
		: NULL);
	return object;
}
