/*
 * Compose projects on disk: one directory per deployment beneath one root.
 *
 * ROOT/NAME/docker-compose.yml   what runs (0644)
 * ROOT/NAME/service.yml          metadata (0644)
 * ROOT/NAME/.env.flatrun         environment for interpolation (0600)
 * ROOT/.flatrun/staging/…        being created; emptied at start
 * ROOT/.flatrun/checked/NAME.yml the normalised document Compose is given
 * ROOT/.flatrun/trash/…          deleted deployments
 *
 * People edit these files by hand too: nothing here is cached. All paths are
 * opened beneath the root's descriptor without following links.
 *
 * One struct compose per process, callable from any thread; who changes a
 * project holds its turn (the agent runs one job per deployment at a time).
 */
#ifndef COMPOSE_COMPOSE_H
#define COMPOSE_COMPOSE_H

#include "base/arena.h"
#include "base/error.h"
#include "compose/document.h"
#include "docker/docker.h"
#include "json/fields.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct compose;

/* ^[a-z0-9][a-z0-9_-]{0,62}$ : deployments and services. */
bool compose_name_is_valid(const char *name);
#define COMPOSE_NAME_EXPECTED \
	"1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit"

/* ^[A-Za-z_][A-Za-z0-9_]{0,127}$ */
bool compose_variable_name_is_valid(const char *name);
/*
 * root must exist. policy is borrowed and must live longer. writable: also
 * makes ROOT/.flatrun and its directories (the agent).
 */
int compose_open(const char *root, const struct compose_policy *policy,
    bool writable, struct compose **out, struct error *err);
void compose_close(struct compose *compose);

struct compose_files {
	const char *filename; /* docker-compose.yml, … */
	const char *compose;  /* its text */
	size_t compose_length;
	const char *metadata;    /* text of service.yml, or NULL */
	const char *environment; /* text of .env.flatrun, or NULL */
	int64_t modified_at_ms;  /* of the directory: created_at, updated_at */
};

/*
 * Reads the files of the deployment into the arena. ERR_NOT_FOUND
 * DEPLOYMENT_NOT_FOUND when there is no directory with a compose file:
 * docker-compose.yml, docker-compose.yaml, compose.yml, compose.yaml, then
 * the first of *compose*.yml, then of *compose*.yaml, by name.
 */
int compose_read(struct compose *compose, const char *name, struct arena *arena,
    struct compose_files *out, struct error *err);

/* The same of an open directory that is to become the deployment. */
int compose_read_directory(struct compose *compose, int directory,
    const char *name, struct arena *arena, struct compose_files *out,
    struct error *err);

/*
 * Opens the directory of a deployment; *out_filename, in the arena, is the name
 * of its Compose file. Errors as of compose_read(). The caller closes it.
 */
int compose_open_deployment(struct compose *compose, const char *name,
    struct arena *arena, const char **out_filename, struct error *err);

#define COMPOSE_METADATA_FILE "service.yml"
#define COMPOSE_ENVIRONMENT_FILE ".env.flatrun"

/*
 * Whether the name, directly in the deployment's directory, is of a file with
 * endpoints of its own: service.yml, .env.flatrun, and all that could be taken
 * for the Compose file.
 */
bool compose_file_is_managed(const char *name);

/* Names of all deployments, sorted, in the arena. */
int compose_list(struct compose *compose, struct arena *arena,
    const char *const **out, size_t *out_count, struct error *err);

/*
 * Parses, interpolates and checks a compose text as it would run under name:
 * the whole of document.h. environment is the text of .env.flatrun, or NULL.
 * A top-level "name" must be the deployment's or "flatrun-" and that: with
 * another one it would change the containers of another project.
 */
int compose_check(struct compose *compose, const char *name, const char *text,
    size_t length, const char *environment, struct arena *arena,
    struct document **out, struct error *err);

/*
 * A volume or a network that is made without a document: the policy is the one
 * for documents, with the same keys (volume_driver, volume_driver_opts,
 * network_driver, labels). ERR_FORBIDDEN VOLUME_POLICY or NETWORK_POLICY, with
 * the field.
 */
int compose_check_volume(const struct compose *compose,
    const struct docker_volume_options *volume, struct error *err);
int compose_check_network(const struct compose *compose,
    const struct docker_network_options *network, struct error *err);

/*
 * Variables from "KEY=value" lines: blank and '#' lines skipped, an "export "
 * prefix and matching quotes dropped. For interpolation and the API.
 */
int compose_environment_parse(const char *text, struct arena *arena,
    struct compose_variable **out, size_t *out_count, struct error *err);
/* An element of clients' env_vars, {key, value}, as struct compose_variable;
 * value is NULL where it is left out. */
extern const struct field compose_variable_fields[];
/* The text of .env.flatrun; refuses names by grammar and values with line
 * breaks or NUL (INVALID_ENVIRONMENT, field "env_vars"). */
int compose_environment_format(const struct compose_variable *variables,
    size_t count, struct buffer *out, struct error *err);

/*
 * The text of .env.flatrun with these variables in the place of its own: lines
 * of variables that keep their value, comments and order stay; new ones come
 * last. *out_text is in the arena. Errors as of compose_environment_format(),
 * which also come of a name that is there twice.
 */
int compose_environment_edit(const char *text,
    const struct compose_variable *variables, size_t count, struct arena *arena,
    const char **out_text, struct error *err);

