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
	return store_job_get(request->store, id, request->arena, out, err);
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

static int
list_jobs(struct request *request, struct reply *reply, struct error *err)
{
	struct job_filter filter = {
		.subject = request_query(request, "deployment"),
		.kind = request_query(request, "kind"),
		.status = request_query(request, "status"),
	};
	struct payload payload = { .key = "jobs" };
	enum job_status status;
	struct job *jobs;
	size_t count, i;
	int64_t total;

	if (filter.subject != NULL && !compose_name_is_valid(filter.subject))
		return error_field(err, "deployment", "INVALID_NAME",
		    "deployment must be " COMPOSE_NAME_EXPECTED);
	if (filter.status != NULL &&
	    job_status_parse(filter.status, &status) < 0)
		return error_field(err, "status", NULL,
		    "status must be pending, running, succeeded or failed");
	if (request_query_integer(
		request, "limit", 100, 1, 1000, &filter.limit, err) < 0 ||
	    request_query_integer(
		request, "offset", 0, 0, 999999999, &filter.offset, err) < 0 ||
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

const struct route job_routes[] = {
	{ "GET", "/jobs", ROLE_VIEWER, list_jobs },
	{ "GET", "/jobs/:id", ROLE_VIEWER, get_job },
	{ "GET", "/deployments/:name/jobs/active", ROLE_VIEWER,
	    get_active_job },
	{ "GET", "/deployments/:name/jobs/:id", ROLE_VIEWER,
	    get_deployment_job },
	{ 0 },
};
