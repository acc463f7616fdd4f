/* Edits of Compose texts: of the editor's, and of deployments' files. */
#include "compose/adapt.h"
#include "compose/compose.h"
#include "compose/update-arguments.h"
#include "docker/docker.h"
#include "handlers/deployments.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"

#include <string.h>

#define PORTS_MAXIMUM 64

struct mount_input {
	const char *id, *type, *container_path;
	bool enabled;
};

static bool
is_mount_type(const char *text)
{
	return strcmp(text, "volume") == 0 || strcmp(text, "file") == 0;
}

static bool
is_absolute(const char *text)
{
	return *text == '/' && strchr(text, ':') == NULL;
}

static const struct field port_fields[] = {
	CODED_INTEGER_FIELD(struct adapt_port, container_port, REQUIRED, 1,
	    65535, "INVALID_PORT"),
	STRING_FIELD(struct adapt_port, host_port, OPTIONAL, NULL, NULL),
	{ 0 },
};

static const struct field mount_fields[] = {
	STRING_FIELD(struct mount_input, id, REQUIRED, docker_name_is_valid,
	    "2 to 128 of a-z, A-Z, 0-9, '_', '.' and '-'"),
	STRING_FIELD(struct mount_input, type, OPTIONAL, is_mount_type,
	    "volume or file"),
	STRING_FIELD(struct mount_input, container_path, OPTIONAL, is_absolute,
	    "an absolute path without ':'"),
	BOOL_FIELD(struct mount_input, enabled, OPTIONAL),
	{ 0 },
};

struct database_input {
	const char *mode, *type;
	const char *name, *user, *password, *root_password;
};

static bool
is_database_mode(const char *text)
{
	static const char *const modes[] = { "create", "existing", "external",
		"shared", "none", NULL };
	size_t i;

	for (i = 0; modes[i] != NULL; i++)
		if (strcmp(modes[i], text) == 0)
			return true;
	return false;
}

static const struct field database_fields[] = {
	STRING_FIELD(struct database_input, mode, OPTIONAL, is_database_mode,
	    "create, existing, external, shared or none"),
	STRING_FIELD(struct database_input, type, OPTIONAL,
	    compose_database_type_is_valid,
	    "mysql, mariadb, postgres or mongo"),
	STRING_FIELD(struct database_input, name, OPTIONAL, NULL, NULL),
	STRING_FIELD(struct database_input, user, OPTIONAL, NULL, NULL),
	STRING_FIELD(struct database_input, password, OPTIONAL, NULL, NULL),
	STRING_FIELD(
	    struct database_input, root_password, OPTIONAL, NULL, NULL),
	{ 0 },
};

struct update_input {
	const char *content;
	struct adapt_port *ports;
	size_t ports_count;
	struct mount_input *mounts;
	size_t mounts_count;
	struct json_object *database;
};

static const struct field update_fields[] = {
	TEXT_FIELD(
	    struct update_input, content, REQUIRED, COMPOSE_TEXT_MAXIMUM),
	LIST_FIELD(struct update_input, ports, OPTIONAL, struct adapt_port,
	    port_fields),
	LIST_FIELD(struct update_input, mounts, OPTIONAL, struct mount_input,
	    mount_fields),
	OBJECT_FIELD(struct update_input, database, OPTIONAL),
	{ 0 },
};

static int
adapt_mounts(struct compose_edit *edit, const struct update_input *input,
    struct error *err)
{
	struct adapt_mount *mounts =
	    arena_array(edit->arena, input->mounts_count + 1, sizeof *mounts);
	size_t i;

	for (i = 0; i < input->mounts_count; i++)
		mounts[i] = (struct adapt_mount){
			.id = input->mounts[i].id,
			.is_volume =
			    input->mounts[i].type != NULL &&
			    strcmp(input->mounts[i].type, "volume") == 0,
			.enabled = input->mounts[i].enabled,
			.container_path = input->mounts[i].container_path,
		};
	return compose_adapt_mounts(edit, mounts, input->mounts_count, err);
}

