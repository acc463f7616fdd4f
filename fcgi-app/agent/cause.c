#include "agent/cause.h"

#include "base/buffer.h"

#include <string.h>

struct json_object *
cause_of_error(const struct error *err)
{
	static const char *const unknown[] = { "service", "container",
		"exit_code", "oom_killed", "restart_count", "health_output",
		"log_tail" };
	struct json_object *cause = json_object_new_object();
	size_t i;

	json_put_text(cause, "code", error_code(err));
	json_put_text(cause, "message", error_public(err));
	for (i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		json_put(cause, unknown[i], NULL);
	return cause;
}

/* The newest lines count: the oldest go when there are too many bytes. */
static bool
on_line(void *context, const struct docker_log_line *line)
{
	struct buffer *tail = context;
	const char *end;

	while (tail->length > 0 &&
	       tail->length + line->length + 1 > tail->maximum) {
		end = memchr(tail->bytes, '\n', tail->length);
		buffer_consume(tail, end != NULL
					 ? (size_t)(end - tail->bytes) + 1
					 : tail->length);
	}
	if (buffer_append(tail, line->text, line->length) == 0)
		buffer_char(tail, '\n');
	return true;
}

static void
add_log(struct json_object *cause, struct docker *docker, const char *id)
{
	const struct docker_log_options options = { .tail = CAUSE_LOG_LINES };
	auto_buffer struct buffer tail = BUFFER(CAUSE_LOG_MAXIMUM);
	struct error ignored;

	docker_logs_read(docker, &id, 1, &options, on_line, &tail, &ignored);
	json_put_text(cause, "log_tail", buffer_string(&tail));
}

void
cause_add_container(struct json_object *cause, struct docker *docker,
    const char *service, const struct docker_diagnosis *diagnosis)
{
	json_put_text(cause, "service", service);
	json_put_text(cause, "container", diagnosis->name);
	if (!diagnosis->running || diagnosis->restart_count > 0)
		json_put_integer(cause, "exit_code", diagnosis->exit_code);
	json_put_boolean(cause, "oom_killed", diagnosis->oom_killed);
	json_put_integer(cause, "restart_count", diagnosis->restart_count);
	json_put_text(cause, "health_output",
	    diagnosis->health[0] != '\0' ? diagnosis->health_output : NULL);
	add_log(cause, docker, diagnosis->id);
}
