/* Files of a deployment, changing: sent to the agent, then a job of it. */
#include "app.h"
#include "base/utf8.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "handlers/uploads.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <limits.h>
#include <string.h>

/* The path of the route; "" for the deployment's own directory. */
static const char *
path_of(const struct request *request)
{
	const char *path = request_parameter(request, "path");

	return path != NULL ? path : "";
}

/* Submits the job that takes the upload, which no other one will. */
static int
run_upload(struct request *request, struct reply *reply, struct change *change,
    const char *token, struct error *err)
{
	if (deployment_change(request, reply, change, err) == 0)
		return 0;
	upload_discard(request, token);
	return -1;
}

static int
put_file(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct change change = { .kind = JOB_WRITE_FILE,
		.status = 200,
		.message = "File uploaded successfully" };
	struct upload upload;

	if (deployment_find(request, &deployment, err) < 0 ||
	    upload_read(request, "file", &upload, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", path_of(request));
	json_put_text(change.arguments, "upload", upload.token);
	if (upload.filename != NULL)
		json_put_text(change.arguments, "filename", upload.filename);
	return run_upload(request, reply, &change, upload.token, err);
}

static bool
text_is_true(const char *text)
{
	return text != NULL &&
	       (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

/* "/a/b/" as the agent takes it: plain names. */
static int
clean_path(struct request *request, const char *field, const char *given,
    const char **out, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(PATH_MAX);

	while (given != NULL && *given != '\0') {
		size_t size = strcspn(given, "/");

		if (size > NAME_MAX || (size == 1 && *given == '.') ||
		    (size == 2 && memcmp(given, "..", 2) == 0))
			return error_field(err, field, "UNSAFE_PATH",
			    "%s must be of plain names", field);
		if (size > 0 && path.length > 0)
			buffer_char(&path, '/');
		buffer_append(&path, given, size);
		given += size;
		given += *given == '/';
	}
	if (path.overflowed)
		return error_field(
		    err, field, "UNSAFE_PATH", "%s is too long", field);
	*out = arena_strdup(request->arena, buffer_string(&path));
	return 0;
}

/* The form's fields, or those of the query where the body is the archive. */
static const char *
push_option(
    struct request *request, const struct upload *upload, const char *name)
{
	const char *value = upload_field(upload, name);

	return value != NULL ? value : request_query(request, name);
}

static int
push_files(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct change change = {
		.kind = JOB_PUSH_FILES, .status = 200, .message = "Files pushed"
	};
	struct upload upload;
	const char *destination;

	if (deployment_find(request, &deployment, err) < 0 ||
	    upload_read(request, "archive", &upload, err) < 0)
		return -1;
	if (clean_path(request, "destination",
		push_option(request, &upload, "destination"), &destination,
		err) < 0) {
		upload_discard(request, upload.token);
		return -1;
	}
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", destination);
	json_put_text(change.arguments, "upload", upload.token);
	json_put_boolean(change.arguments, "exact",
	    text_is_true(push_option(request, &upload, "delete")));
	return run_upload(request, reply, &change, upload.token, err);
}

struct extract_input {
	const char *path, *destination;
};

static const struct field extract_fields[] = {
	TEXT_FIELD(struct extract_input, path, REQUIRED, PATH_MAX),
	TEXT_FIELD(struct extract_input, destination, OPTIONAL, PATH_MAX),
	{ 0 },
};

/* Beside the archive, when nothing else is said. */
static const char *
directory_of(struct request *request, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? ""
			     : arena_strndup(request->arena, path,
				   (size_t)(slash - path));
}

static int
extract_file(struct request *request, struct reply *reply, struct error *err)
{
	struct extract_input input = { .path = NULL };
	struct change change = { .kind = JOB_PUSH_FILES,
		.status = 200,
		.message = "Files extracted" };
	const char *path, *destination;

	if (request_decode(request, &input, err) < 0 ||
	    clean_path(request, "path", input.path, &path, err) < 0 ||
	    clean_path(request, "destination", input.destination, &destination,
		err) < 0)
		return -1;
	if (input.destination == NULL)
		destination = directory_of(request, path);
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", destination);
	json_put_text(change.arguments, "archive", path);
	return deployment_change(request, reply, &change, err);
}

static int
delete_file(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_DELETE_FILE,
		.status = 200,
		.message = "Deleted successfully" };
	bool recursive;

	if (request_query_boolean(
		request, "recursive", false, &recursive, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", path_of(request));
	json_put_boolean(change.arguments, "recursive", recursive);
	return deployment_change(request, reply, &change, err);
}

static int
run_on_path(struct request *request, struct reply *reply, const char *kind,
    const char *message, struct error *err)
{
	struct change change = {
		.kind = kind, .status = 200, .message = message
	};

	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", path_of(request));
	return deployment_change(request, reply, &change, err);
}

static int
make_directory(struct request *request, struct reply *reply, struct error *err)
{
	return run_on_path(
	    request, reply, JOB_MAKE_DIRECTORY, "Directory created", err);
}

static int
touch_file(struct request *request, struct reply *reply, struct error *err)
{
	return run_on_path(request, reply, JOB_TOUCH_FILE, "File touched", err);
}

struct permissions_input {
	int64_t mode;
};

/* The bits above these would run programs as somebody else. */
static const struct field permissions_fields[] = {
	INTEGER_FIELD(struct permissions_input, mode, REQUIRED, 0, 0777),
	{ 0 },
};

static int
set_permissions(struct request *request, struct reply *reply, struct error *err)
{
	struct permissions_input input = { 0 };
	struct change change = { .kind = JOB_PERMISSIONS,
		.status = 200,
		.message = "Permissions changed" };

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "path", path_of(request));
	json_put_integer(change.arguments, "mode", input.mode);
	return deployment_change(request, reply, &change, err);
}

const struct route file_change_routes[] = {
	{ "POST", "/deployments/:name/files", ROLE_OPERATOR, put_file,
	    .raw_body = true },
	{ "POST", "/deployments/:name/files/*path", ROLE_OPERATOR, put_file,
	    .raw_body = true },
	{ "PUT", "/deployments/:name/files/*path", ROLE_OPERATOR, put_file,
	    .raw_body = true },
	{ "DELETE", "/deployments/:name/files/*path", ROLE_OPERATOR,
	    delete_file },
	{ "POST", "/deployments/:name/files-push", ROLE_OPERATOR, push_files,
	    .raw_body = true },
	{ "POST", "/deployments/:name/extract", ROLE_OPERATOR, extract_file,
	    .body = extract_fields, .body_required = true },
	{ "POST", "/deployments/:name/mkdir/*path", ROLE_OPERATOR,
	    make_directory },
	{ "POST", "/deployments/:name/touch/*path", ROLE_OPERATOR, touch_file },
	{ "PUT", "/deployments/:name/permissions/*path", ROLE_OPERATOR,
	    set_permissions, .body = permissions_fields,
	    .body_required = true },
	{ 0 },
};
