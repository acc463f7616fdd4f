/* A plan as clients see it. */
#include "agent/agent.h"
#include "agent/plan-private.h"
#include "agent/ports.h"
#include "agent/project.h"
#include "base/diff.h"
#include "store/mirror.h"

#include <string.h>

#define DIFF_MAXIMUM ((size_t)256 * 1024)

static struct json_object *
render_service(const struct plan_service *service)
{
	struct json_object *object = json_object_new_object();
	const struct docker_container *container = service->container;

	json_put_text(object, "service", service->name);
	json_put_text(object, "action", service->action);
	json_put_text(object, "reason", service->reason);
	json_put_text(object, "image", service->image);
	json_put_text(
	    object, "container", container != NULL ? container->name : NULL);
	return object;
}

static struct json_object *
render_services(const struct plan *plan)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < plan->service_count; i++)
		json_object_array_add(list, render_service(&plan->services[i]));
	return list;
}

/* An operator may change the environment, but not see it. */
static const char *
mask_environment(
    struct run *run, const char *text, const char *other, const char *mark)
{
	const char *masked =
	    compose_environment_mask(text, other, mark, &run->arena);

	return masked != NULL || text == NULL ? masked
					      : COMPOSE_SECRET_MASK "\n";
}

static void
add_file(struct json_object *list, const char *name, const char *before,
    const char *after, bool is_changed)
{
	auto_buffer struct buffer diff = BUFFER(DIFF_MAXIMUM);
	struct json_object *file;
	struct error ignored;
	bool failed;

	if (!is_changed)
		return;
	failed = diff_unified(name, before, after, &diff, &ignored) < 0;
	file = json_object_new_object();
	json_put_text(file, "path", name);
	/* NULL: it would be too long to show. */
	json_put_text(file, "diff", failed ? NULL : buffer_string(&diff));
	json_object_array_add(list, file);
}

static bool
differ(const char *before, const char *after)
{
	if (before == NULL || after == NULL)
		return before != after;
	return strcmp(before, after) != 0;
}

static struct json_object *
render_files(struct run *run, const struct plan *plan)
{
	struct json_object *list = json_object_new_array();
	static const struct compose_files none = { .compose = NULL };
	const struct compose_files *before = &plan->before, *after = &none;

	if (plan->after != NULL)
		after = plan->after;
	else if (!plan->deletes)
		return list;
	add_file(list, after->filename ? after->filename : before->filename,
	    before->compose, after->compose,
	    differ(before->compose, after->compose));
	add_file(list, "service.yml", before->metadata, after->metadata,
	    differ(before->metadata, after->metadata));
	add_file(list, ".env.flatrun",
	    mask_environment(run, before->environment, after->environment, ""),
	    mask_environment(
		run, after->environment, before->environment, " (changed)"),
	    differ(before->environment, after->environment));
	return list;
}

static int
render_ports(struct run *run, const struct plan *plan, struct json_object **out,
    struct error *err)
{
	struct port_collision *taken;
	size_t count, i;

	*out = json_object_new_array();
	if (plan->containers.verb != PLAN_UP || plan->document == NULL ||
	    plan->containers.images_only)
		return 0;
	if (ports_find_taken(run->agent, plan->document, plan->project,
		&run->arena, &taken, &count, err) < 0) {
		json_object_put(TAKE(*out));
		return -1;
	}
	for (i = 0; i < count; i++) {
		struct json_object *port;

		if (!plan_concerns(plan, taken[i].wanted.service))
			continue;
		port = json_object_new_object();
		json_put_integer(port, "port", taken[i].wanted.port);
		json_put_text(port, "protocol", taken[i].wanted.protocol);
		json_put_text(port, "address", taken[i].wanted.address);
		json_put_text(port, "service", taken[i].wanted.service);
		json_put_text(port, "used_by",
		    taken[i].container != NULL ? taken[i].container
					       : "a program of this host");
		json_object_array_add(*out, port);
	}
	return 0;
}

static bool
has_text(struct json_object *list, const char *text)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			text) == 0)
			return true;
	return false;
}

static bool
is_pulled(const struct plan *plan, const struct plan_service *service)
{
	if (service->image == NULL || *service->image == '\0' ||
	    service->has_profiles || plan->containers.verb != PLAN_UP ||
	    !plan_concerns(plan, service->name) ||
	    strcmp(service->action, "remove") == 0)
		return false;
	if (service->is_built)
		return false;
	return plan_pulls(plan, service->name) ||
	       ((service->image_id == NULL || service->is_gone) &&
		   !plan->containers.images_only);
}

static struct json_object *
render_pulls(const struct plan *plan)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < plan->service_count; i++)
		if (is_pulled(plan, &plan->services[i]) &&
		    !has_text(list, plan->services[i].image))
			json_object_array_add(list,
			    json_object_new_string(plan->services[i].image));
	return list;
}

/* Those that Compose made for the project: nothing here removes them. */
static int
render_volumes(struct run *run, const struct plan *plan,
    struct json_object **out, struct error *err)
{
	struct docker_volume *volumes;
	size_t count, i;

	*out = json_object_new_array();
	if (!plan->deletes && plan->containers.verb != PLAN_DOWN)
		return 0;
	if (docker_volume_list(
		run->agent->docker, &run->arena, &volumes, &count, err) < 0) {
		json_object_put(TAKE(*out));
		return -1;
	}
	for (i = 0; i < count; i++) {
		const char *project =
		    json_text(volumes[i].labels, "com.docker.compose.project");

		if (project != NULL && strcmp(project, plan->project) == 0)
			json_object_array_add(
			    *out, json_object_new_string(volumes[i].name));
	}
	return 0;
}

static void
warn(struct json_object *list, const char *text)
{
	json_object_array_add(list, json_object_new_string(text));
}

static struct json_object *
render_warnings(
    struct run *run, const struct plan *plan, struct json_object *volumes)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	if (plan->document == NULL)
		warn(list, "the files cannot run as they are: containers are "
			   "found by their labels");
	for (i = 0; i < plan->service_count; i++)
		if (plan->containers.verb == PLAN_UP &&
		    strcmp(plan->services[i].action, "remove") == 0)
			warn(list,
			    arena_printf(&run->arena,
				"container '%s' is removed: the files have no "
				"service '%s'",
				plan->services[i].container->name,
				plan->services[i].name));
	for (i = 0; i < json_object_array_length(volumes); i++)
		warn(list, arena_printf(&run->arena,
			       "volume '%s' and what is in it stays",
			       json_object_get_string(
				   json_object_array_get_idx(volumes, i))));
	return list;
}

int
plan_render(struct run *run, const struct plan *plan, const char *action,
    struct json_object **out, struct error *err)
{
	auto_json struct json_object *object = json_object_new_object();
	struct json_object *ports, *volumes;
	int64_t generation;

	if (mirror_generation(run->store, &generation, err) < 0 ||
	    render_ports(run, plan, &ports, err) < 0)
		return -1;
	json_put_text(object, "action", action);
	json_put_text(object, "deployment", run->subject);
	json_put_integer(object, "generation", generation);
	json_put(object, "services", render_services(plan));
	json_put(object, "files", render_files(run, plan));
	json_put(object, "ports", ports);
	json_put(object, "images_to_pull", render_pulls(plan));
	if (render_volumes(run, plan, &volumes, err) < 0)
		return -1;
	json_put(object, "volumes_kept", volumes);
	json_put(object, "warnings", render_warnings(run, plan, volumes));
	*out = TAKE(object);
	return 0;
}
