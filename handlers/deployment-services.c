/* /deployments/:name/services: one service of a deployment at a time. */
#include "compose/compose.h"
#include "compose/lifecycle-arguments.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

static int
list_services(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { .key = "services" };

	if (deployment_find(request, &deployment, err) < 0 ||
	    deployment_services(request, &deployment, &payload.data, err) < 0)
		return -1;
	payload.extras = json_object_new_object();
	json_put_text(payload.extras, "name", deployment.name);
	return reply_payload(request, reply, 200, &payload);
}

/* In the file, or one that it had and whose containers are still there. */
static int
has_service(struct request *request, const struct mirror_deployment *deployment,
    const char *service, bool *out, struct error *err)
{
	auto_json struct json_object *services = NULL;
	struct mirror_container *containers;
	size_t count, i;

	*out = false;
	if (deployment_services(request, deployment, &services, err) < 0 ||
	    mirror_container_list(request->store, deployment->project,
		request->arena, &containers, &count, err) < 0)
		return -1;
	for (i = 0; i < json_object_array_length(services); i++)
		if (strcmp(json_text(
			       json_object_array_get_idx(services, i), "name"),
			service) == 0)
			*out = true;
	for (i = 0; i < count; i++)
		if (strcmp(containers[i].service, service) == 0)
			*out = true;
	return 0;
}

/* The deployment and the service that the path names. */
static int
find_service(struct request *request, struct mirror_deployment *deployment,
    const char **out, struct error *err)
{
	bool exists;

	*out = request_parameter(request, "service");
	if (!compose_name_is_valid(*out))
		return error_field(err, "service", "INVALID_NAME",
		    "service must be " COMPOSE_NAME_EXPECTED);
	if (deployment_find(request, deployment, err) < 0 ||
	    has_service(request, deployment, *out, &exists, err) < 0)
		return -1;
	return exists ? 0
		      : error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
			    "there is no service '%s'", *out);
}

struct service_action {
	const char *name, *kind, *message;
};

static const struct service_action actions[] = {
	{ "start", JOB_SERVICE_START, "Service started" },
	{ "stop", JOB_SERVICE_STOP, "Service stopped" },
	{ "restart", JOB_SERVICE_RESTART, "Service restarted" },
	{ "rebuild", JOB_SERVICE_REBUILD, "Service rebuilt" },
	{ "pull", JOB_SERVICE_PULL, "Image pulled" },
};

/* name is one of the actions. */
static int
run_action(struct request *request, struct reply *reply, const char *name,
    bool at_once, struct error *err)
{
	const struct service_action *action = actions;
	struct mirror_deployment deployment;
	struct change change = {
		.status = 200, .output_name = "output", .at_once = at_once
	};
	const char *service;

	while (strcmp(action->name, name) != 0)
		action++;
	if (find_service(request, &deployment, &service, err) < 0)
		return -1;
	change.kind = action->kind;
	change.message = action->message;
	change.subject = deployment.name;
	change.arguments = fields_select(start_argument_fields, request->json);
	json_put_text(change.arguments, "service", service);
	return change_run(request, reply, &change, err);
}

/* The path's last segment is the action: see the routes. */
static int
act_on_service(struct request *request, struct reply *reply, struct error *err)
{
	struct start_arguments arguments = { 0 };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	return run_action(request, reply,
	    request->segments[request->segment_count - 1], false, err);
}

/* The same as a job to be polled, for clients that expect a 202. */
static int
submit_job(struct request *request, struct reply *reply, struct error *err)
{
	struct service_arguments arguments = { 0 };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	if (arguments.action == NULL)
		return error_field(err, "action", NULL,
		    "action must be start, stop, restart, rebuild or pull");
	return run_action(request, reply, arguments.action, true, err);
}

const struct route deployment_service_routes[] = {
	{ "GET", "/deployments/:name/services", ROLE_VIEWER, list_services },
	{ "POST", "/deployments/:name/services/:service/start", ROLE_OPERATOR,
	    act_on_service, .body = start_argument_fields },
	{ "POST", "/deployments/:name/services/:service/stop", ROLE_OPERATOR,
	    act_on_service, .body = start_argument_fields },
	{ "POST", "/deployments/:name/services/:service/restart", ROLE_OPERATOR,
	    act_on_service, .body = start_argument_fields },
	{ "POST", "/deployments/:name/services/:service/rebuild", ROLE_OPERATOR,
	    act_on_service, .body = start_argument_fields },
	{ "POST", "/deployments/:name/services/:service/pull", ROLE_OPERATOR,
	    act_on_service, .body = start_argument_fields },
	{ "POST", "/deployments/:name/services/:service/job", ROLE_OPERATOR,
	    submit_job, .body = service_argument_fields,
	    .body_required = true },
	{ 0 },
};
