/*
 * Paths of the host that a document names: relative ones beneath the
 * project's directory, absolute ones beneath what the operator allowed.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "compose/document-private.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Whether a component of the path is "..". */
static bool
leaves_directory(const char *path)
{
	while (*path != '\0') {
		size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0)
			return true;
		path += length;
		path += *path == '/';
	}
	return false;
}

static bool
has_control(const char *path)
{
	for (; *path != '\0'; path++)
		if (iscntrl((unsigned char)*path))
			return true;
	return false;
}

/* "./a//b/." is "a/b", "." is "". The leading '/' stays. */
static char *
normalise_path(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 2), *at = out;

	if (*path == '/')
		*at++ = '/';
	while (*path != '\0') {
		size_t length = strcspn(path, "/");

		if (length > 0 && !(length == 1 && *path == '.')) {
			if (at > out && at[-1] != '/')
				*at++ = '/';
			memcpy(at, path, length);
			at += length;
		}
		path += length;
		path += *path == '/';
	}
	*at = '\0';
	return out;
}

/* Whether path is directory or lies in it; both normalised. */
static bool
is_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (length == 0 || strcmp(directory, "/") == 0)
		return true;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}

/*
 * A link on the way could have been put there by a container, to be mounted
 * at the next start.
 */
static int
check_no_links(struct check *check, int directory, const struct node *node,
    const char *key, const char *path)
{
	struct stat status;
	auto_fd int fd =
	    file_open(directory, *path ? path : ".", O_PATH, 0, check->err);
	bool link;

	if (fd < 0 && check->err->kind == ERR_NOT_FOUND)
		return 0;
	/* O_PATH opens a link at the end itself. */
	link = fd >= 0 && fstat(fd, &status) == 0 && S_ISLNK(status.st_mode);
	if (fd >= 0 && !link)
		return 0;
	if (!link && check->err->kind != ERR_INVALID)
		return -1;
	return error_field(check->err, "compose_content", "UNSAFE_PATH",
	    "line %u, column %u: %s%s%s'%s': '%.100s' passes a symbolic link",
	    node->line, node->column, check->service ? "service '" : "",
	    check->service ? check->service : "", check->service ? "': " : "",
	    key, node->text);
}

static void
add_mount(struct check *check, const char *path, bool writable,
    const struct node *node)
{
	struct mount *mount;

	if (check->mount_count == check->mount_allocated) {
		size_t allocated = check->mount_allocated * 2 + 8;
		struct mount *mounts = arena_array(
		    check->document->arena, allocated, sizeof *mounts);

		if (check->mount_count > 0)
			memcpy(mounts, check->mounts,
			    check->mount_count * sizeof *mounts);
		check->mounts = mounts;
		check->mount_allocated = allocated;
	}
	mount = &check->mounts[check->mount_count++];
	mount->path = path;
	mount->writable = writable;
	mount->node = node;
	mount->service = check->service;
}

/* Whoever has one of these is root on the host. */
static bool
exposes_docker(const char *path)
{
	static const char *const places[] = { "/run/docker.sock",
		"/var/run/docker.sock", "/run/containerd",
		"/var/run/containerd", "/var/lib/docker", "/var/lib/containerd",
		"/run/flatrun", "/var/run/flatrun", "/var/lib/flatrun",
		"/etc/flatrun", NULL };
	size_t i;

	for (i = 0; places[i] != NULL; i++)
		if (is_within(places[i], path) || is_within(path, places[i]))
			return true;
	return false;
}

static int
check_absolute_path(struct check *check, const struct node *node,
    const char *key, const char *path)
{
	const char *const *allowed =
	    check->policy != NULL ? check->policy->bind_paths : NULL;
	struct arena *arena = check->document->arena;
	bool docker = strcmp(path, "/run/docker.sock") == 0 ||
		      strcmp(path, "/var/run/docker.sock") == 0;

	if (exposes_docker(path) &&
	    check_refuse(check, node, "docker_socket",
		"a path in volumes, configs, secrets or the like gives away "
		"Docker or this service") < 0)
		return -1;
	if (docker)
		return 0;
	for (; allowed != NULL && *allowed != NULL; allowed++) {
		const char *directory = normalise_path(arena, *allowed);
		auto_fd int fd = -1;

		if (directory[0] != '/' || !is_within(path, directory))
			continue;
		if (check->directory < 0)
			return 0;
		fd = file_open_root(directory, check->err);
		if (fd < 0)
			return check->err->kind == ERR_NOT_FOUND ? 0 : -1;
		path += strlen(directory);
		return check_no_links(
		    check, fd, node, key, path + strspn(path, "/"));
	}
	error_set(check->err, ERR_FORBIDDEN, "COMPOSE_POLICY",
	    "line %u, column %u: %s%s%s'%s': '%.80s': only paths beneath the "
	    "project's directory, such as ./data, may be used",
	    node->line, node->column, check->service ? "service '" : "",
	    check->service ? check->service : "", check->service ? "': " : "",
	    key, node->text);
	snprintf(
	    check->err->field, sizeof check->err->field, "compose_content");
	return -1;
}

