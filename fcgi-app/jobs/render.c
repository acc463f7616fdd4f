#include "jobs/render.h"

#include "base/clock.h"
#include "jobs/protocol.h"

#include <string.h>

const char *
job_action(const struct job *job)
{
	static const char of_service[] = "service_";
	const char *dot = strchr(job->kind, '.');
	const char *action = dot != NULL ? dot + 1 : job->kind;
	size_t length = sizeof of_service - 1;

	return strncmp(action, of_service, length) == 0 ? action + length
							: action;
}

bool
job_is_of(const struct job *job, const char *class_name)
{
	size_t length = strlen(class_name);

	return strncmp(job->kind, class_name, length) == 0 &&
	       job->kind[length] == '.';
}

static struct json_object *
split_lines(const char *text)
{
	struct json_object *lines = json_object_new_array();

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		json_object_array_add(
		    lines, json_object_new_string_len(text, (int)length));
		text += length + (text[length] == '\n');
	}
	return lines;
}

static void
put_time(struct json_object *object, const char *name, int64_t wall_ms,
    struct arena *arena)
{
	json_put_text(
	    object, name, wall_ms ? clock_text_ms(arena, wall_ms) : NULL);
}

static void
put_stored(struct json_object *object, const char *name, const char *text)
{
	struct json_object *value = NULL;
	struct error ignored;

	if (text != NULL &&
	    json_parse_trusted(text, strlen(text), &value, &ignored) == 0)
		json_put(object, name, value);
}

/* Of a job on one service, as far as it has told. */
static void
put_service(struct json_object *object)
{
	const char *service =
	    json_text(json_member(object, "result"), "service");

	if (service != NULL)
		json_put_text(object, "service", service);
}

void
job_withhold(struct job *job, enum role role)
{
	if (role < ROLE_OPERATOR &&
	    (job_is_of(job, "exec") || strcmp(job->kind, JOB_ACTION) == 0))
		job->output = "";
}

struct json_object *
job_render(const struct job *job, bool with_output, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "id", job->id);
	json_put_text(object, "job_id", job->id);
	json_put_text(object, "kind", job->kind);
	json_put_text(object, "subject", job->subject);
	if (job_is_of(job, "deployment"))
		json_put_text(object, "deployment", job->subject);
	json_put_text(object, "action", job_action(job));
	json_put_text(object, "status", job_status_name(job->status));
	if (with_output) {
		json_put_text(object, "output", job->output);
		json_put(object, "lines", split_lines(job->output));
	}
	if (job->failed) {
		json_put_text(object, "error", job->error.message);
		json_put_text(object, "error_code", error_code(&job->error));
	}
	put_stored(object, "progress", job->progress);
	put_stored(object, "result", job->result);
	put_service(object);
	json_put_text(object, "actor", job->actor);
	json_put_text(object, "request_id", job->request_id);
	put_time(object, "created_at", job->created_at_ms, arena);
	put_time(object, "started_at", job->started_at_ms, arena);
	put_time(object, "finished_at", job->finished_at_ms, arena);
	return object;
}