/* Of the modes only one puts a database into the document. */
static int
adapt_database(struct compose_edit *edit, const struct update_input *input,
    struct error *err)
{
	struct database_input database = { 0 };
	struct adapt_database wanted;

	if (input->database == NULL)
		return 0;
	if (fields_decode(database_fields, input->database, edit->arena,
		&database, err) < 0)
		return -1;
	if (database.mode == NULL || strcmp(database.mode, "create") != 0)
		return 0;
	if (database.type == NULL)
		return error_field(
		    err, "database.type", NULL, "database.type is required");
	wanted = (struct adapt_database){
		.type = database.type,
		.name = database.name,
		.user = database.user,
		.password = database.password,
		.root_password = database.root_password,
	};
	return compose_adapt_database(edit, &wanted, err);
}

/* Nothing is stored: the answer is the text for the editor. */
static int
update_compose(struct request *request, struct reply *reply, struct error *err)
{
	struct update_input input = { 0 };
	struct payload payload = { 0 };
	struct compose_edit edit = { .arena = request->arena };

	if (request_decode(request, &input, err) < 0)
		return -1;
	if (input.ports_count > PORTS_MAXIMUM)
		return error_field(err, "ports", NULL,
		    "ports has more than %d elements", PORTS_MAXIMUM);
	edit.text = input.content;
	edit.length = strlen(input.content);
	if (compose_adapt_ports(&edit, input.ports, input.ports_count, err) <
		0 ||
	    adapt_mounts(&edit, &input, err) < 0 ||
	    adapt_database(&edit, &input, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "content", edit.text);
	return reply_payload(request, reply, 200, &payload);
}

static int
set_image(struct request *request, struct reply *reply, struct error *err)
{
	const char *service = request_parameter(request, "service");
	struct image_arguments input = IMAGE_ARGUMENTS;
	struct probe_arguments probe = { 0 };
	struct change change = { .kind = JOB_SET_IMAGE,
		.status = 200,
		.message = "Image set",
		.output_name = "output" };

	if (!compose_name_is_valid(service))
		return error_field(err, "service", "INVALID_NAME",
		    "service must be " COMPOSE_NAME_EXPECTED);
	if (request_decode(request, &input, err) < 0 ||
	    probe_arguments_decode(input.probe, request->arena, &probe, err) <
		0)
		return -1;
	change.arguments = fields_select(image_argument_fields, request->json);
	json_put_text(change.arguments, "service", service);
	return deployment_change(request, reply, &change, err);
}

static int
change_mounts(struct request *request, struct reply *reply,
    struct change *change, const struct field *fields, struct error *err)
{
	struct mount_arguments input = MOUNT_ARGUMENTS;
	struct probe_arguments probe = { 0 };

	change->status = 200;
	change->output_name = "output";
	if (request_decode(request, &input, err) < 0 ||
	    probe_arguments_decode(input.probe, request->arena, &probe, err) <
		0)
		return -1;
	change->arguments = fields_select(fields, request->json);
	return deployment_change(request, reply, change, err);
}

static int
add_mount(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_MOUNT, .message = "Mount added" };

	return change_mounts(
	    request, reply, &change, mount_argument_fields, err);
}

static int
remove_mount(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_UNMOUNT,
		.message = "Mount removed" };

	return change_mounts(
	    request, reply, &change, unmount_argument_fields, err);
}

const struct route compose_edit_routes[] = {
	{ "POST", "/compose/update", ROLE_OPERATOR, update_compose,
	    .body = update_fields, .body_required = true },
	{ "PUT", "/deployments/:name/services/:service/image", ROLE_OPERATOR,
	    set_image, .body = image_argument_fields, .body_required = true },
	{ "POST", "/deployments/:name/compose/mount", ROLE_OPERATOR, add_mount,
	    .body = mount_argument_fields, .body_required = true },
	{ "POST", "/deployments/:name/compose/unmount", ROLE_OPERATOR,
	    remove_mount, .body = unmount_argument_fields,
	    .body_required = true },
	{ 0 },
};
