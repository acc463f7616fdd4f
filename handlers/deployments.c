/* /deployments: reads from the mirror, changes by the agent. */

#include "app.h"
#include "base/clock.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "docker/reference.h"
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/samples.h"

#include <stdlib.h>
#include <string.h>

#define PORTS_MAXIMUM 64

/* Reading. */

/* A deployment together with the containers of its project. */
struct view {
	const struct mirror_deployment *deployment;
	const struct mirror_container *containers;
	size_t count;
	bool docker_up;
};

static const char *
status_of(const struct view *view)
{
	bool paused = false;
	size_t i;

	if (!view->docker_up)
		return "unknown";
	for (i = 0; i < view->count; i++) {
		const char *state = view->containers[i].state;

		if (strcmp(state, "running") == 0)
			return "running";
		paused |= strcmp(state, "paused") == 0;
	}
	return paused ? "paused" : "stopped";
}

static const struct mirror_container *
find_container(const struct view *view, const char *service)
{
	const struct mirror_container *found = NULL;
	size_t i;

	/* Of several replicas a running one speaks for the service. */
	for (i = 0; i < view->count; i++) {
		if (strcmp(view->containers[i].service, service) != 0)
			continue;
		if (strcmp(view->containers[i].state, "running") == 0)
			return &view->containers[i];
		found = &view->containers[i];
	}
	return found;
}

/* Adds to the service of the file what its container is. */
static void
describe_service(
    const struct view *view, struct json_object *service, struct arena *arena)
{
	const struct mirror_container *container =
	    find_container(view, json_text(service, "name"));
	const char *status = "stopped";

	if (!view->docker_up)
		status = "unknown";
	else if (container != NULL)
		status = container->state;
	json_put_text(service, "status", status);
	json_put_text(service, "container_id",
	    container ? rendering_short_id(arena, container->id) : "");
	json_put_text(
	    service, "container_name", container ? container->name : "");
	if (container != NULL && container->health[0] != '\0')
		json_put_text(service, "health", container->health);
	json_put_text(service, "created_at",
	    container ? clock_text_ms(arena, container->created_at * 1000)
		      : "0001-01-01T00:00:00Z");
}

static struct json_object *
render_deployment(const struct view *view, struct arena *arena)
{
	const struct mirror_deployment *deployment = view->deployment;
	struct json_object *object = json_object_new_object();
	struct json_object *services = rendering_array(deployment->services);
	const char *modified = clock_text_ms(arena, deployment->modified_at_ms);
	size_t i;

	for (i = 0; i < json_object_array_length(services); i++)
		describe_service(
		    view, json_object_array_get_idx(services, i), arena);
	json_put_text(object, "name", deployment->name);
	json_put_text(object, "path", deployment->path);
	json_put_text(object, "status", status_of(view));
	json_put_text(object, "created_at", modified);
	json_put_text(object, "updated_at", modified);
	json_put(object, "services", services);
	json_put(object, "metadata", rendering_object(deployment->metadata));
	if (deployment->problem[0] != '\0')
		json_put_text(object, "problem", deployment->problem);
	return object;
}

static int
compare_projects(const void *left, const void *right)
{
	const struct mirror_container *a = left, *b = right;
	int order = strcmp(a->project, b->project);

	return order ? order : strcmp(a->name, b->name);
}

/* The containers of the project, in an array sorted by project. */
static void
find_project(
    struct view *view, const struct mirror_container *containers, size_t count)
{
	const char *project = view->deployment->project;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(containers[middle].project, project) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	view->containers = containers + low;
	for (view->count = 0;
	     low + view->count < count &&
	     strcmp(containers[low + view->count].project, project) == 0;
	     view->count++)
		;
}

static bool
status_is_known(const char *status)
{
	static const char *const known[] = { "running", "stopped", "paused",
		"error", "unknown" };
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i], status) == 0)
			return true;
	return false;
}

static int
read_mirror(struct request *request, struct mirror_deployment **deployments,
    size_t *deployment_count, struct mirror_container **containers,
    size_t *container_count, struct error *err)
{
	int failed;

	if (mirror_read(request->store, err) < 0)
		return -1;
	failed = mirror_deployment_list(request->store, request->arena,
		     deployments, deployment_count, err) < 0 ||
		 mirror_container_list(request->store, NULL, request->arena,
		     containers, container_count, err) < 0;
	mirror_read_end(request->store);
	return failed ? -1 : 0;
}

static int
list_deployments(
    struct request *request, struct reply *reply, struct error *err)
{
	const char *wanted = request_query(request, "status");
	struct mirror_deployment *deployments;
	struct mirror_container *containers;
	size_t deployment_count, container_count, i;
	struct json_object *all, *extras;
	struct listing listing;

