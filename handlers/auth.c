/* /auth: tokens from API keys. */

#include "app.h"
#include "base/clock.h"
#include "handlers/routes.h"
#include "http/authenticate.h"
#include "http/reply.h"
#include "http/token.h"
#include "settings/settings.h"

static int
get_status(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	json_put_boolean(
	    payload.data, "enabled", request->app->settings->auth.enabled);
	return reply_payload(request, reply, 200, &payload);
}

struct login_input {
	const char *api_key;
};

static const struct field login_fields[] = {
	STRING_FIELD(struct login_input, api_key, REQUIRED, NULL, NULL),
	{ 0 },
};

/* What existing clients show or hide pages by: area and verb. */
static struct json_object *
list_permissions(enum role role)
{
	static const struct {
		const char *name;
		enum role role;
	} permissions[] = {
		{ "deployments:read", ROLE_VIEWER },
		{ "deployments:write", ROLE_OPERATOR },
		{ "deployments:delete", ROLE_OPERATOR },
		{ "containers:read", ROLE_VIEWER },
		{ "system:read", ROLE_VIEWER },
	};
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < sizeof permissions / sizeof permissions[0]; i++)
		if (role >= permissions[i].role)
			json_object_array_add(
			    list, json_object_new_string(permissions[i].name));
	return list;
}

static int
login(struct request *request, struct reply *reply, struct error *err)
{
	struct login_input input = { 0 };
	struct payload payload = { 0 };
	struct token_claims claims = { .issued_at = clock_wall_s() };
	const char *token = "";

	if (!request->app->settings->auth.enabled) {
		payload.message = "Authentication disabled";
		payload.data = json_object_new_object();
		json_put_text(payload.data, "token", "");
		return reply_payload(request, reply, 200, &payload);
	}
	if (request_decode(request, &input, err) < 0 ||
	    authenticate_key(request, input.api_key, err) < 0)
		return -1;
	claims.key_id = request->identity.key_id;
	claims.username = request->identity.name;
	claims.expires_at =
	    claims.issued_at + request->app->settings->auth.token_lifetime_s;
	if (token_issue(&request->app->token_key, &claims, request->arena,
		&token, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "token", token);
	json_put_text(payload.data, "token_type", "Bearer");
	json_put_integer(payload.data, "expires_in",
	    request->app->settings->auth.token_lifetime_s);
	json_put_text(payload.data, "expires_at",
	    clock_text_ms(request->arena, claims.expires_at * 1000));
	json_put(payload.data, "permissions",
	    list_permissions(request->identity.role));
	payload.message = "Login successful";
	reply_header(reply, "Cache-Control", "no-store");
	return reply_payload(request, reply, 200, &payload);
}

/* Public: it reads the credentials itself, and says so in "valid". */
static int
validate(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .message = "Token is valid" };

	if (authenticate(request, err) < 0) {
		reply->error_extras = json_object_new_object();
		json_put_boolean(reply->error_extras, "valid", false);
		return -1;
	}
	if (!request->app->settings->auth.enabled)
		payload.message = "Authentication disabled";
	payload.data = json_object_new_object();
	json_put_boolean(payload.data, "valid", true);
	json_put_text(payload.data, "username", request->identity.name);
	json_put_text(payload.data, "role", role_name(request->identity.role));
	json_put(payload.data, "permissions",
	    list_permissions(request->identity.role));
	return reply_payload(request, reply, 200, &payload);
}

const struct route auth_routes[] = {
	{ "GET", "/auth/status", ROLE_PUBLIC, get_status,
	    .without_store = true },
	{ "POST", "/auth/login", ROLE_PUBLIC, login, .body = login_fields,
	    .body_required = true },
	{ "GET", "/auth/validate", ROLE_PUBLIC, validate },
	{ 0 },
};
