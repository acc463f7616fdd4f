/*
 * What the files of this folder share: the tree of a YAML text, and its
 * scalars. Nothing outside the folder includes this.
 */
#ifndef COMPOSE_DOCUMENT_PRIVATE_H
#define COMPOSE_DOCUMENT_PRIVATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "compose/document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPTH_MAXIMUM 64
#define NODES_MAXIMUM 10000
#define ALIASES_MAXIMUM 100
#define SCALAR_MAXIMUM ((size_t)64 * 1024)
#define KEY_MAXIMUM ((size_t)255)
/* All scalars together, with copies made by aliases and values put in. */
#define SCALARS_MAXIMUM ((size_t)4 * 1024 * 1024)

enum node_type { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_type type;
	unsigned int line, column; /* from 1; of what an alias stands for */
	bool plain;   /* scalar without quotes, as the text had it */
	bool flow;    /* mapping or sequence in braces or brackets */
	bool block;   /* literal or folded scalar */
	bool copied;  /* stands here by an alias or a merge */
	bool aliased; /* has an anchor that an alias refers to */
	/*
	 * Where it stands in the text, in characters from 0, an anchor before
	 * it included; of an alias the alias itself. A block scalar ends after
	 * the empty lines that follow it, a block mapping or sequence with its
	 * last value.
	 */
	size_t start, end;
	size_t first, last; /* start of its first child, end of its last one */
	const char *text;   /* scalar; never holds a NUL */
	size_t length;
	struct node **items;   /* sequence */
	struct entry *entries; /* mapping */
	size_t count;
};

struct entry {
	struct node *key; /* a scalar */
	struct node *value;
	uint32_t hash; /* of the key */
	bool merged;   /* stands in another mapping */
};

/* What a text is, for the errors about it. */
struct tree_kind {
	const char *field;
	const char *code;
};

/*
 * Reads one YAML document under the limits above, with aliases copied and
 * merge keys merged. An empty text gives a NULL root.
 */
int tree_parse(const struct tree_kind *kind, const char *text, size_t length,
    struct arena *arena, struct node **out_root, struct error *err);

