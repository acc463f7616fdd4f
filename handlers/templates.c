/* /templates: what deployments can be made from. */
#include "store/templates.h"
#include "docker/reference.h"
#include "handlers/change.h"
#include "handlers/generation.h"
#include "handlers/listing.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

static struct json_object *
render_template(const struct template *template)
{
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = NULL;
	struct error ignored;

	json_put_text(object, "id", template->id);
	if (json_parse_trusted(template->metadata, strlen(template->metadata),
		&metadata, &ignored) == 0) {
		json_object_object_foreach(metadata, name, value)
		    json_put(object, name, json_object_get(value));
		json_object_put(metadata);
	}
	json_put_text(object, "source", template->source);
	json_put_text(object, "content", template->content);
	return object;
}

static int
read_type(struct request *request, const char **out, struct error *err)
{
	*out = request_query(request, "type");
	if (*out == NULL || strcmp(*out, "all") == 0 || **out == '\0' ||
	    strcmp(*out, TEMPLATE_INFRASTRUCTURE) == 0)
		return 0;
	return error_field(
	    err, "type", NULL, "type must be infrastructure, all or nothing");
}

static bool
is_wanted(
    const struct template *template, const char *type, const char *category)
{
	bool shared = strcmp(template->type, TEMPLATE_INFRASTRUCTURE) == 0;

	if (category != NULL && *category != '\0' &&
	    strcmp(template->category, category) != 0)
		return false;
	if (type != NULL && strcmp(type, "all") == 0)
		return true;
	return shared == (type != NULL && *type != '\0');
}

