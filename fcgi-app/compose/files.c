/* Deployments as files: found, read, created, changed. */
#include "base/file.h"
#include "base/tree.h"
#include "compose/compose-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_DIRECTORY ".flatrun"

static int
check_name(const char *name, struct error *err)
{
	if (compose_name_is_valid(name))
		return 0;
	return error_field(err, "name", "INVALID_NAME", "'name' must be %s",
	    COMPOSE_NAME_EXPECTED);
}

/* Makes ROOT/.flatrun/name, for the owner alone, and opens it. */
static int
open_state(int state, const char *name, struct error *err)
{
	if (file_make_directory(state, name, 0700, err) < 0)
		return -1;
	return file_open(state, name, O_RDONLY | O_DIRECTORY, 0, err);
}

static int
open_state_directories(struct compose *compose, struct error *err)
{
	auto_fd int state = -1;

	if (file_make_directory(compose->root, STATE_DIRECTORY, 0755, err) < 0)
		return -1;
	state = file_open(
	    compose->root, STATE_DIRECTORY, O_RDONLY | O_DIRECTORY, 0, err);
	if (state < 0)
		return -1;
	compose->staging = open_state(state, "staging", err);
	if (compose->staging < 0)
		return -1;
	/* Checked documents hold the values of variables: secrets. */
	compose->checked = open_state(state, "checked", err);
	if (compose->checked < 0)
		return -1;
	compose->trash = open_state(state, "trash", err);
	return compose->trash < 0 ? -1 : 0;
}

int
compose_open(const char *root, const struct compose_policy *policy,
    bool writable, struct compose **out, struct error *err)
{
	struct compose *compose = xcalloc(1, sizeof *compose);

	compose->policy = policy;
	compose->staging = compose->checked = compose->trash = -1;
	compose->root = file_open_root(root, err);
	compose->root_path = realpath(root, NULL);
	if (compose->root < 0 ||
	    (writable && open_state_directories(compose, err) < 0)) {
		compose_close(compose);
		return -1;
	}
	if (compose->root_path == NULL) {
		error_errno(err, "cannot resolve the deployments' directory");
		compose_close(compose);
		return -1;
	}
	*out = compose;
	return 0;
}

void
compose_close(struct compose *compose)
{
	if (compose == NULL)
		return;
	cleanup_fd(&compose->root);
	cleanup_fd(&compose->staging);
	cleanup_fd(&compose->checked);
	cleanup_fd(&compose->trash);
	free(compose->root_path);
	free(compose);
}

static int
fail_not_found(struct error *err, const char *name)
{
	return error_set(err, ERR_NOT_FOUND, "DEPLOYMENT_NOT_FOUND",
	    "deployment '%s' not found", name);
}

int
compose_open_directory(
    struct compose *compose, const char *name, struct error *err)
{
	int fd;

	if (check_name(name, err) < 0)
		return -1;
	fd = file_open(compose->root, name, O_RDONLY | O_DIRECTORY, 0, err);
	if (fd < 0 && err->kind == ERR_NOT_FOUND)
		return fail_not_found(err, name);
	return fd;
}

static bool
is_file(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(status.st_mode);
}

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length &&
	       strcmp(text + length - end_length, end) == 0;
}

/* 2 for *compose*.yml, 1 for *compose*.yaml, else 0. */
static int
rank(const char *name)
{
	const char *found = strstr(name, "compose");

	if (found == NULL || *name == '.')
		return 0;
	if (ends_with(found + 7, ".yml"))
		return 2;
	return ends_with(found + 7, ".yaml") ? 1 : 0;
}

/* The best of the names that are not the usual ones; NULL for none. */
static char *
search_compose_file(int directory, struct arena *arena)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char *best = NULL;

	if (entries == NULL) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while ((entry = readdir(entries)) != NULL) {
		int is = rank(entry->d_name);

		if (is == 0 || (best != NULL && is < rank(best)) ||
		    (best != NULL && is == rank(best) &&
			strcmp(entry->d_name, best) >= 0) ||
		    !is_file(directory, entry->d_name))
			continue;
		best = arena_strdup(arena, entry->d_name);
	}
	closedir(entries);
	return best;
}

bool
compose_file_is_managed(const char *name)
{
	return strchr(name, '/') == NULL &&
	       (strcmp(name, COMPOSE_METADATA_FILE) == 0 ||
		   strcmp(name, COMPOSE_ENVIRONMENT_FILE) == 0 ||
		   rank(name) != 0);
}

static const char *
find_compose_file(int directory, struct arena *arena)
{
	static const char *const usual[] = { "docker-compose.yml",
		"docker-compose.yaml", "compose.yml", "compose.yaml" };
	size_t i;

	for (i = 0; i < sizeof usual / sizeof usual[0]; i++)
		if (is_file(directory, usual[i]))
			return usual[i];
	return search_compose_file(directory, arena);
}

