/*
 * References of images, by the grammar of the distribution project:
 *
 *	[HOST[:PORT]/]PATH[:TAG][@DIGEST]
 *
 * At most 255 bytes. What comes before the first '/' is a host when it has a
 * '.', a ':' or an upper-case letter, or is "localhost"; without one the host
 * is docker.io, where a path of one part is below "library/". A reference
 * that is valid has no byte that means anything in a URL's path but '/', no
 * ".." and no control byte.
 */
#ifndef DOCKER_REFERENCE_H
#define DOCKER_REFERENCE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

#define REFERENCE_EXPECTED \
	"an image reference: [host[:port]/]path[:tag][@digest]"

struct docker_reference {
	const char *name;   /* as written, without tag and digest */
	const char *host;   /* with the port: "docker.io", "127.0.0.1:5000" */
	const char *path;   /* within the registry: "library/nginx" */
	const char *tag;    /* "latest" when there is no digest either, or "" */
	const char *digest; /* "sha256:…", or "" */
};

bool docker_reference_is_valid(const char *text);

/* Everything is in the arena. ERR_INVALID INVALID_IMAGE. */
int docker_reference_parse(const char *text, struct arena *arena,
    struct docker_reference *out, struct error *err);

/*
 * The one way to write it in full, to compare by:
 * "docker.io/library/nginx:latest", "ghcr.io/a/b@sha256:…" (a digest says
 * more than a tag beside it).
 */
const char *docker_reference_canonical(
    const struct docker_reference *reference, struct arena *arena);

/* Whether what it stands for changes with each release: it has the tag
 * "latest", or neither a tag nor a digest. */
bool docker_reference_is_latest(const char *text, struct arena *arena);

/* HOST[:PORT] as in a reference: labels, or an IPv6 address in brackets. */
bool docker_registry_host_is_valid(const char *host);

/*
 * The host that a registry's address names, in lower case, in the arena: with
 * a scheme and a path or without ("https://index.docker.io/v1/" is docker.io).
 * NULL when it names none.
 */
const char *docker_registry_host(const char *address, struct arena *arena);

/* A reference or an image's id: at least four hexadecimal digits, after
 * "sha256:" or not. */
bool docker_image_is_valid(const char *text);

#endif
