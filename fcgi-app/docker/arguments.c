#include "docker/arguments.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_MINIMUM (INT64_C(6) << 20) /* the Engine's own */
#define MEMORY_MAXIMUM (INT64_C(1) << 50)
#define SHARES_MINIMUM 2 /* the kernel's */
#define SHARES_MAXIMUM 262144
#define CPUS_MAXIMUM 8192
#define NANO 1e9
#define CPU_PERIOD_US 100000
#define LABELS_MAXIMUM 100
#define LABEL_BYTES_MAXIMUM 4096
#define ARGUMENTS_MAXIMUM 256
#define PATH_BYTES_MAXIMUM 4096
#define ALPHANUMERIC \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Containers. */

const struct field stop_argument_fields[] = {
	INTEGER_FIELD(struct stop_arguments, timeout, OPTIONAL, 0,
	    STOP_TIMEOUT_MAXIMUM_S),
	{ 0 },
};

const struct field remove_argument_fields[] = {
	BOOL_FIELD(struct remove_arguments, force, OPTIONAL),
	BOOL_FIELD(struct remove_arguments, volumes, OPTIONAL),
	{ 0 },
};

/* A name or a number, and a second one after a colon. */
static bool
is_user(const char *text)
{
	size_t part = strspn(text, ALPHANUMERIC "_.-");

	if (part < 1 || part > 64 || text[0] == '-')
		return false;
	if (text[part] == '\0')
		return true;
	if (text[part] != ':')
		return false;
	text += part + 1;
	part = strspn(text, ALPHANUMERIC "_.-");
	return part >= 1 && part <= 64 && text[0] != '-' && text[part] == '\0';
}

static bool
has_control_bytes(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return true;
	return false;
}

static bool
is_absolute_path(const char *text)
{
	return text[0] == '/' && strlen(text) <= PATH_BYTES_MAXIMUM &&
	       !has_control_bytes(text);
}

static bool
is_variable_name(const char *text)
{
	return strspn(text, ALPHANUMERIC "_") == strlen(text) &&
	       (text[0] < '0' || text[0] > '9');
}

const struct field exec_argument_fields[] = {
	TEXT_FIELD(
	    struct exec_arguments, command, OPTIONAL, PATH_BYTES_MAXIMUM),
	STRINGS_FIELD(struct exec_arguments, args, OPTIONAL, ARGUMENTS_MAXIMUM,
	    STRING_MAXIMUM),
	STRING_FIELD(struct exec_arguments, user, OPTIONAL, is_user,
	    "a user's name or number, or that, ':' and a group's"),
	STRING_FIELD(struct exec_arguments, workdir, OPTIONAL, is_absolute_path,
	    "an absolute path"),
	MAP_FIELD(struct exec_arguments, env, OPTIONAL, LABELS_MAXIMUM,
	    STRING_MAXIMUM, is_variable_name, "names of variables"),
	INTEGER_FIELD(struct exec_arguments, timeout, OPTIONAL, 1,
	    EXEC_TIMEOUT_MAXIMUM_S),
	{ 0 },
};

int
exec_arguments_check(const struct exec_arguments *arguments, struct error *err)
{
	if (arguments->command[0] == '\0')
		return error_field(
		    err, "command", NULL, "command must not be empty");
	return 0;
}

static const char *const *
format_environment(struct json_object *env, struct arena *arena)
{
	const char **out;
	size_t count = 0;

	if (env == NULL)
		return NULL;
	out = arena_array(
	    arena, (size_t)json_object_object_length(env) + 1, sizeof *out);
	json_object_object_foreach(env, name, value) out[count++] =
	    arena_printf(arena, "%s=%s", name, json_object_get_string(value));
	return out;
}

struct docker_exec
exec_arguments_apply(const struct exec_arguments *arguments,
    const char *container, struct arena *arena)
{
	const char **line =
	    arena_array(arena, arguments->args_count + 2, sizeof *line);

	line[0] = arguments->command;
	if (arguments->args_count > 0)
		memcpy(line + 1, arguments->args,
		    arguments->args_count * sizeof *line);
	return (struct docker_exec){
		.container = container,
		.arguments = line,
		.environment = format_environment(arguments->env, arena),
		.user = arguments->user,
		.directory = arguments->workdir,
	};
}

