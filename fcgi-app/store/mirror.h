/*
 * The mirror: Docker's containers, images, volumes and networks and the
 * deployments' directories as rows, so that lists never wait for Docker.
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
	const char *ports; /* JSON array of text: "0.0.0.0:80->80/tcp" */
	/* JSON array of {name, network_id, ipv4, mac_address, attached}; ipv4
	 * has the prefix length: "172.18.0.2/16". */
	const char *networks;
	const char *labels; /* JSON object */
	/* JSON array of {type, name, source, destination, rw}. */
	const char *mounts;
};

struct mirror_image {
	const char *id;             /* sha256:64 hex */
	const char *tags, *digests; /* JSON arrays of text */
	int64_t size_bytes;
	int64_t created_at; /* Unix seconds */
	const char *labels; /* JSON object */
	/* When read: JSON array, names of the containers made of it. */
	const char *containers;
};

struct mirror_volume {
	const char *name, *driver, *mountpoint, *scope;
	int64_t created_at;           /* Unix seconds, 0: unknown */
	const char *labels, *options; /* JSON objects */
	/* When read: JSON array, names of the containers, running or not,
	 * that mount it. */
	const char *containers;
};

struct mirror_network {
	const char *id; /* 64 hex */
	const char *name, *driver, *scope;
	bool internal, attachable, ipv6;
	const char *subnet, *gateway; /* "" where it has none */
	int64_t created_at;           /* Unix seconds */
	const char *labels, *options; /* JSON objects */
	/* When read: JSON array of {name, ipv4, mac_address}, the containers
	 * that are attached: those that run. */
	const char *containers;
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
	/* When read: none, starting, healthy or unhealthy. */
	const char *health;
	const char *version; /* of the files; NULL or "": not known yet */
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

/*
 * The same for what there are few of: put adds or changes a row, retain
 * deletes all whose id (name of a volume) is not among the given ones.
 */
int mirror_image_put(struct store *store, const struct mirror_image *image,
    bool *changed, struct error *err);
int mirror_images_retain(struct store *store, const char *const *ids,
    size_t count, bool *changed, struct error *err);
int mirror_volume_put(struct store *store, const struct mirror_volume *volume,
    bool *changed, struct error *err);
int mirror_volumes_retain(struct store *store, const char *const *names,
    size_t count, bool *changed, struct error *err);
int mirror_network_put(struct store *store,
    const struct mirror_network *network, bool *changed, struct error *err);
int mirror_networks_retain(struct store *store, const char *const *ids,
    size_t count, bool *changed, struct error *err);

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
/*
 * By the whole id, the name, or the beginning of an id (at least 4 hex
 * digits), in this order, as Docker does. ERR_NOT_FOUND CONTAINER_NOT_FOUND;
 * ERR_CONFLICT AMBIGUOUS_ID.
 */
int mirror_container_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_container *out, struct error *err);

/* The newest first. */
int mirror_image_list(struct store *store, struct arena *arena,
    struct mirror_image **out, size_t *out_count, struct error *err);
/*
 * By tag ("nginx" is "nginx:latest"), by digest ("nginx@sha256:…") or by id,
 * with or without "sha256:", whole or its beginning (at least 4 hex digits).
 * ERR_NOT_FOUND IMAGE_NOT_FOUND; ERR_CONFLICT AMBIGUOUS_ID.
 */
int mirror_image_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_image *out, struct error *err);

/* By name. */
int mirror_volume_list(struct store *store, struct arena *arena,
    struct mirror_volume **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND VOLUME_NOT_FOUND. */
int mirror_volume_get(struct store *store, const char *name,
    struct arena *arena, struct mirror_volume *out, struct error *err);

/* By name. */
int mirror_network_list(struct store *store, struct arena *arena,
    struct mirror_network **out, size_t *out_count, struct error *err);
/*
 * By the whole id, the name, or the beginning of an id (at least 4 hex
 * digits). ERR_NOT_FOUND NETWORK_NOT_FOUND; ERR_CONFLICT AMBIGUOUS_ID.
 */
int mirror_network_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_network *out, struct error *err);

/* By name; compose is left NULL. */
int mirror_deployment_list(struct store *store, struct arena *arena,
    struct mirror_deployment **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND DEPLOYMENT_NOT_FOUND. */
int mirror_deployment_get(struct store *store, const char *name,
    struct arena *arena, struct mirror_deployment *out, struct error *err);

#endif
