/*
 * service.yml: what a deployment says about itself (contract of the API:
 * name, type, networking, ssl, healthcheck, domains, …). YAML on disk, JSON
 * on the wire, with the same names; unknown keys are kept.
 */
#ifndef COMPOSE_METADATA_H
#define COMPOSE_METADATA_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "compose/document.h"
#include "json/json.h"

/* YAML text (limits as in document.h) to a JSON object; plain scalars become
 * booleans, integers and floats as YAML 1.2's core schema has them. The
 * caller owns *out. ERR_INVALID INVALID_METADATA. */
int metadata_parse(const char *text, size_t length, struct json_object **out,
    struct error *err);

/* JSON object to YAML text, block style, strings quoted where needed. */
int metadata_format(
    struct json_object *metadata, struct buffer *out, struct error *err);

/*
 * Checks the members this service gives meaning to (types; names, domains,
 * ports and paths by grammar: INVALID_NAME, INVALID_DOMAIN, INVALID_PORT,
 * INVALID_PATH), field "metadata.networking.domain" and the like. Others pass.
 */
int metadata_check(struct json_object *metadata, struct error *err);

/* The default for a deployment without one: name, networking (expose false,
 * service, container_port of the primary service, http), healthcheck "/"
 * every 30s. The caller owns it. */
struct json_object *metadata_default(
    const char *name, const struct document *document);

#endif
