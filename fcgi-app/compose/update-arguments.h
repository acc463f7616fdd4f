/*
 * What may be asked of an update or a rollback: the members of the requests,
 * which the agent decodes again.
 */
#ifndef COMPOSE_UPDATE_ARGUMENTS_H
#define COMPOSE_UPDATE_ARGUMENTS_H

#include "base/arena.h"
#include "base/error.h"
#include "json/fields.h"

#include <stdbool.h>
#include <stdint.h>

struct update_arguments {
	const char *compose_content;
	const char *reason;
	bool apply, deploy;                      /* two names for one thing */
	int64_t settle_seconds, timeout_seconds; /* -1, 0: as configured */
	struct json_object *probe;
};
#define UPDATE_ARGUMENTS             \
	{                            \
		.settle_seconds = -1 \
	}
extern const struct field update_argument_fields[];

/* One service's image. */
struct image_arguments {
	const char *service;
	const char *image;
	const char *reason;
	bool apply;
	bool pull; /* although there is one of that name here */
	int64_t settle_seconds, timeout_seconds; /* as above */
	struct json_object *probe;
};
#define IMAGE_ARGUMENTS              \
	{                            \
		.settle_seconds = -1 \
	}
/* A request has the service in its path instead. */
extern const struct field image_argument_fields[];

/* A mount of a service. */
struct mount_arguments {
	const char *service; /* NULL: the primary one */
	const char *id;      /* a named volume, or the directory ./id */
	const char *type;    /* "volume", or "file" */
	const char *container_path;
	const char *reason;
	bool read_only, apply;
	int64_t settle_seconds, timeout_seconds; /* as above */
	struct json_object *probe;
};
#define MOUNT_ARGUMENTS              \
	{                            \
		.settle_seconds = -1 \
	}
extern const struct field mount_argument_fields[];
/* What names a mount that is there: without id and type. */
extern const struct field unmount_argument_fields[];

struct rollback_arguments {
	int64_t revision; /* 0: the newest before that was healthy */
	const char *reason;
	int64_t settle_seconds, timeout_seconds; /* as above */
	bool resume; /* the agent's own: ends what was interrupted */
};
#define ROLLBACK_ARGUMENTS           \
	{                            \
		.settle_seconds = -1 \
	}
extern const struct field rollback_argument_fields[];

struct probe_arguments {
	const char *path;
	const char *service;   /* NULL: the primary one */
	int64_t port;          /* 0: its first */
	int64_t expect_status; /* 0: 200 to 399 */
};
extern const struct field probe_argument_fields[];

/* Decodes a probe; NULL leaves *out as it is. */
int probe_arguments_decode(struct json_object *probe, struct arena *arena,
    struct probe_arguments *out, struct error *err);

#endif
