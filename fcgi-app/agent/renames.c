/* Names in a Compose file that are those of another deployment. */
#include "agent/imports-private.h"

#include "compose/edit.h"

#include <string.h>

/* "blog" or "blog-…": what a deployment called blog gives its containers. */
static bool
is_of(const char *container, const char *deployment)
{
	size_t length = strlen(deployment);

	return strncmp(container, deployment, length) == 0 &&
	       (container[length] == '\0' || container[length] == '-');
}

static int
rename_containers(struct compose_edit *edit, const struct document *document,
    const char *from, struct error *err)
{
	const struct compose_service *services;
	size_t count, i;

	services = document_services(document, &count);
	for (i = 0; i < count; i++) {
		const char *const path[] = { "services", services[i].name,
			"container_name", NULL };

		if (!compose_edit_has(edit, path) ||
		    (from != NULL && !is_of(services[i].container_name, from)))
			continue;
		if (compose_edit_remove_key(
			edit, services[i].name, "container_name", err) < 0)
			return -1;
	}
	return 0;
}

int
import_rename(struct run *run, const struct compose_files *files,
    const char *from, const char *name, const char **out, struct error *err)
{
	static const char *const project[] = { "name", NULL };
	struct compose_edit edit = { .arena = &run->arena,
		.text = files->compose,
		.length = files->compose_length };
	struct document *document;

	if (document_parse(files->compose, files->compose_length, &run->arena,
		&document, err) < 0)
		return -1;
	if (compose_edit_has(&edit, project) &&
	    compose_edit_set(&edit, project, name, err) < 0)
		return -1;
	if (rename_containers(&edit, document, from, err) < 0)
		return -1;
	*out = edit.text;
	return 0;
}
