/* POST /deployments: what is asked for becomes a Compose text. */
#include "app.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "docker/reference.h"
#include "handlers/change.h"
#include "handlers/generation.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"

#include <string.h>

#define PORTS_MAXIMUM 64

/* Clients write either container_port and host_port or container and host. */
struct port_input {
	int64_t container_port, container;
	const char *host_port, *host;
};

static const struct field port_fields[] = {
	CODED_INTEGER_FIELD(struct port_input, container_port, OPTIONAL, 1,
	    65535, "INVALID_PORT"),
	CODED_INTEGER_FIELD(
	    struct port_input, container, OPTIONAL, 1, 65535, "INVALID_PORT"),
	CODED_FIELD(struct port_input, host_port, OPTIONAL, port_text_is_valid,
	    PORT_EXPECTED, "INVALID_PORT"),
	CODED_FIELD(struct port_input, host, OPTIONAL, port_text_is_valid,
	    PORT_EXPECTED, "INVALID_PORT"),
	{ 0 },
};

struct create_input {
	const char *name;
	const char *compose_content; /* "" or NULL: made from image */
	const char *template_id, *image, *host_port;
	int64_t container_port;
	bool map_ports, auto_start;
	struct port_input *ports;
	size_t ports_count;
	struct compose_variable *env_vars;
	size_t env_vars_count;
	struct json_object *metadata;
};

