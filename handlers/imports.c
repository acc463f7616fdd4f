/* New deployments out of an archive or of another deployment. */
#include "compose/compose.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "handlers/uploads.h"
#include "http/reply.h"
#include "jobs/protocol.h"

#include <string.h>

/* The form's field, or the query's parameter. */
static const char *
option(struct request *request, const struct upload *upload, const char *name)
{
	const char *value = upload_field(upload, name);

	return value != NULL ? value : request_query(request, name);
}

static int
check_name(const char *name, struct error *err)
{
	if (name != NULL && compose_name_is_valid(name))
		return 0;
	return error_field(
	    err, "name", "INVALID_NAME", "name must be " COMPOSE_NAME_EXPECTED);
}

static int
run_import(struct request *request, struct reply *reply,
    const struct upload *upload, struct error *err)
{
	struct change change = { .kind = JOB_IMPORT,
		.status = 201,
		.message = "Deployment created",
		.output_name = "start_output" };
	const char *start = option(request, upload, "auto_start");

	change.subject = option(request, upload, "name");
	if (check_name(change.subject, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "upload", upload->token);
	json_put_boolean(change.arguments, "auto_start",
	    start != NULL && strcmp(start, "true") == 0);
	return change_run(request, reply, &change, err);
}

static int
import_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *name = request_query(request, "name");
	struct upload upload;

	/* In a form the name may come after the archive. */
	if (name != NULL && check_name(name, err) < 0)
		return -1;
	if (upload_read(request, "archive", &upload, err) < 0)
		return -1;
	if (run_import(request, reply, &upload, err) == 0)
		return 0;
	upload_discard(request, upload.token);
	return -1;
}

struct copy_input {
	const char *name;
};

static const struct field copy_fields[] = {
	CODED_FIELD(struct copy_input, name, REQUIRED, compose_name_is_valid,
	    COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	{ 0 },
};

static int
copy_deployment(struct request *request, struct reply *reply, struct error *err)
{
	struct copy_input input = { 0 };
	struct change change = {
		.kind = JOB_COPY, .status = 201, .message = "Deployment copied"
	};

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "name", input.name);
	return deployment_change(request, reply, &change, err);
}

const struct route import_routes[] = {
	{ "POST", "/deployments/archive", ROLE_OPERATOR, import_deployment,
	    .raw_body = true },
	{ "POST", "/deployments/:name/copy", ROLE_OPERATOR, copy_deployment,
	    .body = copy_fields, .body_required = true },
	{ 0 },
};
