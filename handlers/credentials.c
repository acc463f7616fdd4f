/* /credentials: who we are at registries; never a password. */
#include "store/credentials.h"
#include "base/file.h"
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/keys.h"

#include <string.h>

#define ID_SIZE 13

static int
list_credentials(
    struct request *request, struct reply *reply, struct error *err)
{
	struct credential *credentials;
	struct listing listing;
	struct json_object *all;
	size_t count, i;

	if (listing_begin(request, reply, "credentials", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (credential_list(
		request->store, request->arena, &credentials, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(all, credential_to_json(&credentials[i]));
	return listing_finish(request, reply, &listing, all, NULL);
}

static int
credential_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "id");
	if (credential_id_is_valid(*out))
		return 0;
	return error_field(
	    err, "id", "INVALID_ID", "id must be 12 hexadecimal digits");
}

static int
get_credential(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "credential" };
	struct credential credential;
	const char *id;

	if (credential_subject(request, &id, err) < 0 ||
	    credential_get(
		request->store, id, request->arena, &credential, err) < 0)
		return -1;
	payload.data = credential_to_json(&credential);
	return reply_payload(request, reply, 200, &payload);
}

struct credential_input {
	const char *name, *registry_type_slug, *registry_url, *username;
	const char *password, *email;
	bool is_default;
};

#define INPUT_FIELDS(presence)                                                \
	STRING_FIELD(struct credential_input, name, presence,                 \
	    key_name_is_valid, "1 to 64 printable characters"),               \
	    STRING_FIELD(struct credential_input, registry_type_slug,         \
		presence, registry_slug_is_valid, REGISTRY_SLUG_EXPECTED),    \
	    TEXT_FIELD(struct credential_input, registry_url, OPTIONAL, 512), \
	    STRING_FIELD(struct credential_input, username, presence,         \
		credential_username_is_valid, CREDENTIAL_USERNAME_EXPECTED),  \
	    TEXT_FIELD(struct credential_input, password, presence,           \
		CREDENTIAL_PASSWORD_MAXIMUM),                                 \
	    STRING_FIELD(struct credential_input, email, OPTIONAL,            \
		credential_email_is_valid, CREDENTIAL_EMAIL_EXPECTED),        \
	    BOOL_FIELD(struct credential_input, is_default, OPTIONAL)

static const struct field create_fields[] = { INPUT_FIELDS(REQUIRED), { 0 } };
static const struct field update_fields[] = { INPUT_FIELDS(OPTIONAL), { 0 } };

static void
put_given(struct json_object *object, const char *name, const char *text)
{
	if (text != NULL)
		json_put_text(object, name, text);
}

static struct json_object *
format_arguments(const struct credential_input *input, bool has_default)
{
	struct json_object *object = json_object_new_object();

	put_given(object, "name", input->name);
	put_given(object, "registry_type_slug", input->registry_type_slug);
	put_given(object, "registry_url", input->registry_url);
	put_given(object, "username", input->username);
	put_given(object, "password", input->password);
	put_given(object, "email", input->email);
	if (has_default)
		json_put_boolean(object, "is_default", input->is_default);
	return object;
}

/* The agent keeps the id: it names the file with the password, too. */
static int
create_credential(
    struct request *request, struct reply *reply, struct error *err)
{
	struct credential_input input = { 0 };
	char id[ID_SIZE];
	struct change change = {
		.kind = JOB_CREDENTIAL_CREATE,
		.subject = id,
		.status = 201,
		.message = "Credential created",
		.member = "id",
	};

	if (request_decode(request, &input, err) < 0)
		return -1;
	random_hex(id, ID_SIZE - 1);
	change.arguments = format_arguments(&input, true);
	return change_run(request, reply, &change, err);
}

static int
update_credential(
    struct request *request, struct reply *reply, struct error *err)
{
	struct credential_input input = { 0 };
	struct change change = {
		.kind = JOB_CREDENTIAL_UPDATE,
		.status = 200,
		.message = "Credential updated",
		.member = "id",
	};

	if (credential_subject(request, &change.subject, err) < 0 ||
	    request_decode(request, &input, err) < 0)
		return -1;
	change.arguments = format_arguments(
	    &input, json_member(request->json, "is_default") != NULL);
	return change_run(request, reply, &change, err);
}

static int
change_credential(struct request *request, struct reply *reply,
    struct change *change, struct error *err)
{
	change->status = 200;
	change->member = "id";
	if (credential_subject(request, &change->subject, err) < 0)
		return -1;
	return change_run(request, reply, change, err);
}

static int
delete_credential(
    struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_CREDENTIAL_DELETE,
		.message = "Credential deleted" };

	return change_credential(request, reply, &change, err);
}

static int
test_credential(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_CREDENTIAL_TEST,
		.message = "Credential tested" };

	return change_credential(request, reply, &change, err);
}

const struct route credential_routes[] = {
	{ "GET", "/credentials", ROLE_OPERATOR, list_credentials },
	{ "GET", "/credentials/:id", ROLE_OPERATOR, get_credential },
	{ "POST", "/credentials", ROLE_ADMIN, create_credential,
	    .body = create_fields, .body_required = true },
	{ "PUT", "/credentials/:id", ROLE_ADMIN, update_credential,
	    .body = update_fields, .body_required = true },
	{ "DELETE", "/credentials/:id", ROLE_ADMIN, delete_credential },
	{ "POST", "/credentials/:id/test", ROLE_OPERATOR, test_credential },
	{ 0 },
};
