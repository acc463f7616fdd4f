/*
 * Templates: what deployments are made from. One is a directory
 *
 *	ID/docker-compose.yml   the Compose text (required)
 *	ID/metadata.yml         what it is, and what it needs
 *
 * or infra/NAME/… for shared services, whose id is "infra/NAME". Nothing of it
 * is trusted: sizes are bounded, and a template is checked as a deployment
 * made from it would be, under the same policy.
 *
 * metadata.yml has name, description, icon, logo, category, type, priority,
 * container_port, mounts [{id, name, container_path, description, type: file
 * or volume, required}], files [{path, content}], env {template, secrets [{key,
 * encoding: base64, hex or alphanumeric, bytes, prefix}]}, quick_actions and
 * healthcheck as a deployment's metadata has them, and object_store, backup
 * and setup, which nobody here looks at.
 *
 * In the Compose text, in files and in env.template "${NAME}" is the name of
 * the deployment and "${PROXY_NETWORK}" the network of the proxy; in files also
 * any variable of the environment. All other "${…}" are Compose's.
 *
 * Callable from any thread; all that is given out is in the arena.
 */
#ifndef TEMPLATES_TEMPLATES_H
#define TEMPLATES_TEMPLATES_H

#include "base/arena.h"
#include "base/error.h"
#include "compose/compose.h"
#include "store/templates.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_TEXT_MAXIMUM ((size_t)256 * 1024)        /* of each file */
#define TEMPLATES_MAXIMUM 500                             /* of one source */
#define TEMPLATES_BYTES_MAXIMUM ((size_t)8 * 1024 * 1024) /* all of them */

#define TEMPLATE_BUILTIN "builtin" /* the source that is installed */
#define TEMPLATE_CUSTOM "custom"   /* the id for a single image */
#define TEMPLATE_CUSTOM_IMAGE "nginx:alpine"
#define TEMPLATE_INFRASTRUCTURE "infrastructure" /* a type */

/* ^[a-z0-9][a-z0-9-]{0,63}$, or "infra/" and that. */
bool template_id_is_valid(const char *id);
#define TEMPLATE_ID_EXPECTED \
	"1 to 64 of a-z, 0-9 and '-', beginning with a letter or digit"

/* Sources. */

/* A template as it was read. */
struct template_text {
	const char *id;
	const char *compose;
	const char *metadata; /* NULL: none */
	const char *problem;  /* NULL, or why it could not be read */
};

struct template_texts {
	struct template_text *texts;
	size_t count, allocated, bytes;
};

/*
 * Reads all beneath the directory, without following links. What is no
 * template is passed over; what is one and cannot be read has its problem.
 * ERR_NOT_FOUND when there is no such directory.
 */
int template_read_directory(const char *path, struct arena *arena,
    struct template_texts *out, struct error *err);

/*
 * Checks a template: everything a deployment could fail with, before there is
 * one. ERR_INVALID INVALID_TEMPLATE with the reason. *out is for
 * template_replace().
 */
int template_check(const struct template_text *text, const char *source,
    struct compose *compose, struct arena *arena, struct template *out,
    struct error *err);

/* Use. */

/* Where the deployment will be. */
struct template_place {
	const char *name;    /* of the deployment */
	const char *network; /* of the proxy */
};

/* The Compose text, filled in; a network "proxy" becomes place->network. */
int template_compose(const struct template *template,
    const struct template_place *place, struct arena *arena, const char **out,
    struct error *err);

struct template_mount_choice {
	const char *id;
	bool enabled;
	const char *type; /* "volume", "file"; NULL: as the template has it */
};

struct template_choice {
	const char *image; /* of the primary service; NULL: the template's */
	/*
	 * 0 and no publish: as the template has it. The first one is the
	 * primary service's own.
	 */
	const struct compose_port *ports;
	size_t port_count;
	const struct template_mount_choice *mounts;
	size_t mount_count;
};

/*
 * The same with ports, image and mounts of the primary service changed; what
 * they are not about stays as it is written. A mount that is not mentioned is
 * there if the template requires it. ERR_INVALID for a mount that the template
 * does not have.
 */
int template_generate(const struct template *template,
    const struct template_place *place, const struct template_choice *choice,
    struct arena *arena, const char **out, struct error *err);

/*
 * The environment: what is given, then what the template has for it and was
 * not given. Secrets are new ones each time.
 */
int template_environment(const struct template *template,
    const struct template_place *place, const struct compose_variable *given,
    size_t given_count, struct arena *arena, struct compose_variable **out,
    size_t *out_count, struct error *err);

/* The template's files, filled in. */
int template_files(const struct template *template,
    const struct template_place *place,
    const struct compose_variable *variables, size_t variable_count,
    struct arena *arena, struct compose_file **out, size_t *out_count,
    struct error *err);

#endif
