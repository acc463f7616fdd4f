/* /volumes: what the mirror has of Docker's volumes, and their changes. */

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
render_volume(const struct mirror_volume *volume, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	struct json_object *users = rendering_array(volume->containers);

	json_put_text(object, "name", volume->name);
	json_put_text(object, "driver", volume->driver);
	json_put_text(object, "mountpoint", volume->mountpoint);
	json_put_text(
	    object, "created", rendering_time(arena, volume->created_at));
	/* Clients expect it; to know it the Engine reads the whole volume. */
	json_put_integer(object, "size", 0);
	json_put_boolean(object, "in_use", json_object_array_length(users) > 0);
	json_put(object, "labels", rendering_object(volume->labels));
	json_put(object, "options", rendering_object(volume->options));
	json_put_text(object, "scope", volume->scope);
	json_put(object, "containers", users);
	return object;
}

static int
list_volumes(struct request *request, struct reply *reply, struct error *err)
{
	const char *in_use = request_query(request, "in_use");
	const char *name = request_query(request, "name");
	struct mirror_volume *volumes;
	struct json_object *all;
	struct listing listing;
	size_t count, i;
	bool wanted;

	if (request_query_boolean(request, "in_use", false, &wanted, err) < 0 ||
	    listing_begin_docker(request, reply, "volumes", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (mirror_volume_list(
		request->store, request->arena, &volumes, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++) {
		bool used = strcmp(volumes[i].containers, "[]") != 0;

		if ((in_use == NULL || used == wanted) &&
		    (name == NULL || strstr(volumes[i].name, name) != NULL))
			json_object_array_add(
			    all, render_volume(&volumes[i], request->arena));
	}
	return listing_finish(request, reply, &listing, all, NULL);
}

/* The path parameter "name", checked. */
static int
volume_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "name");
	if (!docker_id_is_valid(*out))
		return error_field(err, "name", "INVALID_NAME",
		    "name must be the name of a volume");
	return 0;
}

static int
get_volume(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_volume volume;
	struct listing listing;
	const char *subject;

	if (volume_subject(request, &subject, err) < 0 ||
	    listing_begin_one(request, reply, "volume", &listing, err) < 0)
		return -1;
	if (mirror_volume_get(
		request->store, subject, request->arena, &volume, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	return listing_finish_one(
	    request, reply, &listing, render_volume(&volume, request->arena));
}

/* Changes. */

static int
create_volume(struct request *request, struct reply *reply, struct error *err)
{
	struct volume_arguments arguments = { .driver = "local" };
	struct docker_volume_options options;
	struct change change = { .kind = JOB_VOLUME_CREATE,
		.status = 201,
		.message = "Volume created" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	volume_arguments_apply(&arguments, &options);
	if (compose_check_volume(request->app->compose, &options, err) < 0)
		return -1;
	change.subject = arguments.name;
	change.arguments = fields_select(volume_argument_fields, request->json);
	return change_run(request, reply, &change, err);
}

/* Known before a job is made of it. */
static int
check_is_free(
    const struct mirror_volume *volume, struct reply *reply, struct error *err)
{
	struct json_object *users = rendering_array(volume->containers);

	if (json_object_array_length(users) == 0) {
		json_object_put(users);
		return 0;
	}
	reply->error_extras = json_object_new_object();
	json_put(reply->error_extras, "used_by", users);
	return error_set(err, ERR_CONFLICT, "IN_USE",
	    "the volume '%s' is in use", volume->name);
}

static int
delete_volume(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_VOLUME_REMOVE,
		.status = 200,
		.message = "Volume removed" };
	struct mirror_volume volume;
	bool force;

	if (volume_subject(request, &change.subject, err) < 0 ||
	    request_query_boolean(request, "force", false, &force, err) < 0 ||
	    mirror_volume_get(request->store, change.subject, request->arena,
		&volume, err) < 0 ||
	    check_is_free(&volume, reply, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "force", force);
	return change_run(request, reply, &change, err);
}

static int
prune_volumes(struct request *request, struct reply *reply, struct error *err)
{
	struct prune_arguments arguments = { .all = false };
	struct change change = { .kind = JOB_VOLUME_PRUNE,
		.subject = JOB_ALL_SUBJECT,
		.status = 200,
		.message = "Unused volumes pruned" };

	if (request_decode(request, &arguments, err) < 0)
		return -1;
	change.arguments = fields_select(prune_argument_fields, request->json);
	return change_run(request, reply, &change, err);
}

const struct route volume_routes[] = {
	{ "GET", "/volumes", ROLE_VIEWER, list_volumes },
	{ "POST", "/volumes", ROLE_OPERATOR, create_volume,
	    .body = volume_argument_fields, .body_required = true },
	{ "POST", "/volumes/prune", ROLE_OPERATOR, prune_volumes,
	    .body = prune_argument_fields },
	{ "GET", "/volumes/:name", ROLE_VIEWER, get_volume },
	{ "DELETE", "/volumes/:name", ROLE_OPERATOR, delete_volume },
	{ 0 },
};
