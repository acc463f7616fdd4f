/* What the files about projects on disk share. */
#ifndef COMPOSE_COMPOSE_PRIVATE_H
#define COMPOSE_COMPOSE_PRIVATE_H

#include "compose/compose.h"

#define ENVIRONMENT_MAXIMUM ((size_t)1024 * 1024)
#define METADATA_MAXIMUM ((size_t)1024 * 1024)
/* Scalars are bounded by 4 MiB; escapes and indentation come on top. */
#define NORMALISED_MAXIMUM ((size_t)16 * 1024 * 1024)

struct compose {
	char *root_path; /* absolute */
	int root;
	const struct compose_policy *policy;
	/* The directories beneath ROOT/.flatrun; -1 unless writable. */
	int staging, checked, trash;
};

/* The deployment's directory. ERR_NOT_FOUND DEPLOYMENT_NOT_FOUND. */
int compose_open_directory(
    struct compose *compose, const char *name, struct error *err);

/* The variable that a line of .env.flatrun sets, in the arena; false: none. */
bool compose_environment_line(struct arena *arena, const char *line,
    size_t length, struct compose_variable *out);

#endif
