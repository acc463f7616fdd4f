/* /deployments/:name/files, reading: asked of the agent, who may. */
#include "jobs/files.h"
#include "app.h"
#include "base/cleanup.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "http/download.h"
#include "http/reply.h"
#include "settings/settings.h"
#include "store/mirror.h"

#include <limits.h>
#include <string.h>

#define ASK_TIMEOUT_MS 10000
#define WALK_TIMEOUT_MS 30000
#define PACK_TIMEOUT_MS 150000
#define PAGE_MAXIMUM 1000

/* The question about the deployment that the request is about. */
static int
begin_question(struct request *request, const char *ask,
    struct mirror_deployment *deployment, struct json_object **out,
    struct error *err)
{
	if (deployment_find(request, deployment, err) < 0)
		return -1;
	*out = json_object_new_object();
	json_put_text(*out, "ask", ask);
	json_put_text(*out, "deployment", deployment->name);
	return 0;
}

static int
ask_agent(const struct request *request, struct json_object *question,
    int64_t timeout_ms, struct json_object **out, int *descriptor,
    struct error *err)
{
	return files_ask(request->app->settings->run_directory, question,
	    timeout_ms, out, descriptor, err);
}

/* "/a/b" of a query as the agent takes it. */
static const char *
inner_path(const struct request *request, const char *path)
{
	size_t length;

	path += strspn(path, "/");
	length = strlen(path);
	while (length > 0 && path[length - 1] == '/')
		length--;
	return arena_strndup(request->arena, path, length);
}

static int
answer_list(struct request *request, struct reply *reply, const char *path,
    struct error *err)
{
	auto_json struct json_object *question = NULL;
	auto_json struct json_object *answer = NULL;
	struct mirror_deployment deployment;
	struct payload payload = { .key = "files" };
	auto_fd int descriptor = -1;
	int64_t offset, limit;

	if (request_query_integer(
		request, "offset", 0, 0, INT32_MAX / 4, &offset, err) < 0 ||
	    request_query_integer(request, "limit", PAGE_MAXIMUM, 1,
		PAGE_MAXIMUM, &limit, err) < 0 ||
	    begin_question(request, "list", &deployment, &question, err) < 0)
		return -1;
	json_put_text(question, "path", path);
	json_put_integer(question, "offset", offset);
	json_put_integer(question, "limit", limit);
	if (ask_agent(request, question, ASK_TIMEOUT_MS, &answer, &descriptor,
		err) < 0)
		return -1;
	payload.data = json_object_get(json_member(answer, "entries"));
	payload.extras = json_object_new_object();
	json_put_text(
	    payload.extras, "path", arena_printf(request->arena, "/%s", path));
	json_put_integer(payload.extras, "total", json_int(answer, "total", 0));
	json_put_integer(payload.extras, "offset", offset);
	json_put_integer(payload.extras, "limit", limit);
	json_put_boolean(payload.extras, "complete",
	    json_boolean(answer, "complete", false));
	return reply_payload(request, reply, 200, &payload);
}

static int
answer_entry(struct request *request, struct reply *reply, const char *path,
    struct error *err)
{
	auto_json struct json_object *question = NULL;
	auto_json struct json_object *answer = NULL;
	struct mirror_deployment deployment;
	struct payload payload = { .key = NULL };
	auto_fd int descriptor = -1;

	if (begin_question(request, "entry", &deployment, &question, err) < 0)
		return -1;
	json_put_text(question, "path", path);
	if (ask_agent(request, question, ASK_TIMEOUT_MS, &answer, &descriptor,
		err) < 0)
		return -1;
	payload.data = json_object_get(json_member(answer, "entry"));
	payload.extras = json_object_new_object();
	json_put(payload.extras, "file", json_object_get(payload.data));
	return reply_payload(request, reply, 200, &payload);
}

static int
list_files(struct request *request, struct reply *reply, struct error *err)
{
	const char *path = request_query(request, "path");

	return answer_list(
	    request, reply, inner_path(request, path ? path : ""), err);
}

/* What is in files may be secret: not for those who only look. */
static int
check_reader(const struct request *request, struct error *err)
{
	if (request->identity.role >= ROLE_OPERATOR)
		return 0;
	return error_set(err, ERR_FORBIDDEN, NULL,
	    "Permission denied: %s required", role_name(ROLE_OPERATOR));
}

static int
send_descriptor(struct request *request, struct reply *reply,
    struct json_object *question, int64_t timeout_ms, struct download *download,
    struct error *err)
{
	auto_json struct json_object *answer = NULL;
	auto_fd int descriptor = -1;

	json_put_boolean(
	    question, "secrets", request->identity.role >= ROLE_ADMIN);
	if (ask_agent(
		request, question, timeout_ms, &answer, &descriptor, err) < 0)
		return -1;
	if (descriptor < 0)
		return error_set(
		    err, ERR_INTERNAL, NULL, "the agent passed no file");
	download->fd = descriptor;
	download->size = json_int(answer, "size", 0);
	return reply_download(request, reply, download);
}

static int
get_file(struct request *request, struct reply *reply, struct error *err)
{
	const char *path = request_parameter(request, "path");
	auto_json struct json_object *question = NULL;
	struct mirror_deployment deployment;
	struct download download = { .name = strrchr(path, '/') };
	bool info, list;

	if (request_query_boolean(request, "info", false, &info, err) < 0 ||
	    request_query_boolean(request, "list", false, &list, err) < 0)
		return -1;
	if (list)
		return answer_list(request, reply, path, err);
	if (info)
		return answer_entry(request, reply, path, err);
	if (check_reader(request, err) < 0 ||
	    begin_question(request, "open", &deployment, &question, err) < 0)
		return -1;
	json_put_text(question, "path", path);
	download.name = download.name != NULL ? download.name + 1 : path;
	return send_descriptor(
	    request, reply, question, ASK_TIMEOUT_MS, &download, err);
}

static int
get_usage(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *question = NULL;
	auto_json struct json_object *answer = NULL;
	struct mirror_deployment deployment;
	struct payload payload = { .key = NULL };
	auto_fd int descriptor = -1;

	if (begin_question(request, "usage", &deployment, &question, err) < 0 ||
	    ask_agent(request, question, WALK_TIMEOUT_MS, &answer, &descriptor,
		err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "deployment", deployment.name);
	json_put_integer(
	    payload.data, "disk_usage", json_int(answer, "bytes", 0));
	json_put_integer(
	    payload.data, "file_count", json_int(answer, "files", 0));
	json_put_boolean(
	    payload.data, "complete", json_boolean(answer, "complete", false));
	json_put_text(payload.data, "mount_path", deployment.path);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_archive(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *question = NULL;
	struct mirror_deployment deployment;
	struct download download = { .type = "application/gzip" };

	if (begin_question(request, "archive", &deployment, &question, err) < 0)
		return -1;
	download.name =
	    arena_printf(request->arena, "%s.tar.gz", deployment.name);
	return send_descriptor(
	    request, reply, question, PACK_TIMEOUT_MS, &download, err);
}

const struct route file_routes[] = {
	{ "GET", "/deployments/:name/files", ROLE_VIEWER, list_files },
	{ "GET", "/deployments/:name/files/*path", ROLE_VIEWER, get_file },
	{ "GET", "/deployments/:name/files-info", ROLE_VIEWER, get_usage },
	{ "GET", "/deployments/:name/archive", ROLE_OPERATOR, get_archive },
	{ 0 },
};