	if (wanted != NULL && !status_is_known(wanted))
		return error_field(err, "status", NULL,
		    "status must be running, stopped, paused, error or "
		    "unknown");
	if (listing_begin(request, reply, "deployments", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (read_mirror(request, &deployments, &deployment_count, &containers,
		&container_count, err) < 0)
		return -1;
	if (container_count > 0)
		qsort(containers, container_count, sizeof *containers,
		    compare_projects);
	all = json_object_new_array();
	for (i = 0; i < deployment_count; i++) {
		struct view view = { .deployment = &deployments[i],
			.docker_up = listing.heartbeat.docker_up ||
				     listing.heartbeat.stale };

		/* They are listed with the infrastructure. */
		if (strcmp(deployments[i].type, "infrastructure") == 0)
			continue;
		find_project(&view, containers, container_count);
		if (wanted == NULL || strcmp(status_of(&view), wanted) == 0)
			json_object_array_add(
			    all, render_deployment(&view, request->arena));
	}
	extras = json_object_new_object();
	json_put_text(extras, "path", request->app->settings->deployments_path);
	return listing_finish(request, reply, &listing, all, extras);
}

static int
find_deployment(
    struct request *request, struct mirror_deployment *out, struct error *err)
{
	const char *name;

	return change_subject(request, &name, err) < 0
		   ? -1
		   : mirror_deployment_get(
			 request->store, name, request->arena, out, err);
}

static int
get_deployment(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct mirror_container *containers;
	struct payload payload = { .key = "deployment" };
	struct heartbeat heartbeat;
	struct view view = { .deployment = &deployment };

	if (find_deployment(request, &deployment, err) < 0 ||
	    mirror_container_list(request->store, deployment.project,
		request->arena, &containers, &view.count, err) < 0)
		return -1;
	heartbeat_read(request->app->settings->run_directory, &heartbeat);
	view.containers = containers;
	view.docker_up = heartbeat.docker_up || heartbeat.stale;
	payload.data = render_deployment(&view, request->arena);
	payload.extras = json_object_new_object();
	json_put_text(payload.extras, "compose_content", deployment.compose);
	json_put_text(payload.extras, "compose_filename", deployment.filename);
	json_put(payload.extras, "proxy_status", NULL);
	if (heartbeat.stale) {
		reply_header(reply, "Warning", "110 - \"Response is Stale\"");
		json_put_boolean(payload.extras, "stale", true);
	}
	return reply_payload(request, reply, 200, &payload);
}

static int
get_compose(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { 0 };

	if (find_deployment(request, &deployment, err) < 0)
		return -1;
	payload.data = json_object_new_object();
	json_put_text(payload.data, "name", deployment.name);
	json_put_text(payload.data, "content", deployment.compose);
	json_put_text(payload.data, "filename", deployment.filename);
	return reply_payload(request, reply, 200, &payload);
}

static int
get_stats(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct payload payload = { 0 };
	struct json_object *services, *summary;
	double cpu = 0;
	int64_t usage = 0, limit = 0;
	struct sample *samples;
	size_t count, i;

	if (find_deployment(request, &deployment, err) < 0 ||
	    store_sample_list(request->store, deployment.project,
		request->arena, &samples, &count, err) < 0)
		return -1;
	services = json_object_new_array();
	for (i = 0; i < count; i++) {
		json_object_array_add(
		    services, rendering_sample(&samples[i], deployment.name,
				  request->arena));
		cpu += samples[i].cpu_percent;
		usage += samples[i].memory_usage;
		limit += samples[i].memory_limit;
	}
	summary = json_object_new_object();
	json_put(summary, "cpu_percent", json_object_new_double(cpu));
	json_put(summary, "memory_percent",
	    json_object_new_double(
		limit > 0 ? (double)usage / (double)limit * 100 : 0));
	json_put_integer(summary, "memory_usage", usage);
	json_put_integer(summary, "memory_limit", limit);
	payload.data = json_object_new_object();
	json_put_text(payload.data, "deployment", deployment.name);
	json_put(payload.data, "services", services);
	json_put(payload.data, "summary", summary);
	return reply_payload(request, reply, 200, &payload);
}

/* Creating. */

struct variable_input {
	const char *key, *value;
};

static const struct field variable_fields[] = {
	CODED_FIELD(struct variable_input, key, REQUIRED,
	    compose_variable_name_is_valid,
	    "a variable name: letters, digits and '_'", "INVALID_ENVIRONMENT"),
	STRING_FIELD(struct variable_input, value, OPTIONAL, NULL, NULL),
	{ 0 },
};

/* Clients write either container_port and host_port or container and host. */
struct port_input {
	int64_t container_port, container;
	const char *host_port, *host;
};

/* The port number, or 0 for what is none. */
static int
parse_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long port = digits > 0 && digits < 6 ? strtol(text, NULL, 10) : 0;

	return text[digits] == '\0' && port >= 1 && port <= 65535 ? (int)port
								  : 0;
}

static bool
is_port_text(const char *text)
{
	return parse_port(text) != 0;
}

#define PORT_EXPECTED "a port number from 1 to 65535"

static const struct field port_fields[] = {
	CODED_INTEGER_FIELD(struct port_input, container_port, OPTIONAL, 1,
	    65535, "INVALID_PORT"),
	CODED_INTEGER_FIELD(
	    struct port_input, container, OPTIONAL, 1, 65535, "INVALID_PORT"),
	CODED_FIELD(struct port_input, host_port, OPTIONAL, is_port_text,
	    PORT_EXPECTED, "INVALID_PORT"),
	CODED_FIELD(struct port_input, host, OPTIONAL, is_port_text,
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
	struct variable_input *env_vars;
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
	CODED_FIELD(struct create_input, host_port, OPTIONAL, is_port_text,
	    PORT_EXPECTED, "INVALID_PORT"),
	CODED_INTEGER_FIELD(struct create_input, container_port, OPTIONAL, 1,
	    65535, "INVALID_PORT"),
	BOOL_FIELD(struct create_input, map_ports, OPTIONAL),
	BOOL_FIELD(struct create_input, auto_start, OPTIONAL),
	LIST_FIELD(struct create_input, ports, OPTIONAL, struct port_input,
	    port_fields),
	LIST_FIELD(struct create_input, env_vars, OPTIONAL,
	    struct variable_input, variable_fields),
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
			.host = has_text(host) ? parse_port(host) : 0,
			.published = true,
		};
	}
	if (*count == 0)
		ports[(*count)++] = (struct compose_port){
			.container = input->container_port != 0
					 ? (int)input->container_port
					 : 80,
			.host = has_text(input->host_port)
				    ? parse_port(input->host_port)
				    : 0,
			.published =
			    input->map_ports || has_text(input->host_port),
		};
	return 0;
}