/* Gives the normalised path. */
static int
check_path(struct check *check, const struct node *node, const char *key,
    const char *text, const char **out)
{
	char *path;

	if (*text == '\0' || strlen(text) >= PATH_MAX || has_control(text))
		return check_invalid(
		    check, node, "'%s': a path that is not valid", key);
	path = normalise_path(check->document->arena, text);
	*out = path;
	if (*text == '/' && !leaves_directory(text))
		return check_absolute_path(check, node, key, path);
	if (*text == '~' || leaves_directory(text)) {
		/* No list of paths can allow what is not a path. */
		const struct compose_policy none = { NULL, NULL };
		const struct compose_policy *policy = check->policy;
		int result;

		check->policy = &none;
		result = check_absolute_path(check, node, key, text);
		check->policy = policy;
		return result;
	}
	if (check->directory < 0)
		return 0;
	return check_no_links(check, check->directory, node, key, path);
}

int
check_local_path(struct check *check, const struct node *node, const char *key)
{
	const char *path = NULL;

	if (!node_is_scalar(node))
		return check_invalid(check, node, "'%s' must be a path", key);
	return check_path(check, node, key, node->text, &path);
}

int
check_mounted_file(
    struct check *check, const struct node *node, const char *key)
{
	const char *path = NULL;

	if (!node_is_scalar(node))
		return check_invalid(check, node, "'%s' must be a path", key);
	if (check_path(check, node, key, node->text, &path) < 0)
		return -1;
	add_mount(check, path, false, node);
	return 0;
}

static int
check_bind(struct check *check, const struct node *node, const char *source,
    bool writable)
{
	const char *path = NULL;

	if (check_path(check, node, "volumes", source, &path) < 0)
		return -1;
	add_mount(check, path, writable, node);
	return 0;
}

static int
check_volume_name(
    struct check *check, const struct node *node, const char *name)
{
	const struct node *volumes =
	    node_member(check->document->root, "volumes");

	if (!resource_key_is_valid(name))
		return check_invalid(check, node,
		    "'%s' is neither a volume's name nor a path such as "
		    "./data",
		    name);
	if (node_member(volumes, name) == NULL)
		return check_invalid(check, node,
		    "volume '%s' is not defined under 'volumes'", name);
	return 0;
}

static int
check_propagation(
    struct check *check, const struct node *node, const char *propagation)
{
	static const char *const harmless[] = { "private", "rprivate", "slave",
		"rslave", "", NULL };
	size_t i;

	for (i = 0; harmless[i] != NULL; i++)
		if (strcmp(harmless[i], propagation) == 0)
			return 0;
	return check_refuse(check, node, "bind_propagation",
	    "its mounts would appear on the host");
}

/* "ro,z": the third part of the short form. */
static int
check_mode(struct check *check, const struct node *node, const char *mode,
    bool *out_writable)
{
	static const char *const known[] = { "ro", "rw", "z", "Z", "cached",
		"delegated", "consistent", "nocopy", NULL };
	size_t i;

	while (*mode != '\0') {
		size_t length = strcspn(mode, ",");
		char *word =
		    arena_strndup(check->document->arena, mode, length);

		for (i = 0; known[i] != NULL; i++)
			if (strcmp(known[i], word) == 0)
				break;
		if (strcmp(word, "ro") == 0)
			*out_writable = false;
		if (strcmp(word, "rw") == 0)
			*out_writable = true;
		if (known[i] == NULL && strstr(word, "shared") == NULL &&
		    strstr(word, "private") == NULL &&
		    strstr(word, "slave") == NULL)
			return check_invalid(
			    check, node, "unknown mount option '%s'", word);
		if (known[i] == NULL &&
		    check_propagation(check, node, word) < 0)
			return -1;
		mode += length;
		mode += *mode == ',';
	}
	return 0;
}

/* SOURCE:TARGET:MODE, SOURCE:TARGET or TARGET. */
static int
check_short_volume(struct check *check, const struct node *node)
{
	struct arena *arena = check->document->arena;
	char *source = arena_strdup(arena, node->text);
	char *target = strchr(source, ':'), *mode = NULL;
	bool writable = true;

	if (target == NULL) {
		if (*source != '/')
			return check_invalid(check, node,
			    "'%s' must be an absolute path of the container",
			    source);
		return 0;
	}
	*target++ = '\0';
	mode = strchr(target, ':');
	if (mode != NULL) {
		*mode++ = '\0';
		if (strchr(mode, ':') != NULL)
			return check_invalid(
			    check, node, "too many parts in '%s'", node->text);
		if (check_mode(check, node, mode, &writable) < 0)
			return -1;
	}
	if (*target != '/')
		return check_invalid(check, node,
		    "'%s' must be an absolute path of the container", target);
	if (*source != '\0' && strchr("./~", *source) != NULL)
		return check_bind(check, node, source, writable);
	/* Compose v2 takes one letter for a drive of Windows. */
	if (source[0] != '\0' && source[1] == '\0')
		return check_invalid(check, node,
		    "a volume's name of one letter needs the long form");
	return check_volume_name(check, node, source);
}