static const struct field create_fields[] = {
	CODED_FIELD(struct create_input, name, REQUIRED, compose_name_is_valid,
	    COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	TEXT_FIELD(struct create_input, compose_content, OPTIONAL,
	    COMPOSE_TEXT_MAXIMUM),
	STRING_FIELD(struct create_input, template_id, OPTIONAL, NULL, NULL),
	CODED_FIELD(struct create_input, image, OPTIONAL,
	    docker_reference_is_valid, "an image reference", "INVALID_IMAGE"),
	CODED_FIELD(struct create_input, host_port, OPTIONAL,
	    port_text_is_valid, PORT_EXPECTED, "INVALID_PORT"),
	CODED_INTEGER_FIELD(struct create_input, container_port, OPTIONAL, 1,
	    65535, "INVALID_PORT"),
	BOOL_FIELD(struct create_input, map_ports, OPTIONAL),
	BOOL_FIELD(struct create_input, auto_start, OPTIONAL),
	LIST_FIELD(struct create_input, ports, OPTIONAL, struct port_input,
	    port_fields),
	LIST_FIELD(struct create_input, env_vars, OPTIONAL,
	    struct compose_variable, compose_variable_fields),
	OBJECT_FIELD(struct create_input, metadata, OPTIONAL),
	{ 0 },
};

static bool
has_text(const char *text)
{
	return text != NULL && *text != '\0';
}

static int
collect_ports(const struct create_input *input, struct compose_port *ports,
    size_t *count, struct error *err)
{
	size_t i;

	*count = 0;
	if (input->ports_count > PORTS_MAXIMUM)
		return error_field(err, "ports", NULL,
		    "ports has more than %d elements", PORTS_MAXIMUM);
	for (i = 0; i < input->ports_count; i++) {
		const struct port_input *port = &input->ports[i];
		const char *host =
		    has_text(port->host_port) ? port->host_port : port->host;
		int64_t container = port->container_port != 0
					? port->container_port
					: port->container;

		if (container == 0)
			return error_field(err, "ports", "INVALID_PORT",
			    "ports[%zu].container_port is required", i);
		ports[(*count)++] = (struct compose_port){
			.container = (int)container,
			.host = has_text(host) ? port_parse(host) : 0,
			.published = true,
		};
	}
	if (*count == 0 && (input->container_port != 0 || input->map_ports ||
			       has_text(input->host_port)))
		ports[(*count)++] = (struct compose_port){
			.container = (int)input->container_port,
			.host = has_text(input->host_port)
				    ? port_parse(input->host_port)
				    : 0,
			.published =
			    input->map_ports || has_text(input->host_port),
		};
	return 0;
}

/* What the deployment will be made of. */
struct creation {
	const struct create_input *input;
	const char *compose;
	struct template template;
	bool has_template;
};

/*
 * Clients that show the text before send it with the template's id: one that
 * is not here is of no matter then.
 */
static int
find_template(
    struct request *request, struct creation *creation, struct error *err)
{
	const struct create_input *input = creation->input;
	struct generation generation = { .template_id = input->template_id };
	struct error failure;

	if (!generation_has_template(&generation))
		return 0;
	if (generation_find(
		request, &generation, &creation->template, &failure) == 0) {
		creation->has_template = true;
		return 0;
	}
	if (failure.kind != ERR_NOT_FOUND) {
		*err = failure;
		return -1;
	}
	return has_text(input->compose_content)
		   ? 0
		   : error_field(err, "template_id", "TEMPLATE_NOT_FOUND",
			 "compose_content is required when template cannot be "
			 "resolved: template '%.64s' not found",
			 input->template_id);
}

/* The compose text: the client's, or one for the template or the image. */
static int
choose_compose(
    struct request *request, struct creation *creation, struct error *err)
{
	const struct create_input *input = creation->input;
	struct compose_port ports[PORTS_MAXIMUM];
	struct generation generation = { .template_id = input->template_id,
		.name = input->name,
		.image = input->image,
		.ports = ports };

	if (find_template(request, creation, err) < 0)
		return -1;
	if (has_text(input->compose_content)) {
		creation->compose = input->compose_content;
		return 0;
	}
	if (!has_text(input->template_id) && !has_text(input->image))
		return error_field(err, "compose_content", NULL,
		    "compose_content or image is required");
	if (collect_ports(input, ports, &generation.port_count, err) < 0)
		return -1;
	return generation_run(
	    request, &generation, &creation->template, &creation->compose, err);
}

/* With secrets that nobody will see: the agent makes others. */
static int
complete_environment(struct request *request, const struct creation *creation,
    struct compose_variable **variables, size_t *count, struct error *err)
{
	struct template_place place =
	    generation_place(request, creation->input->name);

	return creation->has_template
		   ? template_environment(&creation->template, &place,
			 *variables, *count, request->arena, variables, count,
			 err)
		   : 0;
}

/* All that can be refused without leaving this process is refused here. */
static int
check_create(
    struct request *request, const struct creation *creation, struct error *err)
{
	const struct create_input *input = creation->input;
	struct compose_variable *variables = arena_array(
	    request->arena, input->env_vars_count, sizeof *variables);
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	size_t count = input->env_vars_count, i;
	struct document *document;

	for (i = 0; i < count; i++)
		variables[i] = (struct compose_variable){
			.name = input->env_vars[i].name,
			.value = input->env_vars[i].value
				     ? input->env_vars[i].value
				     : "",
		};
	if (complete_environment(request, creation, &variables, &count, err) <
		0 ||
	    compose_environment_format(variables, count, &environment, err) <
		0 ||
	    compose_check(request->app->compose, input->name, creation->compose,
		strlen(creation->compose), buffer_string(&environment),
		request->arena, &document, err) < 0)
		return -1;
	return input->metadata != NULL ? metadata_check(input->metadata, err)
				       : 0;
}

static int
create_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct create_input input = { 0 };
	struct change change = { .kind = JOB_CREATE,
		.status = 201,
		.message = "Deployment created",
		.output_name = "start_output" };
	struct creation creation = { .input = &input };

	if (request_decode(request, &input, err) < 0 ||
	    choose_compose(request, &creation, err) < 0 ||
	    check_create(request, &creation, err) < 0)
		return -1;
	change.subject = input.name;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "compose_content", creation.compose);
	if (creation.has_template)
		json_put_text(
		    change.arguments, "template_id", creation.template.id);
	json_put_boolean(change.arguments, "auto_start", input.auto_start);
	json_put(change.arguments, "env_vars",
	    json_object_get(json_member(request->json, "env_vars")));
	json_put(change.arguments, "metadata", json_object_get(input.metadata));
	return change_run(request, reply, &change, err);
}

const struct route deployment_create_routes[] = {
	{ "POST", "/deployments", ROLE_OPERATOR, create_deployment,
	    .body = create_fields, .body_required = true },
	{ 0 },
};
