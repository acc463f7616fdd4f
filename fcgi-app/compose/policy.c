/* Keys of a service that are harmless with some values only. */
#include "compose/document-private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int
check_privileged(struct check *check, const struct node *node)
{
	return node_is_set(node)
		   ? check_refuse(check, node, "privileged",
			 "it makes the container root on the host")
		   : 0;
}

/* "service:NAME" of this document. */
static bool
is_own_service(struct check *check, const char *text)
{
	return strncmp(text, "service:", 8) == 0 &&
	       node_member(check->document->services_node, text + 8) != NULL;
}

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* A namespace: one of the NULL-ended list, or that of an own service. */
static int
check_namespace(struct check *check, const struct node *node, const char *key,
    const char *const *harmless)
{
	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SCALAR)
		return check_invalid(check, node, "'%s' must be a text", key);
	if (is_one_of(node->text, harmless) ||
	    is_own_service(check, node->text))
		return 0;
	return check_refuse(check, node, key,
	    "it enters a namespace of the host or of a foreign container");
}

int
check_network_mode(struct check *check, const struct node *node)
{
	static const char *const harmless[] = { "none", "bridge", "default",
		NULL };

	return check_namespace(check, node, "network_mode", harmless);
}

int
check_pid(struct check *check, const struct node *node)
{
	static const char *const harmless[] = { "", "private", NULL };

	return check_namespace(check, node, "pid", harmless);
}

int
check_ipc(struct check *check, const struct node *node)
{
	static const char *const harmless[] = { "", "none", "private",
		"shareable", NULL };

	return check_namespace(check, node, "ipc", harmless);
}

int
check_cgroup(struct check *check, const struct node *node)
{
	static const char *const harmless[] = { "", "private", NULL };

	return check_namespace(check, node, "cgroup", harmless);
}

/*
 * Those that Docker gives every container anyway pass: documents that drop
 * all add some of them back.
 */
int
check_capabilities(struct check *check, const struct node *node)
{
	static const char *const defaults[] = { "AUDIT_WRITE", "CHOWN",
		"DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
		"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP",
		"SETUID", "SYS_CHROOT", NULL };
	size_t i, k;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SEQUENCE)
		return check_invalid(check, node, "'cap_add' must be a list");
	for (i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];
		const char *name;

		if (item->type != NODE_SCALAR)
			return check_invalid(
			    check, item, "a capability must be a text");
		name = item->text;
		if (strncasecmp(name, "CAP_", 4) == 0)
			name += 4;
		for (k = 0; defaults[k] != NULL; k++)
			if (strcasecmp(defaults[k], name) == 0)
				break;
		if (defaults[k] == NULL &&
		    check_refuse(check, item, "cap_add",
			"the capability reaches beyond the container") < 0)
			return -1;
	}
	return 0;
}

int
check_security_options(struct check *check, const struct node *node)
{
	static const char *const harmless[] = { "no-new-privileges",
		"no-new-privileges:true", "no-new-privileges=true", NULL };
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SEQUENCE)
		return check_invalid(
		    check, node, "'security_opt' must be a list");
	for (i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];

		if ((item->type != NODE_SCALAR ||
			!is_one_of(item->text, harmless)) &&
		    check_refuse(check, item, "security_opt",
			"it takes the container's confinement away") < 0)
			return -1;
	}
	return 0;
}

/* Other drivers write to sockets and read files of the host. */
int
check_logging(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "driver", "options", NULL };
	static const char *const harmless[] = { "json-file", "local",
		"journald", "none", NULL };
	const struct node *driver;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_MAPPING)
		return check_invalid(
		    check, node, "'logging' must be a mapping");
	if (check_known_keys(check, node, "logging", keys) < 0)
		return -1;
	driver = node_member(node, "driver");
	if (node_is_null(driver) ||
	    (driver->type == NODE_SCALAR && is_one_of(driver->text, harmless)))
		return 0;
	return check_refuse(check, driver, "logging",
	    "only json-file, local, journald and none");
}

int
check_runtime(struct check *check, const struct node *node)
{
	if (node_is_null(node) ||
	    (node->type == NODE_SCALAR && strcmp(node->text, "runc") == 0))
		return 0;
	return check_refuse(
	    check, node, "runtime", "only runc confines as expected");
}

