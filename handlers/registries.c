/* /registries: kinds of registries, built in and our own. */
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/credentials.h"

static int
list_registries(struct request *request, struct reply *reply, struct error *err)
{
	struct registry_type *types;
	struct listing listing;
	struct json_object *all;
	size_t count, i;

	if (listing_begin(request, reply, "registry_types", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (registry_type_list(
		request->store, request->arena, &types, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(all, registry_type_to_json(&types[i]));
	return listing_finish(request, reply, &listing, all, NULL);
}

static int
registry_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "slug");
	if (registry_slug_is_valid(*out))
		return 0;
	return error_field(err, "slug", "INVALID_NAME",
	    "slug must be " REGISTRY_SLUG_EXPECTED);
}

static int
get_registry(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "registry_type" };
	struct registry_type type;
	const char *slug;

	if (registry_subject(request, &slug, err) < 0 ||
	    registry_type_get(
		request->store, slug, request->arena, &type, err) < 0)
		return -1;
	payload.data = registry_type_to_json(&type);
	return reply_payload(request, reply, 200, &payload);
}

struct registry_input {
	const char *slug, *name, *auth_type, *login_url, *docs_url, *icon;
};

#define INPUT_TEXT(member)                                    \
	STRING_FIELD(struct registry_input, member, OPTIONAL, \
	    registry_text_is_valid, "up to 255 printable characters")

#define INPUT_FIELDS(presence)                                         \
	STRING_FIELD(struct registry_input, name, presence,            \
	    registry_text_is_valid, "up to 255 printable characters"), \
	    STRING_FIELD(struct registry_input, auth_type, OPTIONAL,   \
		registry_auth_is_valid, "basic or token"),             \
	    INPUT_TEXT(login_url), INPUT_TEXT(docs_url), INPUT_TEXT(icon)

static const struct field create_fields[] = {
	CODED_FIELD(struct registry_input, slug, REQUIRED,
	    registry_slug_is_valid, REGISTRY_SLUG_EXPECTED, "INVALID_NAME"),
	INPUT_FIELDS(REQUIRED),
	{ 0 },
};
static const struct field update_fields[] = { INPUT_FIELDS(OPTIONAL), { 0 } };

static void
put_given(struct json_object *object, const char *name, const char *text)
{
	if (text != NULL)
		json_put_text(object, name, text);
}

static int
run_write(struct request *request, struct reply *reply,
    const struct registry_input *input, struct change *change,
    struct error *err)
{
	struct json_object *patterns =
	    json_member(request->json, "url_patterns");
	struct json_object *arguments;

	if (patterns != NULL && registry_patterns_check(patterns, err) < 0)
		return -1;
	arguments = json_object_new_object();
	put_given(arguments, "name", input->name);
	put_given(arguments, "auth_type", input->auth_type);
	put_given(arguments, "login_url", input->login_url);
	put_given(arguments, "docs_url", input->docs_url);
	put_given(arguments, "icon", input->icon);
	if (patterns != NULL)
		json_put(arguments, "url_patterns", json_object_get(patterns));
	change->arguments = arguments;
	change->member = "slug";
	return change_run(request, reply, change, err);
}

static int
create_registry(struct request *request, struct reply *reply, struct error *err)
{
	struct registry_input input = { 0 };
	struct change change = {
		.kind = JOB_REGISTRY_CREATE,
		.status = 201,
		.message = "Registry type created",
	};

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.subject = input.slug;
	return run_write(request, reply, &input, &change, err);
}

static int
update_registry(struct request *request, struct reply *reply, struct error *err)
{
	struct registry_input input = { 0 };
	struct change change = {
		.kind = JOB_REGISTRY_UPDATE,
		.status = 200,
		.message = "Registry type updated",
	};

	if (registry_subject(request, &change.subject, err) < 0 ||
	    request_decode(request, &input, err) < 0)
		return -1;
	return run_write(request, reply, &input, &change, err);
}

static int
delete_registry(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = {
		.kind = JOB_REGISTRY_DELETE,
		.status = 200,
		.message = "Registry type deleted",
		.member = "slug",
	};

	if (registry_subject(request, &change.subject, err) < 0)
		return -1;
	return change_run(request, reply, &change, err);
}

const struct route registry_routes[] = {
	{ "GET", "/registries", ROLE_VIEWER, list_registries },
	{ "GET", "/registries/:slug", ROLE_VIEWER, get_registry },
	{ "POST", "/registries", ROLE_ADMIN, create_registry,
	    .body = create_fields, .body_required = true },
	{ "PUT", "/registries/:slug", ROLE_ADMIN, update_registry,
	    .body = update_fields, .body_required = true },
	{ "DELETE", "/registries/:slug", ROLE_ADMIN, delete_registry },
	{ 0 },
};
