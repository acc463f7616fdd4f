/*
 * Arguments of changes: what clients may say about containers, volumes and
 * networks. Workers decode a request's body by these tables and the agent,
 * which does not trust them, the job's arguments by the same.
 *
 * A check is what a table cannot say; it comes after decoding. Both fail with
 * ERR_INVALID and the field.
 */
#ifndef DOCKER_ARGUMENTS_H
#define DOCKER_ARGUMENTS_H

#include "base/arena.h"
#include "base/error.h"
#include "docker/docker.h"
#include "json/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a container may take to end before it is killed. */
struct stop_arguments {
	int64_t timeout; /* seconds; preset to -1: Docker's default */
};
#define STOP_TIMEOUT_MAXIMUM_S 600
extern const struct field stop_argument_fields[];

struct remove_arguments {
	bool force, volumes;
};
extern const struct field remove_argument_fields[];

#define EXEC_TIMEOUT_S 300
#define EXEC_TIMEOUT_MAXIMUM_S 3600

struct exec_arguments {
	const char *command;     /* preset to "sh" */
	const char *const *args; /* NULL-ended, or NULL */
	size_t args_count;
	const char *user;        /* name or number, also ":group" */
	const char *workdir;     /* absolute */
	struct json_object *env; /* names and values */
	int64_t timeout;         /* seconds; preset to EXEC_TIMEOUT_S */
};
extern const struct field exec_argument_fields[];
int exec_arguments_check(
    const struct exec_arguments *arguments, struct error *err);
/* The whole command line, in the arena. */
struct docker_exec exec_arguments_apply(const struct exec_arguments *arguments,
    const char *container, struct arena *arena);

/* What is to change; preset with LIMIT_ARGUMENTS: nothing. */
struct limit_arguments {
	int64_t memory_limit; /* bytes; 0: none */
	int64_t memory_swap;  /* bytes with memory; -1: no limit, 0: default */
	double cpus;          /* 0: no limit */
	int64_t cpu_shares;   /* 0: default */
	const char *restart_policy;
};
#define LIMIT_UNSET (-2)
#define LIMIT_ARGUMENTS                                                  \
	{                                                                \
		.memory_limit = LIMIT_UNSET, .memory_swap = LIMIT_UNSET, \
		.cpus = LIMIT_UNSET, .cpu_shares = LIMIT_UNSET           \
	}
extern const struct field limit_argument_fields[];
int limit_arguments_check(
    const struct limit_arguments *arguments, struct error *err);
/*
 * What the Engine has to be told of a container with these limits. It takes
 * no limit away: ERR_CONFLICT LIMIT_NOT_REMOVABLE for a 0 where there is one.
 */
int limit_arguments_apply(const struct limit_arguments *arguments,
    const struct docker_limits *present, struct docker_limits *out,
    struct error *err);

struct volume_arguments {
	const char *name, *driver; /* driver preset to "local" */
	struct json_object *driver_opts, *labels;
	struct json_object *options; /* driver_opts by another name */
};
extern const struct field volume_argument_fields[];
void volume_arguments_apply(const struct volume_arguments *arguments,
    struct docker_volume_options *out);

struct prune_arguments {
	bool all, dry_run;
};
extern const struct field prune_argument_fields[];

struct network_arguments {
	const char *name, *driver;    /* driver preset to "bridge" */
	const char *subnet, *gateway; /* NULL: Docker chooses */
	bool internal, attachable;
	struct json_object *labels;
};
extern const struct field network_argument_fields[];
/* ERR_INVALID for addresses that are none or do not belong together. */
int network_arguments_apply(const struct network_arguments *arguments,
    struct docker_network_options *out, struct error *err);

struct attach_arguments {
	const char *container; /* id or name */
	const char *shown;     /* of a job: as the client wrote it, or NULL */
	bool force;            /* of a disconnect */
};
extern const struct field attach_argument_fields[];

/* Docker's own, which are never removed. */
bool docker_network_is_predefined(const char *name);
/* Of those: what containers cannot be connected to. */
bool docker_network_is_closed(const char *name);

#endif