/*
 * "net.ipv4.ip_forward": of the container's own network, which it does not
 * share with the host; those of other names are the host's, or cost its
 * memory. A '/' would lead elsewhere below /proc/sys.
 */
static bool
is_own_sysctl(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t length = strspn(text, allowed);

	return strncmp(text, "net.", 4) == 0 && strstr(text, "..") == NULL &&
	       (text[length] == '\0' || text[length] == '=');
}

int
check_sysctls(struct check *check, const struct node *node)
{
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type == NODE_SCALAR)
		return check_invalid(
		    check, node, "'sysctls' must be a mapping or a list");
	for (i = 0; i < node->count; i++) {
		const struct node *item = node->type == NODE_MAPPING
					      ? node->entries[i].key
					      : node->items[i];

		if ((item->type != NODE_SCALAR || !is_own_sysctl(item->text)) &&
		    check_refuse(check, item, "sysctls",
			"only those of the container's own network, net.*") < 0)
			return -1;
	}
	return 0;
}

int
check_oom_score(struct check *check, const struct node *node)
{
	/* Below zero the host's own processes are ended first. */
	if (node_is_null(node) ||
	    (node->type == NODE_SCALAR && node->text[0] != '\0' &&
		node->text[strspn(node->text, "0123456789")] == '\0'))
		return 0;
	return check_refuse(check, node, "oom_score_adj",
	    "below zero the host's own processes are ended first");
}

int
check_hooks(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "command", "user", "privileged",
		"working_dir", "environment", "image", "per_replica", NULL };
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SEQUENCE)
		return check_invalid(check, node, "hooks must be a list");
	for (i = 0; i < node->count; i++) {
		const struct node *hook = node->items[i];

		if (hook->type != NODE_MAPPING)
			return check_invalid(
			    check, hook, "a hook must be a mapping");
		if (check_known_keys(check, hook, "a hook", keys) < 0)
			return -1;
		if (node_member(hook, "privileged") != NULL &&
		    check_privileged(check, node_member(hook, "privileged")) <
			0)
			return -1;
	}
	return 0;
}

static int
check_resources(struct check *check, const struct node *resources)
{
	static const char *const keys[] = { "limits", "reservations", NULL };
	static const char *const parts[] = { "cpus", "memory", "pids",
		"devices", "generic_resources", NULL };
	size_t i;

	if (node_is_null(resources))
		return 0;
	if (resources->type != NODE_MAPPING)
		return check_invalid(
		    check, resources, "'resources' must be a mapping");
	if (check_known_keys(check, resources, "resources", keys) < 0)
		return -1;
	for (i = 0; i < resources->count; i++) {
		const struct node *part = resources->entries[i].value;
		const struct node *devices;

		if (part->type != NODE_MAPPING)
			continue;
		if (check_known_keys(check, part, "resources", parts) < 0)
			return -1;
		devices = node_member(part, "devices");
		if (!node_is_null(devices) && devices->count > 0 &&
		    check_refuse(check, devices, "gpus",
			"it opens devices of the host") < 0)
			return -1;
	}
	return 0;
}

int
check_deploy(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "mode", "endpoint_mode", "replicas",
		"labels", "update_config", "rollback_config", "resources",
		"restart_policy", "placement", NULL };

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_MAPPING)
		return check_invalid(check, node, "'deploy' must be a mapping");
	if (check_known_keys(check, node, "deploy", keys) < 0 ||
	    check_labels(check, node_member(node, "labels")) < 0)
		return -1;
	return check_resources(check, node_member(node, "resources"));
}

/*
 * A service of this document is looked at like any other. One from another
 * file is not: the operator who allows it answers for that file.
 */
int
check_extends(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "service", "file", NULL };
	const struct node *service = node, *file = NULL;

	if (node_is_null(node))
		return 0;
	if (node->type == NODE_MAPPING) {
		if (check_known_keys(check, node, "extends", keys) < 0)
			return -1;
		service = node_member(node, "service");
		file = node_member(node, "file");
	}
	if (!node_is_scalar(service))
		return check_invalid(
		    check, node, "'extends' must name a service");
	if (!node_is_null(file)) {
		if (check_refuse(check, file, "extends",
			"it brings in another file") < 0)
			return -1;
		return check_local_path(check, file, "extends");
	}
	if (node_member(check->document->services_node, service->text) == NULL)
		return check_invalid(check, service,
		    "'extends' refers to '%s', which is no service",
		    service->text);
	return 0;
}
