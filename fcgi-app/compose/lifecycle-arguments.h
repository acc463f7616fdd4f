/*
 * What may be asked when a deployment or one of its services is started,
 * stopped, built, pulled or cleaned up after: the members of the requests,
 * which the agent decodes again.
 */
#ifndef COMPOSE_LIFECYCLE_ARGUMENTS_H
#define COMPOSE_LIFECYCLE_ARGUMENTS_H

#include "json/fields.h"

#include <stdbool.h>
#include <stdint.h>

/* How what runs is made anew. */
struct start_arguments {
	bool force_recreate; /* containers, although nothing changed */
	bool no_cache;       /* images are built without what is cached */
	bool fresh_pull;     /* images are pulled although they are there */
};
extern const struct field start_argument_fields[];

/* The same for a rebuild, which is a safe update. */
struct rebuild_arguments {
	bool force_recreate, no_cache, fresh_pull;
	int64_t settle_seconds, timeout_seconds; /* -1, 0: as configured */
};
#define REBUILD_ARGUMENTS            \
	{                            \
		.settle_seconds = -1 \
	}
extern const struct field rebuild_argument_fields[];

/* The same for one service; the first is of a job alone. */
struct service_arguments {
	const char *service;
	const char *action; /* start, stop, restart, rebuild, pull; or NULL */
	bool force_recreate, no_cache, fresh_pull;
};
extern const struct field service_argument_fields[];
bool service_action_is_valid(const char *action);

struct deploy_arguments {
	const char *action; /* start, restart or rebuild; preset to restart */
	bool pull;          /* images first; preset to true */
	bool only_latest;   /* of those only what has no tag or "latest" */
	bool cleanup;       /* old images afterwards; preset to as pull is */
	int64_t settle_seconds, timeout_seconds; /* -1, 0: as configured */
};
extern const struct field deploy_argument_fields[];
/* Decodes them, with their presets; object may be NULL. */
int deploy_arguments_decode(struct json_object *object, struct arena *arena,
    struct deploy_arguments *out, struct error *err);

struct images_pull_arguments {
	bool only_latest, cleanup;
};
extern const struct field images_pull_argument_fields[];

struct images_cleanup_arguments {
	bool dry_run;
};
extern const struct field images_cleanup_argument_fields[];

/* Of a job alone: one of service.yml's quick_actions, by its id. */
struct action_arguments {
	const char *id;
};
extern const struct field action_argument_fields[];
#define ACTION_ID_MAXIMUM 128

#endif
