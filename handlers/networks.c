/* /networks: what the mirror has of Docker's networks. */

#include "docker/docker.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/reply.h"
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

const struct route network_routes[] = {
	{ "GET", "/networks", ROLE_VIEWER, list_networks },
	{ "GET", "/networks/:name", ROLE_VIEWER, get_network },
	{ 0 },
};
