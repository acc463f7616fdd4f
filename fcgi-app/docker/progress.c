#include "docker/progress.h"

#include "base/buffer.h"
#include "base/utf8.h"
#include "json/json.h"

#include <string.h>

#define DEPTH_MAXIMUM 8

void
progress_init(struct progress *progress,
    void (*on_message)(void *context, const struct progress_message *message),
    void *context)
{
	*progress = (struct progress){
		.tokener = json_tokener_new_ex(DEPTH_MAXIMUM),
		.on_message = on_message,
		.context = context,
	};
	json_tokener_set_flags(progress->tokener,
	    JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
}

void
progress_clear(struct progress *progress)
{
	json_tokener_free(progress->tokener);
}

static const char *
read_text(struct json_object *object, const char *name, size_t maximum,
    struct buffer *out)
{
	const char *text = json_text(object, name);

	if (text == NULL)
		return NULL;
	utf8_append_printable(out, text, maximum);
	return buffer_string(out);
}

static int64_t
read_bytes(struct json_object *detail, const char *name)
{
	int64_t bytes = json_int(detail, name, 0);

	return bytes > 0 ? bytes : 0;
}

/* Engines of all versions say "error"; newer ones "errorDetail" as well. */
static const char *
read_failure(struct json_object *object, struct buffer *out)
{
	const char *text =
	    read_text(object, "error", PROGRESS_TEXT_MAXIMUM, out);

	if (text != NULL || json_member(object, "errorDetail") == NULL)
		return text;
	text = read_text(json_member(object, "errorDetail"), "message",
	    PROGRESS_TEXT_MAXIMUM, out);
	return text != NULL ? text : "";
}

static void
tell(struct progress *progress, struct json_object *object)
{
	auto_buffer struct buffer id = BUFFER(3 * PROGRESS_ID_MAXIMUM);
	auto_buffer struct buffer status = BUFFER(3 * PROGRESS_TEXT_MAXIMUM);
	auto_buffer struct buffer failure = BUFFER(3 * PROGRESS_TEXT_MAXIMUM);
	struct json_object *detail = json_member(object, "progressDetail");
	struct progress_message message = {
		.id = read_text(object, "id", PROGRESS_ID_MAXIMUM, &id),
		.status =
		    read_text(object, "status", PROGRESS_TEXT_MAXIMUM, &status),
		.failure = read_failure(object, &failure),
		.current = read_bytes(detail, "current"),
		.total = read_bytes(detail, "total"),
	};

	if (message.id == NULL)
		message.id = "";
	if (message.status == NULL)
		message.status = "";
	progress->on_message(progress->context, &message);
}

static int
fail_broken(struct error *err)
{
	return error_set(
	    err, ERR_UPSTREAM, "DOCKER_ERROR", "Docker's answer is broken");
}

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Between two objects there is white space, which belongs to none. */
static size_t
skip_space(const struct progress *progress, const char *bytes, size_t length)
{
	size_t at = 0;

	while (
	    progress->pending_bytes == 0 && at < length && is_space(bytes[at]))
		at++;
	return at;
}

int
progress_feed(struct progress *progress, const char *bytes, size_t length,
    struct error *err)
{
	size_t at = 0, used;

	for (;;) {
		auto_json struct json_object *object = NULL;

		at += skip_space(progress, bytes + at, length - at);
		if (at == length)
			return 0;
		object = json_tokener_parse_ex(
		    progress->tokener, bytes + at, (int)(length - at));
		used = json_tokener_get_parse_end(progress->tokener);
		progress->pending_bytes += used;
		if (progress->pending_bytes > PROGRESS_OBJECT_MAXIMUM)
			return fail_broken(err);
		if (json_tokener_get_error(progress->tokener) ==
		    json_tokener_continue)
			return 0;
		if (!json_object_is_type(object, json_type_object))
			return fail_broken(err);
		progress->pending_bytes = 0;
		at += used;
		tell(progress, object);
	}
}

bool
progress_is_complete(const struct progress *progress)
{
	return progress->pending_bytes == 0;
}
