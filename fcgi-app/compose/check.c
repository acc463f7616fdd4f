/*
 * document_check(): what Compose would not run, and what the operator did not
 * allow. Every key of a service is in the table below, with what must be
 * looked at; a key that is not there is refused.
 */
#include "compose/compose.h"
#include "compose/document-private.h"
#include "docker/docker.h"
#include "docker/reference.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PUBLISHED_MAXIMUM 1000

int
check_invalid(
    struct check *check, const struct node *node, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (check->service == NULL)
		return node_invalid(check->err, node, "%s", text);
	return node_invalid(
	    check->err, node, "service '%s': %s", check->service, text);
}

bool
policy_allows(const struct compose_policy *policy, const char *key)
{
	const char *const *allowed = policy != NULL ? policy->allow : NULL;

	for (; allowed != NULL && *allowed != NULL; allowed++)
		if (strcmp(*allowed, key) == 0)
			return true;
	return false;
}

int
check_refuse(struct check *check, const struct node *node, const char *key,
    const char *why)
{
	if (policy_allows(check->policy, key))
		return 0;
	error_set(check->err, ERR_FORBIDDEN, "COMPOSE_POLICY",
	    "line %u, column %u: %s%s%s'%s' is not allowed: %s", node->line,
	    node->column, check->service ? "service '" : "",
	    check->service ? check->service : "", check->service ? "': " : "",
	    key, why);
	snprintf(
	    check->err->field, sizeof check->err->field, "compose_content");
	return -1;
}

bool
node_is_set(const struct node *node)
{
	/* Only what every reader takes for false: not "no", not "off". */
	return !node_is_null(node) && (node->type != NODE_SCALAR ||
					  strcasecmp(node->text, "false") != 0);
}

bool
resource_key_is_valid(const char *key)
{
	/* Docker's name gets the project's before it, so one letter will do. */
	return docker_name_is_valid(key) ||
	       (isalnum((unsigned char)key[0]) && key[1] == '\0');
}

int
check_known_keys(struct check *check, const struct node *mapping,
    const char *what, const char *const *known)
{
	size_t i, k;

	for (i = 0; i < mapping->count; i++) {
		const struct node *key = mapping->entries[i].key;

		for (k = 0; known[k] != NULL; k++)
			if (strcmp(known[k], key->text) == 0)
				break;
		if (known[k] == NULL && strncmp(key->text, "x-", 2) != 0)
			return check_invalid(check, key, "%s: unknown key '%s'",
			    what, key->text);
	}
	return 0;
}

/*
 * Compose finds the containers of a project by these labels: with them a
 * deployment could pass for another one's.
 */
static int
check_label(struct check *check, const struct node *node, const char *name)
{
	return label_is_reserved(name)
		   ? check_refuse(check, node, "labels", LABELS_WHY)
		   : 0;
}

static int
check_ports(struct check *check, const struct node *ports)
{
	if (node_is_null(ports))
		return 0;
	if (ports->type != NODE_SEQUENCE)
		return check_invalid(check, ports, "'ports' must be a list");
	check->ports += port_list_count(ports);
	return check->ports <= PUBLISHED_MAXIMUM
		   ? 0
		   : check_refuse(check, ports, "port_ranges",
			 "the document publishes more than 1000 ports, each of "
			 "which takes a process of the host");
}

int
check_labels(struct check *check, const struct node *labels)
{
	size_t i;

	if (node_is_null(labels))
		return 0;
	if (labels->type == NODE_SCALAR)
		return check_invalid(
		    check, labels, "'labels' must be a mapping or a list");
	for (i = 0; i < labels->count; i++) {
		const struct node *label = labels->type == NODE_MAPPING
					       ? labels->entries[i].key
					       : labels->items[i];

		if (label->type != NODE_SCALAR)
			return check_invalid(
			    check, label, "a label must be a text");
		if (check_label(check, label, label->text) < 0)
			return -1;
	}
	return 0;
}

static int
check_image(struct check *check, const struct node *node)
{
	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SCALAR || !docker_reference_is_valid(node->text))
		return check_invalid(
		    check, node, "'image' must be an image reference");
	return 0;
}