/* "line L, column C: " and the text, as INVALID_COMPOSE. */
int node_invalid(struct error *err, const struct node *node, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* Bytes of the line break, by YAML, that the text begins with; 0 for none. */
size_t line_break_length(const char *text, size_t length);

uint32_t key_hash(const char *text, size_t length);
/* The member with the key, or NULL; of a mapping. */
const struct entry *node_entry(
    const struct node *node, const char *key, size_t length, uint32_t hash);
/* The value of the key, or NULL; NULL for what is no mapping. */
struct node *node_member(const struct node *mapping, const char *key);
/* The text of a scalar member, or NULL. */
const char *node_member_text(const struct node *mapping, const char *key);
static inline bool
node_is_scalar(const struct node *node)
{
	return node != NULL && node->type == NODE_SCALAR;
}
/* NULL, or a plain scalar that says null. */
bool node_is_null(const struct node *node);
/* Whether both say the same, wherever members of mappings stand. */
bool node_is_equal(const struct node *left, const struct node *right);

enum scalar_type {
	SCALAR_STRING,
	SCALAR_NULL,
	SCALAR_BOOLEAN,
	SCALAR_INTEGER,
	SCALAR_FLOAT,
};
/* What a plain scalar is by the core schema of YAML 1.2. */
enum scalar_type scalar_resolve(const char *text);
/*
 * Whether YAML 1.1 or 1.2 may read the plain scalar as something other than
 * a string. Errs on the side of yes.
 */
bool scalar_is_ambiguous(const char *text);
/* Whether the text can be written without quotes and stays one scalar. */
bool scalar_can_be_plain(const char *text);
/* Appends the text in double quotes; doubled: '$' becomes "$$". */
void scalar_write_quoted(
    struct buffer *out, const char *text, size_t length, bool doubled);
/* Appends a string: without quotes where all readers take it for one. */
void scalar_write_string(struct buffer *out, const char *text);

struct document {
	struct arena *arena;
	const char *source;
	size_t source_length;
	struct node *root;          /* a mapping */
	struct node *services_node; /* a mapping, or NULL */
	struct compose_service *services;
	size_t service_count;
};

/* The member of the service or of what it extends in the same document; NULL
 * for none and for null. */
const struct node *service_member(const struct document *document,
    const struct node *service, const char *key);

/* Fills services from the tree. */
void document_list_services(struct document *document);

/* One walk of document_check() or document_check_paths(). */
struct check {
	const struct document *document;
	const struct compose_policy *policy;
	int directory;       /* where paths are looked at, or -1 */
	const char *service; /* being looked at, or NULL */
	const char *section; /* "services", "volumes", … */
	struct mount *mounts;
	size_t mount_count, mount_allocated;
	size_t ports; /* published so far */
	struct error *err;
};

/* Host directories and files that containers get to see. */
struct mount {
	const char *path; /* beneath the project, without "./" */
	bool writable;
	const struct node *node;
	const char *service;
};

/* INVALID_COMPOSE with the place, the service and the text. */
int check_invalid(struct check *check, const struct node *node,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * Unless the operator allowed the key: COMPOSE_POLICY with the place, the
 * service, the key and why.
 */
int check_refuse(struct check *check, const struct node *node, const char *key,
    const char *why);

/* resources.c: volumes and networks, in a document or without one. */
bool label_is_reserved(const char *name);
bool volume_driver_is_harmless(const char *driver);
bool network_driver_is_harmless(const char *driver);
#define LABELS_WHY "labels of Compose and Docker are theirs"
#define VOLUME_DRIVER_WHY "only local"
/* With them a volume is a bind mount of anything. */
#define VOLUME_OPTIONS_WHY "they can mount directories of the host"
#define NETWORK_DRIVER_WHY "only bridge and overlay"

bool policy_allows(const struct compose_policy *policy, const char *key);
/* Neither missing, null nor a plain or quoted "false". */
bool node_is_set(const struct node *node);
/* Labels in either form: none of Compose's own. */
int check_labels(struct check *check, const struct node *labels);

/* mounts.c: paths of the host. */
int check_volume(struct check *check, const struct node *volume);
/* A file or directory that Compose reads: beneath the project alone. */
int check_local_path(
    struct check *check, const struct node *path, const char *key);
/* The same for one that becomes a read-only mount. */
int check_mounted_file(
    struct check *check, const struct node *path, const char *key);
int check_nested_mounts(struct check *check);

/* policy.c: keys of a service that reach beyond its container. */
int check_privileged(struct check *check, const struct node *node);
int check_network_mode(struct check *check, const struct node *node);
int check_pid(struct check *check, const struct node *node);
int check_ipc(struct check *check, const struct node *node);
int check_cgroup(struct check *check, const struct node *node);
int check_capabilities(struct check *check, const struct node *node);
int check_security_options(struct check *check, const struct node *node);
int check_logging(struct check *check, const struct node *node);
int check_runtime(struct check *check, const struct node *node);
int check_oom_score(struct check *check, const struct node *node);
int check_sysctls(struct check *check, const struct node *node);
int check_hooks(struct check *check, const struct node *node);
int check_deploy(struct check *check, const struct node *node);
int check_extends(struct check *check, const struct node *node);

/* ports.c: how many ports the list of a service publishes. */
size_t port_list_count(const struct node *ports);

/* build.c */
int check_build(struct check *check, const struct node *build);

/* sections.c: the top level beside services. */
int check_networks(struct check *check);
int check_volumes(struct check *check);
int check_files(struct check *check, const char *section);
/* Refuses the keys that the NULL-ended list does not have; "x-…" pass. */
int check_known_keys(struct check *check, const struct node *mapping,
    const char *what, const char *const *known);

/* A name of Docker's, or one letter or digit: keys of networks and so on. */
bool resource_key_is_valid(const char *key);

#endif
