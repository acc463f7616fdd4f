/* /containers: what the mirror has of Docker's containers. */

#include "base/clock.h"
#include "handlers/listing.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "store/mirror.h"

#include <string.h>

#define SHORT_ID 12

static struct json_object *
parse_stored(const char *text)
{
	struct json_object *value = NULL;
	struct error ignored;

	json_parse_trusted(text, strlen(text), &value, &ignored);
	return value;
}

static struct json_object *
render_container(const struct mirror_container *container, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_put_text(
	    object, "id", arena_strndup(arena, container->id, SHORT_ID));
	json_put_text(object, "name", container->name);
	json_put_text(object, "image", container->image);
	json_put_text(object, "state", container->state);
	json_put_text(object, "status", container->status);
	if (container->health[0] != '\0')
		json_put_text(object, "health", container->health);
	json_put(object, "ports", parse_stored(container->ports));
	json_put_text(object, "created",
	    clock_text_ms(arena, container->created_at * 1000));
	if (container->project[0] != '\0') {
		json_put_text(object, "deployment_name", container->project);
		json_put_text(object, "service", container->service);
	}
	return object;
}

static bool
state_is_known(const char *state)
{
	static const char *const known[] = { "created", "running", "paused",
		"restarting", "removing", "exited", "dead" };
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i], state) == 0)
			return true;
	return false;
}

static int
list_containers(struct request *request, struct reply *reply, struct error *err)
{
	const char *wanted = request_query(request, "status");
	struct mirror_container *containers;
	struct json_object *all;
	struct listing listing;
	size_t count, i;

	if (wanted != NULL && !state_is_known(wanted))
		return error_field(err, "status", NULL,
		    "status must be created, running, paused, restarting, "
		    "removing, exited or dead");
	if (listing_begin(request, reply, "containers", &listing, err) < 0)
		return -1;
	/* What Docker has cannot be told without it; an old list says so. */
	if (!listing.heartbeat.stale && !listing.heartbeat.docker_up)
		return error_set(err, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
		    "Docker does not answer");
	if (listing.complete)
		return 0;
	if (mirror_container_list(request->store, NULL, request->arena,
		&containers, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		if (wanted == NULL || strcmp(containers[i].state, wanted) == 0)
			json_object_array_add(all,
			    render_container(&containers[i], request->arena));
	return listing_finish(request, reply, &listing, all, NULL);
}

const struct route container_routes[] = {
	{ "GET", "/containers", ROLE_VIEWER, list_containers },
	{ 0 },
};