int
compose_open_deployment(struct compose *compose, const char *name,
    struct arena *arena, const char **out_filename, struct error *err)
{
	auto_fd int directory = compose_open_directory(compose, name, err);

	if (directory < 0)
		return -1;
	*out_filename = find_compose_file(directory, arena);
	if (*out_filename == NULL)
		return fail_not_found(err, name);
	return take_fd(&directory);
}

/* The text in the arena; *out is NULL when there is no such file. */
static int
read_optional(int directory, const char *name, size_t maximum,
    struct arena *arena, const char **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(maximum);
	struct error failed;

	*out = NULL;
	if (file_read(directory, name, &text, &failed) < 0) {
		if (failed.kind == ERR_NOT_FOUND)
			return 0;
		*err = failed;
		return -1;
	}
	*out = arena_strndup(arena, buffer_string(&text), text.length);
	return 0;
}

int
compose_read_directory(struct compose *compose, int directory, const char *name,
    struct arena *arena, struct compose_files *out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct stat status;
	struct error ignored;

	memset(out, 0, sizeof *out);
	out->filename = find_compose_file(directory, arena);
	if (out->filename == NULL)
		return fail_not_found(err, name);
	if (fstat(directory, &status) < 0)
		return error_errno(err, "cannot read '%s'", name);
	out->modified_at_ms = (int64_t)status.st_mtim.tv_sec * 1000 +
			      status.st_mtim.tv_nsec / 1000000;
	if (file_read(directory, out->filename, &text, err) < 0)
		return -1;
	out->compose = arena_strndup(arena, buffer_string(&text), text.length);
	out->compose_length = text.length;
	if (read_optional(directory, COMPOSE_METADATA_FILE, METADATA_MAXIMUM,
		arena, &out->metadata, err) < 0)
		return -1;
	/* Workers may not read it: it is its owner's alone. */
	if (compose->checked < 0) {
		read_optional(directory, COMPOSE_ENVIRONMENT_FILE,
		    ENVIRONMENT_MAXIMUM, arena, &out->environment, &ignored);
		return 0;
	}
	return read_optional(directory, COMPOSE_ENVIRONMENT_FILE,
	    ENVIRONMENT_MAXIMUM, arena, &out->environment, err);
}

int
compose_read(struct compose *compose, const char *name, struct arena *arena,
    struct compose_files *out, struct error *err)
{
	auto_fd int directory = compose_open_directory(compose, name, err);

	if (directory < 0)
		return -1;
	return compose_read_directory(
	    compose, directory, name, arena, out, err);
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool
is_deployment(struct compose *compose, const char *name, struct arena *arena)
{
	struct error ignored;
	auto_fd int directory = -1;

	if (!compose_name_is_valid(name))
		return false;
	directory =
	    file_open(compose->root, name, O_RDONLY | O_DIRECTORY, 0, &ignored);
	return directory >= 0 && find_compose_file(directory, arena) != NULL;
}

static size_t
list_deployments(struct compose *compose, DIR *entries, struct arena *arena,
    const char ***out)
{
	size_t count = 0, allocated = 0;
	const char **names = NULL;
	struct dirent *entry;

	while ((entry = readdir(entries)) != NULL) {
		if (!is_deployment(compose, entry->d_name, arena))
			continue;
		if (count == allocated) {
			const char **old = names;

			allocated = allocated * 2 + 64;
			names = arena_array(arena, allocated, sizeof *names);
			if (count > 0)
				memcpy(names, old, count * sizeof *names);
		}
		names[count++] = arena_strdup(arena, entry->d_name);
	}
	if (count > 0)
		qsort(names, count, sizeof *names, compare_names);
	*out = names;
	return count;
}

int
compose_list(struct compose *compose, struct arena *arena,
    const char *const **out, size_t *out_count, struct error *err)
{
	int fd = openat(compose->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const char **names = NULL;

	if (entries == NULL) {
		error_errno(err, "cannot list the deployments");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*out_count = list_deployments(compose, entries, arena, &names);
	*out = names;
	closedir(entries);
	return 0;
}

static int
write_files(int directory, const char *text, size_t length,
    const char *metadata, const char *environment, struct error *err)
{
	if (file_write(
		directory, "docker-compose.yml", text, length, 0644, err) < 0)
		return -1;
	if (metadata != NULL && file_write(directory, COMPOSE_METADATA_FILE,
				    metadata, strlen(metadata), 0644, err) < 0)
		return -1;
	if (environment != NULL &&
	    file_write(directory, COMPOSE_ENVIRONMENT_FILE, environment,
		strlen(environment), 0600, err) < 0)
		return -1;
	return 0;
}

static int
fail_unsafe(struct error *err, const char *filename)
{
	return error_set(err, ERR_INVALID, "UNSAFE_PATH",
	    "'%s' is no file of a deployment", filename);
}

static int
write_file(int directory, const struct compose_file *file, struct error *err)
{
	const char *name;
	auto_fd int parent =
	    tree_open_parent(directory, file->path, true, &name, err);
	struct stat status;

	if (parent < 0)
		return -1;
	if (*file->path == '/' || strstr(file->path, "//") != NULL)
		return fail_unsafe(err, file->path);
	if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "the file '%.80s' is there already", file->path);
	return file_write(parent, name, file->text, file->length, 0644, err);
}

static int
write_more_files(int directory, const struct compose_file *files, size_t count,
    struct error *err)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (write_file(directory, &files[i], err) < 0)
			return -1;
	return 0;
}

int
compose_open_staging(struct compose *compose, struct error *err)
{
	return file_open(compose->staging, ".", O_RDONLY | O_DIRECTORY, 0, err);
}

int
compose_stage(struct compose *compose, char out_name[COMPOSE_STAGED_SIZE],
    struct error *err)
{
	auto_fd int directory = -1;

