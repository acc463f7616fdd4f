/* /networks: what the mirror has of Docker's networks, and their changes. */

#include "app.h"
#include "compose/compose.h"
#include "docker/arguments.h"
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

static struct json_object *
render_network(const struct mirror_network *network, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "id", rendering_short_id(arena, network->id));
	json_put_text(object, "full_id", network->id);
	json_put_text(object, "name", network->name);
	json_put_text(object, "driver", network->driver);
	json_put_text(object, "scope", network->scope);
	json_put_boolean(object, "internal", network->internal);
	json_put_boolean(object, "attachable", network->attachable);
	json_put_boolean(object, "ipv6", network->ipv6);
	json_put_text(object, "subnet", network->subnet);
	json_put_text(object, "gateway", network->gateway);
	json_put(object, "containers", rendering_array(network->containers));
	json_put(object, "labels", rendering_object(network->labels));
	json_put_text(
	    object, "created", rendering_time(arena, network->created_at));
	return object;
}

static int
list_networks(struct request *request, struct reply *reply, struct error *err)
{
	const char *name = request_query(request, "name");
	const char *driver = request_query(request, "driver");
	struct mirror_network *networks;
	struct json_object *all;
	struct listing listing;
	size_t count, i;

	if (listing_begin_docker(request, reply, "networks", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (mirror_network_list(
		request->store, request->arena, &networks, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		if ((name == NULL || strstr(networks[i].name, name) != NULL) &&
		    (driver == NULL || strcmp(networks[i].driver, driver) == 0))
			json_object_array_add(
			    all, render_network(&networks[i], request->arena));
	return listing_finish(request, reply, &listing, all, NULL);
}

/* The path parameter "name", which may be an id, checked. */
static int
network_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "name");
	if (!docker_id_is_valid(*out))
		return error_field(err, "name", "INVALID_NAME",
		    "name must be the name or the id of a network");
	return 0;
}

static int
get_network(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_network network;
	struct json_object *object;
	struct listing listing;
	const char *subject;

	if (network_subject(request, &subject, err) < 0 ||
	    listing_begin_one(request, reply, "network", &listing, err) < 0)
		return -1;
	if (mirror_network_find(
		request->store, subject, request->arena, &network, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	object = render_network(&network, request->arena);
	json_put(object, "options", rendering_object(network.options));
	return listing_finish_one(request, reply, &listing, object);
}

/* Changes. */

static int
create_network(struct request *request, struct reply *reply, struct error *err)
{
	struct network_arguments arguments = { .driver = "bridge" };
	struct docker_network_options options;
	struct change change = { .kind = JOB_NETWORK_CREATE,
		.status = 201,
		.message = "Network created" };

	if (request_decode(request, &arguments, err) < 0 ||
	    network_arguments_apply(&arguments, &options, err) < 0 ||
	    compose_check_network(request->app->compose, &options, err) < 0)
		return -1;
	change.subject = arguments.name;
	change.arguments =
	    fields_select(network_argument_fields, request->json);
	return change_run(request, reply, &change, err);
}

static int
fail_protected(const struct mirror_network *network, struct error *err)
{
	return error_set(err, ERR_FORBIDDEN, "PROTECTED",
	    "the network '%s' is Docker's own", network->name);
}

static int
find_network(
    struct request *request, struct mirror_network *out, struct error *err)
{
	const char *subject;

	if (network_subject(request, &subject, err) < 0)
		return -1;
	return mirror_network_find(
	    request->store, subject, request->arena, out, err);
}

/* Known before a job is made of it: names of those that are attached. */
static int
check_is_free(const struct mirror_network *network, struct reply *reply,
    struct error *err)
{
	auto_json struct json_object *members =
	    rendering_array(network->containers);
	size_t count = json_object_array_length(members), i;
	struct json_object *names;

	if (count == 0)
		return 0;
	names = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(
		    names, json_object_get(json_member(
			       json_object_array_get_idx(members, i), "name")));
	reply->error_extras = json_object_new_object();
	json_put(reply->error_extras, "used_by", names);
	return error_set(err, ERR_CONFLICT, "IN_USE",
	    "the network '%s' is in use", network->name);
}

static int
delete_network(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_NETWORK_REMOVE,
		.status = 200,
		.message = "Network deleted",
		.shown = request_parameter(request, "name") };
	struct mirror_network network;

	if (find_network(request, &network, err) < 0)
		return -1;
	if (docker_network_is_predefined(network.name))
		return fail_protected(&network, err);
	if (check_is_free(&network, reply, err) < 0)
		return -1;
	change.subject = network.name;
	return change_run(request, reply, &change, err);
}

/* The answer names both as the client did. */
static int
run_attach(struct request *request, struct reply *reply, const char *kind,
    const char *message, struct error *err)
{
	struct attach_arguments arguments = { .force = false };
	struct change change = { .kind = kind,
		.status = 200,
		.message = message,
		.member = "network",
		.shown = request_parameter(request, "name") };
	struct mirror_container container;
	struct mirror_network network;

	if (request_decode(request, &arguments, err) < 0 ||
	    find_network(request, &network, err) < 0)
		return -1;
	if (docker_network_is_closed(network.name))
		return fail_protected(&network, err);
	if (mirror_container_find(request->store, arguments.container,
		request->arena, &container, err) < 0)
		return -1;
	change.subject = network.name;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "container", container.id);
	json_put_text(change.arguments, "shown", arguments.container);
	json_put_boolean(change.arguments, "force", arguments.force);
	return change_run(request, reply, &change, err);
}

static int
connect_container(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_attach(
	    request, reply, JOB_NETWORK_CONNECT, "Container connected", err);
}

static int
disconnect_container(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_attach(request, reply, JOB_NETWORK_DISCONNECT,
	    "Container disconnected", err);
}

const struct route network_routes[] = {
	{ "GET", "/networks", ROLE_VIEWER, list_networks },
	{ "POST", "/networks", ROLE_OPERATOR, create_network,
	    .body = network_argument_fields, .body_required = true },
	{ "GET", "/networks/:name", ROLE_VIEWER, get_network },
	{ "DELETE", "/networks/:name", ROLE_OPERATOR, delete_network },
	{ "POST", "/networks/:name/connect", ROLE_OPERATOR, connect_container,
	    .body = attach_argument_fields, .body_required = true },
	{ "POST", "/networks/:name/disconnect", ROLE_OPERATOR,
	    disconnect_container, .body = attach_argument_fields,
	    .body_required = true },
	{ 0 },
};
