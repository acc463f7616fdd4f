#include "archive/unpack.h"

#include "base/arena.h"
#include "base/utf8.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)
#define PERMISSIONS 0777

struct unpack {
	struct archive *archive;
	struct unpack_limits limits;
	uint64_t entries, total_bytes;
	uint64_t file_size, file_bytes; /* as it says, and so far */
	char path[UNPACK_PATH_MAXIMUM + 1];
};

/* What libarchive says of it is for the log. */
static int
fail_archive(struct unpack *unpack, struct error *err)
{
	const char *reason = archive_error_string(unpack->archive);

	error_set(err, ERR_INVALID, "INVALID_ARCHIVE",
	    "this is no archive that can be read: tar, plain or with gzip");
	return error_detail(err, "%s", reason != NULL ? reason : "unknown");
}

static int
fail_limit(struct error *err, const char *what)
{
	return error_set(err, ERR_TOO_LARGE, NULL, "the archive has %s", what);
}

static int
fail_path(struct error *err, const char *path, const char *why)
{
	return error_set(err, ERR_INVALID, "INVALID_ARCHIVE",
	    "the archive's entry '%.200s' %s", path, why);
}

static struct unpack *
new_unpack(const struct unpack_limits *limits)
{
	struct unpack *unpack = xcalloc(1, sizeof *unpack);

	unpack->limits = *limits;
	unpack->archive = archive_read_new();
	if (unpack->archive == NULL)
		abort();
	archive_read_support_format_tar(unpack->archive);
	archive_read_support_filter_gzip(unpack->archive);
	return unpack;
}

static int
finish_open(
    struct unpack *unpack, int status, struct unpack **out, struct error *err)
{
	if (status != ARCHIVE_OK) {
		fail_archive(unpack, err);
		unpack_close(unpack);
		return -1;
	}
	*out = unpack;
	return 0;
}

int
unpack_open_memory(const void *bytes, size_t length,
    const struct unpack_limits *limits, struct unpack **out, struct error *err)
{
	struct unpack *unpack = new_unpack(limits);

	return finish_open(unpack,
	    archive_read_open_memory(unpack->archive, bytes, length), out, err);
}

int
unpack_open_file(int fd, const struct unpack_limits *limits,
    struct unpack **out, struct error *err)
{
	struct unpack *unpack = new_unpack(limits);

	return finish_open(unpack,
	    archive_read_open_fd(unpack->archive, fd, BLOCK_BYTES), out, err);
}

void
unpack_close(struct unpack *unpack)
{
	if (unpack == NULL)
		return;
	archive_read_free(unpack->archive);
	free(unpack);
}

void
unpack_release(struct unpack **unpack)
{
	unpack_close(*unpack);
}

/* NULL, or what is wrong with the path. */
static const char *
path_fault(const char *path)
{
	size_t length = strlen(path), i, part, depth = 0;

	if (length > UNPACK_PATH_MAXIMUM)
		return "has too long a path";
	if (!utf8_is_valid(path, length))
		return "has a path that is no UTF-8";
	for (i = 0; i < length; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 127)
			return "has control bytes in its path";
	for (;; path += part + 1) {
		part = strcspn(path, "/");
		if (part == 0)
			return "has a path that is absolute, or an empty part";
		if ((part == 1 && *path == '.') ||
		    (part == 2 && strncmp(path, "..", 2) == 0))
			return "has a path that leads elsewhere";
		if (++depth > UNPACK_DEPTH_MAXIMUM)
			return "has too deep a path";
		if (path[part] == '\0')
			return NULL;
	}
}

/* "./a/b/" is "a/b"; what is left of "./" is "". */
static int
take_path(struct unpack *unpack, struct archive_entry *entry, struct error *err)
{
	const char *path = archive_entry_pathname(entry), *fault;
	size_t length;

	if (path == NULL)
		path = archive_entry_pathname_utf8(entry);
	if (path == NULL)
		return fail_path(err, "", "has a path that cannot be read");
	if (strcmp(path, ".") == 0)
		path = "";
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length > UNPACK_PATH_MAXIMUM)
		return fail_path(err, path, "has too long a path");
	memcpy(unpack->path, path, length);
	unpack->path[length] = '\0';
	fault = length > 0 ? path_fault(unpack->path) : NULL;
	return fault != NULL ? fail_path(err, unpack->path, fault) : 0;
}

static int
take_entry(struct unpack *unpack, struct archive_entry *entry,
    struct unpack_entry *out, struct error *err)
{
	int64_t size =
	    archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;

	if (take_path(unpack, entry, err) < 0)
		return -1;
	if (archive_entry_hardlink(entry) != NULL ||
	    archive_entry_symlink(entry) != NULL ||
	    (archive_entry_filetype(entry) != AE_IFREG &&
		archive_entry_filetype(entry) != AE_IFDIR))
		return fail_path(
		    err, unpack->path, "is neither a file nor a directory");
	*out = (struct unpack_entry){
		.path = unpack->path,
		.is_directory = archive_entry_filetype(entry) == AE_IFDIR,
		.mode = archive_entry_perm(entry) & PERMISSIONS,
		.size = size > 0 ? (uint64_t)size : 0,
		.changed_s = archive_entry_mtime(entry),
	};
	if (!out->is_directory && *unpack->path == '\0')
		return fail_path(err, ".", "is no file");
	/* What nobody reads has to be decompressed, too. */
	if (out->size > unpack->limits.file_bytes)
		return fail_limit(err, "too large a file");
	if (out->size > unpack->limits.total_bytes - unpack->total_bytes)
		return fail_limit(err, "too much in it");
	unpack->total_bytes += out->size;
	return 0;
}

int
unpack_next(struct unpack *unpack, struct unpack_entry *out, bool *found,
    struct error *err)
{
	do {
		struct archive_entry *entry;
		int status = archive_read_next_header(unpack->archive, &entry);

		*found = false;
		if (status == ARCHIVE_EOF)
			return 0;
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return fail_archive(unpack, err);
		if (++unpack->entries > unpack->limits.entries)
			return fail_limit(err, "too many entries");
		unpack->file_bytes = 0;
		if (take_entry(unpack, entry, out, err) < 0)
			return -1;
		unpack->file_size = out->size;
	} while (*unpack->path == '\0'); /* the archive's own root */
	*found = true;
	return 0;
}

int
unpack_read(struct unpack *unpack, void *bytes, size_t size, size_t *got,
    struct error *err)
{
	la_ssize_t taken = archive_read_data(unpack->archive, bytes, size);

	if (taken < 0)
		return fail_archive(unpack, err);
	*got = (size_t)taken;
	unpack->file_bytes += *got;
	if (unpack->file_bytes > unpack->file_size)
		return fail_limit(err, "a file that is larger than it says");
	return 0;
}