static int
check_container_name(struct check *check, const struct node *node)
{
	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SCALAR || !docker_name_is_valid(node->text))
		return check_invalid(check, node,
		    "'container_name' must be 2 to 128 of a-z, A-Z, 0-9, "
		    "'_', '.' and '-'");
	return 0;
}

/* Each name that a service's list or mapping refers to. */
static int
check_references(struct check *check, const struct node *node,
    const char *section, const char *key)
{
	const struct node *defined =
	    node_member(check->document->root, section);
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type == NODE_SCALAR)
		return check_invalid(
		    check, node, "'%s' must be a list or a mapping", key);
	for (i = 0; i < node->count; i++) {
		const struct node *item = node->type == NODE_MAPPING
					      ? node->entries[i].key
					      : node->items[i];

		if (item->type == NODE_MAPPING)
			item = node_member(item, "source");
		if (!node_is_scalar(item))
			return check_invalid(
			    check, node, "'%s' must name its parts", key);
		if (strcmp(section, "networks") == 0 &&
		    strcmp(item->text, "default") == 0)
			continue;
		if (defined == NULL || defined->type != NODE_MAPPING ||
		    node_member(defined, item->text) == NULL)
			return check_invalid(check, item,
			    "'%s' refers to '%s', which '%s' does not have",
			    key, item->text, section);
	}
	return 0;
}

static int
check_service_networks(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "aliases", "ipv4_address",
		"ipv6_address", "link_local_ips", "mac_address", "priority",
		"gw_priority", "interface_name", "driver_opts", NULL };
	size_t i;

	if (check_references(check, node, "networks", "networks") < 0)
		return -1;
	for (i = 0; node->type == NODE_MAPPING && i < node->count; i++) {
		const struct node *network = node->entries[i].value;
		const struct node *options;

		if (node_is_null(network))
			continue;
		if (network->type != NODE_MAPPING)
			return check_invalid(
			    check, network, "a network must be a mapping");
		if (check_known_keys(check, network, "networks", keys) < 0)
			return -1;
		options = node_member(network, "driver_opts");
		/* They set sysctls, among other things. */
		if (!node_is_null(options) && options->count > 0 &&
		    check_refuse(check, options, "network_driver_opts",
			"options of drivers reach into the host") < 0)
			return -1;
	}
	return 0;
}

static int
check_depends_on(struct check *check, const struct node *node)
{
	return check_references(check, node, "services", "depends_on");
}

static int
check_service_configs(struct check *check, const struct node *node)
{
	return check_references(check, node, "configs", "configs");
}

static int
check_service_secrets(struct check *check, const struct node *node)
{
	return check_references(check, node, "secrets", "secrets");
}

static int
check_service_volumes(struct check *check, const struct node *node)
{
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SEQUENCE)
		return check_invalid(check, node, "'volumes' must be a list");
	for (i = 0; i < node->count; i++)
		if (check_volume(check, node->items[i]) < 0)
			return -1;
	return 0;
}

/* "file", [ "file" ] or [ { path: "file" } ]. */
static int
check_file_list(struct check *check, const struct node *node, const char *key)
{
	static const char *const keys[] = { "path", "required", "format",
		NULL };
	size_t i;

	if (node->type == NODE_SCALAR)
		return node_is_null(node) ? 0
					  : check_local_path(check, node, key);
	if (node->type == NODE_SEQUENCE) {
		for (i = 0; i < node->count; i++)
			if (check_file_list(check, node->items[i], key) < 0)
				return -1;
		return 0;
	}
	if (check_known_keys(check, node, key, keys) < 0)
		return -1;
	if (!node_is_scalar(node_member(node, "path")))
		return check_invalid(check, node, "'%s' needs a path", key);
	return check_local_path(check, node_member(node, "path"), key);
}

static int
check_env_file(struct check *check, const struct node *node)
{
	return check_file_list(check, node, "env_file");
}

static int
check_label_file(struct check *check, const struct node *node)
{
	return check_file_list(check, node, "label_file");
}

struct service_key {
	const char *name;
	int (*check)(struct check *check, const struct node *node);
	const char *refused; /* why, for a key that is refused when set */
};

