/* Changes of deployments that exist: checked here, done by the agent. */
#include "compose/document.h"
#include "compose/lifecycle-arguments.h"
#include "compose/update-arguments.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

int
deployment_change(struct request *request, struct reply *reply,
    struct change *change, struct error *err)
{
	struct mirror_deployment deployment;

	if (deployment_find(request, &deployment, err) < 0) {
		json_object_put(change->arguments);
		return -1;
	}
	change->subject = deployment.name;
	return change_run(request, reply, change, err);
}

static int
update_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct update_arguments input = UPDATE_ARGUMENTS;
	struct probe_arguments probe;
	struct document *document;
	struct change change = { .kind = JOB_UPDATE,
		.status = 200,
		.message = "Deployment updated",
		.output_name = "output" };

	/* The rest needs the environment, which only the agent may read. */
	if (request_decode(request, &input, err) < 0 ||
	    probe_arguments_decode(input.probe, request->arena, &probe, err) <
		0 ||
	    document_parse(input.compose_content, strlen(input.compose_content),
		request->arena, &document, err) < 0)
		return -1;
	change.arguments = fields_select(update_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

static int
delete_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_DELETE,
		.status = 200,
		.message = "Deployment deleted",
		.output_name = "output" };
	bool ssl, database, vhost;

	if (request_query_boolean(request, "delete_ssl", true, &ssl, err) < 0 ||
	    request_query_boolean(
		request, "delete_database", false, &database, err) < 0 ||
	    request_query_boolean(request, "delete_vhost", true, &vhost, err) <
		0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "delete_vhost", vhost);
	return deployment_change(request, reply, &change, err);
}

static int
run_start(struct request *request, struct reply *reply, const char *kind,
    const char *message, struct error *err)
{
	struct start_arguments arguments = { 0 };
	struct change change = { .kind = kind,
		.status = 200,
		.message = message,
		.output_name = "output" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	change.arguments = fields_select(start_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

static int
start_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_start(request, reply, JOB_START, "Deployment started", err);
}

static int
stop_deployment(struct request *request, struct reply *reply, struct error *err)
{
	return run_start(request, reply, JOB_STOP, "Deployment stopped", err);
}

static int
restart_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_start(
	    request, reply, JOB_RESTART, "Deployment restarted", err);
}

static int
rebuild_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct rebuild_arguments arguments = REBUILD_ARGUMENTS;
	struct change change = { .kind = JOB_REBUILD,
		.status = 200,
		.message = "Deployment rebuilt",
		.output_name = "output" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	change.arguments =
	    fields_select(rebuild_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

const struct route deployment_change_routes[] = {
	{ "PUT", "/deployments/:name", ROLE_OPERATOR, update_deployment,
	    .body = update_argument_fields, .body_required = true },
	{ "DELETE", "/deployments/:name", ROLE_OPERATOR, delete_deployment },
	{ "POST", "/deployments/:name/start", ROLE_OPERATOR, start_deployment,
	    .body = start_argument_fields },
	{ "POST", "/deployments/:name/stop", ROLE_OPERATOR, stop_deployment,
	    .body = start_argument_fields },
	{ "POST", "/deployments/:name/restart", ROLE_OPERATOR,
	    restart_deployment, .body = start_argument_fields },
	{ "POST", "/deployments/:name/rebuild", ROLE_OPERATOR,
	    rebuild_deployment, .body = rebuild_argument_fields },
	{ 0 },
};
