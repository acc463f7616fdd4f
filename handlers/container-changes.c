/* What changes containers, by their id or name. */

#include "app.h"
#include "docker/arguments.h"
#include "handlers/change.h"
#include "handlers/routes.h"
#include "handlers/subjects.h"
#include "jobs/protocol.h"

static int
run_change(struct request *request, struct reply *reply, struct change *change,
    struct error *err)
{
	struct mirror_container container;

	if (subject_container(request, &container, err) < 0) {
		json_object_put(change->arguments);
		return -1;
	}
	change->subject = container.id;
	change->shown = request_parameter(request, "id");
	change->member = "id";
	change->status = 200;
	return change_run(request, reply, change, err);
}

static int
start_container(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_CONTAINER_START,
		.message = "Container started" };

	return run_change(request, reply, &change, err);
}

/* The time to end may be in the body or in the query. */
static int
run_stop(struct request *request, struct reply *reply, const char *kind,
    const char *message, struct error *err)
{
	struct stop_arguments arguments = { .timeout = -1 };
	struct change change = { .kind = kind, .message = message };
	int64_t in_query;

	if (request_decode(request, &arguments, err) < 0 ||
	    request_query_integer(request, "timeout", arguments.timeout, 0,
		STOP_TIMEOUT_MAXIMUM_S, &in_query, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	if (in_query >= 0)
		json_put_integer(change.arguments, "timeout", in_query);
	return run_change(request, reply, &change, err);
}

static int
stop_container(struct request *request, struct reply *reply, struct error *err)
{
	return run_stop(
	    request, reply, JOB_CONTAINER_STOP, "Container stopped", err);
}

static int
restart_container(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_stop(
	    request, reply, JOB_CONTAINER_RESTART, "Container restarted", err);
}

/* Clients delete running containers without asking for force. */
static int
delete_container(
    struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_CONTAINER_REMOVE,
		.message = "Container removed" };
	struct mirror_container container;
	bool force, volumes;

	if (request_query_boolean(request, "force", true, &force, err) < 0 ||
	    request_query_boolean(request, "volumes", false, &volumes, err) <
		0 ||
	    subject_container(request, &container, err) < 0 ||
	    subject_check_ours(request, &container, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "force", force);
	json_put_boolean(change.arguments, "volumes", volumes);
	return run_change(request, reply, &change, err);
}

static int
run_program(struct request *request, struct reply *reply, struct error *err)
{
	struct exec_arguments arguments = { .command = "sh",
		.timeout = EXEC_TIMEOUT_S };
	struct change change = { .kind = JOB_EXEC,
		.message = "Command executed",
		.output_name = "output" };
	struct mirror_container container;

	if (request_decode(request, &arguments, err) < 0 ||
	    exec_arguments_check(&arguments, err) < 0 ||
	    subject_container(request, &container, err) < 0 ||
	    subject_check_ours(request, &container, err) < 0)
		return -1;
	change.arguments = fields_select(exec_argument_fields, request->json);
	return run_change(request, reply, &change, err);
}

static int
get_resources(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "resources" };
	struct docker_inspection inspection;
	struct mirror_container container;

	if (subject_container(request, &container, err) < 0 ||
	    docker_container_inspect(request->app->docker, container.id,
		request->arena, &inspection, err) < 0)
		return -1;
	payload.data = docker_limits_render(&inspection.limits);
	return reply_payload(request, reply, 200, &payload);
}

static int
update_resources(
    struct request *request, struct reply *reply, struct error *err)
{
	struct limit_arguments arguments = LIMIT_ARGUMENTS;
	struct change change = { .kind = JOB_CONTAINER_UPDATE,
		.message = "Container resources updated" };

	if (request_decode(request, &arguments, err) < 0 ||
	    limit_arguments_check(&arguments, err) < 0)
		return -1;
	change.arguments = fields_select(limit_argument_fields, request->json);
	return run_change(request, reply, &change, err);
}

const struct route container_change_routes[] = {
	{ "POST", "/containers/:id/start", ROLE_OPERATOR, start_container },
	{ "POST", "/containers/:id/stop", ROLE_OPERATOR, stop_container,
	    .body = stop_argument_fields },
	{ "POST", "/containers/:id/restart", ROLE_OPERATOR, restart_container,
	    .body = stop_argument_fields },
	{ "DELETE", "/containers/:id", ROLE_OPERATOR, delete_container },
	{ "POST", "/containers/:id/exec", ROLE_OPERATOR, run_program,
	    .body = exec_argument_fields },
	{ "GET", "/containers/:id/resources", ROLE_VIEWER, get_resources },
	{ "PUT", "/containers/:id/resources", ROLE_OPERATOR, update_resources,
	    .body = limit_argument_fields, .body_required = true },
	{ 0 },
};
