/* The top-level networks, volumes, configs and secrets. */
#include "compose/document-private.h"
#include "docker/docker.h"

#include <string.h>

static const char *
external_name(const struct node *node)
{
	const char *name = node_member_text(node, "name");

	/* The old form: external: { name: … }. */
	return name != NULL
		   ? name
		   : node_member_text(node_member(node, "external"), "name");
}

/* Calls look for each mapping of the section; null ones are fine. */
static int
check_section(struct check *check, const char *section, const char *const *keys,
    int (*look)(struct check *check, const struct entry *entry))
{
	const struct node *all = node_member(check->document->root, section);
	size_t i;

	if (node_is_null(all))
		return 0;
	if (all->type != NODE_MAPPING)
		return check_invalid(
		    check, all, "'%s' must be a mapping", section);
	check->section = section;
	for (i = 0; i < all->count; i++) {
		const struct entry *entry = &all->entries[i];
		const struct node *one = entry->value;
		const char *name = external_name(one);

		if (!node_is_null(one) && one->type != NODE_MAPPING)
			return check_invalid(check, one,
			    "'%s' in '%s' must be a mapping", entry->key->text,
			    section);
		if (!node_is_null(one) &&
		    check_known_keys(check, one, section, keys) < 0)
			return -1;
		if (!resource_key_is_valid(entry->key->text))
			return check_invalid(check, entry->key,
			    "a name in '%s' must be of a-z, A-Z, 0-9, '_', "
			    "'.' and '-'",
			    section);
		if (name != NULL && !docker_name_is_valid(name))
			return check_invalid(check, one,
			    "'name' in '%s' must be 2 to 128 of a-z, A-Z, "
			    "0-9, '_', '.' and '-'",
			    section);
		if (check_labels(check, node_member(one, "labels")) < 0 ||
		    look(check, entry) < 0)
			return -1;
	}
	return 0;
}

static int
check_network_options(struct check *check, const struct node *options)
{
	/* "bridge.name", among others, would take a bridge of the host. */
	static const char *const harmless[] = { "com.docker.network.driver.mtu",
		"com.docker.network.bridge.enable_icc",
		"com.docker.network.bridge.enable_ip_masquerade",
		"com.docker.network.bridge.host_binding_ipv4",
		"com.docker.network.enable_ipv6", "encrypted", NULL };
	size_t i, k;

	if (node_is_null(options))
		return 0;
	if (options->type != NODE_MAPPING)
		return check_invalid(
		    check, options, "'driver_opts' must be a mapping");
	for (i = 0; i < options->count; i++) {
		const struct node *key = options->entries[i].key;

		for (k = 0; harmless[k] != NULL; k++)
			if (strcmp(harmless[k], key->text) == 0)
				break;
		if (harmless[k] == NULL &&
		    check_refuse(check, key, "network_driver_opts",
			"options of drivers reach into the host") < 0)
			return -1;
	}
	return 0;
}

static int
check_network(struct check *check, const struct entry *entry)
{
	const struct node *network = entry->value;
	const struct node *external = node_member(network, "external");
	const struct node *driver = node_member(network, "driver");
	const struct node *ipam = node_member(network, "ipam");
	const char *name = external_name(network);

	/* The same as network_mode: host. */
	if (name == NULL && node_is_set(external))
		name = entry->key->text;
	if (name != NULL && strcmp(name, "host") == 0 &&
	    check_refuse(check, entry->key, "network_mode",
		"it enters a namespace of the host") < 0)
		return -1;
	if (!node_is_null(driver) &&
	    (driver->type != NODE_SCALAR ||
		!network_driver_is_harmless(driver->text)) &&
	    check_refuse(check, driver, "network_driver", NETWORK_DRIVER_WHY) <
		0)
		return -1;
	driver = node_member(ipam, "driver");
	if (!node_is_null(driver) &&
	    (driver->type != NODE_SCALAR ||
		strcmp(driver->text, "default") != 0) &&
	    check_refuse(check, driver, "network_driver",
		"only the default address management") < 0)
		return -1;
	return check_network_options(
	    check, node_member(network, "driver_opts"));
}

int
check_networks(struct check *check)
{
	static const char *const keys[] = { "name", "driver", "driver_opts",
		"ipam", "external", "internal", "enable_ipv4", "enable_ipv6",
		"attachable", "labels", NULL };

	return check_section(check, "networks", keys, check_network);
}

static int
check_volume_definition(struct check *check, const struct entry *entry)
{
	const struct node *driver = node_member(entry->value, "driver");
	const struct node *options = node_member(entry->value, "driver_opts");

	if (!node_is_null(driver) &&
	    (driver->type != NODE_SCALAR ||
		!volume_driver_is_harmless(driver->text)) &&
	    check_refuse(check, driver, "volume_driver", VOLUME_DRIVER_WHY) < 0)
		return -1;
	if (!node_is_null(options) &&
	    (options->type == NODE_SCALAR || options->count > 0) &&
	    check_refuse(
		check, options, "volume_driver_opts", VOLUME_OPTIONS_WHY) < 0)
		return -1;
	return 0;
}

int
check_volumes(struct check *check)
{
	static const char *const keys[] = { "name", "driver", "driver_opts",
		"external", "labels", NULL };

	return check_section(check, "volumes", keys, check_volume_definition);
}

/* A config or a secret. */
static int
check_file_definition(struct check *check, const struct entry *entry)
{
	static const char *const drivers[] = { "driver", "driver_opts",
		"template_driver", NULL };
	const struct node *file = node_member(entry->value, "file");
	size_t i;

	for (i = 0; drivers[i] != NULL; i++) {
		const struct node *node = node_member(entry->value, drivers[i]);

		if (!node_is_null(node) &&
		    check_refuse(check, node, "secret_driver",
			"drivers are programs of the host") < 0)
			return -1;
	}
	/* Compose would read its own environment, which has none of ours. */
	if (!node_is_null(node_member(entry->value, "environment")))
		return check_invalid(check,
		    node_member(entry->value, "environment"),
		    "'%s' in '%s': 'environment' is not supported, use 'file'",
		    entry->key->text, check->section);
	return node_is_null(file)
		   ? 0
		   : check_mounted_file(check, file, check->section);
}

int
check_files(struct check *check, const char *section)
{
	static const char *const keys[] = { "name", "file", "content",
		"environment", "external", "labels", "driver", "driver_opts",
		"template_driver", NULL };

	return check_section(check, section, keys, check_file_definition);
}
