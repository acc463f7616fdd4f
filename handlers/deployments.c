/* /deployments, reading: from the mirror. */
#include "handlers/deployments.h"

#include "app.h"
#include "base/clock.h"
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/etag.h"
#include "http/reply.h"
#include "settings/settings.h"
#include "store/checks.h"
#include "store/mirror.h"
#include "store/samples.h"

#include <string.h>

/* A deployment together with the containers of its project. */
struct view {
	const struct mirror_deployment *deployment;
	const struct mirror_container *containers;
	size_t count;
	bool docker_up;
};

static const char *
status_of(const struct view *view)
{
	bool paused = false;
	size_t i;

	if (!view->docker_up)
		return "unknown";
	for (i = 0; i < view->count; i++) {
		const char *state = view->containers[i].state;

		if (strcmp(state, "running") == 0)
			return "running";
		paused |= strcmp(state, "paused") == 0;
	}
	return paused ? "paused" : "stopped";
}

static const char *
health_of(const struct view *view)
{
	return view->docker_up ? view->deployment->health : "unknown";
}

static const struct mirror_container *
find_container(const struct view *view, const char *service)
{
	const struct mirror_container *found = NULL;
	size_t i;

	/* Of several replicas a running one speaks for the service. */
	for (i = 0; i < view->count; i++) {
		if (strcmp(view->containers[i].service, service) != 0)
			continue;
		if (strcmp(view->containers[i].state, "running") == 0)
			return &view->containers[i];
		found = &view->containers[i];
	}
	return found;
}

/* Adds to the service of the file what its container is. */
static void
describe_service(
    const struct view *view, struct json_object *service, struct arena *arena)
{
	const struct mirror_container *container =
	    find_container(view, json_text(service, "name"));
	const char *status = "stopped";

	if (!view->docker_up)
		status = "unknown";
	else if (container != NULL)
		status = container->state;
	json_put_text(service, "status", status);
	json_put_text(service, "container_id",
	    container ? rendering_short_id(arena, container->id) : "");
	json_put_text(
	    service, "container_name", container ? container->name : "");
	if (container != NULL && container->health[0] != '\0')
		json_put_text(service, "health", container->health);
	json_put_text(service, "created_at",
	    container ? clock_text_ms(arena, container->created_at * 1000)
		      : "0001-01-01T00:00:00Z");
}

static struct json_object *
render_services(const struct view *view, struct arena *arena)
{
	struct json_object *services =
	    rendering_array(view->deployment->services);
	size_t i;

	for (i = 0; i < json_object_array_length(services); i++)
		describe_service(
		    view, json_object_array_get_idx(services, i), arena);
	return services;
}

static struct json_object *
render_deployment(const struct view *view, struct arena *arena)
{
	const struct mirror_deployment *deployment = view->deployment;
	struct json_object *object = json_object_new_object();
	const char *modified = clock_text_ms(arena, deployment->modified_at_ms);

	json_put_text(object, "name", deployment->name);
	json_put_text(object, "path", deployment->path);
	json_put_text(object, "status", status_of(view));
	json_put_text(object, "health", health_of(view));
	json_put_text(object, "created_at", modified);
	json_put_text(object, "updated_at", modified);
	json_put(object, "services", render_services(view, arena));
	json_put(object, "metadata", rendering_object(deployment->metadata));
	json_put_text(object, "version", deployment->version);
	if (deployment->problem[0] != '\0')
		json_put_text(object, "problem", deployment->problem);
	return object;
}

static int
compare_projects(const void *left, const void *right)
{
	const struct mirror_container *a = left, *b = right;
	int order = strcmp(a->project, b->project);

	return order ? order : strcmp(a->name, b->name);
}

/* The containers of the project, in an array sorted by project. */
static void
find_project(
    struct view *view, const struct mirror_container *containers, size_t count)
{
	const char *project = view->deployment->project;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(containers[middle].project, project) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	view->containers = containers + low;
	for (view->count = 0;
	     low + view->count < count &&
	     strcmp(containers[low + view->count].project, project) == 0;
	     view->count++)
		;
}