	random_hex(out_name, COMPOSE_STAGED_SIZE - 1);
	if (file_make_directory(compose->staging, out_name, 0755, err) < 0)
		return -1;
	directory = file_open(
	    compose->staging, out_name, O_RDONLY | O_DIRECTORY, 0, err);
	/* Not mkdir()'s mode: the umask has no say here. */
	if (directory >= 0 && fchmod(directory, 0755) == 0)
		return take_fd(&directory);
	if (directory >= 0)
		error_errno(err, "cannot create a directory");
	unlinkat(compose->staging, out_name, AT_REMOVEDIR);
	return -1;
}

int
compose_publish(struct compose *compose, const char *staged, const char *name,
    struct error *err)
{
	if (check_name(name, err) < 0)
		return -1;
	if (file_move(compose->staging, staged, compose->root, name, err) == 0)
		return 0;
	if (err->kind == ERR_CONFLICT)
		error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
		    "deployment '%s' exists already", name);
	return -1;
}

int
compose_create(struct compose *compose, const char *name, const char *text,
    size_t length, const char *metadata, const char *environment,
    const struct compose_file *files, size_t file_count, struct error *err)
{
	char staged[COMPOSE_STAGED_SIZE];
	struct error ignored;
	auto_fd int directory = -1;

	if (check_name(name, err) < 0)
		return -1;
	directory = compose_stage(compose, staged, err);
	if (directory < 0)
		return -1;
	if (write_files(directory, text, length, metadata, environment, err) ==
		0 &&
	    write_more_files(directory, files, file_count, err) == 0 &&
	    compose_publish(compose, staged, name, err) == 0)
		return 0;
	file_remove_tree(compose->staging, staged, &ignored);
	return -1;
}

static struct file_content
content_of(const char *name, const char *text, mode_t mode)
{
	return (struct file_content){ .name = name,
		.bytes = text,
		.length = text != NULL ? strlen(text) : 0,
		.mode = mode };
}

/* What it says already; a file that cannot be read says something else. */
static bool
is_written(int directory, const struct file_content *content)
{
	auto_buffer struct buffer text = BUFFER(content->length);
	struct error failed;

	if (file_read(directory, content->name, &text, &failed) < 0)
		return content->bytes == NULL && failed.kind == ERR_NOT_FOUND;
	return content->bytes != NULL && text.length == content->length &&
	       memcmp(buffer_string(&text), content->bytes, text.length) == 0;
}

int
compose_replace(struct compose *compose, const char *name,
    const struct compose_files *files, struct error *err)
{
	auto_fd int directory = compose_open_directory(compose, name, err);
	const struct file_content contents[] = {
		content_of(files->filename, files->compose, 0644),
		content_of(COMPOSE_METADATA_FILE, files->metadata, 0644),
		content_of(COMPOSE_ENVIRONMENT_FILE, files->environment, 0600),
	};
	struct file_content changed[3];
	size_t i, count = 0;

	if (directory < 0)
		return -1;
	if (!compose_file_is_managed(files->filename))
		return fail_unsafe(err, files->filename);
	for (i = 0; i < 3; i++)
		if (!is_written(directory, &contents[i]))
			changed[count++] = contents[i];
	return count > 0 ? file_write_all(directory, changed, count, err) : 0;
}

int
compose_write(struct compose *compose, const char *name, const char *filename,
    const void *bytes, size_t length, mode_t mode, struct error *err)
{
	auto_fd int directory = compose_open_directory(compose, name, err);

	if (directory < 0)
		return -1;
	if (!compose_file_is_managed(filename))
		return fail_unsafe(err, filename);
	return file_write(directory, filename, bytes, length, mode, err);
}
