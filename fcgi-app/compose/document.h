/*
 * A Compose document: read, checked, normalised.
 *
 * document_parse() walks libyaml's events under hard limits (1 MiB of text,
 * depth 64, 10,000 nodes, 100 aliases, 64 KiB a scalar), so that no YAML bomb
 * costs more than milliseconds, and builds a tree with the line and column of
 * every node. It refuses what two readers could read differently: a byte
 * order mark, a second document, duplicate keys, unknown tags, aliases that
 * contain themselves, keys that are no strings. Aliases are copied and merge
 * keys ("<<") are merged, so that the tree is what will run.
 *
 * document_interpolate() then replaces ${NAME}, ${NAME:-default},
 * ${NAME-default}, ${NAME:?error}, ${NAME?error}, ${NAME:+other},
 * ${NAME+other} and $NAME in scalar values from the given environment ("$$"
 * is "$"; defaults nest), as the Compose specification says
 * (https://github.com/compose-spec/compose-spec, 12-interpolation.md).
 *
 * document_check() refuses structure that Compose would not run (no services,
 * a service with neither image nor build, unknown keys of a service) with
 * ERR_INVALID INVALID_COMPOSE and "line L, column C: …"; and what the policy
 * does not allow with ERR_FORBIDDEN COMPOSE_POLICY and the service and key.
 *
 * document_normalise() writes the checked tree as YAML that needs no
 * interpolation, merging or aliases ("$" doubled): this text, and no other,
 * is what Compose is given.
 *
 * Documents are immutable after document_interpolate(); one thread each.
 */
#ifndef COMPOSE_DOCUMENT_H
#define COMPOSE_DOCUMENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define COMPOSE_TEXT_MAXIMUM (1024 * 1024)

struct document;

/* Everything is in the arena. ERR_INVALID INVALID_COMPOSE, field
 * "compose_content". */
int document_parse(const char *text, size_t length, struct arena *arena,
    struct document **out, struct error *err);

struct compose_variable {
	const char *name;
	const char *value;
};

int document_interpolate(struct document *document,
    const struct compose_variable *variables, size_t count, struct error *err);

/*
 * What the operator allowed in config.yml (compose.policy): never settable
 * over the API. allow names keys or groups: "privileged", "network_mode",
 * "pid", "ipc", "uts", "userns_mode", "cgroup", "cap_add", "devices",
 * "security_opt", "sysctls", "volume_driver_opts", "docker_socket", …
 */
struct compose_policy {
	const char *const *allow; /* NULL-ended */
	/* Absolute host directories that may be mounted, with all beneath;
	 * NULL-ended. */
	const char *const *bind_paths;
};

int document_check(const struct document *document,
    const struct compose_policy *policy, struct error *err);

/*
 * document_check(), and that what the document refers to beneath the project's
 * directory or policy->bind_paths (bind mounts, env_file, build contexts,
 * configs, secrets) passes no symbolic link: ERR_INVALID UNSAFE_PATH. Paths
 * that do not exist are fine.
 */
int document_check_paths(const struct document *document,
    const struct compose_policy *policy, int directory, struct error *err);

int document_normalise(
    const struct document *document, struct buffer *out, struct error *err);

/* The document's top-level "name", or NULL. */
const char *document_name(const struct document *document);

struct compose_service {
	const char *name;
	const char *image;          /* "" for one that is only built */
	const char *container_name; /* "" when it has none of its own */
	bool has_build;
	bool has_profiles; /* it runs only when one of them is asked for */
	const char *const *ports; /* as written, long form as
				     "published:target"; then "expose" */
	size_t port_count;
	const char *const *networks;
	size_t network_count;
	int container_port; /* container side of its first port, 0: none */
};

/* The services in the file's order, in the document's arena. */
const struct compose_service *document_services(
    const struct document *document, size_t *out_count);

/* Ports of the host that a service takes for itself. */
struct compose_host_port {
	const char *service;
	const char *address; /* IPv4 or IPv6, "" for all */
	int port;
	const char *protocol; /* tcp, udp, sctp */
};

/*
 * Those that the document names, one by one; what is left to Docker to choose
 * is not among them. Everything is in the document's arena.
 */
const struct compose_host_port *document_host_ports(
    const struct document *document, size_t *out_count);

/* Whether the service names the other one in depends_on, links, volumes_from,
 * or as the owner of a name space that it shares. */
bool document_depends(
    const struct document *document, const char *service, const char *other);
bool document_has_links(const struct document *document, const char *service);

/*
 * Names of volumes that are not the project's own but the same for all that
 * name them: external ones, and those with a name. In the document's arena.
 */
const char *const *document_shared_volumes(
    const struct document *document, size_t *out_count);

/* The service that answers for the deployment: the only one; else the one
 * called app or web with ports; else the first with ports; else the first. */
const struct compose_service *document_primary_service(
    const struct document *document);

/*
 * Appends text, the source the document was parsed from, with a
 * container_name inserted into every service that has none (the primary one:
 * deployment, others: deployment-service), except where it is written in flow
 * style or runs several replicas. All else stays byte for byte.
 */
int document_name_containers(const struct document *document,
    const char *deployment, struct buffer *out, struct error *err);

#endif
