/* /containers/:id/logs: the last lines of one container, or followed. */

#include "handlers/logs.h"
#include "handlers/routes.h"

static int
find_container(const void *context, struct store *store, struct arena *arena,
    struct log_sources *sources, struct error *err)
{
	struct mirror_container container;

	if (mirror_container_find(store, context, arena, &container, err) < 0)
		return -1;
	logs_add_source(sources, arena, &container);
	return 0;
}

static int
reply_logs(struct request *request, struct reply *reply,
    const struct mirror_container *container, const struct log_query *query,
    struct error *err)
{
	auto_json struct json_object *object = json_object_new_object();
	struct log_sources sources = { 0 };
	struct payload payload = { 0 };

	logs_add_source(&sources, request->arena, container);
	/* As the client wrote it. */
	json_put_text(object, "id", request_parameter(request, "id"));
	if (logs_read(request, &sources, query, false, object, err) < 0)
		return -1;
	payload.data = TAKE(object);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_container_logs(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *reference = request_parameter(request, "id");
	struct mirror_container container;
	struct log_query query;

	if (!docker_id_is_valid(reference))
		return error_field(err, "id", "INVALID_ID",
		    "an id is 1 to 128 of a-z, A-Z, 0-9, '_', '.' and '-', "
		    "beginning with a letter or a digit");
	if (logs_query(request, &query, err) < 0 ||
	    mirror_container_find(
		request->store, reference, request->arena, &container, err) < 0)
		return -1;
	if (!query.follow)
		return reply_logs(request, reply, &container, &query, err);
	return logs_follow(request, reply, &query,
	    &(struct log_subject){
		.find = find_container, .context = container.id },
	    err);
}

const struct route container_log_routes[] = {
	{ "GET", "/containers/:id/logs", ROLE_VIEWER, get_container_logs },
	{ 0 },
};
