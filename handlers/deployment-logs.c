/* /deployments/:name/logs: of its containers, merged, or followed. */

#include "compose/compose.h"
#include "handlers/change.h"
#include "handlers/logs.h"
#include "handlers/routes.h"

#include <string.h>

/* Whose logs are asked for. */
struct deployment_log {
	const char *name;
	const char *service; /* NULL: all */
};

static int
find_containers(const struct deployment_log *wanted,
    const struct mirror_deployment *deployment, struct store *store,
    struct arena *arena, struct log_sources *sources, struct error *err)
{
	struct mirror_container *containers;
	size_t count, i;

	if (mirror_container_list(store, deployment->project, arena,
		&containers, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (wanted->service == NULL ||
		    strcmp(containers[i].service, wanted->service) == 0)
			logs_add_source(sources, arena, &containers[i]);
	return 0;
}

static int
find_deployment(const void *context, struct store *store, struct arena *arena,
    struct log_sources *sources, struct error *err)
{
	const struct deployment_log *wanted = context;
	struct mirror_deployment deployment;

	if (mirror_deployment_get(
		store, wanted->name, arena, &deployment, err) < 0)
		return -1;
	return find_containers(wanted, &deployment, store, arena, sources, err);
}

static bool
has_service(const struct mirror_deployment *deployment, const char *name)
{
	auto_json struct json_object *services = NULL;
	struct error ignored;
	size_t i;

	if (json_parse_trusted(deployment->services,
		strlen(deployment->services), &services, &ignored) < 0 ||
	    services == NULL)
		return false;
	for (i = 0; i < json_object_array_length(services); i++) {
		const char *known =
		    json_text(json_object_array_get_idx(services, i), "name");

		if (known != NULL && strcmp(known, name) == 0)
			return true;
	}
	return false;
}

static int
reply_logs(struct request *request, struct reply *reply,
    const struct deployment_log *wanted, const struct log_sources *sources,
    const struct log_query *query, struct error *err)
{
	auto_json struct json_object *object = json_object_new_object();
	struct payload payload = { 0 };

	json_put_text(object, "name", wanted->name);
	json_put_text(object, "source", "containers");
	if (logs_read(request, sources, query, true, object, err) < 0)
		return -1;
	payload.data = TAKE(object);
	return reply_payload(request, reply, 200, &payload);
}

static int
query_service(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_query(request, "service");
	if (*out == NULL || compose_name_is_valid(*out))
		return 0;
	return error_field(err, "service", "INVALID_NAME",
	    "service must be " COMPOSE_NAME_EXPECTED);
}

static int
get_deployment_logs(
    struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct log_sources sources = { 0 };
	struct deployment_log wanted;
	struct log_query query;

	if (change_subject(request, &wanted.name, err) < 0 ||
	    query_service(request, &wanted.service, err) < 0 ||
	    logs_query(request, &query, err) < 0 ||
	    mirror_deployment_get(request->store, wanted.name, request->arena,
		&deployment, err) < 0 ||
	    find_containers(&wanted, &deployment, request->store,
		request->arena, &sources, err) < 0)
		return -1;
	if (wanted.service != NULL && sources.count == 0 &&
	    !has_service(&deployment, wanted.service))
		return error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
		    "the deployment has no service '%s'", wanted.service);
	if (!query.follow)
		return reply_logs(
		    request, reply, &wanted, &sources, &query, err);
	return logs_follow(request, reply, &query,
	    &(struct log_subject){
		.find = find_deployment, .context = &wanted },
	    err);
}

const struct route deployment_log_routes[] = {
	{ "GET", "/deployments/:name/logs", ROLE_VIEWER, get_deployment_logs },
	{ 0 },
};
