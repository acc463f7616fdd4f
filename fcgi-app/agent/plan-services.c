/* What would become of each service. */
#include "agent/agent.h"
#include "agent/plan-private.h"
#include "agent/project.h"
#include "docker/reference.h"

#include <string.h>

static const struct docker_container *
find_container(const struct plan *plan, const char *service)
{
	const struct docker_container *found = NULL;
	size_t i;

	/* Of several replicas one that runs speaks for all. */
	for (i = 0; i < plan->count; i++) {
		if (strcmp(plan->list[i].service, service) != 0)
			continue;
		if (found == NULL ||
		    strcmp(plan->list[i].state, "running") == 0)
			found = &plan->list[i];
	}
	return found;
}

/* One of several replicas is enough to have all of them looked at. */
static bool
any_differs(struct run *run, const struct plan *plan,
    const struct plan_service *service)
{
	const char *hash =
	    plan->hashes != NULL
		? project_find_hash(plan->hashes, service->name, &run->arena)
		: NULL;
	size_t i;

	for (i = 0; hash != NULL && i < plan->count; i++) {
		const char *label = json_text(
		    plan->list[i].labels, "com.docker.compose.config-hash");

		if (strcmp(plan->list[i].service, service->name) == 0 &&
		    (label == NULL || strcmp(label, hash) != 0))
			return true;
	}
	return false;
}

static bool
any_has_old_image(const struct plan *plan, const struct plan_service *service)
{
	size_t i;

	for (i = 0; service->image_id != NULL && i < plan->count; i++)
		if (strcmp(plan->list[i].service, service->name) == 0 &&
		    strcmp(plan->list[i].image_id, service->image_id) != 0)
			return true;
	return false;
}

static bool
is_up(const struct docker_container *container)
{
	return strcmp(container->state, "running") == 0 ||
	       strcmp(container->state, "restarting") == 0;
}

static void
decide(struct plan_service *service, const char *action, const char *reason)
{
	service->action = action;
	service->reason = reason;
}

/* Why Compose would make the container anew, or NULL. */
static const char *
why_recreate(struct run *run, const struct plan *plan,
    const struct plan_service *service)
{
	unsigned int flags = plan->containers.flags;

	if (plan->containers.verb == PLAN_UP && (flags & UP_FORCE_RECREATE))
		return "asked for";
	if (any_differs(run, plan, service))
		return "its configuration changed";
	if (plan->containers.verb == PLAN_UP && service->is_built &&
	    (flags & (UP_BUILD | UP_NO_CACHE)))
		return "its image is built anew";
	if (service->image_id == NULL && !service->is_built)
		return "its image is pulled";
	if (!any_has_old_image(plan, service))
		return NULL;
	return service->is_put_back ? "an older image is put back"
				    : "its image name stands for another image";
}

static void
decide_up(
    struct run *run, const struct plan *plan, struct plan_service *service)
{
	const struct docker_container *container = service->container;
	const char *why;

	if (service->has_profiles) {
		decide(service, "none", "none of its profiles is asked for");
		return;
	}
	if (container == NULL) {
		decide(service, "create", "it has no container");
		return;
	}
	why = why_recreate(run, plan, service);
	if (why != NULL)
		decide(service, "recreate", why);
	else if (!is_up(container))
		decide(service, "start", "its container does not run");
	else if (plan_pulls(plan, service->name))
		decide(service, "none",
		    "unless the image that is pulled is another one");
	else
		decide(service, "none", "it runs as the files say");
}

/* Files alone change, if that: what a start would do later is said. */
static void
decide_nothing(
    struct run *run, const struct plan *plan, struct plan_service *service)
{
	const char *why = service->container != NULL && !service->has_profiles
			      ? why_recreate(run, plan, service)
			      : NULL;

	decide(service, "none",
	    why != NULL ? arena_printf(&run->arena,
			      "recreated at the next start: %s", why)
			: "containers are not touched");
}

static void
decide_existing(const struct plan *plan, struct plan_service *service)
{
	if (service->container == NULL)
		decide(service, "none", "it has no container");
	else if (plan->containers.verb == PLAN_DOWN)
		decide(service, "remove", "asked for");
	else if (plan->containers.verb == PLAN_RESTART)
		decide(service, "restart", "asked for");
	else if (plan->containers.verb == PLAN_STOP)
		decide(service, is_up(service->container) ? "stop" : "none",
		    is_up(service->container) ? "asked for"
					      : "it does not run");
	else
		decide(service, is_up(service->container) ? "none" : "start",
		    is_up(service->container) ? "it runs" : "asked for");
}

/* What no service of the document has; `up --remove-orphans` removes it. */
static void
decide_orphan(const struct plan *plan, struct plan_service *service)
{
	enum plan_verb verb = plan->containers.verb;

	if (verb == PLAN_UP && plan->containers.services == NULL)
		decide(service, "remove", "the files have no such service");
	else if (verb == PLAN_DOWN || plan->document == NULL)
		decide_existing(plan, service);
	else
		decide(service, "none", "the files have no such service");
}

static void
decide_service(
    struct run *run, const struct plan *plan, struct plan_service *service)
{
	if (!plan_concerns(plan, service->name))
		decide(service, "none", "the change is not about it");
	else if (plan->containers.images_only)
		decide(service, "none", "containers are not touched");
	else if (plan->containers.verb == PLAN_UP)
		decide_up(run, plan, service);
	else if (plan->containers.verb == PLAN_NOTHING)
		decide_nothing(run, plan, service);
	else
		decide_existing(plan, service);
}

