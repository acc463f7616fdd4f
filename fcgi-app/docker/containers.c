#include "docker/docker-private.h"

#include <string.h>

/* A container has a name of its own and, by links, "/other/alias" too. */
static const char *
find_own_name(struct json_object *row)
{
	struct json_object *names = json_member(row, "Names");
	const char *name;
	size_t count, i;

	if (!json_object_is_type(names, json_type_array))
		return "";
	count = json_object_array_length(names);
	for (i = 0; i < count; i++) {
		name =
		    json_object_get_string(json_object_array_get_idx(names, i));
		if (name == NULL)
			continue;
		if (name[0] == '/')
			name++;
		if (strchr(name, '/') == NULL)
			return name;
	}
	return "";
}

/* The list has it in the text alone: "Up 3 hours (healthy)". */
static const char *
read_health(const char *status)
{
	if (strstr(status, "(healthy)") != NULL)
		return "healthy";
	if (strstr(status, "(unhealthy)") != NULL)
		return "unhealthy";
	if (strstr(status, "(health: starting)") != NULL)
		return "starting";
	return "";
}

static int
read_port_number(struct json_object *port, const char *name)
{
	int64_t number = json_int(port, name, 0);

	return number > 0 && number <= 65535 ? (int)number : 0;
}

static void
read_ports(
    struct json_object *row, struct arena *arena, struct docker_container *out)
{
	size_t count, i;
	struct json_object *ports = docker_row_list(row, "Ports", &count);

	out->ports = arena_array(arena, count, sizeof *out->ports);
	out->port_count = count;
	for (i = 0; i < count; i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		out->ports[i] = (struct docker_port){
			.address = docker_row_text(port, "IP"),
			.public_port = read_port_number(port, "PublicPort"),
			.private_port = read_port_number(port, "PrivatePort"),
			.protocol = docker_row_text(port, "Type"),
		};
	}
}

static int
read_prefix_length(struct json_object *network)
{
	int64_t length = json_int(network, "IPPrefixLen", 0);

	return length > 0 && length <= 32 ? (int)length : 0;
}

static void
read_networks(
    struct json_object *row, struct arena *arena, struct docker_container *out)
{
	struct json_object *networks =
	    json_member(json_member(row, "NetworkSettings"), "Networks");
	size_t i = 0;

	if (!json_object_is_type(networks, json_type_object))
		return;
	out->network_count = (size_t)json_object_object_length(networks);
	out->networks =
	    arena_array(arena, out->network_count, sizeof *out->networks);
	json_object_object_foreach(networks, name, network)
	{
		out->networks[i++] = (struct docker_network_address){
			.network = name,
			.network_id = docker_row_text(network, "NetworkID"),
			.ipv4 = docker_row_text(network, "IPAddress"),
			.prefix_length = read_prefix_length(network),
			.mac_address = docker_row_text(network, "MacAddress"),
			.attached =
			    docker_row_text(network, "EndpointID")[0] != '\0',
		};
	}
}

static void
read_mounts(
    struct json_object *row, struct arena *arena, struct docker_container *out)
{
	size_t count, i;
	struct json_object *mounts = docker_row_list(row, "Mounts", &count);

	out->mounts = arena_array(arena, count, sizeof *out->mounts);
	out->mount_count = count;
	for (i = 0; i < count; i++) {
		struct json_object *mount =
		    json_object_array_get_idx(mounts, i);

		out->mounts[i] = (struct docker_mount){
			.type = docker_row_text(mount, "Type"),
			.name = docker_row_text(mount, "Name"),
			.source = docker_row_text(mount, "Source"),
			.destination = docker_row_text(mount, "Destination"),
			.writable = json_boolean(mount, "RW", false),
		};
	}
}

/* The texts stay in the tree, which lives as long as the arena. */
static void
read_container(
    struct json_object *row, struct arena *arena, struct docker_container *out)
{
	struct json_object *labels = docker_row_object(row, "Labels", arena);

	*out = (struct docker_container){
		.id = docker_row_text(row, "Id"),
		.name = find_own_name(row),
		.image = docker_row_text(row, "Image"),
		.image_id = docker_row_text(row, "ImageID"),
		.state = docker_row_text(row, "State"),
		.status = docker_row_text(row, "Status"),
		.created_at = json_int(row, "Created", 0),
		.project = docker_row_text(labels, PROJECT_LABEL),
		.service = docker_row_text(labels, SERVICE_LABEL),
		.labels = labels,
	};
	out->health = read_health(out->status);
	read_ports(row, arena, out);
	read_networks(row, arena, out);
	read_mounts(row, arena, out);
}