static bool
is_restart_policy(const char *text)
{
	static const char *const policies[] = { "no", "always",
		"unless-stopped", "on-failure" };
	size_t i;

	for (i = 0; i < sizeof policies / sizeof policies[0]; i++)
		if (strcmp(policies[i], text) == 0)
			return true;
	return false;
}

const struct field limit_argument_fields[] = {
	INTEGER_FIELD(
	    struct limit_arguments, memory_limit, OPTIONAL, 0, MEMORY_MAXIMUM),
	INTEGER_FIELD(struct limit_arguments, memory_swap, OPTIONAL, -1,
	    2 * MEMORY_MAXIMUM),
	NUMBER_FIELD(struct limit_arguments, cpus, OPTIONAL, 0, CPUS_MAXIMUM),
	INTEGER_FIELD(
	    struct limit_arguments, cpu_shares, OPTIONAL, 0, SHARES_MAXIMUM),
	STRING_FIELD(struct limit_arguments, restart_policy, OPTIONAL,
	    is_restart_policy, "no, always, unless-stopped or on-failure"),
	{ 0 },
};

static int
check_cpus(double cpus, struct error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus > 0 && cpus < 0.01)
		return error_field(err, "cpus", NULL,
		    "cpus must be 0 for no limit, or at least 0.01");
	if (cores > 0 && cpus > (double)cores)
		return error_field(err, "cpus", NULL,
		    "cpus must be 0 to %ld, the cores of this host", cores);
	return 0;
}

int
limit_arguments_check(
    const struct limit_arguments *arguments, struct error *err)
{
	if (arguments->memory_limit > 0 &&
	    arguments->memory_limit < MEMORY_MINIMUM)
		return error_field(err, "memory_limit", NULL,
		    "memory_limit must be 0 for no limit, or at least %lld",
		    (long long)MEMORY_MINIMUM);
	if (arguments->memory_swap > 0 &&
	    arguments->memory_swap < MEMORY_MINIMUM)
		return error_field(err, "memory_swap", NULL,
		    "memory_swap must be -1, 0 or at least %lld",
		    (long long)MEMORY_MINIMUM);
	if (arguments->memory_swap > 0 &&
	    arguments->memory_swap < arguments->memory_limit)
		return error_field(err, "memory_swap", NULL,
		    "memory_swap is memory and swap together: it must not be "
		    "less than memory_limit");
	if (arguments->cpu_shares > 0 && arguments->cpu_shares < SHARES_MINIMUM)
		return error_field(err, "cpu_shares", NULL,
		    "cpu_shares must be 0 for the default, or at least %d",
		    SHARES_MINIMUM);
	return check_cpus(arguments->cpus, err);
}

static int
refuse_removal(const char *what, struct error *err)
{
	return error_set(err, ERR_CONFLICT, "LIMIT_NOT_REMOVABLE",
	    "Docker cannot take the limit '%s' away from a container: set a "
	    "larger one, or create the container anew",
	    what);
}

/*
 * Memory beyond the present sum of memory and swap needs a new sum; without
 * one Docker's rule for new containers holds: as much swap as memory.
 */
static int
apply_memory(const struct limit_arguments *arguments,
    const struct docker_limits *present, struct docker_limits *out,
    struct error *err)
{
	int64_t memory = arguments->memory_limit, swap = arguments->memory_swap;

	if (memory == 0 && present->memory_bytes > 0)
		return refuse_removal("memory_limit", err);
	if (memory > 0)
		out->memory_bytes = memory;
	if (swap == -1 || swap > 0)
		out->memory_swap_bytes = swap;
	else if (memory > 0 && present->memory_swap_bytes >= 0 &&
		 (swap == 0 || memory > present->memory_swap_bytes))
		out->memory_swap_bytes = 2 * memory;
	memory = memory > 0 ? memory : present->memory_bytes;
	if (swap > 0 && memory == 0)
		return error_field(err, "memory_swap", NULL,
		    "memory_swap needs a memory_limit");
	if (swap > 0 && swap < memory)
		return error_field(err, "memory_swap", NULL,
		    "memory_swap is memory and swap together: it must not be "
		    "less than the container's memory limit");
	return 0;
}

