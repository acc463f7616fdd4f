/* /jobs and /deployments/:name/jobs: every change, under way or on record. */

#include "jobs/jobs.h"

#include "app.h"
#include "compose/compose.h"
#include "handlers/change.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/render.h"
#include "settings/settings.h"

#include <string.h>

#define WAIT_MAXIMUM_S 60

static int
reply_job(struct request *request, struct reply *reply, const struct job *job)
{
	struct payload payload = { .data =
				       job_render(job, true, request->arena) };

	reply_header(reply, "Cache-Control", "no-store");
	return reply_payload(request, reply, 200, &payload);
}

static int
find_job(struct request *request, struct job *out, struct error *err)
{
	const char *id = request_parameter(request, "id");

	if (!job_id_is_valid(id))
		return error_set(
		    err, ERR_NOT_FOUND, "JOB_NOT_FOUND", "Job not found");
	if (store_job_get(request->store, id, request->arena, out, err) < 0)
		return -1;
	job_withhold(out, request->identity.role);
	return 0;
}

/* ?wait=N answers when the job is done, or after N seconds. */
static int
get_job(struct request *request, struct reply *reply, struct error *err)
{
	int64_t wait_s;
	struct job job;

	if (request_query_integer(
		request, "wait", 0, 0, WAIT_MAXIMUM_S, &wait_s, err) < 0 ||
	    find_job(request, &job, err) < 0)
		return -1;
	if (wait_s > 0 && job.status < JOB_SUCCEEDED)
		if (jobs_wait(request->app->jobs, job.id, wait_s * 1000, err) <
			0 ||
		    find_job(request, &job, err) < 0)
			return -1;
	return reply_job(request, reply, &job);
}

static int
get_deployment_job(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *name;
	struct job job;

	if (change_subject(request, &name, err) < 0 ||
	    find_job(request, &job, err) < 0)
		return -1;
	if (strcmp(job.subject, name) != 0)
		return error_set(
		    err, ERR_NOT_FOUND, "JOB_NOT_FOUND", "Job not found");
	return reply_job(request, reply, &job);
}

static int
get_active_job(struct request *request, struct reply *reply, struct error *err)
{
	const char *name;
	struct job job;
	bool found;

	if (change_subject(request, &name, err) < 0 ||
	    store_job_active(request->store, "deployment", name, request->arena,
		&job, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "JOB_NOT_FOUND",
		    "No active job for this deployment");
	return reply_job(request, reply, &job);
}

static bool
class_is_valid(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	return length > 0 && length <= 32 && text[length] == '\0';
}

/* ?deployment=NAME is short for ?class=deployment&subject=NAME. */
static int
read_filter(
    const struct request *request, struct job_filter *out, struct error *err)
{
	const char *deployment = request_query(request, "deployment");
	enum job_status status;

	*out = (struct job_filter){
		.class_name = request_query(request, "class"),
		.subject = request_query(request, "subject"),
		.kind = request_query(request, "kind"),
		.status = request_query(request, "status"),
		.actor = request_query(request, "actor"),
	};
	if (deployment != NULL && !compose_name_is_valid(deployment))
		return error_field(err, "deployment", "INVALID_NAME",
		    "deployment must be " COMPOSE_NAME_EXPECTED);
	if (deployment != NULL) {
		out->class_name = "deployment";
		out->subject = deployment;
	}
	if (out->class_name != NULL && !class_is_valid(out->class_name))
		return error_field(err, "class", NULL,
		    "class must be deployment, container, image or the like");
	if (out->status != NULL && job_status_parse(out->status, &status) < 0)
		return error_field(err, "status", NULL,
		    "status must be pending, running, succeeded or failed");
	if (request_query_integer(
		request, "limit", 100, 1, 1000, &out->limit, err) < 0)
		return -1;
	return request_query_integer(
	    request, "offset", 0, 0, 999999999, &out->offset, err);
}

static int
list_jobs(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "jobs" };
	struct job_filter filter;
	struct job *jobs;
	size_t count, i;
	int64_t total;

	if (read_filter(request, &filter, err) < 0 ||
	    store_job_list(request->store, &filter, request->arena, &jobs,
		&count, &total, err) < 0)
		return -1;
	payload.data = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(
		    payload.data, job_render(&jobs[i], false, request->arena));
	payload.extras = json_object_new_object();
	if (request->app->settings->api.envelope != ENVELOPE_DATA)
		json_put(
		    payload.extras, "items", json_object_get(payload.data));
	json_put_integer(payload.extras, "total", total);
	json_put_integer(payload.extras, "limit", filter.limit);
	json_put_integer(payload.extras, "offset", filter.offset);
	return reply_payload(request, reply, 200, &payload);
}

static int
fail_finished(struct error *err)
{
	return error_set(
	    err, ERR_CONFLICT, "JOB_FINISHED", "the job has ended already");
}

/*
 * Cancelling. What a job has done by then stays: it is a deployment whose
 * start was broken off, or an image with some layers missing.
 */
static int
cancel_job(struct request *request, struct reply *reply, struct error *err)
{
	int64_t wait_ms = request_wait_ms(
	    request, request->app->settings->api.wait_seconds * 1000);
	struct payload payload = { .message = "Job cancelled" };
	struct job job;
	bool under_way;

	if (find_job(request, &job, err) < 0)
		return -1;
	if (job.status >= JOB_SUCCEEDED)
		return fail_finished(err);
	if (jobs_cancel(request->app->jobs, job.id, wait_ms, err) < 0 ||
	    find_job(request, &job, err) < 0)
		return -1;
	under_way = job.status < JOB_SUCCEEDED;
	if (!under_way &&
	    (!job.failed || strcmp(job.error.code, "JOB_CANCELLED") != 0))
		return fail_finished(err);
	if (under_way) {
		payload.message = "The job is being cancelled";
		reply_header(reply, "Location",
		    arena_printf(request->arena, "/api/jobs/%s", job.id));
	}
	payload.data = job_render(&job, true, request->arena);
	return reply_payload(request, reply, under_way ? 202 : 200, &payload);
}

const struct route job_routes[] = {
	{ "GET", "/jobs", ROLE_VIEWER, list_jobs },
	{ "GET", "/jobs/:id", ROLE_VIEWER, get_job },
	{ "DELETE", "/jobs/:id", ROLE_OPERATOR, cancel_job },
	{ "GET", "/deployments/:name/jobs/active", ROLE_VIEWER,
	    get_active_job },
	{ "GET", "/deployments/:name/jobs/:id", ROLE_VIEWER,
	    get_deployment_job },
	{ 0 },
};
