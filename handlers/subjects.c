#include "handlers/subjects.h"

#include "docker/docker.h"

#include <string.h>

int
subject_container(
    struct request *request, struct mirror_container *out, struct error *err)
{
	const char *id = request_parameter(request, "id");

	if (!docker_id_is_valid(id))
		return error_field(err, "id", "INVALID_ID",
		    "id must be the id or the name of a container");
	return mirror_container_find(
	    request->store, id, request->arena, out, err);
}

int
subject_check_ours(struct request *request,
    const struct mirror_container *container, struct error *err)
{
	struct mirror_deployment *deployments;
	size_t count, i;

	if (request->identity.role >= ROLE_ADMIN)
		return 0;
	if (mirror_deployment_list(
		request->store, request->arena, &deployments, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (container->project[0] != '\0' &&
		    strcmp(deployments[i].project, container->project) == 0)
			return 0;
	return error_set(err, ERR_FORBIDDEN, "PROTECTED",
	    "the container '%s' belongs to no deployment: that takes an "
	    "administrator",
	    container->name);
}
