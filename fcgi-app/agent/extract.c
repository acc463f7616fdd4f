#include "agent/extract.h"

#include "agent/agent.h"
#include "agent/uploads.h"
#include "archive/unpack.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAXIMUM 50000
#define CHUNK_BYTES ((size_t)64 * 1024)

static int
fail_twice(struct error *err, const char *path)
{
	return error_set(err, ERR_INVALID, "INVALID_ARCHIVE",
	    "the archive has '%.200s' as a file and as a directory", path);
}

static int
extract_bytes(struct unpack *unpack, int to, int64_t *bytes, struct error *err)
{
	char chunk[CHUNK_BYTES];
	size_t got, at;

	for (;;) {
		if (unpack_read(unpack, chunk, sizeof chunk, &got, err) < 0)
			return -1;
		if (got == 0)
			return 0;
		*bytes += (int64_t)got;
		for (at = 0; at < got;) {
			ssize_t put = write(to, chunk + at, got - at);

			if (put < 0 && errno != EINTR)
				return error_errno(err, "cannot unpack a file");
			if (put > 0)
				at += (size_t)put;
		}
	}
}

static int
open_parent(
    int directory, const char *path, const char **out_name, struct error *err)
{
	int parent = tree_open_parent(directory, path, true, out_name, err);

	if (parent < 0 && err->kind == ERR_CONFLICT)
		return fail_twice(err, path);
	return parent;
}

/* What the archive has twice is there as it came last. */
static int
extract_file(struct unpack *unpack, const struct unpack_entry *entry,
    int directory, struct extracted *out, struct error *err)
{
	const char *name;
	auto_fd int parent = open_parent(directory, entry->path, &name, err);
	auto_fd int fd = -1;

	if (parent < 0)
		return -1;
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return fail_twice(err, entry->path);
	fd = file_open(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
	if (fd < 0 || extract_bytes(unpack, fd, &out->bytes, err) < 0)
		return -1;
	if (fchmod(fd, entry->mode | 0600) < 0)
		return error_errno(err, "cannot unpack a file");
	out->files++;
	return 0;
}

static int
extract_directory(const struct unpack_entry *entry, int directory,
    struct extracted *out, struct error *err)
{
	const char *name;
	auto_fd int parent = open_parent(directory, entry->path, &name, err);
	auto_fd int fd = -1;

	if (parent < 0)
		return -1;
	if (file_make_directory(parent, name, 0755, err) < 0)
		return err->kind == ERR_INVALID ? fail_twice(err, entry->path)
						: -1;
	fd = tree_open_directory(parent, name, err);
	if (fd < 0)
		return -1;
	if (fchmod(fd, entry->mode | 0700) < 0)
		return error_errno(err, "cannot unpack a directory");
	out->directories++;
	return 0;
}

/*
 * Reads all of it and writes nothing: what is refused is so before a file of it
 * is there, and a bomb costs no room.
 */
static int
check_archive(int fd, const struct unpack_limits *limits, struct error *err)
{
	auto_unpack struct unpack *unpack = NULL;
	struct unpack_entry entry;
	bool found = true;

	if (unpack_open_file(fd, limits, &unpack, err) < 0)
		return -1;
	while (found)
		if (unpack_next(unpack, &entry, &found, err) < 0)
			return -1;
	return lseek(fd, 0, SEEK_SET) < 0
		   ? error_errno(err, "cannot read the archive")
		   : 0;
}

static int
check_cancel(const struct run *run, struct error *err)
{
	if (run->cancel == NULL || !atomic_load(run->cancel))
		return 0;
	return error_set(
	    err, ERR_CONFLICT, "JOB_CANCELLED", "the job was cancelled");
}

static int
extract_all(struct run *run, struct unpack *unpack, int directory,
    struct extracted *out, struct error *err)
{
	struct unpack_entry entry;
	bool found;
	int failed;

	for (;;) {
		if (check_cancel(run, err) < 0 ||
		    unpack_next(unpack, &entry, &found, err) < 0)
			return -1;
		out->left_out = unpack_passed_over(unpack);
		if (!found)
			return 0;
		failed =
		    entry.is_directory
			? extract_directory(&entry, directory, out, err)
			: extract_file(unpack, &entry, directory, out, err);
		if (failed)
			return -1;
	}
}

int
extract_archive(struct run *run, int fd, int directory, struct extracted *out,
    struct error *err)
{
	uint64_t maximum =
	    (uint64_t)run->agent->settings->files.archive_max_bytes;
	const struct unpack_limits limits = { .entries = ENTRIES_MAXIMUM,
		.file_bytes = maximum,
		.total_bytes = maximum,
		.pass_over = true,
		.cancel = run->cancel };
	auto_unpack struct unpack *unpack = NULL;

	*out = (struct extracted){ .files = 0 };
	if (check_archive(fd, &limits, err) < 0 ||
	    unpack_open_file(fd, &limits, &unpack, err) < 0 ||
	    extract_all(run, unpack, directory, out, err) < 0)
		return -1;
	/* One for all: there may be thousands of files. */
	if (syncfs(directory) < 0)
		return error_errno(err, "cannot sync the files");
	return 0;
}

int
extract_upload(struct run *run, const char *token, int directory,
    struct extracted *out, struct error *err)
{
	auto_fd int fd = upload_open(run->agent, token, err);

	return fd < 0 ? -1 : extract_archive(run, fd, directory, out, err);
}
