/* What the files about plans share. */
#ifndef AGENT_PLAN_PRIVATE_H
#define AGENT_PLAN_PRIVATE_H

#include "agent/plan.h"
#include "agent/seal.h"
#include "docker/docker.h"

/* A service, and what would become of it. */
struct plan_service {
	const char *name;
	const char *image;    /* as the document has it, or the container */
	const char *image_id; /* that it stands for now; NULL: none here */
	const struct docker_container *container; /* or NULL */
	const char *action, *reason;
	bool is_built, has_profiles;
	bool is_put_back; /* image_id is what it stood for once */
	bool is_gone;     /* and is not here any more */
};

struct plan {
	/* What the body noted. */
	const struct compose_files *after; /* NULL: as before, or deleted */
	bool deletes;
	struct plan_containers containers;

	/* The world. */
	struct compose_files before; /* compose NULL: no deployment yet */
	struct document *document;   /* of what will be; NULL: cannot run */
	const char *project;
	struct docker_container *list;
	size_t count;
	const char *hashes; /* Compose's, of the document; NULL: not known */
	struct plan_service *services;
	size_t service_count;
};

/* Whether the change is about the service. */
bool plan_concerns(const struct plan *plan, const char *service);
/* Whether the service's image is pulled although it may be here. */
bool plan_pulls(const struct plan *plan, const char *service);

/* Fills services: those of the document, then what is left of others. */
int plan_list_services(struct run *run, struct plan *plan, struct error *err);

/* The object that clients get, without plan_id. */
int plan_render(struct run *run, const struct plan *plan, const char *action,
    struct json_object **out, struct error *err);

#endif
