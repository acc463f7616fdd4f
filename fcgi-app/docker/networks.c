#include "docker/docker-private.h"

static int
build_path(const char *project, struct buffer *path)
{
	auto_json struct json_object *filters = json_object_new_object();
	auto_buffer struct buffer label = BUFFER(1024);
	struct json_object *values;

	buffer_text(path, "/networks");
	if (project == NULL)
		return 0;
	buffer_printf(&label, PROJECT_LABEL "=%s", project);
	values = json_object_new_array();
	json_object_array_add(
	    values, json_object_new_string(buffer_string(&label)));
	json_put(filters, "label", values);
	buffer_text(path, "?filters=");
	docker_query_text(path, json_serialize(filters, NULL));
	return path->overflowed || label.overflowed ? -1 : 0;
}

/* Most networks have one range of addresses; one of IPv6 may follow. */
static void
read_addresses(struct json_object *row, struct docker_network *out)
{
	struct json_object *first;
	size_t count;

	first = docker_row_list(json_member(row, "IPAM"), "Config", &count);
	if (first != NULL)
		first = count > 0 ? json_object_array_get_idx(first, 0) : NULL;
	out->subnet = docker_row_text(first, "Subnet");
	out->gateway = docker_row_text(first, "Gateway");
}

static void
read_network(
    struct json_object *row, struct arena *arena, struct docker_network *out)
{
	struct json_object *labels = docker_row_object(row, "Labels", arena);

	*out = (struct docker_network){
		.id = docker_row_text(row, "Id"),
		.name = docker_row_text(row, "Name"),
		.driver = docker_row_text(row, "Driver"),
		.scope = docker_row_text(row, "Scope"),
		.project = docker_row_text(labels, PROJECT_LABEL),
		.internal = json_boolean(row, "Internal", false),
		.attachable = json_boolean(row, "Attachable", false),
		.ipv6 = json_boolean(row, "EnableIPv6", false),
		.created_at = docker_row_time(row, "Created"),
		.labels = labels,
		.options = docker_row_object(row, "Options", arena),
	};
	read_addresses(row, out);
}

int
docker_network_list(struct docker *docker, const char *project,
    struct arena *arena, struct docker_network **out, size_t *out_count,
    struct error *err)
{
	auto_buffer struct buffer path = BUFFER(8192);
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "network",
	};
	struct json_object *rows;
	size_t count, i;

	if (build_path(project, &path) < 0)
		return error_field(
		    err, "project", NULL, "the project's name is too long");
	call.path = path.bytes;
	if (docker_call_tree(
		docker, &call, json_type_array, arena, &rows, err) < 0)
		return -1;
	count = json_object_array_length(rows);
	*out = arena_array(arena, count, sizeof **out);
	*out_count = 0;
	for (i = 0; i < count; i++) {
		struct docker_network *network = &(*out)[*out_count];

		read_network(
		    json_object_array_get_idx(rows, i), arena, network);
		*out_count += network->id[0] != '\0';
	}
	return 0;
}

/* A call about one network; verb is what follows its id in the path. */
static int
change_network(struct docker *docker, const char *method, const char *id,
    const char *verb, struct json_object *content, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = method,
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "network",
		.id = id,
		.content = content ? json_serialize(content, NULL) : NULL,
	};

	if (docker_check_id(id, err) < 0)
		return -1;
	buffer_printf(&path, "/networks/%s%s", id, verb);
	call.path = path.bytes;
	return docker_call(docker, &call, &body, err);
}

int
docker_network_remove(struct docker *docker, const char *id, struct error *err)
{
	return change_network(docker, "DELETE", id, "", NULL, err);
}

static struct json_object *
format_addresses(const struct docker_network_options *options)
{
	struct json_object *addresses = json_object_new_object();
	struct json_object *range = json_object_new_object();
	struct json_object *ranges = json_object_new_array();

	json_put_text(range, "Subnet", options->subnet);
	if (options->gateway != NULL)
		json_put_text(range, "Gateway", options->gateway);
	json_object_array_add(ranges, range);
	json_put(addresses, "Config", ranges);
	return addresses;
}

int
docker_network_create(struct docker *docker,
    const struct docker_network_options *options, struct error *err)
{
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	auto_json struct json_object *content = json_object_new_object();
	struct docker_call call = {
		.method = "POST",
		.path = "/networks/create",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "network",
	};

	json_put_text(content, "Name", options->name);
	/* Engines before 25 make a second one of the name without it. */
	json_put_boolean(content, "CheckDuplicate", true);
	json_put_text(content, "Driver", options->driver);
	json_put_boolean(content, "Internal", options->internal);
	json_put_boolean(content, "Attachable", options->attachable);
	json_put_boolean(content, "EnableIPv6", options->ipv6);
	if (options->subnet != NULL)
		json_put(content, "IPAM", format_addresses(options));
	if (options->labels != NULL)
		json_put(content, "Labels", json_object_get(options->labels));
	call.content = json_serialize(content, NULL);
	return docker_call(docker, &call, &body, err);
}

int
docker_network_connect(struct docker *docker, const char *network,
    const char *container, struct error *err)
{
	auto_json struct json_object *content = json_object_new_object();

	json_put_text(content, "Container", container);
	return change_network(
	    docker, "POST", network, "/connect", content, err);
}

int
docker_network_disconnect(struct docker *docker, const char *network,
    const char *container, bool force, struct error *err)
{
	auto_json struct json_object *content = json_object_new_object();

	json_put_text(content, "Container", container);
	json_put_boolean(content, "Force", force);
	return change_network(
	    docker, "POST", network, "/disconnect", content, err);
}
