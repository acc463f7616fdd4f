/*
 * /jobs/:id/stream: the output of a job line by line, and how far it is, as
 * server-sent events until it ends.
 *
 * The id of a line is where the next one begins, so that a client that comes
 * back with Last-Event-ID goes on there.
 */

#include "app.h"
#include "handlers/change.h"
#include "handlers/routes.h"
#include "http/lookout.h"
#include "http/reply.h"
#include "http/stream.h"
#include "jobs/render.h"
#include "store/jobs.h"
#include "store/watch.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000

struct viewer {
	struct request *request;
	struct stream stream;
	const char *id;
	size_t sent;    /* bytes of the output */
	int status;     /* the one that was told; -1: none */
	char *progress; /* as was told, or NULL */
};

/* Whole lines; of a finished job the rest, too. */
static int
send_lines(struct viewer *viewer, const struct job *job, struct arena *arena)
{
	size_t length = strlen(job->output);

	while (viewer->sent < length) {
		const char *line = job->output + viewer->sent;
		size_t size = strcspn(line, "\n");
		bool whole = line[size] == '\n';
		struct json_object *object;

		if (!whole && job->status < JOB_SUCCEEDED)
			break;
		viewer->sent += size + whole;
		object = json_object_new_object();
		json_put_text(object, "type", "line");
		json_put(object, "data",
		    json_object_new_string_len(line, (int)size));
		if (stream_send_object(&viewer->stream,
			arena_printf(arena, "%zu", viewer->sent), "line",
			object) < 0)
			return -1;
	}
	return 0;
}

static int
send_status(struct viewer *viewer, const struct job *job)
{
	struct json_object *object;

	if (viewer->status == (int)job->status)
		return 0;
	viewer->status = (int)job->status;
	object = json_object_new_object();
	json_put_text(object, "status", job_status_name(job->status));
	return stream_send_object(&viewer->stream, NULL, "status", object);
}

static int
send_progress(struct viewer *viewer, const struct job *job)
{
	if (job->progress == NULL ||
	    (viewer->progress != NULL &&
		strcmp(viewer->progress, job->progress) == 0))
		return 0;
	free(viewer->progress);
	viewer->progress = xstrdup(job->progress);
	return stream_send(&viewer->stream, NULL, "progress", job->progress,
	    strlen(job->progress));
}

/* The last event says what became of it, and that no other comes. */
static int
send_job(struct viewer *viewer, const struct job *job, struct arena *arena)
{
	if (send_status(viewer, job) < 0 || send_progress(viewer, job) < 0 ||
	    send_lines(viewer, job, arena) < 0)
		return -1;
	return job->status < JOB_SUCCEEDED
		   ? 0
		   : stream_send_object(&viewer->stream, NULL, "end",
			 job_render(job, false, arena));
}

static int
read_job(struct viewer *viewer, struct arena *arena, struct job *out,
    struct error *err)
{
	struct lookout *lookout = viewer->request->app->lookout;
	struct store *store = lookout_lock(lookout);
	int failed = store == NULL
			 ? error_set(err, ERR_UNAVAILABLE, NULL,
			       "the state database cannot be opened")
			 : store_job_get(store, viewer->id, arena, out, err);

	lookout_unlock(lookout);
	if (!failed)
		job_withhold(out, viewer->request->identity.role);
	return failed;
}

/* Until the job ends; what cannot be read now can be later. */
static void
view(struct viewer *viewer)
{
	struct request *request = viewer->request;
	bool ended = false;

	while (!ended) {
		auto_arena struct arena arena = { 0 };
		uint64_t version = store_watch_version(request->app->watch);
		struct error err;
		struct job job;

		if (read_job(viewer, &arena, &job, &err) == 0) {
			if (send_job(viewer, &job, &arena) < 0)
				return;
			ended = job.status >= JOB_SUCCEEDED;
		} else if (err.kind == ERR_NOT_FOUND) {
			return;
		}
		if (!ended && !stream_goes_on(&viewer->stream, request))
			return;
		if (!ended)
			store_watch_wait(request->app->watch, version, LOOK_MS);
	}
}

static int
stream_job(struct request *request, struct reply *reply, const char *subject,
    struct error *err)
{
	struct viewer viewer = { .request = request,
		.id = request_parameter(request, "id"),
		.status = -1 };
	const char *last = request->last_event_id;
	struct job job;

	if (!job_id_is_valid(viewer.id))
		return error_set(
		    err, ERR_NOT_FOUND, "JOB_NOT_FOUND", "Job not found");
	if (store_job_get(
		request->store, viewer.id, request->arena, &job, err) < 0)
		return -1;
	if (subject != NULL && (strcmp(job.subject, subject) != 0 ||
				   !job_is_of(&job, "deployment")))
		return error_set(
		    err, ERR_NOT_FOUND, "JOB_NOT_FOUND", "Job not found");
	if (last != NULL && strspn(last, "0123456789") == strlen(last) &&
	    strlen(last) > 0 && strlen(last) <= 9)
		viewer.sent = (size_t)strtoul(last, NULL, 10);
	if (stream_begin(request, reply, &viewer.stream, err) < 0)
		return -1;
	request_close_store(request);
	view(&viewer);
	free(viewer.progress);
	stream_end(&viewer.stream);
	return 0;
}

static int
stream_any_job(struct request *request, struct reply *reply, struct error *err)
{
	return stream_job(request, reply, NULL, err);
}

static int
stream_deployment_job(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *name;

	return change_subject(request, &name, err) < 0
		   ? -1
		   : stream_job(request, reply, name, err);
}

const struct route job_stream_routes[] = {
	{ "GET", "/jobs/:id/stream", ROLE_VIEWER, stream_any_job },
	{ "GET", "/deployments/:name/jobs/:id/stream", ROLE_VIEWER,
	    stream_deployment_job },
	{ 0 },
};
