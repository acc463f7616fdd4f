#include "base/tree.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAXIMUM 100000
#define CHILDREN_MAXIMUM 1000

static int
fail_not_found(struct error *err, const char *path)
{
	return error_set(
	    err, ERR_NOT_FOUND, "FILE_NOT_FOUND", "'%.200s' not found", path);
}

/* Opens for fstat() alone: what it is comes before what opening it does. */
static int
open_entry(int directory, const char *path, struct stat *out, struct error *err)
{
	auto_fd int fd =
	    file_open(directory, *path != '\0' ? path : ".", O_PATH, 0, err);

	if (fd < 0 && err->kind == ERR_NOT_FOUND)
		return fail_not_found(err, path);
	if (fd < 0)
		return -1;
	if (fstat(fd, out) < 0)
		return error_errno(err, "cannot look at '%s'", path);
	return take_fd(&fd);
}

int
tree_status(
    int directory, const char *path, struct stat *out, struct error *err)
{
	auto_fd int fd = open_entry(directory, path, out, err);

	return fd < 0 ? -1 : 0;
}

/* The same file again, whatever has its name by now. */
static int
reopen(int fd, int flags, const char *path, struct error *err)
{
	char link[32];
	int opened;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	opened = open(link, flags | O_CLOEXEC);
	return opened < 0 ? error_errno(err, "cannot open '%s'", path) : opened;
}

static int
check_link(const struct stat *status, const char *path, struct error *err)
{
	if (!S_ISLNK(status->st_mode))
		return 0;
	return error_set(
	    err, ERR_INVALID, "UNSAFE_PATH", "'%.200s' is a link", path);
}

int
tree_open_directory(int directory, const char *path, struct error *err)
{
	struct stat status;
	auto_fd int fd = open_entry(directory, path, &status, err);

	if (fd < 0 || check_link(&status, path, err) < 0)
		return -1;
	if (!S_ISDIR(status.st_mode))
		return error_set(err, ERR_CONFLICT, "NOT_A_DIRECTORY",
		    "'%.200s' is not a directory", path);
	return reopen(fd, O_RDONLY | O_DIRECTORY, path, err);
}

int
tree_open_file(
    int directory, const char *path, struct stat *out, struct error *err)
{
	auto_fd int fd = open_entry(directory, path, out, err);

	if (fd < 0 || check_link(out, path, err) < 0)
		return -1;
	if (S_ISDIR(out->st_mode))
		return error_set(err, ERR_CONFLICT, "IS_A_DIRECTORY",
		    "'%.200s' is a directory", path);
	if (!S_ISREG(out->st_mode))
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%.200s' is not a regular file", path);
	return reopen(fd, O_RDONLY | O_NOCTTY, path, err);
}

/* Opens the directory called name, after making it when told to. */
static int
step_into(int directory, const char *name, bool make, const char *path,
    struct error *err)
{
	int fd = tree_open_directory(directory, name, err);

	if (fd >= 0 || !make || err->kind != ERR_NOT_FOUND) {
		if (fd < 0 && err->kind == ERR_NOT_FOUND)
			return fail_not_found(err, path);
		return fd;
	}
	if (file_make_directory(directory, name, 0755, err) < 0)
		return -1;
	fd = tree_open_directory(directory, name, err);
	/* Not mkdir()'s mode: the umask has no say here. */
	if (fd >= 0 && (fchmod(fd, 0755) < 0 || fsync(directory) < 0)) {
		close(fd);
		return error_errno(err, "cannot create '%s'", name);
	}
	return fd;
}

int
tree_open_parent(int directory, const char *path, bool make,
    const char **out_name, struct error *err)
{
	auto_fd int at = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	const char *slash;

	if (at < 0)
		return error_errno(err, "cannot open a directory");
	for (*out_name = path; (slash = strchr(*out_name, '/')) != NULL;
	     *out_name = slash + 1) {
		char name[NAME_MAX + 1];
		int next;

		if (slash - *out_name > NAME_MAX)
			return error_set(err, ERR_INVALID, "UNSAFE_PATH",
			    "'%.200s' has a name that is too long", path);
		snprintf(name, sizeof name, "%.*s", (int)(slash - *out_name),
		    *out_name);
		next = step_into(at, name, make, path, err);
		if (next < 0)
			return -1;
		close(at);
		at = next;
	}
	return take_fd(&at);
}

/* A stream over the directory with a descriptor of its own. */
static DIR *
open_stream(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (stream == NULL && fd >= 0)
		close(fd);
	return stream;
}

static struct dirent *
next_entry(DIR *stream)
{
	struct dirent *entry;

	do
		entry = readdir(stream);
	while (entry != NULL && (strcmp(entry->d_name, ".") == 0 ||
				    strcmp(entry->d_name, "..") == 0));
	return entry;
}

