/*
 * What brings new images to a deployment (deploy, pull) and takes old ones
 * away; and its quick actions.
 */
#include "compose/lifecycle-arguments.h"
#include "docker/reference.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

/* The image that is here under the service's name for it, if one is. */
static bool
find_image(struct request *request, const char *project, const char *service,
    const char *image, struct mirror_image *out)
{
	struct arena *arena = request->arena;
	/* Compose names one that it builds; versions 2 and 1. */
	const char *names[] = { image,
		arena_printf(arena, "%s-%s", project, service),
		arena_printf(arena, "%s_%s", project, service) };
	size_t i = image[0] != '\0' ? 0 : 1;
	size_t end = image[0] != '\0' ? 1 : 3;
	struct error ignored;

	for (; i < end; i++)
		if (mirror_image_find(
			request->store, names[i], arena, out, &ignored) == 0)
			return true;
	return false;
}

static struct json_object *
render_image_of(struct request *request,
    const struct mirror_deployment *deployment, struct json_object *service)
{
	struct json_object *object = json_object_new_object();
	const char *name = json_text(service, "name");
	const char *image = json_text(service, "image");
	struct mirror_image found;

	json_put_text(object, "service", name);
	json_put_text(object, "image", image);
	json_put_boolean(object, "is_latest",
	    docker_reference_is_latest(image, request->arena));
	json_put_boolean(
	    object, "is_build", json_boolean(service, "has_build", false));
	if (find_image(request, deployment->project, name, image, &found)) {
		json_put_text(object, "image_id", found.id);
		json_put_integer(object, "size", found.size_bytes);
	}
	return object;
}

static int
list_images(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *services = NULL;
	struct mirror_deployment deployment;
	struct payload payload = { .key = "images" };
	size_t i;

	if (deployment_find(request, &deployment, err) < 0 ||
	    deployment_services(request, &deployment, &services, err) < 0)
		return -1;
	payload.data = json_object_new_array();
	for (i = 0; i < json_object_array_length(services); i++)
		json_object_array_add(
		    payload.data, render_image_of(request, &deployment,
				      json_object_array_get_idx(services, i)));
	payload.extras = json_object_new_object();
	json_put_text(payload.extras, "name", deployment.name);
	return reply_payload(request, reply, 200, &payload);
}

static int
deploy(struct request *request, struct reply *reply, struct error *err)
{
	struct deploy_arguments arguments;
	struct change change = { .kind = JOB_DEPLOY,
		.status = 200,
		.message = "Deployment completed",
		.output_name = "output" };

	if (deploy_arguments_decode(
		request->json, request->arena, &arguments, err) < 0)
		return -1;
	change.arguments = fields_select(deploy_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

static int
pull(struct request *request, struct reply *reply, struct error *err)
{
	struct images_pull_arguments arguments = { 0 };
	struct change change = { .kind = JOB_PULL,
		.status = 200,
		.message = "Images pulled successfully",
		.output_name = "output" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	change.arguments =
	    fields_select(images_pull_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

static int
clean_up(struct request *request, struct reply *reply, struct error *err)
{
	struct images_cleanup_arguments arguments = { 0 };
	struct change change = { .kind = JOB_CLEANUP,
		.status = 200,
		.message = "Deployment image cleanup complete" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	change.arguments =
	    fields_select(images_cleanup_argument_fields, request->json);
	return deployment_change(request, reply, &change, err);
}

/* Which there are is in service.yml: the agent reads it when the turn comes. */
static int
run_quick_action(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *id = request_parameter(request, "action");
	struct change change = { .kind = JOB_ACTION,
		.status = 200,
		.message = "Action executed",
		.output_name = "output" };

	if (strlen(id) > ACTION_ID_MAXIMUM)
		return error_set(err, ERR_NOT_FOUND, "ACTION_NOT_FOUND",
		    "there is no such quick action");
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "id", id);
	return deployment_change(request, reply, &change, err);
}

const struct route deployment_image_routes[] = {
	{ "GET", "/deployments/:name/images", ROLE_VIEWER, list_images },
	{ "POST", "/deployments/:name/images/cleanup", ROLE_OPERATOR, clean_up,
	    .body = images_cleanup_argument_fields },
	{ "POST", "/deployments/:name/deploy", ROLE_OPERATOR, deploy,
	    .body = deploy_argument_fields },
	{ "POST", "/deployments/:name/pull", ROLE_OPERATOR, pull,
	    .body = images_pull_argument_fields },
	{ "POST", "/deployments/:name/actions/:action", ROLE_OPERATOR,
	    run_quick_action },
	{ 0 },
};