/* The Engine refuses to change from one way of saying it to the other. */
static int
apply_cpus(double cpus, const struct docker_limits *present,
    struct docker_limits *out, struct error *err)
{
	bool has_quota =
	    present->cpu_quota_us != 0 || present->cpu_period_us != 0;

	if (cpus == 0 && present->nano_cpus > 0)
		return refuse_removal("cpus", err);
	if (cpus == 0 && present->cpu_quota_us > 0)
		out->cpu_quota_us = -1;
	if (cpus <= 0)
		return 0;
	if (has_quota) {
		out->cpu_period_us = CPU_PERIOD_US;
		out->cpu_quota_us = (int64_t)(cpus * CPU_PERIOD_US + 0.5);
	} else {
		out->nano_cpus = (int64_t)(cpus * NANO + 0.5);
	}
	return 0;
}

int
limit_arguments_apply(const struct limit_arguments *arguments,
    const struct docker_limits *present, struct docker_limits *out,
    struct error *err)
{
	const char *policy = arguments->restart_policy;

	*out = (struct docker_limits){
		.restart_policy = policy && policy[0] ? policy : NULL,
	};
	if (apply_memory(arguments, present, out, err) < 0 ||
	    apply_cpus(arguments->cpus, present, out, err) < 0)
		return -1;
	/* Without shares of its own a container has 1024, the default. */
	if (arguments->cpu_shares > 0)
		out->cpu_shares = arguments->cpu_shares;
	else if (arguments->cpu_shares == 0 && present->cpu_shares > 0)
		out->cpu_shares = 1024;
	return 0;
}

/* Volumes. */

const struct field volume_argument_fields[] = {
	CODED_FIELD(struct volume_arguments, name, REQUIRED,
	    docker_name_is_valid, DOCKER_NAME_EXPECTED, "INVALID_NAME"),
	STRING_FIELD(struct volume_arguments, driver, OPTIONAL,
	    docker_id_is_valid, "the name of a driver"),
	MAP_FIELD(struct volume_arguments, driver_opts, OPTIONAL,
	    LABELS_MAXIMUM, LABEL_BYTES_MAXIMUM, NULL, NULL),
	MAP_FIELD(struct volume_arguments, options, OPTIONAL, LABELS_MAXIMUM,
	    LABEL_BYTES_MAXIMUM, NULL, NULL),
	MAP_FIELD(struct volume_arguments, labels, OPTIONAL, LABELS_MAXIMUM,
	    LABEL_BYTES_MAXIMUM, NULL, NULL),
	{ 0 },
};

static const char *
text_or(const char *text, const char *otherwise)
{
	return text != NULL && text[0] != '\0' ? text : otherwise;
}

void
volume_arguments_apply(
    const struct volume_arguments *arguments, struct docker_volume_options *out)
{
	*out = (struct docker_volume_options){
		.name = arguments->name,
		.driver = text_or(arguments->driver, "local"),
		.driver_options = arguments->driver_opts
				      ? arguments->driver_opts
				      : arguments->options,
		.labels = arguments->labels,
	};
}

const struct field prune_argument_fields[] = {
	BOOL_FIELD(struct prune_arguments, all, OPTIONAL),
	BOOL_FIELD(struct prune_arguments, dry_run, OPTIONAL),
	{ 0 },
};

/* Networks. */

const struct field network_argument_fields[] = {
	CODED_FIELD(struct network_arguments, name, REQUIRED,
	    docker_name_is_valid, DOCKER_NAME_EXPECTED, "INVALID_NAME"),
	STRING_FIELD(struct network_arguments, driver, OPTIONAL,
	    docker_id_is_valid, "the name of a driver"),
	TEXT_FIELD(struct network_arguments, subnet, OPTIONAL, 64),
	TEXT_FIELD(struct network_arguments, gateway, OPTIONAL, 64),
	BOOL_FIELD(struct network_arguments, internal, OPTIONAL),
	BOOL_FIELD(struct network_arguments, attachable, OPTIONAL),
	MAP_FIELD(struct network_arguments, labels, OPTIONAL, LABELS_MAXIMUM,
	    LABEL_BYTES_MAXIMUM, NULL, NULL),
	{ 0 },
};