static const struct service_key service_keys[] = {
	{ "annotations", NULL, "the runtime acts on them" },
	{ "attach", NULL, NULL },
	{ "blkio_config", NULL, NULL },
	{ "build", check_build, NULL },
	{ "cap_add", check_capabilities, NULL },
	{ "cap_drop", NULL, NULL },
	{ "cgroup", check_cgroup, NULL },
	{ "cgroup_parent", NULL, "it leaves the container's control group" },
	{ "command", NULL, NULL },
	{ "configs", check_service_configs, NULL },
	{ "container_name", check_container_name, NULL },
	{ "cpu_count", NULL, NULL },
	{ "cpu_percent", NULL, NULL },
	{ "cpu_period", NULL, NULL },
	{ "cpu_quota", NULL, NULL },
	{ "cpu_rt_period", NULL, NULL },
	{ "cpu_rt_runtime", NULL, NULL },
	{ "cpu_shares", NULL, NULL },
	{ "cpus", NULL, NULL },
	{ "cpuset", NULL, NULL },
	{ "credential_spec", NULL, "it reads files of the host" },
	{ "depends_on", check_depends_on, NULL },
	{ "deploy", check_deploy, NULL },
	{ "develop", NULL, NULL }, /* document_normalise() drops it */
	{ "device_cgroup_rules", NULL, "it opens devices of the host" },
	{ "devices", NULL, "it opens devices of the host" },
	{ "dns", NULL, NULL },
	{ "dns_opt", NULL, NULL },
	{ "dns_search", NULL, NULL },
	{ "domainname", NULL, NULL },
	{ "entrypoint", NULL, NULL },
	{ "env_file", check_env_file, NULL },
	{ "environment", NULL, NULL },
	{ "expose", NULL, NULL },
	{ "extends", check_extends, NULL },
	{ "external_links", NULL, "it reaches foreign containers" },
	{ "extra_hosts", NULL, NULL },
	{ "gpus", NULL, "it opens devices of the host" },
	{ "group_add", NULL, NULL },
	{ "healthcheck", NULL, NULL },
	{ "hostname", NULL, NULL },
	{ "image", check_image, NULL },
	{ "init", NULL, NULL },
	{ "ipc", check_ipc, NULL },
	{ "isolation", NULL, NULL },
	{ "label_file", check_label_file, NULL },
	{ "labels", check_labels, NULL },
	{ "links", NULL, NULL },
	{ "logging", check_logging, NULL },
	{ "mac_address", NULL, NULL },
	{ "mem_limit", NULL, NULL },
	{ "mem_reservation", NULL, NULL },
	{ "mem_swappiness", NULL, NULL },
	{ "memswap_limit", NULL, NULL },
	{ "models", NULL, "it starts programs of the host" },
	{ "network_mode", check_network_mode, NULL },
	{ "networks", check_service_networks, NULL },
	{ "oom_kill_disable", NULL, "it can take all memory of the host" },
	{ "oom_score_adj", check_oom_score, NULL },
	{ "pid", check_pid, NULL },
	{ "pids_limit", NULL, NULL },
	{ "platform", NULL, NULL },
	{ "ports", check_ports, NULL },
	{ "post_start", check_hooks, NULL },
	{ "pre_start", check_hooks, NULL },
	{ "pre_stop", check_hooks, NULL },
	{ "privileged", check_privileged, NULL },
	{ "profiles", NULL, NULL },
	{ "provider", NULL, "it starts programs of the host" },
	{ "pull_policy", NULL, NULL },
	{ "pull_refresh_after", NULL, NULL },
	{ "read_only", NULL, NULL },
	{ "restart", NULL, NULL },
	{ "runtime", check_runtime, NULL },
	{ "scale", NULL, NULL },
	{ "secrets", check_service_secrets, NULL },
	{ "security_opt", check_security_options, NULL },
	{ "shm_size", NULL, NULL },
	{ "stdin_open", NULL, NULL },
	{ "stop_grace_period", NULL, NULL },
	{ "stop_signal", NULL, NULL },
	{ "storage_opt", NULL, NULL },
	{ "sysctls", check_sysctls, NULL },
	{ "tmpfs", NULL, NULL },
	{ "tty", NULL, NULL },
	{ "ulimits", NULL, NULL },
	{ "use_api_socket", NULL, "it gives away Docker" },
	{ "user", NULL, NULL },
	{ "userns_mode", NULL, "it enters a namespace of the host" },
	{ "uts", NULL, "it enters a namespace of the host" },
	{ "volumes", check_service_volumes, NULL },
	{ "volumes_from", NULL, "it reaches into other containers" },
	{ "working_dir", NULL, NULL },
	{ NULL, NULL, NULL },
};

