/* Volumes and networks that are made without a document: the same policy. */
#include "compose/compose-private.h"
#include "compose/document-private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool
label_is_reserved(const char *name)
{
	static const char *const reserved[] = { "com.docker.compose",
		"com.docker.stack", "com.docker.swarm", NULL };
	size_t i;

	for (i = 0; reserved[i] != NULL; i++) {
		size_t length = strlen(reserved[i]);

		if (strncasecmp(name, reserved[i], length) == 0 &&
		    (name[length] == '.' || name[length] == '\0' ||
			name[length] == '='))
			return true;
	}
	return false;
}

bool
volume_driver_is_harmless(const char *driver)
{
	return strcmp(driver, "local") == 0 || strcmp(driver, "default") == 0;
}

bool
network_driver_is_harmless(const char *driver)
{
	return strcmp(driver, "bridge") == 0 ||
	       strcmp(driver, "default") == 0 || strcmp(driver, "overlay") == 0;
}

/* Unless the operator allowed the key. */
static int
refuse(const struct compose *compose, const char *key, const char *field,
    const char *code, const char *why, struct error *err)
{
	if (policy_allows(compose->policy, key))
		return 0;
	error_set(
	    err, ERR_FORBIDDEN, code, "'%s' is not allowed: %s", key, why);
	snprintf(err->field, sizeof err->field, "%s", field);
	return -1;
}

static int
check_label_names(const struct compose *compose, struct json_object *labels,
    const char *code, struct error *err)
{
	if (labels == NULL)
		return 0;
	json_object_object_foreach(labels, name, value)
	{
		(void)value;
		if (label_is_reserved(name))
			return refuse(
			    compose, "labels", "labels", code, LABELS_WHY, err);
	}
	return 0;
}

int
compose_check_volume(const struct compose *compose,
    const struct docker_volume_options *volume, struct error *err)
{
	static const char code[] = "VOLUME_POLICY";

	if (!volume_driver_is_harmless(volume->driver) &&
	    refuse(compose, "volume_driver", "driver", code, VOLUME_DRIVER_WHY,
		err) < 0)
		return -1;
	if (volume->driver_options != NULL &&
	    json_object_object_length(volume->driver_options) > 0 &&
	    refuse(compose, "volume_driver_opts", "driver_opts", code,
		VOLUME_OPTIONS_WHY, err) < 0)
		return -1;
	return check_label_names(compose, volume->labels, code, err);
}

int
compose_check_network(const struct compose *compose,
    const struct docker_network_options *network, struct error *err)
{
	static const char code[] = "NETWORK_POLICY";

	if (!network_driver_is_harmless(network->driver) &&
	    refuse(compose, "network_driver", "driver", code,
		NETWORK_DRIVER_WHY, err) < 0)
		return -1;
	return check_label_names(compose, network->labels, code, err);
}