const struct field attach_argument_fields[] = {
	CODED_FIELD(struct attach_arguments, container, REQUIRED,
	    docker_id_is_valid, "the id or the name of a container",
	    "INVALID_ID"),
	STRING_FIELD(struct attach_arguments, shown, OPTIONAL,
	    docker_id_is_valid, "the id or the name of a container"),
	BOOL_FIELD(struct attach_arguments, force, OPTIONAL),
	{ 0 },
};

struct address {
	int family;
	unsigned char bytes[16];
	unsigned int bits; /* 32 or 128 */
};

static bool
parse_address(const char *text, struct address *out)
{
	*out = (struct address){ .family = AF_INET, .bits = 32 };
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		return true;
	out->family = AF_INET6;
	out->bits = 128;
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool
has_bit(const struct address *address, unsigned int bit)
{
	return (address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

/* "10.7.0.0/16": the address, then a number without leading zeroes. */
static bool
parse_range(const char *text, struct address *out, unsigned int *out_prefix)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	size_t length = slash ? (size_t)(slash - text) : 0, digits;

	if (length == 0 || length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	digits = strspn(slash + 1, "0123456789");
	if (digits < 1 || digits > 3 || slash[1 + digits] != '\0' ||
	    (digits > 1 && slash[1] == '0'))
		return false;
	*out_prefix = (unsigned int)strtoul(slash + 1, NULL, 10);
	return parse_address(address, out) && *out_prefix >= 1 &&
	       *out_prefix < out->bits;
}

static bool
is_within(const struct address *address, const struct address *range,
    unsigned int prefix)
{
	unsigned int bit;

	if (address->family != range->family)
		return false;
	for (bit = 0; bit < prefix; bit++)
		if (has_bit(address, bit) != has_bit(range, bit))
			return false;
	return true;
}

static int
check_addresses(struct docker_network_options *network, struct error *err)
{
	struct address range, gateway;
	unsigned int prefix, bit;

	if (!parse_range(network->subnet, &range, &prefix))
		return error_field(err, "subnet", NULL,
		    "subnet must be an address, '/' and the length of the "
		    "prefix, such as 10.7.0.0/16 or fd00:7::/64");
	for (bit = prefix; bit < range.bits; bit++)
		if (has_bit(&range, bit))
			return error_field(err, "subnet", NULL,
			    "subnet has bits set beyond its prefix");
	if (network->gateway != NULL &&
	    (!parse_address(network->gateway, &gateway) ||
		!is_within(&gateway, &range, prefix)))
		return error_field(err, "gateway", NULL,
		    "gateway must be an address within the subnet");
	network->ipv6 = range.family == AF_INET6;
	return 0;
}

int
network_arguments_apply(const struct network_arguments *arguments,
    struct docker_network_options *out, struct error *err)
{
	*out = (struct docker_network_options){
		.name = arguments->name,
		.driver = text_or(arguments->driver, "bridge"),
		.subnet = text_or(arguments->subnet, NULL),
		.gateway = text_or(arguments->gateway, NULL),
		.internal = arguments->internal,
		.attachable = arguments->attachable,
		.labels = arguments->labels,
	};
	if (out->subnet != NULL)
		return check_addresses(out, err);
	if (out->gateway != NULL)
		return error_field(
		    err, "subnet", NULL, "a gateway needs its subnet");
	return 0;
}

bool
docker_network_is_closed(const char *name)
{
	return strcmp(name, "host") == 0 || strcmp(name, "none") == 0;
}

bool
docker_network_is_predefined(const char *name)
{
	static const char *const names[] = { "bridge", "ingress",
		"docker_gwbridge" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return docker_network_is_closed(name);
}