/* What a list is asked to hold; NULL: all. */
struct wanted {
	const char *status, *health;
};

static bool
is_among(const char *const *words, const char *word)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

static int
read_wanted(
    const struct request *request, struct wanted *out, struct error *err)
{
	static const char *const statuses[] = { "running", "stopped", "paused",
		"error", "unknown", NULL };
	static const char *const healths[] = { "healthy", "unhealthy",
		"starting", "none", "unknown", NULL };

	out->status = request_query(request, "status");
	out->health = request_query(request, "health");
	if (out->status != NULL && !is_among(statuses, out->status))
		return error_field(err, "status", NULL,
		    "status must be running, stopped, paused, error or "
		    "unknown");
	if (out->health != NULL && !is_among(healths, out->health))
		return error_field(err, "health", NULL,
		    "health must be healthy, unhealthy, starting, none or "
		    "unknown");
	return 0;
}

static bool
is_wanted(const struct view *view, const struct wanted *wanted)
{
	return (wanted->status == NULL ||
		   strcmp(status_of(view), wanted->status) == 0) &&
	       (wanted->health == NULL ||
		   strcmp(health_of(view), wanted->health) == 0);
}

static int
read_mirror(struct request *request, struct mirror_deployment **deployments,
    size_t *deployment_count, struct mirror_container **containers,
    size_t *container_count, struct error *err)
{
	int failed;

	if (mirror_read(request->store, err) < 0)
		return -1;
	failed = mirror_deployment_list(request->store, request->arena,
		     deployments, deployment_count, err) < 0 ||
		 mirror_container_list(request->store, NULL, request->arena,
		     containers, container_count, err) < 0;
	mirror_read_end(request->store);
	return failed ? -1 : 0;
}

static int
list_deployments(
    struct request *request, struct reply *reply, struct error *err)
{
	struct wanted wanted;
	struct mirror_deployment *deployments;
	struct mirror_container *containers;
	size_t deployment_count, container_count, i;
	struct json_object *all, *extras;
	struct listing listing;

