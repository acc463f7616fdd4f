/* The build section: contexts beneath the project, no ways around it. */
#include "compose/compose.h"
#include "compose/document-private.h"
#include "docker/reference.h"

#include <string.h>

static int
refuse_remote(struct check *check, const struct node *node)
{
	return check_refuse(check, node, "build_remote",
	    "only contexts beneath the project's directory");
}

/*
 * Remote contexts have a scheme, a host before ':' or begin with a name that
 * Docker takes for one; a '#' is a branch of a repository.
 */
static bool
looks_remote(const char *text)
{
	return strpbrk(text, ":#") != NULL ||
	       strncmp(text, "github.com/", 11) == 0 ||
	       strncmp(text, "git@", 4) == 0;
}

static int
check_context(struct check *check, const struct node *node)
{
	if (!node_is_scalar(node) || node->length == 0)
		return check_invalid(
		    check, node, "a build context must be a path");
	if (looks_remote(node->text))
		return refuse_remote(check, node);
	return check_local_path(check, node, "build");
}

/* "NAME=PATH" in a list, NAME: PATH in a mapping. */
static int
check_additional_context(
    struct check *check, const struct node *node, const char *text)
{
	static const char image[] = "docker-image://";
	struct node path = *node;

	if (strncmp(text, image, strlen(image)) == 0 &&
	    docker_reference_is_valid(text + strlen(image)))
		return 0;
	if (strncmp(text, "service:", 8) == 0 &&
	    node_member(check->document->services_node, text + 8) != NULL)
		return 0;
	path.text = text;
	path.length = strlen(text);
	return check_context(check, &path);
}

static int
check_additional_contexts(struct check *check, const struct node *node)
{
	size_t i;

	if (node_is_null(node))
		return 0;
	for (i = 0; i < node->count; i++) {
		const struct node *context = node->type == NODE_MAPPING
						 ? node->entries[i].value
						 : node->items[i];
		const char *text;

		if (!node_is_scalar(context))
			return check_invalid(
			    check, context, "a build context must be a text");
		text = context->text;
		if (node->type == NODE_SEQUENCE)
			text = strchr(text, '=') ? strchr(text, '=') + 1 : "";
		if (check_additional_context(check, context, text) < 0)
			return -1;
	}
	return node->type == NODE_SCALAR
		   ? check_invalid(check, node,
			 "'additional_contexts' must be a list or a mapping")
		   : 0;
}

/* Of "type=registry,ref=…": each part must be known to stay off the disk. */
static bool
is_registry_cache(const char *text)
{
	static const char *const parts[] = { "type=registry", "type=inline",
		"ref=", "mode=", "compression=", "oci-mediatypes=",
		"image-manifest=", "ignore-error=", NULL };
	size_t i;

	if (strpbrk(text, "\"\n\r") != NULL)
		return false;
	for (;;) {
		size_t length = strcspn(text, ",");

		for (i = 0; parts[i] != NULL; i++) {
			size_t known = strlen(parts[i]);

			if (length >= known &&
			    strncmp(text, parts[i], known) == 0 &&
			    (parts[i][known - 1] == '=' || length == known))
				break;
		}
		if (parts[i] == NULL)
			return false;
		if (text[length] == '\0')
			return true;
		text += length + 1;
	}
}

static int
check_caches(struct check *check, const struct node *node)
{
	size_t i;

	if (node_is_null(node))
		return 0;
	if (node->type != NODE_SEQUENCE)
		return check_invalid(check, node, "a cache must be a list");
	for (i = 0; i < node->count; i++) {
		const struct node *cache = node->items[i];

		if (node_is_scalar(cache) &&
		    (docker_reference_is_valid(cache->text) ||
			is_registry_cache(cache->text)))
			continue;
		if (check_refuse(check, cache, "build_cache",
			"only caches in registries") < 0)
			return -1;
	}
	return 0;
}

static int
check_build_network(struct check *check, const struct node *node)
{
	if (node_is_null(node) || (node->type == NODE_SCALAR &&
				      (strcmp(node->text, "none") == 0 ||
					  strcmp(node->text, "default") == 0)))
		return 0;
	return check_refuse(
	    check, node, "build_network", "only none and default");
}

static int
check_refused_keys(struct check *check, const struct node *build)
{
	static const struct {
		const char *key, *name, *why;
	} refused[] = {
		{ "privileged", "build_privileged",
		    "it makes the build root on the host" },
		{ "entitlements", "build_entitlements",
		    "they take the build's confinement away" },
		{ "ssh", "build_ssh", "it gives away keys of the host" },
		{ "secrets", "build_secrets",
		    "it gives away files of the host" },
	};
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const struct node *node = node_member(build, refused[i].key);

		if (node_is_set(node) &&
		    (node->type == NODE_SCALAR || node->count > 0) &&
		    check_refuse(check, node, refused[i].name, refused[i].why) <
			0)
			return -1;
	}
	return 0;
}

/* The Dockerfile is looked for in the context. */
static int
check_dockerfile(struct check *check, const struct node *build)
{
	const struct node *dockerfile = node_member(build, "dockerfile");
	const char *context = node_member_text(build, "context");
	struct node joined;

	if (node_is_null(dockerfile))
		return 0;
	if (!node_is_scalar(dockerfile) || dockerfile->text[0] == '/' ||
	    dockerfile->text[0] == '~')
		return check_local_path(check, dockerfile, "dockerfile");
	joined = *dockerfile;
	joined.text = arena_printf(check->document->arena, "%s/%s",
	    context != NULL ? context : ".", dockerfile->text);
	joined.length = strlen(joined.text);
	return check_local_path(check, &joined, "dockerfile");
}

int
check_build(struct check *check, const struct node *build)
{
	static const char *const keys[] = { "context", "dockerfile",
		"dockerfile_inline", "args", "labels", "cache_from", "cache_to",
		"no_cache", "no_cache_filter", "additional_contexts", "network",
		"pull", "target", "shm_size", "extra_hosts", "isolation",
		"tags", "ulimits", "platforms", "provenance", "sbom",
		"privileged", "entitlements", "ssh", "secrets", NULL };

	if (node_is_null(build))
		return 0;
	if (build->type == NODE_SCALAR)
		return check_context(check, build);
	if (build->type != NODE_MAPPING)
		return check_invalid(check, build, "'build' must be a mapping");
	if (check_known_keys(check, build, "build", keys) < 0 ||
	    check_refused_keys(check, build) < 0 ||
	    check_build_network(check, node_member(build, "network")) < 0 ||
	    check_caches(check, node_member(build, "cache_from")) < 0 ||
	    check_caches(check, node_member(build, "cache_to")) < 0 ||
	    check_labels(check, node_member(build, "labels")) < 0 ||
	    check_additional_contexts(
		check, node_member(build, "additional_contexts")) < 0)
		return -1;
	if (!node_is_null(node_member(build, "context")) &&
	    check_context(check, node_member(build, "context")) < 0)
		return -1;
	return check_dockerfile(check, build);
}
