/* /containers: what the mirror has of Docker's containers. */

#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "handlers/subjects.h"
#include "http/reply.h"
#include "store/samples.h"

#include <string.h>

/* Lists. */

static struct json_object *
render_container(const struct mirror_container *container, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "id", rendering_short_id(arena, container->id));
	json_put_text(object, "name", container->name);
	json_put_text(object, "image", container->image);
	json_put_text(object, "state", container->state);
	json_put_text(object, "status", container->status);
	if (container->health[0] != '\0')
		json_put_text(object, "health", container->health);
	json_put(object, "ports", rendering_array(container->ports));
	json_put_text(
	    object, "created", rendering_time(arena, container->created_at));
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

struct container_filter {
	const char *state, *status; /* two names for one thing */
	const char *deployment, *name;
	bool has_labels; /* those are in the query, any number of them */
};

static int
read_filter(const struct request *request, struct container_filter *out,
    struct error *err)
{
	static const char *const members[] = { "state", "status" };
	size_t i;

	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		const char *state = request_query(request, members[i]);

		if (state != NULL && !state_is_known(state))
			return error_field(err, members[i], NULL,
			    "%s must be created, running, paused, restarting, "
			    "removing, exited or dead",
			    members[i]);
	}
	*out = (struct container_filter){
		.state = request_query(request, "state"),
		.status = request_query(request, "status"),
		.deployment = request_query(request, "deployment"),
		.name = request_query(request, "name"),
		.has_labels = request_query(request, "label") != NULL,
	};
	return 0;
}

/* "key" or "key=value". */
static bool
has_label(struct json_object *labels, const char *wanted, struct arena *arena)
{
	const char *equals = strchr(wanted, '=');
	const char *key =
	    equals ? arena_strndup(arena, wanted, (size_t)(equals - wanted))
		   : wanted;
	const char *value = json_text(labels, key);

	return value != NULL &&
	       (equals == NULL || strcmp(value, equals + 1) == 0);
}

/* All that the query names. */
static bool
has_labels(
    const struct mirror_container *container, const struct request *request)
{
	auto_json struct json_object *labels =
	    rendering_object(container->labels);
	size_t i;

	for (i = 0; i < request->query_count; i++)
		if (strcmp(request->query[i].name, "label") == 0 &&
		    !has_label(labels, request->query[i].value, request->arena))
			return false;
	return true;
}

static bool
fits(const char *value, const char *wanted)
{
	return wanted == NULL || strcmp(value, wanted) == 0;
}

static bool
is_wanted(const struct mirror_container *container,
    const struct container_filter *filter, const struct request *request)
{
	return fits(container->state, filter->state) &&
	       fits(container->state, filter->status) &&
	       fits(container->project, filter->deployment) &&
	       (filter->name == NULL ||
		   strstr(container->name, filter->name) != NULL) &&
	       (!filter->has_labels || has_labels(container, request));
}

static int
list_containers(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_container *containers;
	struct container_filter filter;
	struct json_object *all;
	struct listing listing;
	size_t count, i;

	if (read_filter(request, &filter, err) < 0 ||
	    listing_begin_docker(request, reply, "containers", &listing, err) <
		0)
		return -1;
	if (listing.complete)
		return 0;
	if (mirror_container_list(request->store, NULL, request->arena,
		&containers, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		if (is_wanted(&containers[i], &filter, request))
			json_object_array_add(all,
			    render_container(&containers[i], request->arena));
	return listing_finish(request, reply, &listing, all, NULL);
}

/* One container. */

/* Where it runs, or will run when it is started. */
static struct json_object *
render_networks(const struct mirror_container *container)
{
	struct json_object *networks = rendering_array(container->networks);
	size_t i;

	for (i = 0; i < json_object_array_length(networks); i++)
		json_object_object_del(
		    json_object_array_get_idx(networks, i), "attached");
	return networks;
}

static int
get_container(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_container container;
	struct json_object *object;
	struct listing listing;

	if (listing_begin_one(request, reply, "container", &listing, err) < 0 ||
	    subject_container(request, &container, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	object = render_container(&container, request->arena);
	json_put_text(object, "full_id", container.id);
	json_put_text(object, "image_id", container.image_id);
	json_put(object, "labels", rendering_object(container.labels));
	json_put(object, "networks", render_networks(&container));
	json_put(object, "mounts", rendering_array(container.mounts));
	return listing_finish_one(request, reply, &listing, object);
}

/* Statistics, as the agent sampled them last. */

static int
list_stats(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "stats" };
	struct sample *samples;
	size_t count, i;

	if (listing_check_docker(request, reply, err) < 0 ||
	    store_sample_list(request->store, NULL, request->arena, &samples,
		&count, err) < 0)
		return -1;
	payload.data = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(
		    payload.data, rendering_sample(&samples[i],
				      samples[i].project, request->arena));
	return reply_payload(request, reply, 200, &payload);
}

/* What does not run, or was not looked at yet, uses nothing. */
static int
get_stats(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "stats" };
	struct mirror_container container;
	struct sample sample;

	if (listing_check_docker(request, reply, err) < 0 ||
	    subject_container(request, &container, err) < 0)
		return -1;
	sample = (struct sample){ .container_id = container.id };
	if (strcmp(container.state, "running") == 0 &&
	    store_sample_find(request->store, container.id, &sample, err) < 0)
		return -1;
	sample.name = container.name;
	sample.service = container.service;
	payload.data =
	    rendering_sample(&sample, container.project, request->arena);
	return reply_payload(request, reply, 200, &payload);
}

const struct route container_routes[] = {
	{ "GET", "/containers", ROLE_VIEWER, list_containers },
	{ "GET", "/containers/stats", ROLE_VIEWER, list_stats },
	{ "GET", "/containers/:id", ROLE_VIEWER, get_container },
	{ "GET", "/containers/:id/stats", ROLE_VIEWER, get_stats },
	{ 0 },
};