static int
build_filters(const struct docker_container_filter *filter, struct buffer *path)
{
	auto_json struct json_object *filters = json_object_new_object();
	auto_buffer struct buffer label = BUFFER(1024);
	struct json_object *values;
	size_t i;

	if (filter->project != NULL) {
		buffer_printf(&label, PROJECT_LABEL "=%s", filter->project);
		values = json_object_new_array();
		json_object_array_add(
		    values, json_object_new_string(buffer_string(&label)));
		json_put(filters, "label", values);
	}
	if (filter->ids != NULL) {
		values = json_object_new_array();
		for (i = 0; filter->ids[i] != NULL; i++)
			json_object_array_add(
			    values, json_object_new_string(filter->ids[i]));
		json_put(filters, "id", values);
	}
	buffer_text(path, "/containers/json?all=1&filters=");
	docker_query_text(path, json_serialize(filters, NULL));
	return path->overflowed || label.overflowed ? -1 : 0;
}

static int
check_filter(const struct docker_container_filter *filter, struct error *err)
{
	size_t i;

	for (i = 0; filter->ids != NULL && filter->ids[i] != NULL; i++)
		if (docker_check_id(filter->ids[i], err) < 0)
			return -1;
	return 0;
}

/* An empty list of ids would be no filter at all to Docker. */
static bool
matches_nothing(const struct docker_container_filter *filter)
{
	return filter->ids != NULL && filter->ids[0] == NULL;
}

int
docker_container_list(struct docker *docker,
    const struct docker_container_filter *filter, struct arena *arena,
    struct docker_container **out, size_t *out_count, struct error *err)
{
	static const struct docker_container_filter any;
	auto_buffer struct buffer path = BUFFER(256U * 1024);
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
	};
	struct json_object *rows;
	size_t count, i;

	if (filter == NULL)
		filter = &any;
	if (check_filter(filter, err) < 0)
		return -1;
	if (build_filters(filter, &path) < 0)
		return error_set(
		    err, ERR_TOO_LARGE, NULL, "too many containers asked for");
	*out_count = 0;
	*out = NULL;
	if (matches_nothing(filter))
		return 0;
	call.path = path.bytes;
	if (docker_call_tree(
		docker, &call, json_type_array, arena, &rows, err) < 0)
		return -1;
	count = json_object_array_length(rows);
	*out = arena_array(arena, count, sizeof **out);
	for (i = 0; i < count; i++)
		read_container(
		    json_object_array_get_idx(rows, i), arena, &(*out)[i]);
	*out_count = count;
	return 0;
}

/* A change of one container; verb is what follows its id in the path. */
static int
change_container(struct docker *docker, const char *method, const char *id,
    const char *verb, int64_t wait_s, const atomic_bool *cancel,
    struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = method,
		.timeout_ms = CHANGE_TIMEOUT_MS + 1000 * wait_s,
		.noun = "container",
		.id = id,
		/* The Engine answers when the container has ended. */
		.waits_for_others = wait_s > 0,
		.cancel = cancel,
	};

	if (docker_check_id(id, err) < 0)
		return -1;
	buffer_printf(&path, "/containers/%s%s", id, verb);
	call.path = path.bytes;
	return docker_call(docker, &call, &body, err);
}

int
docker_container_start(struct docker *docker, const char *id, struct error *err)
{
	return change_container(docker, "POST", id, "/start", 0, NULL, err);
}

/* A stop, or one before a start; timeout_s < 0 is Docker's default. */
static int
stop_container(struct docker *docker, const char *id, const char *verb,
    int timeout_s, const atomic_bool *cancel, struct error *err)
{
	auto_buffer struct buffer query = BUFFER(64);

	buffer_text(&query, verb);
	if (timeout_s >= 0)
		buffer_printf(&query, "?t=%d", timeout_s);
	return change_container(docker, "POST", id, query.bytes,
	    timeout_s < 0 ? 0 : timeout_s, cancel, err);
}

int
docker_container_stop(struct docker *docker, const char *id, int timeout_s,
    const atomic_bool *cancel, struct error *err)
{
	return stop_container(docker, id, "/stop", timeout_s, cancel, err);
}

int
docker_container_restart(struct docker *docker, const char *id, int timeout_s,
    const atomic_bool *cancel, struct error *err)
{
	return stop_container(docker, id, "/restart", timeout_s, cancel, err);
}

int
docker_container_remove(struct docker *docker, const char *id, bool force,
    bool volumes, struct error *err)
{
	auto_buffer struct buffer verb = BUFFER(64);

	buffer_printf(&verb, "?force=%d&v=%d", force, volumes);
	return change_container(docker, "DELETE", id, verb.bytes, 0, NULL, err);
}

int
docker_container_rename(
    struct docker *docker, const char *id, const char *name, struct error *err)
{
	auto_buffer struct buffer verb = BUFFER(256);

	if (!docker_id_is_valid(name))
		return error_field(err, "name", "INVALID_NAME",
		    "the name of a container is out of grammar");
	buffer_printf(&verb, "/rename?name=%s", name);
	return change_container(docker, "POST", id, verb.bytes, 0, NULL, err);
}
