/*
 * A YAML file as a tree of nodes with line numbers.
 *
 * Takes less than YAML allows, so that what is read is what a person sees:
 * one document, no anchors or aliases, no tags, no name twice in a mapping,
 * scalars as names. Bounded: 256 KiB, depth 16, 5,000 nodes.
 */
#ifndef SETTINGS_CONFIG_TEXT_H
#define SETTINGS_CONFIG_TEXT_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum config_node_kind { CONFIG_SCALAR, CONFIG_MAPPING, CONFIG_SEQUENCE };

struct config_node {
	enum config_node_kind kind;
	unsigned int line;
	const char *key;  /* its name in the mapping above, else NULL */
	const char *text; /* of a scalar */
	bool plain;       /* a scalar without quotes */
	struct config_node *first, *next;
};

/* Nothing, "~" or "null": as if the key were not there. */
bool config_node_is_null(const struct config_node *node);

/*
 * Parses the text of the file called path; an empty one gives an empty
 * mapping. All is in the arena. Messages begin with "path:line: ".
 */
int config_text_parse(const char *path, const char *text, size_t length,
    struct arena *arena, struct config_node **out, struct error *err);

#endif