static int
check_bind_options(struct check *check, const struct node *options)
{
	static const char *const keys[] = { "propagation", "create_host_path",
		"recursive", "selinux", NULL };
	const struct node *propagation;

	if (node_is_null(options))
		return 0;
	if (options->type != NODE_MAPPING)
		return check_invalid(
		    check, options, "'bind' must be a mapping");
	if (check_known_keys(check, options, "bind", keys) < 0)
		return -1;
	propagation = node_member(options, "propagation");
	if (node_is_null(propagation))
		return 0;
	return check_propagation(check, propagation,
	    node_is_scalar(propagation) ? propagation->text : "?");
}

static int
check_long_volume(struct check *check, const struct node *node)
{
	static const char *const keys[] = { "type", "source", "target",
		"read_only", "consistency", "bind", "volume", "tmpfs", "image",
		NULL };
	const char *type = node_member_text(node, "type");
	const struct node *source = node_member(node, "source");
	const char *source_text = node_member_text(node, "source");
	const struct node *read_only = node_member(node, "read_only");

	if (check_known_keys(check, node, "volumes", keys) < 0)
		return -1;
	if (source != NULL && !node_is_scalar(source))
		return check_invalid(
		    check, source, "a mount's source must be a text");
	if (check_labels(check,
		node_member(node_member(node, "volume"), "labels")) < 0 ||
	    check_bind_options(check, node_member(node, "bind")) < 0)
		return -1;
	if (type == NULL)
		return check_invalid(check, node, "a mount needs a 'type'");
	if (strcmp(type, "bind") == 0) {
		if (source == NULL || source_text == NULL)
			return check_invalid(
			    check, node, "a bind mount needs a 'source'");
		/* Writable unless all readers agree that it is not. */
		return check_bind(check, source, source_text,
		    !node_is_scalar(read_only) ||
			strcasecmp(read_only->text, "true") != 0);
	}
	if (strcmp(type, "volume") == 0)
		return source == NULL || source_text == NULL
			   ? 0
			   : check_volume_name(check, source, source_text);
	if (strcmp(type, "tmpfs") == 0 || strcmp(type, "image") == 0)
		return 0;
	return check_refuse(
	    check, node, "mount_type", "only bind, volume, tmpfs and image");
}

int
check_volume(struct check *check, const struct node *volume)
{
	if (volume->type == NODE_MAPPING)
		return check_long_volume(check, volume);
	if (!node_is_scalar(volume) || node_is_null(volume))
		return check_invalid(
		    check, volume, "a mount must be a text or a mapping");
	return check_short_volume(check, volume);
}

/* '/' before all else. */
static int
path_order(char byte)
{
	return byte == '/' ? 1 : 2 * (unsigned char)byte;
}

/*
 * What lies in a directory comes right after it, and writable mounts of one
 * path before the others.
 */
static int
compare_mounts(const void *left, const void *right)
{
	const struct mount *a = left, *b = right;
	size_t i = 0;

	while (a->path[i] != '\0' && a->path[i] == b->path[i])
		i++;
	return a->path[i] == b->path[i]
		   ? b->writable - a->writable
		   : path_order(a->path[i]) - path_order(b->path[i]);
}

/* "" is the project's directory, in which no absolute path lies. */
static bool
lies_in(const struct mount *mount, const struct mount *directory)
{
	size_t length = directory != NULL ? strlen(directory->path) : 0;

	if (directory == NULL)
		return false;
	if (length == 0)
		return mount->path[0] != '\0' && mount->path[0] != '/';
	return strncmp(mount->path, directory->path, length) == 0 &&
	       mount->path[length] == '/';
}

/*
 * A container that can write to ./data can put a link in the place of
 * ./data/x. Docker would follow it when it next starts a container that
 * mounts ./data/x, without asking us: so one must not lie in the other.
 */
int
check_nested_mounts(struct check *check)
{
	const struct mount *project = NULL, *writable = NULL;
	size_t i;

	if (check->mount_count == 0)
		return 0;
	qsort(check->mounts, check->mount_count, sizeof *check->mounts,
	    compare_mounts);
	for (i = 0; i < check->mount_count; i++) {
		const struct mount *mount = &check->mounts[i];

		if (lies_in(mount, project) || lies_in(mount, writable)) {
			check->service = mount->service;
			if (check_refuse(check, mount->node, "nested_mounts",
				"it lies in a directory that a container can "
				"write; mount that one read-only or only one "
				"of them") < 0)
				return -1;
		} else if (mount->writable && mount->path[0] == '\0') {
			project = mount;
		} else if (mount->writable) {
			writable = mount;
		}
	}
	check->service = NULL;
	return 0;
}
