#include "archive/reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define PERMISSIONS 0777U

struct archive *
reader_new(void)
{
	struct archive *archive = archive_read_new();

	if (archive == NULL)
		abort();
	archive_read_support_format_tar(archive);
	archive_read_support_filter_gzip(archive);
	return archive;
}

int
reader_open_fd(struct archive *archive, int fd)
{
	return archive_read_open_fd(archive, fd, FRAME_BYTES_MAXIMUM) ==
		       ARCHIVE_OK
		   ? 0
		   : -1;
}

static int
put_failure(struct archive *archive, frame_sink *sink, void *context)
{
	const char *reason = archive_error_string(archive);
	struct error failure;

	error_set(&failure, ERR_INVALID, "INVALID_ARCHIVE",
	    "this is no archive that can be read: tar, plain or with gzip");
	error_detail(&failure, "%s", reason != NULL ? reason : "unknown");
	return frame_put_error(sink, context, &failure);
}

static enum frame_type
type_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry) != NULL ||
	    archive_entry_symlink(entry) != NULL)
		return FRAME_OTHER;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return FRAME_FILE;
	case AE_IFDIR:
		return FRAME_DIRECTORY;
	default:
		return FRAME_OTHER;
	}
}

static int
put_entry(struct archive_entry *entry, frame_sink *sink, void *context)
{
	const char *path = archive_entry_pathname(entry);
	struct frame_head head = {
		.type = type_of(entry),
		.mode = (uint32_t)archive_entry_perm(entry) & PERMISSIONS,
		.changed_s = archive_entry_mtime(entry),
	};

	if (path == NULL)
		path = archive_entry_pathname_utf8(entry);
	if (path == NULL)
		path = "";
	if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
		head.size = (uint64_t)archive_entry_size(entry);
	/* So long a path is refused by whoever reads this. */
	head.length = (uint32_t)strnlen(path, FRAME_BYTES_MAXIMUM);
	return frame_put(sink, context, &head, path);
}

/* 1: the archive is broken, which has been told. */
static int
put_data(struct archive *archive, frame_sink *sink, void *context)
{
	char bytes[FRAME_BYTES_MAXIMUM];
	struct frame_head head = { .type = FRAME_DATA };
	la_ssize_t got;

	while ((got = archive_read_data(archive, bytes, sizeof bytes)) != 0) {
		if (got == ARCHIVE_RETRY)
			continue;
		if (got < 0)
			return put_failure(archive, sink, context) < 0 ? -1 : 1;
		head.length = (uint32_t)got;
		if (frame_put(sink, context, &head, bytes) < 0)
			return -1;
	}
	return 0;
}

int
reader_run(struct archive *archive, frame_sink *sink, void *context)
{
	struct frame_head end = { .type = FRAME_END };
	struct archive_entry *entry;
	int status, result;

	while ((status = archive_read_next_header(archive, &entry)) !=
	       ARCHIVE_EOF) {
		if (status == ARCHIVE_RETRY)
			continue;
		if (status < ARCHIVE_WARN)
			return put_failure(archive, sink, context);
		if (put_entry(entry, sink, context) < 0)
			return -1;
		if (type_of(entry) != FRAME_FILE)
			continue;
		result = put_data(archive, sink, context);
		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	return frame_put(sink, context, &end, NULL);
}