static int
list_templates(struct request *request, struct reply *reply, struct error *err)
{
	const char *category = request_query(request, "category"), *type;
	struct template *templates;
	struct listing listing;
	struct json_object *all;
	size_t count, i;

	if (read_type(request, &type, err) < 0 ||
	    listing_begin(request, reply, "templates", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (template_list(
		request->store, request->arena, &templates, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++)
		if (is_wanted(&templates[i], type, category))
			json_object_array_add(
			    all, render_template(&templates[i]));
	return listing_finish(request, reply, &listing, all, NULL);
}

static int
list_categories(struct request *request, struct reply *reply, struct error *err)
{
	static const struct {
		const char *id, *name, *icon;
		int priority;
	} categories[] = {
		{ "application", "Applications", "pi pi-desktop", 100 },
		{ "framework", "Frameworks", "pi pi-code", 90 },
		{ "runtime", "Runtimes", "pi pi-cog", 80 },
		{ "infrastructure", "Infrastructure", "pi pi-server", 70 },
		{ "database", "Databases", "pi pi-database", 60 },
		{ "basic", "Basic", "pi pi-file", 50 },
	};
	struct payload payload = { .key = "categories",
		.data = json_object_new_array() };
	size_t i;

	(void)err;
	for (i = 0; i < sizeof categories / sizeof categories[0]; i++) {
		struct json_object *row = json_object_new_object();

		json_put_text(row, "id", categories[i].id);
		json_put_text(row, "name", categories[i].name);
		json_put_text(row, "icon", categories[i].icon);
		json_put_integer(row, "priority", categories[i].priority);
		json_object_array_add(payload.data, row);
	}
	return reply_payload(request, reply, 200, &payload);
}

/* The id of the path: ":id", or "infra/" and ":name". */
static int
path_id(const struct request *request, bool shared, const char **out,
    struct error *err)
{
	*out = shared ? arena_printf(request->arena, "infra/%s",
			    request_parameter(request, "name"))
		      : request_parameter(request, "id");
	if (template_id_is_valid(*out))
		return 0;
	return error_field(err, shared ? "name" : "id", "INVALID_ID",
	    "%s must be " TEMPLATE_ID_EXPECTED, shared ? "name" : "id");
}

/* *complete: the client has it already. */
static int
find_template(struct request *request, struct reply *reply, bool shared,
    struct template *out, bool *complete, struct error *err)
{
	int64_t generation;
	const char *id;

	if (path_id(request, shared, &id, err) < 0 ||
	    mirror_generation(request->store, &generation, err) < 0 ||
	    template_get(request->store, id, request->arena, out, err) < 0)
		return -1;
	*complete = reply_not_modified(request, reply,
	    arena_printf(
		request->arena, "\"t%llx\"", (unsigned long long)generation));
	return 0;
}

static int
answer_template(struct request *request, struct reply *reply, bool shared,
    struct error *err)
{
	struct payload payload = { .key = "template" };
	struct template template;
	bool complete;

	if (find_template(request, reply, shared, &template, &complete, err) <
	    0)
		return -1;
	if (complete)
		return 0;
	payload.data = render_template(&template);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_template(struct request *request, struct reply *reply, struct error *err)
{
	return answer_template(request, reply, false, err);
}

static int
get_infra_template(
    struct request *request, struct reply *reply, struct error *err)
{
	return answer_template(request, reply, true, err);
}

#define EXAMPLE_NAME "my-app"

static int
answer_compose(struct request *request, struct reply *reply, bool shared,
    struct error *err)
{
	const char *name = request_query(request, "name"), *text;
	struct payload payload = { .key = NULL };
	struct template_place place;
	struct template template;
	bool complete;

	if (name == NULL || *name == '\0')
		name = EXAMPLE_NAME;
	if (!compose_name_is_valid(name))
		return error_field(err, "name", "INVALID_NAME",
		    "name must be " COMPOSE_NAME_EXPECTED);
	if (find_template(request, reply, shared, &template, &complete, err) <
	    0)
		return -1;
	if (complete)
		return 0;
	place = generation_place(request, name);
	if (template_compose(&template, &place, request->arena, &text, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "template_id", template.id);
	json_put_text(payload.data, "name", name);
	json_put_text(payload.data, "content", text);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_compose(struct request *request, struct reply *reply, struct error *err)
{
	return answer_compose(request, reply, false, err);
}

static int
get_infra_compose(
    struct request *request, struct reply *reply, struct error *err)
{
	return answer_compose(request, reply, true, err);
}

struct generate_input {
	const char *name, *image, *host_port;
	int64_t container_port;
	bool map_ports;
	struct template_mount_choice *mounts;
	size_t mounts_count;
};

static bool
is_mount_type(const char *type)
{
	return strcmp(type, "volume") == 0 || strcmp(type, "file") == 0;
}

static const struct field mount_fields[] = {
	STRING_FIELD(struct template_mount_choice, id, REQUIRED, NULL, NULL),
	BOOL_FIELD(struct template_mount_choice, enabled, OPTIONAL),
	STRING_FIELD(struct template_mount_choice, type, OPTIONAL,
	    is_mount_type, "file or volume"),
	{ 0 },
};

static const struct field generate_fields[] = {
	CODED_FIELD(struct generate_input, name, REQUIRED,
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	CODED_FIELD(struct generate_input, image, OPTIONAL,
	    docker_reference_is_valid, "an image reference", "INVALID_IMAGE"),
	CODED_FIELD(struct generate_input, host_port, OPTIONAL,
	    port_text_is_valid, PORT_EXPECTED, "INVALID_PORT"),
	CODED_INTEGER_FIELD(struct generate_input, container_port, OPTIONAL, 0,
	    65535, "INVALID_PORT"),
	BOOL_FIELD(struct generate_input, map_ports, OPTIONAL),
	LIST_FIELD(struct generate_input, mounts, OPTIONAL,
	    struct template_mount_choice, mount_fields),
	{ 0 },
};

/* What the answer says of ports that were not asked for. */
static int64_t
port_of(const struct template *template)
{
	struct json_object *metadata = NULL;
	struct error ignored;
	int64_t port = 80;

	if (template->metadata != NULL &&
	    json_parse_trusted(template->metadata, strlen(template->metadata),
		&metadata, &ignored) == 0)
		port = json_int(metadata, "container_port", port);
	json_object_put(metadata);
	return port;
}

static int
answer_generated(struct request *request, struct reply *reply,
    struct generation *generation, const struct generate_input *input,
    struct error *err)
{
	struct payload payload = { .data = NULL };
	struct template template = { .id = TEMPLATE_CUSTOM };
	const char *text;

	if (generation_find(request, generation, &template, err) < 0 ||
	    generation_run(request, generation, &template, &text, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "template_id", template.id);
	json_put_text(payload.data, "name", input->name);
	json_put_text(payload.data, "content", text);
	json_put_integer(payload.data, "container_port",
	    input->container_port != 0 ? input->container_port
				       : port_of(&template));
	json_put_boolean(payload.data, "map_ports",
	    generation->port_count > 0 && generation->ports[0].published);
	json_put_text(payload.data, "host_port",
	    input->host_port != NULL ? input->host_port : "");
	return reply_payload(request, reply, 200, &payload);
}

static int
run_generate(struct request *request, struct reply *reply, bool shared,
    struct error *err)
{
	struct generate_input input = { 0 };
	struct generation generation = { 0 };
	struct compose_port port;

	if (path_id(request, shared, &generation.template_id, err) < 0 ||
	    request_decode(request, &input, err) < 0)
		return -1;
	generation.name = input.name;
	generation.image = input.image;
	generation.mounts = input.mounts;
	generation.mount_count = input.mounts_count;
	if (input.host_port != NULL && *input.host_port == '\0')
		input.host_port = NULL;
	port = (struct compose_port){
		.container = (int)input.container_port,
		.host = input.host_port ? port_parse(input.host_port) : 0,
		.published = input.map_ports || input.host_port != NULL,
	};
	if (port.container != 0 || port.published) {
		generation.ports = &port;
		generation.port_count = 1;
	}
	return answer_generated(request, reply, &generation, &input, err);
}

static int
generate_template(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_generate(request, reply, false, err);
}

static int
generate_infra_template(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_generate(request, reply, true, err);
}

static int
refresh_templates(
    struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_TEMPLATE_REFRESH,
		.subject = JOB_ALL_SUBJECT,
		.status = 200,
		.message = "Templates refreshed" };

	return change_run(request, reply, &change, err);
}

const struct route template_routes[] = {
	{ "GET", "/templates", ROLE_VIEWER, list_templates },
	{ "GET", "/templates/categories", ROLE_VIEWER, list_categories },
	{ "POST", "/templates/refresh", ROLE_OPERATOR, refresh_templates },
	{ "GET", "/templates/:id", ROLE_VIEWER, get_template },
	{ "GET", "/templates/:id/compose", ROLE_VIEWER, get_compose },
	{ "POST", "/templates/:id/generate", ROLE_VIEWER, generate_template,
	    .body = generate_fields, .body_required = true },
	{ "GET", "/templates/infra/:name", ROLE_VIEWER, get_infra_template },
	{ "GET", "/templates/infra/:name/compose", ROLE_VIEWER,
	    get_infra_compose },
	{ "POST", "/templates/infra/:name/generate", ROLE_VIEWER,
	    generate_infra_template, .body = generate_fields,
	    .body_required = true },
	{ 0 },
};
