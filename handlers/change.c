#include "handlers/change.h"

#include "app.h"
#include "compose/compose.h"
#include "http/etag.h"
#include "jobs/jobs.h"
#include "jobs/protocol.h"
#include "jobs/render.h"
#include "settings/settings.h"

#include <string.h>

/* What every answer about the job has, whatever became of it. */
static struct json_object *
describe(const struct change *change, const struct job *job)
{
	struct json_object *data = json_object_new_object();

	json_put_text(data, change->member ? change->member : "name",
	    change->shown ? change->shown : job->subject);
	if (job_is_of(job, "deployment"))
		json_put_text(data, "deployment", job->subject);
	json_put_text(data, "action", job_action(job));
	json_put_text(data, "job_id", job->id);
	json_put_text(data, "status", job_status_name(job->status));
	if (job->status >= JOB_SUCCEEDED && change->output_name != NULL)
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
	/* What the agent says of it is more than that it was done. */
	if (json_text(payload.data, "message") != NULL)
		payload.message = json_text(payload.data, "message");
	if (job->failed) {
		reply->error_extras = payload.data;
		*err = job->error;
		return -1;
	}
	return reply_payload(request, reply, change->status, &payload);
}

/* What answer_finished() needs, on record with the job. */
static struct json_object *
format_answer(const struct change *change)
{
	struct json_object *answer = json_object_new_object();

	json_put_integer(answer, "status", change->status);
	json_put_text(answer, "message", change->message);
	json_put_text(answer, "output_name", change->output_name);
	json_put_text(answer, "member", change->member);
	json_put_text(answer, "shown", change->shown);
	return answer;
}

static struct change
parse_answer(struct json_object *answer)
{
	return (struct change){
		.status = (int)json_int(answer, "status", 200),
		.message = json_text(answer, "message"),
		.output_name = json_text(answer, "output_name"),
		.member = json_text(answer, "member"),
		.shown = json_text(answer, "shown"),
	};
}

static bool
is_about_deployment(const struct change *change)
{
	return strncmp(change->kind, "deployment.", 11) == 0;
}

static int
fail_not_planned(struct error *err, const char *field)
{
	return error_field(err, field, "PLAN_NOT_SUPPORTED",
	    "there are no plans of this change");
}

/* What the client wants to be true of the deployment before its change. */
static int
read_conditions(const struct request *request, const struct change *change,
    struct json_object **out, struct error *err)
{
	auto_json struct json_object *conditions = json_object_new_object();
	struct json_object *list;

	if (!is_about_deployment(change))
		return 0;
	if (request->if_match != NULL) {
		if (etag_versions("If-Match", request->if_match, &list, err) <
		    0)
			return -1;
		json_put(conditions, "if_match", list);
	}
	if (request->if_none_match != NULL) {
		if (etag_versions("If-None-Match", request->if_none_match,
			&list, err) < 0)
			return -1;
		json_put(conditions, "if_none_match", list);
	}
	if (json_object_object_length(conditions) > 0)
		*out = TAKE(conditions);
	return 0;
}

static bool
is_plan_id(const char *text)
{
	return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

/* The plan that the client has seen, as one more condition. */
static int
read_plan_id(const struct request *request, const struct change *change,
    struct json_object **conditions, struct error *err)
{
	const char *plan_id = request_query(request, "plan_id");

	if (plan_id == NULL)
		return 0;
	if (!is_plan_id(plan_id))
		return error_field(err, "plan_id", NULL,
		    "plan_id must be 32 hexadecimal digits");
	if (!is_about_deployment(change))
		return fail_not_planned(err, "plan_id");
	if (*conditions == NULL)
		*conditions = json_object_new_object();
	json_put_text(*conditions, "plan_id", plan_id);
	return 0;
}

/* With ?plan=true the job is to say what the change would do. */
static int
turn_into_plan(const struct request *request, struct change *change,
    struct json_object **arguments, struct error *err)
{
	struct json_object *planned;
	bool wanted;

	if (request_query_boolean(request, "plan", false, &wanted, err) < 0)
		return -1;
	if (!wanted)
		return 0;
	if (!is_about_deployment(change))
		return fail_not_planned(err, "plan");
	if (request_query(request, "plan_id") != NULL)
		return error_field(err, "plan_id", NULL,
		    "a change is planned, or done as planned");
	planned = json_object_new_object();
	json_put_text(planned, "kind", change->kind);
	json_put(planned, "arguments",
	    *arguments != NULL ? TAKE(*arguments) : json_object_new_object());
	*arguments = planned;
	change->kind = JOB_PLAN;
	change->status = 200;
	change->message = "Planned: nothing was changed";
	change->output_name = NULL;
	return 0;
}

int
change_run(struct request *request, struct reply *reply,
    const struct change *given, struct error *err)
{
	struct change change = *given;
	auto_json struct json_object *arguments = change.arguments;
	auto_json struct json_object *conditions = NULL;
	auto_json struct json_object *answer = NULL;
	struct job_request job_request = {
		.subject = change.subject,
		.actor = request->identity.actor,
		.request_id = request->id,
		.idempotency_key = request->idempotency_key,
		.fingerprint = request->fingerprint,
	};
	int64_t wait_ms = request_wait_ms(request,
	    change.at_once ? 0
			   : request->app->settings->api.wait_seconds * 1000);
	struct job job;

	if (read_conditions(request, &change, &conditions, err) < 0 ||
	    read_plan_id(request, &change, &conditions, err) < 0 ||
	    turn_into_plan(request, &change, &arguments, err) < 0)
		return -1;
	answer = format_answer(&change);
	job_request.kind = change.kind;
	job_request.answer = json_serialize(answer, NULL);
	job_request.arguments = arguments;
	job_request.conditions = conditions;
	if (jobs_run(request->app->jobs, request->store, &job_request, wait_ms,
		request->arena, &job, err) < 0)
		return -1;
	return job.status < JOB_SUCCEEDED
		   ? answer_unfinished(request, reply, &change, &job)
		   : answer_finished(request, reply, &change, &job, err);
}

int
change_replay(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *answer = NULL;
	struct change change;
	struct error ignored;
	struct job job;
	bool found;

	if (store_job_by_key(request->store, request->identity.actor,
		request->idempotency_key, request->arena, &job, &found,
		err) < 0)
		return -1;
	if (!found)
		return 0;
	if (job_check_replay(&job, request->fingerprint, err) < 0)
		return -1;
	if (job.answer == NULL ||
	    json_parse_trusted(
		job.answer, strlen(job.answer), &answer, &ignored) < 0)
		return error_set(err, ERR_INTERNAL, NULL,
		    "the job's answer is not on record");
	change = parse_answer(answer);
	reply_header(reply, "Idempotency-Replayed", "true");
	return answer_finished(request, reply, &change, &job, err);
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
