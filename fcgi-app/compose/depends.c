/* Which service has to be there before which. */
#include "compose/document-private.h"

#include <string.h>

/* Whether the text is the name, or begins with it and the end. */
static bool
names(const char *text, const char *name, const char *end)
{
	size_t length = strlen(name);

	return strncmp(text, name, length) == 0 &&
	       (text[length] == '\0' || strchr(end, text[length]) != NULL);
}

static bool
lists(const struct node *list, const char *name)
{
	size_t i;

	if (list == NULL || list->type == NODE_SCALAR)
		return false;
	for (i = 0; i < list->count; i++) {
		const struct node *one = list->type == NODE_MAPPING
					     ? list->entries[i].key
					     : list->items[i];

		if (node_is_scalar(one) && names(one->text, name, ":"))
			return true;
	}
	return false;
}

bool
document_depends(
    const struct document *document, const char *service, const char *other)
{
	static const char *const listed[] = { "depends_on", "links",
		"volumes_from" };
	static const char *const shared[] = { "network_mode", "ipc", "pid" };
	const struct node *node = node_member(document->services_node, service);
	size_t i;

	for (i = 0; i < sizeof listed / sizeof listed[0]; i++)
		if (lists(node_member(node, listed[i]), other))
			return true;
	for (i = 0; i < sizeof shared / sizeof shared[0]; i++) {
		const char *text = node_member_text(node, shared[i]);

		if (text != NULL && strncmp(text, "service:", 8) == 0 &&
		    strcmp(text + 8, other) == 0)
			return true;
	}
	return false;
}

bool
document_has_links(const struct document *document, const char *service)
{
	const struct node *links =
	    node_member(node_member(document->services_node, service), "links");

	return links != NULL && links->type == NODE_SEQUENCE &&
	       links->count > 0;
}
