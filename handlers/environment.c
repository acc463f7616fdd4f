/* /deployments/:name/env and /metadata. */
#include "app.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/files.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/mirror.h"

#include <string.h>

#define ASK_TIMEOUT_MS 10000

/* Secrets are shown to administrators who ask for them, and that is noted. */
static int
may_reveal(struct request *request, bool *out, struct error *err)
{
	if (request_query_boolean(request, "reveal", false, out, err) < 0)
		return -1;
	if (*out && request->identity.role < ROLE_ADMIN)
		return error_set(err, ERR_FORBIDDEN, NULL,
		    "Permission denied: %s required", role_name(ROLE_ADMIN));
	return 0;
}

static int
get_environment(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *question = json_object_new_object();
	auto_json struct json_object *answer = NULL;
	struct mirror_deployment deployment;
	struct payload payload = { .key = "env_vars" };
	auto_fd int descriptor = -1;
	bool reveal;

	if (may_reveal(request, &reveal, err) < 0 ||
	    deployment_find(request, &deployment, err) < 0)
		return -1;
	json_put_text(question, "ask", "environment");
	json_put_text(question, "deployment", deployment.name);
	json_put_boolean(question, "reveal", reveal);
	if (files_ask(request->app->settings->run_directory, question,
		ASK_TIMEOUT_MS, &answer, &descriptor, err) < 0)
		return -1;
	if (reveal)
		log_event(LOG_INFO, "secrets revealed",
		    LOG_TEXT("deployment", deployment.name),
		    LOG_TEXT("actor", request->identity.actor),
		    LOG_TEXT("request_id", request->id));
	reply_header(reply, "Cache-Control", "no-store");
	payload.data = json_object_get(json_member(answer, "env_vars"));
	return reply_payload(request, reply, 200, &payload);
}

struct environment_input {
	struct compose_variable *env_vars;
	size_t env_vars_count;
	bool apply;
};

static const struct field environment_fields[] = {
	LIST_FIELD(struct environment_input, env_vars, REQUIRED,
	    struct compose_variable, compose_variable_fields),
	BOOL_FIELD(struct environment_input, apply, OPTIONAL),
	{ 0 },
};

static int
check_environment(struct environment_input *input, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	size_t i;

	for (i = 0; i < input->env_vars_count; i++)
		if (input->env_vars[i].value == NULL)
			input->env_vars[i].value = "";
	return compose_environment_format(
	    input->env_vars, input->env_vars_count, &text, err);
}

static int
put_environment(struct request *request, struct reply *reply, struct error *err)
{
	struct environment_input input = { 0 };
	struct change change = { .kind = JOB_ENVIRONMENT,
		.status = 200,
		.message = "Environment variables updated",
		.output_name = "output" };

	if (request_decode(request, &input, err) < 0 ||
	    check_environment(&input, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put(change.arguments, "env_vars",
	    json_object_get(json_member(request->json, "env_vars")));
	json_put_boolean(change.arguments, "apply", input.apply);
	return deployment_change(request, reply, &change, err);
}

/* The keys of service.yml that this replaces; other members are ignored. */
static struct json_object *
select_metadata(struct json_object *body)
{
	static const char *const keys[] = { "name", "type", "credential_id",
		"primary_service", "networking", "ssl", "healthcheck",
		"healthchecks", "quick_actions", "security", "backup",
		"scaling", "protected_mode", "require_plan", "log_sources" };
	struct json_object *selected = json_object_new_object(), *value;
	size_t i;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_object_object_get_ex(body, keys[i], &value))
			json_put(selected, keys[i], json_object_get(value));
	return selected;
}

static int
put_metadata(struct request *request, struct reply *reply, struct error *err)
{
	auto_json struct json_object *selected = select_metadata(request->json);
	struct change change = { .kind = JOB_METADATA,
		.status = 200,
		.message = "Metadata updated",
		.output_name = "output" };

	if (json_object_object_length(selected) == 0)
		return error_set(err, ERR_INVALID, NULL,
		    "there is nothing in it that can be changed");
	if (metadata_check(selected, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put(change.arguments, "metadata", json_object_get(selected));
	return deployment_change(request, reply, &change, err);
}

/* Its members are what metadata_check() says. */
static const struct field metadata_fields[] = { { 0 } };

const struct route environment_routes[] = {
	{ "GET", "/deployments/:name/env", ROLE_VIEWER, get_environment },
	{ "PUT", "/deployments/:name/env", ROLE_OPERATOR, put_environment,
	    .body = environment_fields, .body_required = true },
	{ "PUT", "/deployments/:name/metadata", ROLE_OPERATOR, put_metadata,
	    .body = metadata_fields, .body_required = true },
	{ 0 },
};