/* The compose text: the client's, or one for the image it names. */
static int
choose_compose(struct request *request, const struct create_input *input,
    const char **out, struct error *err)
{
	struct compose_port ports[PORTS_MAXIMUM];
	auto_buffer struct buffer text = BUFFER(64 * 1024);
	size_t count;

	if (has_text(input->compose_content)) {
		*out = input->compose_content;
		return 0;
	}
	if (has_text(input->template_id) &&
	    strcmp(input->template_id, "custom") != 0)
		return error_field(err, "template_id", "TEMPLATE_NOT_FOUND",
		    "compose_content is required when template cannot be "
		    "resolved: template '%.64s' not found",
		    input->template_id);
	if (!has_text(input->image))
		return error_field(err, "compose_content", NULL,
		    "compose_content or image is required");
	if (collect_ports(input, ports, &count, err) < 0 ||
	    compose_generate(
		input->name, input->image, ports, count, &text, err) < 0)
		return -1;
	*out = arena_strdup(request->arena, buffer_string(&text));
	return 0;
}

/* All that can be refused without leaving this process is refused here. */
static int
check_create(struct request *request, const struct create_input *input,
    const char *compose, struct error *err)
{
	struct compose_variable *variables = arena_array(
	    request->arena, input->env_vars_count, sizeof *variables);
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct document *document;
	size_t i;

	for (i = 0; i < input->env_vars_count; i++)
		variables[i] = (struct compose_variable){
			.name = input->env_vars[i].key,
			.value = input->env_vars[i].value
				     ? input->env_vars[i].value
				     : "",
		};
	if (compose_environment_format(
		variables, input->env_vars_count, &environment, err) < 0 ||
	    compose_check(request->app->compose, input->name, compose,
		strlen(compose), buffer_string(&environment), request->arena,
		&document, err) < 0)
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
	const char *compose = NULL;

	if (request_decode(request, &input, err) < 0 ||
	    choose_compose(request, &input, &compose, err) < 0 ||
	    check_create(request, &input, compose, err) < 0)
		return -1;
	change.subject = input.name;
	change.arguments = json_object_new_object();
	json_put_text(change.arguments, "compose_content", compose);
	json_put_boolean(change.arguments, "auto_start", input.auto_start);
	json_put(change.arguments, "env_vars",
	    json_object_get(json_member(request->json, "env_vars")));
	json_put(change.arguments, "metadata", json_object_get(input.metadata));
	return change_run(request, reply, &change, err);
}

