/* What a container may use: looked at and changed. */
#include "docker/docker-private.h"

#include <string.h>

#define NANO 1e9
#define CPU_PERIOD_DEFAULT_US 100000

double
docker_limits_cpus(const struct docker_limits *limits)
{
	int64_t period_us = limits->cpu_period_us > 0 ? limits->cpu_period_us
						      : CPU_PERIOD_DEFAULT_US;

	if (limits->nano_cpus > 0)
		return (double)limits->nano_cpus / NANO;
	if (limits->cpu_quota_us > 0)
		return (double)limits->cpu_quota_us / (double)period_us;
	return 0;
}

struct json_object *
docker_limits_render(const struct docker_limits *limits)
{
	struct json_object *object = json_object_new_object();

	json_put_integer(object, "memory_limit", limits->memory_bytes);
	json_put_integer(object, "memory_swap", limits->memory_swap_bytes);
	json_put(
	    object, "cpus", json_object_new_double(docker_limits_cpus(limits)));
	json_put_integer(object, "cpu_shares", limits->cpu_shares);
	json_put_text(object, "restart_policy", limits->restart_policy);
	return object;
}

/* A container that was never told has no policy, which is "no". */
static const char *
read_restart_policy(struct json_object *host)
{
	const char *name =
	    docker_row_text(json_member(host, "RestartPolicy"), "Name");

	return name[0] != '\0' ? name : "no";
}

static void
read_inspection(struct json_object *answer, struct docker_inspection *out)
{
	struct json_object *host = json_member(answer, "HostConfig");
	const char *name = docker_row_text(answer, "Name");

	*out = (struct docker_inspection){
		.id = docker_row_text(answer, "Id"),
		.name = name[0] == '/' ? name + 1 : name,
		.running = json_boolean(
		    json_member(answer, "State"), "Running", false),
		.has_tty =
		    json_boolean(json_member(answer, "Config"), "Tty", false),
		.limits = {
			.memory_bytes = json_int(host, "Memory", 0),
			.memory_swap_bytes = json_int(host, "MemorySwap", 0),
			.nano_cpus = json_int(host, "NanoCpus", 0),
			.cpu_quota_us = json_int(host, "CpuQuota", 0),
			.cpu_period_us = json_int(host, "CpuPeriod", 0),
			.cpu_shares = json_int(host, "CpuShares", 0),
			.restart_policy = read_restart_policy(host),
		},
	};
}

int
docker_container_inspect(struct docker *docker, const char *id,
    struct arena *arena, struct docker_inspection *out, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		.path = arena_printf(arena, "/containers/%s/json", id),
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
		.id = id,
	};
	struct json_object *answer;
	int failed;

	if (docker_reading_begin(docker, err) < 0)
		return -1;
	failed = docker_call_tree(
	    docker, &call, json_type_object, arena, &answer, err);
	docker_reading_end(docker);
	if (failed)
		return -1;
	read_inspection(answer, out);
	return 0;
}

static void
put_number(struct json_object *object, const char *name, int64_t value)
{
	if (value != 0)
		json_put_integer(object, name, value);
}

int
docker_container_update(struct docker *docker, const char *id,
    const struct docker_limits *limits, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	auto_json struct json_object *content = json_object_new_object();
	struct json_object *policy;
	struct docker_call call = {
		.method = "POST",
		.timeout_ms = CHANGE_TIMEOUT_MS,
		.noun = "container",
		.id = id,
	};

	if (docker_check_id(id, err) < 0)
		return -1;
	put_number(content, "Memory", limits->memory_bytes);
	put_number(content, "MemorySwap", limits->memory_swap_bytes);
	put_number(content, "NanoCpus", limits->nano_cpus);
	put_number(content, "CpuQuota", limits->cpu_quota_us);
	put_number(content, "CpuPeriod", limits->cpu_period_us);
	put_number(content, "CpuShares", limits->cpu_shares);
	if (limits->restart_policy != NULL) {
		policy = json_object_new_object();
		json_put_text(policy, "Name", limits->restart_policy);
		json_put(content, "RestartPolicy", policy);
	}
	buffer_printf(&path, "/containers/%s/update", id);
	call.path = path.bytes;
	call.content = json_serialize(content, NULL);
	return docker_call(docker, &call, &body, err);
}
