/* What deployments have in common when both name it. */
#include "compose/document-private.h"

#include <string.h>

static bool
is_true(const struct node *node)
{
	return node_is_scalar(node) && strcmp(node->text, "true") == 0;
}

/* The name that Docker knows it by, whatever the project; NULL: the project's
 * own. */
static const char *
shared_name(const char *key, const struct node *volume)
{
	const struct node *external = node_member(volume, "external");
	const char *name = node_member_text(volume, "name");

	if (external != NULL && external->type == NODE_MAPPING)
		return node_member_text(external, "name") != NULL
			   ? node_member_text(external, "name")
			   : key;
	if (name != NULL)
		return name;
	return is_true(external) ? key : NULL;
}

const char *const *
document_shared_volumes(const struct document *document, size_t *out_count)
{
	const struct node *volumes = node_member(document->root, "volumes");
	const char **names = NULL;
	size_t allocated = 0, i;

	*out_count = 0;
	if (volumes == NULL || volumes->type != NODE_MAPPING)
		return NULL;
	for (i = 0; i < volumes->count; i++) {
		const struct entry *entry = &volumes->entries[i];
		const char *name = shared_name(entry->key->text, entry->value);

		if (name == NULL)
			continue;
		names = arena_grow(document->arena, names, *out_count,
		    &allocated, sizeof *names);
		names[(*out_count)++] = name;
	}
	return names;
}
