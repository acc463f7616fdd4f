/*
 * The mirror: Docker's containers and the deployments' directories as rows,
 * so that lists never wait for Docker.
 *
 * The agent writes within store_begin() and mirror_commit(); a transaction
 * that changed a row raises the generation by one, which makes it the ETag of
 * every list. Workers read within mirror_read(), which gives one consistent
 * view.
 */
#ifndef STORE_MIRROR_H
#define STORE_MIRROR_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct mirror_container {
	const char *id; /* 64 hex */
	const char *name, *image, *image_id;
	const char *state, *status, *health;
	int64_t created_at;            /* Unix seconds */
	const char *project, *service; /* "" outside Compose */
	const char *ports;    /* JSON array of text: "0.0.0.0:80->80/tcp" */
	const char *networks; /* JSON object: network to address */
	const char *labels;   /* JSON object */
};

struct mirror_deployment {
	const char *name;
	const char *path;     /* of the directory, absolute */
	const char *filename; /* docker-compose.yml */
	const char *project;  /* Compose project name */
	const char *type;     /* service.yml's type, "" for none */
	const char *compose;  /* text of the file */
	const char *services; /* JSON array of {name, image, ports, networks,
				 is_primary} */
	const char *metadata; /* JSON object: service.yml or the default */
	const char *problem;  /* why the files cannot run, or "" */
	int64_t modified_at_ms;
};

/* Whether the last write changed anything is what *changed gathers: it is
 * set, never cleared. */
int mirror_container_put(struct store *store,
    const struct mirror_container *container, bool *changed, struct error *err);
int mirror_container_delete(
    struct store *store, const char *id, bool *changed, struct error *err);
/*
 * Deletes the containers, of the project or (NULL) of all, whose id is not
 * among the given ones.
 */
int mirror_containers_retain(struct store *store, const char *project,
    const char *const *ids, size_t count, bool *changed, struct error *err);

int mirror_deployment_put(struct store *store,
    const struct mirror_deployment *deployment, bool *changed,
    struct error *err);
int mirror_deployment_delete(
    struct store *store, const char *name, bool *changed, struct error *err);

/* Ends the transaction; raises the generation if changed. */
int mirror_commit(struct store *store, bool changed, struct error *err);

int mirror_generation(struct store *store, int64_t *out, struct error *err);

/* A read transaction; end it with mirror_read_end(). */
int mirror_read(struct store *store, struct error *err);
void mirror_read_end(struct store *store);

/* By name. project NULL: all. */
int mirror_container_list(struct store *store, const char *project,
    struct arena *arena, struct mirror_container **out, size_t *out_count,
    struct error *err);
/* By name; compose is left NULL. */
int mirror_deployment_list(struct store *store, struct arena *arena,
    struct mirror_deployment **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND DEPLOYMENT_NOT_FOUND. */
int mirror_deployment_get(struct store *store, const char *name,
    struct arena *arena, struct mirror_deployment *out, struct error *err);

#endif
