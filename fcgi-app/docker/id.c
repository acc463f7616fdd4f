#include "docker/docker.h"

#include <string.h>

#define ID_MAXIMUM 128

static bool
is_alphanumeric(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

bool
docker_id_is_valid(const char *id)
{
	size_t i;

	if (id == NULL || !is_alphanumeric(id[0]))
		return false;
	for (i = 1; id[i] != '\0'; i++)
		if (i >= ID_MAXIMUM ||
		    (!is_alphanumeric(id[i]) && strchr("_.-", id[i]) == NULL))
			return false;
	return true;
}

bool
docker_name_is_valid(const char *name)
{
	return docker_id_is_valid(name) && name[1] != '\0';
}

bool
docker_id_is_whole(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}