static bool
is_empty(const struct node *node)
{
	return node_is_null(node) ||
	       (node->type != NODE_SCALAR && node->count == 0);
}

static int
check_service_key(struct check *check, const struct entry *entry)
{
	const struct service_key *known = service_keys;

	if (strncmp(entry->key->text, "x-", 2) == 0)
		return 0;
	while (
	    known->name != NULL && strcmp(known->name, entry->key->text) != 0)
		known++;
	if (known->name == NULL)
		return check_invalid(
		    check, entry->key, "unknown key '%s'", entry->key->text);
	if (known->refused != NULL && !is_empty(entry->value) &&
	    node_is_set(entry->value))
		return check_refuse(
		    check, entry->key, known->name, known->refused);
	if (known->check != NULL)
		return known->check(check, entry->value);
	return 0;
}

static int
check_service(struct check *check, const struct entry *entry)
{
	const struct node *service = entry->value;
	size_t i;

	if (!compose_name_is_valid(entry->key->text))
		return check_invalid(check, entry->key,
		    "a service's name must be %s", COMPOSE_NAME_EXPECTED);
	check->service = entry->key->text;
	if (service->type != NODE_MAPPING)
		return check_invalid(check, service, "it must be a mapping");
	for (i = 0; i < service->count; i++)
		if (check_service_key(check, &service->entries[i]) < 0)
			return -1;
	if (node_is_null(node_member(service, "image")) &&
	    node_is_null(node_member(service, "build")) &&
	    node_is_null(node_member(service, "extends")) &&
	    node_is_null(node_member(service, "provider")))
		return check_invalid(
		    check, entry->key, "it has neither 'image' nor 'build'");
	check->service = NULL;
	return 0;
}

static int
check_top_level(struct check *check)
{
	static const char *const keys[] = { "version", "name", "services",
		"networks", "volumes", "configs", "secrets", "include",
		"models", NULL };
	const struct node *root = check->document->root;
	const struct node *name = node_member(root, "name");
	const struct node *services = check->document->services_node;

	if (check_known_keys(check, root, "the document", keys) < 0)
		return -1;
	if (name != NULL &&
	    (!node_is_scalar(name) || !compose_name_is_valid(name->text)))
		return check_invalid(
		    check, name, "'name' must be %s", COMPOSE_NAME_EXPECTED);
	if (node_member(root, "include") != NULL &&
	    check_refuse(check, node_member(root, "include"), "include",
		"it brings in other documents") < 0)
		return -1;
	if (node_member(root, "models") != NULL &&
	    check_refuse(check, node_member(root, "models"), "models",
		"it starts programs of the host") < 0)
		return -1;
	if (services == NULL || services->type != NODE_MAPPING ||
	    services->count == 0)
		return check_invalid(check, services != NULL ? services : root,
		    "'services' must be a mapping with at least one service");
	return 0;
}

static int
check_document(struct check *check)
{
	const struct node *services = check->document->services_node;
	size_t i;

	if (check_top_level(check) < 0)
		return -1;
	for (i = 0; i < services->count; i++)
		if (check_service(check, &services->entries[i]) < 0)
			return -1;
	if (check_networks(check) < 0 || check_volumes(check) < 0 ||
	    check_files(check, "configs") < 0 ||
	    check_files(check, "secrets") < 0)
		return -1;
	return check_nested_mounts(check);
}

int
document_check(const struct document *document,
    const struct compose_policy *policy, struct error *err)
{
	struct check check = {
		.document = document,
		.policy = policy,
		.directory = -1,
		.err = err,
	};

	return check_document(&check);
}

int
document_check_paths(const struct document *document,
    const struct compose_policy *policy, int directory, struct error *err)
{
	struct check check = {
		.document = document,
		.policy = policy,
		.directory = directory,
		.err = err,
	};

	return check_document(&check);
}
