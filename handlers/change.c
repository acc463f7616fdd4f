#include "handlers/change.h"

#include "app.h"
#include "compose/compose.h"
#include "jobs/jobs.h"
#include "jobs/render.h"
#include "settings/settings.h"

#include <string.h>

/* What every answer about the job has, whatever became of it. */
static struct json_object *
describe(const struct change *change, const struct job *job)
{
	struct json_object *data = json_object_new_object();

	json_put_text(data, "name", job->subject);
	json_put_text(data, "deployment", job->subject);
	json_put_text(data, "action", job_action(job));
	json_put_text(data, "job_id", job->id);
	json_put_text(data, "status", job_status_name(job->status));
	if (job->status >= JOB_SUCCEEDED)
		json_put_text(data, change->output_name, job->output);
	return data;
}

static void
add_result(struct json_object *data, const char *text)
{
	auto_json struct json_object *result = NULL;
	struct error ignored;

	if (text == NULL ||
	    json_parse_trusted(text, strlen(text), &result, &ignored) < 0 ||
	    !json_object_is_type(result, json_type_object))
		return;
	json_object_object_foreach(result, name, value)
	    json_put(data, name, json_object_get(value));
}

static int
answer_unfinished(struct request *request, struct reply *reply,
    const struct change *change, const struct job *job)
{
	struct payload payload = { .message = "The job is under way",
		.data = describe(change, job) };
	int64_t asked_ms = request_wait_ms(request, -1);

	reply_header(reply, "Location",
	    arena_printf(request->arena, "/api/jobs/%s", job->id));
	if (asked_ms == 0)
		reply_header(reply, "Preference-Applied", "respond-async");
	else if (asked_ms > 0)
		reply_header(reply, "Preference-Applied",
		    arena_printf(request->arena, "wait=%lld",
			(long long)asked_ms / 1000));
	return reply_payload(request, reply, 202, &payload);
}

static int
answer_finished(struct request *request, struct reply *reply,
    const struct change *change, const struct job *job, struct error *err)
{
	struct payload payload = { .message = change->message,
		.data = describe(change, job) };

	add_result(payload.data, job->result);
	if (job->failed) {
		reply->error_extras = payload.data;
		*err = job->error;
		return -1;
	}
	return reply_payload(request, reply, change->status, &payload);
}

int
change_run(struct request *request, struct reply *reply,
    const struct change *change, struct error *err)
{
	auto_json struct json_object *arguments = change->arguments;
	struct job_request job_request = {
		.kind = change->kind,
		.subject = change->subject,
		.actor = request->identity.actor,
		.request_id = request->id,
		.arguments = arguments,
	};
	int64_t wait_ms = request_wait_ms(
	    request, request->app->settings->api.wait_seconds * 1000);
	struct job job;

	if (jobs_run(request->app->jobs, request->store, &job_request, wait_ms,
		request->arena, &job, err) < 0)
		return -1;
	return job.status < JOB_SUCCEEDED
		   ? answer_unfinished(request, reply, change, &job)
		   : answer_finished(request, reply, change, &job, err);
}

int
change_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "name");
	if (!compose_name_is_valid(*out))
		return error_field(err, "name", "INVALID_NAME",
		    "name must be " COMPOSE_NAME_EXPECTED);
	return 0;
}