static int64_t
count_children(int directory, const char *name)
{
	struct error ignored;
	auto_fd int fd = tree_open_directory(directory, name, &ignored);
	DIR *stream = fd < 0 ? NULL : open_stream(fd);
	int64_t count = 0;

	if (stream == NULL)
		return 0;
	while (count < CHILDREN_MAXIMUM && next_entry(stream) != NULL)
		count++;
	closedir(stream);
	return count;
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t
read_names(DIR *stream, struct arena *arena, const char ***out, bool *complete)
{
	const char **names = NULL;
	size_t count = 0, allocated = 0;
	struct dirent *entry;

	while (
	    (entry = next_entry(stream)) != NULL && count < ENTRIES_MAXIMUM) {
		names =
		    arena_grow(arena, names, count, &allocated, sizeof *names);
		names[count++] = arena_strdup(arena, entry->d_name);
	}
	*complete = entry == NULL;
	if (count > 0)
		qsort(names, count, sizeof *names, compare_names);
	*out = names;
	return count;
}

int
tree_list(int directory, const char *path, size_t offset, size_t limit,
    struct arena *arena, struct tree_list *out, struct error *err)
{
	auto_fd int fd = tree_open_directory(directory, path, err);
	DIR *stream = fd < 0 ? NULL : open_stream(fd);
	const char **names;
	size_t i;

	memset(out, 0, sizeof *out);
	if (fd < 0)
		return -1;
	if (stream == NULL)
		return error_errno(err, "cannot list '%s'", path);
	out->total = read_names(stream, arena, &names, &out->complete);
	closedir(stream);
	out->entries = arena_array(arena, limit, sizeof *out->entries);
	for (i = offset; i < out->total && out->count < limit; i++) {
		struct tree_entry *entry = &out->entries[out->count];
		struct error ignored;

		/* It may be gone by now. */
		if (tree_status(fd, names[i], &entry->status, &ignored) < 0)
			continue;
		entry->name = names[i];
		entry->child_count = S_ISDIR(entry->status.st_mode)
					 ? count_children(fd, names[i])
					 : -1;
		out->count++;
	}
	return 0;
}

struct walk {
	tree_visitor *visit;
	void *context;
	dev_t device;
	char path[PATH_MAX];
	size_t length; /* of path */
};

static int walk_directory(
    struct walk *walk, int directory, int depth, struct error *err);

static int
visit_entry(struct walk *walk, int directory, const char *name, int depth,
    struct error *err)
{
	size_t before = walk->length, length = strlen(name);
	struct error ignored;
	struct stat status;
	auto_fd int child = -1;
	int result;

	if (before + length + 2 > sizeof walk->path)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "a path in the directory is too long");
	if (tree_status(directory, name, &status, &ignored) < 0 ||
	    status.st_dev != walk->device)
		return 0;
	if (before > 0)
		walk->path[walk->length++] = '/';
	memcpy(walk->path + walk->length, name, length + 1);
	walk->length += length;
	result = walk->visit(
	    walk->context, directory, name, walk->path, &status, err);
	if (result == 0 && S_ISDIR(status.st_mode)) {
		child = tree_open_directory(directory, name, &ignored);
		if (child >= 0)
			result = walk_directory(walk, child, depth - 1, err);
	}
	walk->length = before;
	walk->path[before] = '\0';
	return result;
}

static int
walk_directory(struct walk *walk, int directory, int depth, struct error *err)
{
	DIR *stream;
	struct dirent *entry;
	int result = 0;

	if (depth == 0)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "there are more than %d levels of directories",
		    TREE_DEPTH_MAXIMUM);
	stream = open_stream(directory);
	if (stream == NULL)
		return error_errno(err, "cannot list a directory");
	while (result == 0 && (entry = next_entry(stream)) != NULL)
		result =
		    visit_entry(walk, directory, entry->d_name, depth, err);
	closedir(stream);
	return result;
}

int
tree_walk(int directory, tree_visitor *visit, void *context, struct error *err)
{
	struct walk walk = { .visit = visit, .context = context };
	struct stat status;

	if (fstat(directory, &status) < 0)
		return error_errno(err, "cannot look at a directory");
	walk.device = status.st_dev;
	return walk_directory(&walk, directory, TREE_DEPTH_MAXIMUM, err);
}

int
tree_copy_bytes(
    int from, int to, int64_t maximum, int64_t *out_size, struct error *err)
{
	char chunk[65536];
	ssize_t got, put, at;

	*out_size = 0;
	while ((got = read(from, chunk, sizeof chunk)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "cannot read a file");
		*out_size += got;
		if (*out_size > maximum)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "it is larger than %lld bytes", (long long)maximum);
		for (at = 0; at < got; at += put) {
			put = write(to, chunk + at, (size_t)(got - at));
			if (put < 0 && errno == EINTR)
				put = 0;
			if (put < 0)
				return error_errno(err, "cannot write a file");
		}
	}
	return 0;
}
