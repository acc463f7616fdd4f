/*
 * Templates in an archive at an https address. For the agent alone: it asks
 * the network, and takes as long as that does.
 *
 * The host's addresses are checked before the connection, and the archive's
 * SHA-256 before a byte of it is unpacked, which is done in memory. Redirects
 * are followed within the host only.
 */
#ifndef TEMPLATES_FETCH_H
#define TEMPLATES_FETCH_H

#include "templates/templates.h"

#include <stdatomic.h>

#define TEMPLATE_ARCHIVE_MAXIMUM ((size_t)16 * 1024 * 1024)

struct template_archive {
	const char *url;    /* https */
	const char *sha256; /* 64 digits in lower case */
	const char *ca;     /* PEM file of who signs for the host, or NULL */
	const atomic_bool *cancel; /* may be NULL */
};

/*
 * ERR_UPSTREAM TEMPLATE_SOURCE_UNAVAILABLE: no such archive can be had, or it
 * is another one; ERR_FORBIDDEN HOST_NOT_ALLOWED; ERR_INVALID
 * INVALID_TEMPLATE: it has links, devices or paths that lead elsewhere.
 */
int template_fetch(const struct template_archive *archive, struct arena *arena,
    struct template_texts *out, struct error *err);

/* What is done with the bytes: PREFIX/ID/docker-compose.yml and so on. */
int template_read_archive(const void *bytes, size_t length, struct arena *arena,
    struct template_texts *out, struct error *err);

#endif
