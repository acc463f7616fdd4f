/*
 * What the files of this folder share: metadata.yml, decoded.
 */
#ifndef TEMPLATES_TEMPLATES_PRIVATE_H
#define TEMPLATES_TEMPLATES_PRIVATE_H

#include "templates/templates.h"

struct template_mount {
	const char *id, *name, *description;
	const char *container_path;
	const char *type; /* "volume" or "file": a bind mount */
	bool required;
};

struct template_file {
	const char *path, *content;
};

struct template_secret {
	const char *key, *encoding, *prefix;
	int64_t bytes;
};

struct template_details {
	const char *name, *description, *icon, *logo, *category, *type;
	int64_t priority, container_port;
	struct template_mount *mounts;
	size_t mounts_count;
	struct template_file *files;
	size_t files_count;
	struct template_secret *secrets;
	size_t secrets_count;
	const char *env_template; /* NULL: none */
};

/* Checked member by member; texts that are missing are NULL. */
int template_decode(struct json_object *metadata, struct arena *arena,
    struct template_details *out, struct error *err);
/* The same of one on record. */
int template_details(const struct template *template, struct arena *arena,
    struct template_details *out, struct error *err);

/*
 * The text with "${KEY}" replaced for each of the variables; "$${KEY}" and
 * other ways to write it stay.
 */
int template_substitute(const char *text,
    const struct compose_variable *variables, size_t count, struct arena *arena,
    const char **out, struct error *err);
/* The variables NAME and PROXY_NETWORK. */
#define TEMPLATE_PLACE_VARIABLES(place_)                   \
	{                                                  \
		{ "NAME", (place_)->name },                \
		{                                          \
			"PROXY_NETWORK", (place_)->network \
		}                                          \
	}
#define TEMPLATE_PLACE_COUNT 2

/* Adds a text, which is zeroed. ERR_TOO_LARGE for one too many. */
int template_texts_add(struct template_texts *texts, struct arena *arena,
    struct template_text **out, struct error *err);
/* Counts bytes that were read. ERR_TOO_LARGE when they are too many. */
int template_texts_count(
    struct template_texts *texts, size_t bytes, struct error *err);

#endif