/* What stands for the value of a secret. */
#define COMPOSE_SECRET_MASK "********"
/*
 * The names of an environment's variables, one a line, each with the mask for
 * its value and without remarks. Values that are another than in the text
 * other (or NULL) would all look alike: they have mark behind them. In the
 * arena; NULL for NULL, and for what cannot be read.
 */
const char *compose_environment_mask(
    const char *text, const char *other, const char *mark, struct arena *arena);
/* Whether a variable looks like a secret: by its name (PASSWORD, TOKEN, KEY,
 * …), or its value, an URL with a password or a private key. */
bool compose_variable_is_secret(const char *name, const char *value);

/* A file of a new deployment, beside those that every one has. */
struct compose_file {
	const char *path; /* beneath the deployment; directories are made */
	const char *text;
	size_t length;
};

/*
 * Writes a new deployment: staged, synced, renamed. ERR_CONFLICT
 * ALREADY_EXISTS. metadata and environment may be NULL. ERR_INVALID
 * UNSAFE_PATH for a file outside it or of a name that is taken.
 */
int compose_create(struct compose *compose, const char *name, const char *text,
    size_t length, const char *metadata, const char *environment,
    const struct compose_file *files, size_t file_count, struct error *err);

/*
 * What is made piece by piece: a directory or a file of any name in the
 * staging area, that is emptied when the agent starts. The caller closes it.
 */
int compose_open_staging(struct compose *compose, struct error *err);
/* Makes a directory there, 0755; out_name is its name, a random one. */
#define COMPOSE_STAGED_SIZE 17
int compose_stage(struct compose *compose, char out_name[COMPOSE_STAGED_SIZE],
    struct error *err);
/* The staged directory, synced by the caller, becomes a deployment.
 * ERR_CONFLICT ALREADY_EXISTS. */
int compose_publish(struct compose *compose, const char *staged,
    const char *name, struct error *err);

/* Replaces one file of the deployment; filename as compose_read() gave it. */
int compose_write(struct compose *compose, const char *name,
    const char *filename, const void *bytes, size_t length, mode_t mode,
    struct error *err);

/*
 * Makes the files of the deployment what files says (its length and time do
 * not count): what changes is all written before the first takes its place.
 * Without metadata or environment that file is removed.
 */
int compose_replace(struct compose *compose, const char *name,
    const struct compose_files *files, struct error *err);

/* Moves the directory to the trash as NAME.TIME and drops its checked file. */
int compose_trash(struct compose *compose, const char *name, struct error *err);
/* Removes what has been in the trash for longer; and, at start, staging. */
int compose_empty_trash(
    struct compose *compose, int64_t older_than_s, struct error *err);
int compose_clear_staging(struct compose *compose, struct error *err);
/* Removes what a process that was killed had written beside the deployment's
 * files, but not put in their place. One that is gone is fine. */
int compose_clear_temporary(
    struct compose *compose, const char *name, struct error *err);

/* The Compose program: "docker compose" (v2 plugin, started directly) or
 * docker-compose, whichever is there. */
struct compose_program {
	char path[256];
	int major; /* 1 or 2 */
	char version[32];
};
/* preferred is an absolute path, or NULL: looks in the plugin directories,
 * then in PATH's usual ones. Runs it once for its version. ERR_UNAVAILABLE
 * COMPOSE_NOT_INSTALLED. */
int compose_find_program(
    const char *preferred, struct compose_program *out, struct error *err);

struct compose_run {
	const struct compose_program *program;
	const char *docker_socket; /* path */
	/* Directory with the Docker client's config.json; NULL: root's own. */
	const char *docker_config;
	const char *mark;    /* "NAME=value" put into the environment */
	const char *project; /* project name */
	/* Texts to run in place of what is on the disk; NULL: those. */
	const struct compose_files *candidate;
	int64_t timeout_ms;
	const atomic_bool *cancel;
	struct buffer *output; /* bounded; overflow drops, never fails */
	/* Called in this thread when output has grown; may be NULL. */
	void (*on_output)(void *context);
	void *context;
};

/*
 * Runs `compose <arguments>` (NULL-ended, such as "up", "-d") on the checked,
 * normalised document of the deployment. The text that runs is read, checked
 * and written by this call: what a hand edit made invalid is refused as in
 * compose_check(). A non-zero exit is an error by what the output says:
 *   ERR_CONFLICT PORT_IN_USE, ERR_CONFLICT NAME_IN_USE (container name),
 *   ERR_UPSTREAM IMAGE_NOT_FOUND, ERR_UPSTREAM REGISTRY_UNAVAILABLE,
 *   ERR_UNAVAILABLE DOCKER_UNAVAILABLE, ERR_STORAGE_FULL, ERR_TIMEOUT
 *   COMPOSE_TIMEOUT, ERR_CONFLICT JOB_CANCELLED, else ERR_UPSTREAM
 *   COMPOSE_FAILED.
 */
int compose_run(struct compose *compose, const char *name,
    const struct compose_run *run, const char *const *arguments,
    struct error *err);

/*
 * The project's name: the document's own, else the deployment's; also when the
 * document, which cannot run then, has that of another project.
 */
const char *compose_project_name(
    const struct document *document, const char *deployment);

/*
 * Compose text for one image: service "app", ports published or exposed,
 * restart unless-stopped. host 0: the same as container; published false:
 * only exposed.
 */
struct compose_port {
	int container, host;
	bool published;
};
int compose_generate(const char *name, const char *image,
    const struct compose_port *ports, size_t count, struct buffer *out,
    struct error *err);

#endif