/* Changing what exists. */

/* The agent checks again; a name that is not there is told at once. */
static int
run_change(struct request *request, struct reply *reply, struct change *change,
    struct error *err)
{
	struct mirror_deployment deployment;

	if (find_deployment(request, &deployment, err) < 0) {
		json_object_put(change->arguments);
		return -1;
	}
	change->subject = deployment.name;
	return change_run(request, reply, change, err);
}

struct update_input {
	const char *compose_content;
	bool apply;
};

static const struct field update_fields[] = {
	TEXT_FIELD(struct update_input, compose_content, REQUIRED,
	    COMPOSE_TEXT_MAXIMUM),
	BOOL_FIELD(struct update_input, apply, OPTIONAL),
	{ 0 },
};

static int
update_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct update_input input = { 0 };
	struct document *document;
	struct change change = { .kind = JOB_UPDATE,
		.status = 200,
		.message = "Deployment updated",
		.output_name = "output" };

	/* The rest needs the environment, which only the agent may read. */
	if (request_decode(request, &input, err) < 0 ||
	    document_parse(input.compose_content, strlen(input.compose_content),
		request->arena, &document, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_text(
	    change.arguments, "compose_content", input.compose_content);
	json_put_boolean(change.arguments, "apply", input.apply);
	return run_change(request, reply, &change, err);
}

static int
delete_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	struct change change = { .kind = JOB_DELETE,
		.status = 200,
		.message = "Deployment deleted",
		.output_name = "output" };
	bool ssl, database, vhost;

	if (request_query_boolean(request, "delete_ssl", true, &ssl, err) < 0 ||
	    request_query_boolean(
		request, "delete_database", false, &database, err) < 0 ||
	    request_query_boolean(request, "delete_vhost", true, &vhost, err) <
		0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "delete_vhost", vhost);
	return run_change(request, reply, &change, err);
}

struct start_input {
	bool force_recreate, no_cache, fresh_pull;
};

static const struct field start_fields[] = {
	BOOL_FIELD(struct start_input, force_recreate, OPTIONAL),
	BOOL_FIELD(struct start_input, no_cache, OPTIONAL),
	BOOL_FIELD(struct start_input, fresh_pull, OPTIONAL),
	{ 0 },
};

static int
run_start(struct request *request, struct reply *reply, const char *kind,
    const char *message, struct error *err)
{
	struct start_input input = { 0 };
	struct change change = { .kind = kind,
		.status = 200,
		.message = message,
		.output_name = "output" };

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(
	    change.arguments, "force_recreate", input.force_recreate);
	json_put_boolean(change.arguments, "no_cache", input.no_cache);
	json_put_boolean(change.arguments, "fresh_pull", input.fresh_pull);
	return run_change(request, reply, &change, err);
}

static int
start_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_start(request, reply, JOB_START, "Deployment started", err);
}

static int
stop_deployment(struct request *request, struct reply *reply, struct error *err)
{
	return run_start(request, reply, JOB_STOP, "Deployment stopped", err);
}

static int
restart_deployment(
    struct request *request, struct reply *reply, struct error *err)
{
	return run_start(
	    request, reply, JOB_RESTART, "Deployment restarted", err);
}

const struct route deployment_routes[] = {
	{ "GET", "/deployments", ROLE_VIEWER, list_deployments },
	{ "POST", "/deployments", ROLE_OPERATOR, create_deployment,
	    .body = create_fields, .body_required = true },
	{ "GET", "/deployments/:name", ROLE_VIEWER, get_deployment },
	{ "PUT", "/deployments/:name", ROLE_OPERATOR, update_deployment,
	    .body = update_fields, .body_required = true },
	{ "DELETE", "/deployments/:name", ROLE_OPERATOR, delete_deployment },
	{ "GET", "/deployments/:name/compose", ROLE_VIEWER, get_compose },
	{ "GET", "/deployments/:name/stats", ROLE_VIEWER, get_stats },
	{ "POST", "/deployments/:name/start", ROLE_OPERATOR, start_deployment,
	    .body = start_fields },
	{ "POST", "/deployments/:name/stop", ROLE_OPERATOR, stop_deployment,
	    .body = start_fields },
	{ "POST", "/deployments/:name/restart", ROLE_OPERATOR,
	    restart_deployment, .body = start_fields },
	{ 0 },
};