/* The id of the image that the service had in the revision; NULL: unknown. */
static const char *
old_image(struct run *run, const struct plan *plan, const char *service)
{
	auto_json struct json_object *images = NULL;
	const char *text = plan->containers.images, *id;
	struct error ignored;
	size_t i;

	if (text == NULL ||
	    json_parse_trusted(text, strlen(text), &images, &ignored) < 0 ||
	    !json_object_is_type(images, json_type_array))
		return NULL;
	for (i = 0; i < json_object_array_length(images); i++) {
		struct json_object *one = json_object_array_get_idx(images, i);

		id = json_text(one, "service");
		if (id == NULL || strcmp(id, service) != 0)
			continue;
		id = json_text(one, "image_id");
		return id != NULL ? arena_strdup(&run->arena, id) : NULL;
	}
	return NULL;
}

static int
find_old_image(struct run *run, struct plan_service *service, const char *id,
    struct error *err)
{
	struct docker_image image;
	struct error failure;

	service->image_id = id;
	service->is_put_back = true;
	if (docker_image_get(
		run->agent->docker, id, &run->arena, &image, &failure) == 0)
		return 0;
	service->is_gone = failure.kind == ERR_NOT_FOUND;
	if (service->is_gone)
		return 0;
	*err = failure;
	return -1;
}

static int
find_image(struct run *run, const struct plan *plan,
    struct plan_service *service, struct error *err)
{
	const char *old = old_image(run, plan, service->name);
	struct docker_image image;
	struct error failure;

	if (old != NULL)
		return find_old_image(run, service, old, err);
	if (!docker_image_is_valid(service->image))
		return 0;
	if (docker_image_get(run->agent->docker, service->image, &run->arena,
		&image, &failure) == 0) {
		service->image_id = image.id;
		return 0;
	}
	if (failure.kind == ERR_NOT_FOUND)
		return 0;
	*err = failure;
	return -1;
}

static int
add_service(struct run *run, struct plan *plan,
    const struct compose_service *service, struct error *err)
{
	struct plan_service *added = &plan->services[plan->service_count++];

	*added = (struct plan_service){
		.name = service->name,
		.image = service->image,
		.container = find_container(plan, service->name),
		.is_built = service->has_build,
		.has_profiles = service->has_profiles,
	};
	/* What is only built has the name that Compose gave it. */
	if (*added->image == '\0' && added->container != NULL)
		added->image = added->container->image;
	if (find_image(run, plan, added, err) < 0)
		return -1;
	decide_service(run, plan, added);
	return 0;
}

static bool
has_service(const struct plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->service_count; i++)
		if (strcmp(plan->services[i].name, name) == 0)
			return true;
	return false;
}

/*
 * Version 2 makes a service anew with one that it depends on; version 1 does
 * only if its container does not run, or has links.
 */
static bool
follows(const struct plan *plan, const struct plan_service *service,
    const struct plan_service *other, int major)
{
	if (!plan_concerns(plan, service->name) ||
	    !plan_concerns(plan, other->name) ||
	    !document_depends(plan->document, service->name, other->name))
		return false;
	if (major >= 2)
		return strcmp(other->action, "recreate") == 0;
	return (strcmp(service->action, "start") == 0 ||
		   document_has_links(plan->document, service->name)) &&
	       (strcmp(other->action, "recreate") == 0 ||
		   strcmp(other->action, "create") == 0);
}

static bool
may_follow(const struct plan_service *service)
{
	return service->container != NULL && !service->has_profiles &&
	       (strcmp(service->action, "none") == 0 ||
		   strcmp(service->action, "start") == 0);
}

/* One more service that is made anew since another one is; or NULL. */
static struct plan_service *
find_follower(struct run *run, const struct plan *plan, size_t count, int major)
{
	size_t i, k;

	for (i = 0; i < count; i++) {
		struct plan_service *service = &plan->services[i];

		for (k = 0; k < count && may_follow(service); k++) {
			if (!follows(plan, service, &plan->services[k], major))
				continue;
			decide(service, "recreate",
			    arena_printf(&run->arena,
				"service '%s', which it depends on, is new",
				plan->services[k].name));
			return service;
		}
	}
	return NULL;
}

/* Of the document's services, which are the first count. */
static int
decide_followers(
    struct run *run, const struct plan *plan, size_t count, struct error *err)
{
	struct compose_program program;

	if (plan->containers.verb != PLAN_UP || plan->containers.images_only)
		return 0;
	if (agent_compose_program(run->agent, &program, err) < 0)
		return -1;
	while (find_follower(run, plan, count, program.major) != NULL)
		;
	return 0;
}

int
plan_list_services(struct run *run, struct plan *plan, struct error *err)
{
	const struct compose_service *services = NULL;
	size_t count = 0, i;

	if (plan->document != NULL)
		services = document_services(plan->document, &count);
	plan->services = arena_array(
	    &run->arena, count + plan->count + 1, sizeof *plan->services);
	for (i = 0; i < count; i++)
		if (add_service(run, plan, &services[i], err) < 0)
			return -1;
	if (decide_followers(run, plan, count, err) < 0)
		return -1;
	for (i = 0; i < plan->count; i++) {
		struct plan_service *orphan =
		    &plan->services[plan->service_count];

		if (has_service(plan, plan->list[i].service))
			continue;
		*orphan = (struct plan_service){
			.name = plan->list[i].service,
			.image = plan->list[i].image,
			.container = &plan->list[i],
		};
		decide_orphan(plan, orphan);
		plan->service_count++;
	}
	return 0;
}
