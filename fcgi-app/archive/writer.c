#include "archive/writer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct packing {
	struct archive *archive;
	const char *leave_out;
	int64_t bytes_left;
	size_t entries_left;
	int64_t deadline_ms;
};

static int
fail_write(struct packing *packing, struct error *err)
{
	errno = archive_errno(packing->archive);
	if (errno <= 0)
		errno = EIO;
	return error_errno(err, "cannot write the archive");
}

static int
check_deadline(const struct packing *packing, struct error *err)
{
	if (clock_monotonic_ms() <= packing->deadline_ms)
		return 0;
	return error_set(
	    err, ERR_TIMEOUT, NULL, "packing the archive takes too long");
}

static int
fail_too_large(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "ARCHIVE_TOO_LARGE",
	    "there is more than an archive may hold");
}

/* As many bytes as the header says: a file may grow meanwhile, or shrink. */
static int
pack_bytes(struct packing *packing, int fd, int64_t size, struct error *err)
{
	char chunk[65536];

	while (size > 0) {
		size_t wanted =
		    size < (int64_t)sizeof chunk ? (size_t)size : sizeof chunk;
		ssize_t got = read(fd, chunk, wanted);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "cannot read a file");
		if (got == 0)
			return 0;
		if (archive_write_data(packing->archive, chunk, (size_t)got) <
		    0)
			return fail_write(packing, err);
		if (check_deadline(packing, err) < 0)
			return -1;
		size -= got;
	}
	return 0;
}

static int
pack_header(
    struct packing *packing, struct archive_entry *entry, struct error *err)
{
	return archive_write_header(packing->archive, entry) < ARCHIVE_WARN
		   ? fail_write(packing, err)
		   : 0;
}

static int
pack_file(struct packing *packing, struct archive_entry *entry, int parent,
    const char *name, struct error *err)
{
	struct stat status;
	struct error gone;
	auto_fd int fd = tree_open_file(parent, name, &status, &gone);

	if (fd < 0)
		return 0;
	packing->bytes_left -= (int64_t)status.st_size;
	if (packing->bytes_left < 0)
		return fail_too_large(err);
	archive_entry_set_size(entry, status.st_size);
	if (pack_header(packing, entry, err) < 0)
		return -1;
	return pack_bytes(packing, fd, (int64_t)status.st_size, err);
}

static int
pack_link(struct packing *packing, struct archive_entry *entry, int parent,
    const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(parent, name, target, sizeof target - 1);

	if (length < 0)
		return 0;
	target[length] = '\0';
	archive_entry_copy_symlink(entry, target);
	return pack_header(packing, entry, err);
}

/* What a writer that was killed left behind. */
static bool
is_temporary(const char *name)
{
	size_t length = strlen(name);

	return strncmp(name, ".flatrun-", 9) == 0 && length > 13 &&
	       strcmp(name + length - 4, ".tmp") == 0;
}

static int
pack_entry(void *context, int parent, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct packing *packing = context;
	struct archive_entry *entry;
	int failed = 0;

	if (is_temporary(name) || (packing->leave_out != NULL &&
				      strcmp(path, packing->leave_out) == 0))
		return 0;
	if (packing->entries_left-- == 0)
		return fail_too_large(err);
	if (check_deadline(packing, err) < 0)
		return -1;
	entry = archive_entry_new();
	archive_entry_copy_pathname(entry, path);
	archive_entry_set_mode(entry, status->st_mode & (S_IFMT | 0777));
	archive_entry_set_mtime(
	    entry, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
	if (S_ISREG(status->st_mode))
		failed = pack_file(packing, entry, parent, name, err);
	else if (S_ISLNK(status->st_mode))
		failed = pack_link(packing, entry, parent, name, err);
	else if (S_ISDIR(status->st_mode))
		failed = pack_header(packing, entry, err);
	archive_entry_free(entry);
	return failed;
}

static int
pack_all(struct packing *packing, int directory, int fd, struct error *err)
{
	struct archive *archive = packing->archive;

	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
	    archive_write_open_fd(archive, fd) != ARCHIVE_OK)
		return fail_write(packing, err);
	if (tree_walk(directory, pack_entry, packing, err) < 0)
		return -1;
	return archive_write_close(archive) != ARCHIVE_OK
		   ? fail_write(packing, err)
		   : 0;
}

int
writer_run(int directory, int to, const char *leave_out,
    const struct pack_limits *limits, struct error *err)
{
	struct packing packing = { .archive = archive_write_new(),
		.leave_out = leave_out,
		.bytes_left = limits->total_bytes,
		.entries_left = limits->entries,
		.deadline_ms = clock_monotonic_ms() + limits->timeout_ms };
	int failed = pack_all(&packing, directory, to, err);

	archive_write_free(packing.archive);
	return failed;
}
