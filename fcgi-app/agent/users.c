#include "agent/users.h"

#include "agent/agent.h"

#include <string.h>

bool
volume_has_user(const struct docker_container *container, const char *volume)
{
	size_t i;

	for (i = 0; i < container->mount_count; i++)
		if (strcmp(container->mounts[i].type, "volume") == 0 &&
		    strcmp(container->mounts[i].name, volume) == 0)
			return true;
	return false;
}

bool
network_has_user(
    const struct docker_container *container, const char *network_id)
{
	size_t i;

	for (i = 0; i < container->network_count; i++)
		if (container->networks[i].attached &&
		    strcmp(container->networks[i].network_id, network_id) == 0)
			return true;
	return false;
}

int
users_explain(struct run *run, const char *what, const char *of,
    bool (*has_user)(const struct docker_container *container, const char *of),
    struct error *err)
{
	struct docker_container *containers;
	struct json_object *names;
	size_t count, i;
	struct error ignored;

	if (err->kind != ERR_CONFLICT ||
	    docker_container_list(run->agent->docker, NULL, &run->arena,
		&containers, &count, &ignored) < 0)
		return -1;
	names = json_object_new_array();
	for (i = 0; i < count; i++)
		if (has_user(&containers[i], of))
			json_object_array_add(
			    names, json_object_new_string(containers[i].name));
	run->result = json_object_new_object();
	json_put(run->result, "used_by", names);
	return error_set(err, ERR_CONFLICT, "IN_USE", "the %s '%s' is in use",
	    what, run->subject);
}
