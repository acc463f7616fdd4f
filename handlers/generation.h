/*
 * Compose texts made from a template, or for one image: what POST /deployments
 * and the templates' own endpoints share.
 */
#ifndef HANDLERS_GENERATION_H
#define HANDLERS_GENERATION_H

#include "http/request.h"
#include "templates/templates.h"

struct generation {
	const char *template_id; /* NULL, "" and "custom": the image alone */
	const char *name;        /* of the deployment */
	const char *image;       /* NULL or "": the template's */
	/* Of the primary service; none: as the template has them. */
	struct compose_port *ports;
	size_t port_count;
	const struct template_mount_choice *mounts;
	size_t mount_count;
};

/* A port number as clients write it; 0 for what is none. */
int port_parse(const char *text);
bool port_text_is_valid(const char *text);
#define PORT_EXPECTED "a port number from 1 to 65535"

/* Whether the id names a template, and not a single image. */
bool generation_has_template(const struct generation *generation);

/* ERR_NOT_FOUND TEMPLATE_NOT_FOUND. *out is filled for a template only. */
int generation_find(struct request *request,
    const struct generation *generation, struct template *out,
    struct error *err);

/* template as generation_find() gave it. The text is in the arena. */
int generation_run(struct request *request, const struct generation *generation,
    const struct template *template, const char **out, struct error *err);

/* The deployment, and the network of the proxy. */
struct template_place generation_place(
    const struct request *request, const char *name);

#endif