	if (read_wanted(request, &wanted, err) < 0 ||
	    listing_begin(request, reply, "deployments", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (read_mirror(request, &deployments, &deployment_count, &containers,
		&container_count, err) < 0)
		return -1;
	if (container_count > 0)
		qsort(containers, container_count, sizeof *containers,
		    compare_projects);
	all = json_object_new_array();
	for (i = 0; i < deployment_count; i++) {
		struct view view = { .deployment = &deployments[i],
			.docker_up = listing.heartbeat.docker_up ||
				     listing.heartbeat.stale };

		/* They are listed with the infrastructure. */
		if (strcmp(deployments[i].type, "infrastructure") == 0)
			continue;
		find_project(&view, containers, container_count);
		if (is_wanted(&view, &wanted))
			json_object_array_add(
			    all, render_deployment(&view, request->arena));
	}
	extras = json_object_new_object();
	json_put_text(extras, "path", request->app->settings->deployments_path);
	return listing_finish(request, reply, &listing, all, extras);
}

int
deployment_find(
    struct request *request, struct mirror_deployment *out, struct error *err)
{
	const char *name;

	return change_subject(request, &name, err) < 0
		   ? -1
		   : mirror_deployment_get(
			 request->store, name, request->arena, out, err);
}

/* What the check of service.yml last said; null: there is none. */
static int
put_check(struct request *request, const char *name, struct json_object *object,
    struct error *err)
{
	struct arena *arena = request->arena;
	struct json_object *rendered = NULL;
	struct check_record check;
	bool found;

	if (store_check_find(request->store, name, arena, &check, &found, err) <
	    0)
		return -1;
	if (found) {
		rendered = json_object_new_object();
		json_put_text(rendered, "status", check.status);
		json_put_text(rendered, "reason", check.reason);
		json_put_integer(rendered, "http_status", check.http_status);
		json_put_integer(rendered, "duration_ms", check.duration_ms);
		json_put_text(rendered, "checked_at",
		    clock_text_ms(arena, check.checked_at_ms));
		json_put_text(rendered, "changed_at",
		    clock_text_ms(arena, check.changed_at_ms));
	}
	json_put(object, "health_check", rendered);
	return 0;
}

/* One deployment with its containers, and how fresh that is. */
static int
look_at(struct request *request, const struct mirror_deployment *deployment,
    struct view *out, struct heartbeat *heartbeat, struct error *err)
{
	struct mirror_container *containers;

	*out = (struct view){ .deployment = deployment };
	if (mirror_container_list(request->store, deployment->project,
		request->arena, &containers, &out->count, err) < 0)
		return -1;
	heartbeat_read(request->app->settings->run_directory, heartbeat);
	out->containers = containers;
	out->docker_up = heartbeat->docker_up || heartbeat->stale;
	return 0;
}

int
deployment_services(struct request *request,
    const struct mirror_deployment *deployment, struct json_object **out,
    struct error *err)
{
	struct heartbeat heartbeat;
	struct view view;

	if (look_at(request, deployment, &view, &heartbeat, err) < 0)
		return -1;
	*out = render_services(&view, request->arena);
	return 0;
}

static int
get_deployment(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { .key = "deployment" };
	struct heartbeat heartbeat;
	struct view view;

	if (deployment_find(request, &deployment, err) < 0 ||
	    look_at(request, &deployment, &view, &heartbeat, err) < 0)
		return -1;
	payload.data = render_deployment(&view, request->arena);
	payload.extras = json_object_new_object();
	if (put_check(request, deployment.name, payload.data, err) < 0) {
		json_object_put(payload.data);
		json_object_put(payload.extras);
		return -1;
	}
	json_put_text(payload.extras, "compose_content", deployment.compose);
	json_put_text(payload.extras, "compose_filename", deployment.filename);
	json_put(payload.extras, "proxy_status", NULL);
	if (heartbeat.stale) {
		reply_header(reply, "Warning", "110 - \"Response is Stale\"");
		json_put_boolean(payload.extras, "stale", true);
		return reply_payload(request, reply, 200, &payload);
	}
	return etag_reply(request, reply, deployment.version, &payload);
}

static int
get_compose(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { 0 };

	if (deployment_find(request, &deployment, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "name", deployment.name);
	json_put_text(payload.data, "content", deployment.compose);
	json_put_text(payload.data, "filename", deployment.filename);
	return etag_reply(request, reply, deployment.version, &payload);
}

static int
get_stats(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { 0 };
	struct json_object *services, *summary;
	double cpu = 0;
	int64_t usage = 0, limit = 0;
	struct sample *samples;
	size_t count, i;

	if (deployment_find(request, &deployment, err) < 0 ||
	    store_sample_list(request->store, deployment.project,
		request->arena, &samples, &count, err) < 0)
		return -1;
	services = json_object_new_array();
	for (i = 0; i < count; i++) {
		json_object_array_add(
		    services, rendering_sample(&samples[i], deployment.name,
				  request->arena));
		cpu += samples[i].cpu_percent;
		usage += samples[i].memory_usage;
		limit += samples[i].memory_limit;
	}
	summary = json_object_new_object();
	json_put(summary, "cpu_percent", json_object_new_double(cpu));
	json_put(summary, "memory_percent",
	    json_object_new_double(
		limit > 0 ? (double)usage / (double)limit * 100 : 0));
	json_put_integer(summary, "memory_usage", usage);
	json_put_integer(summary, "memory_limit", limit);
	payload.data = json_object_new_object();
	json_put_text(payload.data, "deployment", deployment.name);
	json_put(payload.data, "services", services);
	json_put(payload.data, "summary", summary);
	return reply_payload(request, reply, 200, &payload);
}

const struct route deployment_routes[] = {
	{ "GET", "/deployments", ROLE_VIEWER, list_deployments },
	{ "GET", "/deployments/:name", ROLE_VIEWER, get_deployment },
	{ "GET", "/deployments/:name/compose", ROLE_VIEWER, get_compose },
	{ "GET", "/deployments/:name/stats", ROLE_VIEWER, get_stats },
	{ 0 },
};
