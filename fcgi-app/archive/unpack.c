#include "archive/unpack.h"

#include "archive/program.h"
#include "base/arena.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PERMISSIONS 0777U
#define READ_TIMEOUT_MS 300000

struct unpack {
	struct archive_program program;
	char program_path[PROGRAM_PATH_MAXIMUM];
	const char *arguments[3];
	struct unpack_limits limits;
	uint64_t entries, total_bytes, file_bytes;
	size_t passed_over;
	struct frame_head head; /* of the newest frame */
	bool has_head;          /* it was read, and not taken */
	char path[UNPACK_PATH_MAXIMUM + 1];
};

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

int
unpack_open_file(int fd, const struct unpack_limits *limits,
    struct unpack **out, struct error *err)
{
	struct unpack *unpack = xcalloc(1, sizeof *unpack);

	unpack->limits = *limits;
	unpack->arguments[0] = archive_program(unpack->program_path);
	unpack->arguments[1] = "read";
	if (archive_program_start(&unpack->program, unpack->arguments, &fd, 1,
		READ_TIMEOUT_MS, limits->cancel, err) < 0) {
		unpack_close(unpack);
		return -1;
	}
	*out = unpack;
	return 0;
}

/* A file that is in memory alone. */
static int
make_file(const void *bytes, size_t length, struct error *err)
{
	auto_fd int fd = memfd_create("archive", MFD_CLOEXEC);
	const char *at = bytes;

	if (fd < 0)
		return error_errno(err, "cannot keep an archive");
	while (length > 0) {
		ssize_t put = write(fd, at, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return error_errno(err, "cannot keep an archive");
		at += put;
		length -= (size_t)put;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "cannot keep an archive");
	return take_fd(&fd);
}

int
unpack_open_memory(const void *bytes, size_t length,
    const struct unpack_limits *limits, struct unpack **out, struct error *err)
{
	auto_fd int fd = make_file(bytes, length, err);

	return fd < 0 ? -1 : unpack_open_file(fd, limits, out, err);
}

void
unpack_close(struct unpack *unpack)
{
	if (unpack == NULL)
		return;
	archive_program_end(&unpack->program);
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

/* What the frame is of, as it came. */
static int
read_path(struct unpack *unpack, struct error *err)
{
	size_t length = unpack->head.length, got;

	if (length > UNPACK_PATH_MAXIMUM)
		return fail_path(err, "", "has too long a path");
	if (archive_program_read(
		&unpack->program, unpack->path, length, &got, err) < 0)
		return -1;
	unpack->path[length] = '\0';
	return strlen(unpack->path) == length
		   ? 0
		   : fail_path(err, unpack->path, "has a NUL in its path");
}

/* "./a/b/" is "a/b"; what is left of "./" is "". */
static int
clean_path(struct unpack *unpack, struct error *err)
{
	const char *path = unpack->path, *fault;
	size_t length;

	if (*path == '\0')
		return fail_path(err, "", "has a path that cannot be read");
	if (strcmp(path, ".") == 0)
		path = "";
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	memmove(unpack->path, path, length);
	unpack->path[length] = '\0';
	fault = length > 0 ? path_fault(unpack->path) : NULL;
	return fault != NULL ? fail_path(err, unpack->path, fault) : 0;
}

static int
take_entry(struct unpack *unpack, struct unpack_entry *out, struct error *err)
{
	const struct frame_head *head = &unpack->head;

	if (read_path(unpack, err) < 0 || clean_path(unpack, err) < 0)
		return -1;
	if (head->type == FRAME_OTHER && !unpack->limits.pass_over)
		return fail_path(
		    err, unpack->path, "is neither a file nor a directory");
	*out = (struct unpack_entry){
		.path = unpack->path,
		.is_directory = head->type == FRAME_DIRECTORY,
		.mode = head->mode & PERMISSIONS,
		.size = head->size,
		.changed_s = head->changed_s,
	};
	if (head->type == FRAME_FILE && *unpack->path == '\0')
		return fail_path(err, ".", "is no file");
	/* A bomb is seen before it goes off. */
	if (out->size > unpack->limits.file_bytes)
		return fail_limit(err, "too large a file");
	if (out->size > unpack->limits.total_bytes - unpack->total_bytes)
		return fail_limit(err, "too much in it");
	if (head->type == FRAME_OTHER) {
		unpack->passed_over++;
		unpack->path[0] = '\0';
	}
	return 0;
}

/* Looks at the next frame. */
static int
peek(struct unpack *unpack, struct error *err)
{
	if (!unpack->has_head &&
	    archive_program_frame(&unpack->program, &unpack->head, err) < 0)
		return -1;
	unpack->has_head = true;
	return 0;
}

/* What was not read of the file before is skipped, but counted. */
static int
skip_data(struct unpack *unpack, struct error *err)
{
	char bytes[4096];
	size_t got;

	do {
		if (peek(unpack, err) < 0)
			return -1;
		if (unpack->head.type != FRAME_DATA)
			return 0;
	} while (unpack_read(unpack, bytes, sizeof bytes, &got, err) == 0);
	return -1;
}

int
unpack_next(struct unpack *unpack, struct unpack_entry *out, bool *found,
    struct error *err)
{
	*found = false;
	do {
		if (skip_data(unpack, err) < 0)
			return -1;
		if (unpack->head.type == FRAME_END)
			return 0;
		unpack->has_head = false;
		if (++unpack->entries > unpack->limits.entries)
			return fail_limit(err, "too many entries");
		unpack->file_bytes = 0;
		if (take_entry(unpack, out, err) < 0)
			return -1;
		/* The archive's own root, and what is passed over. */
	} while (*unpack->path == '\0');
	*found = true;
	return 0;
}

size_t
unpack_passed_over(const struct unpack *unpack)
{
	return unpack->passed_over;
}

int
unpack_read(struct unpack *unpack, void *bytes, size_t size, size_t *got,
    struct error *err)
{
	*got = 0;
	while (*got == 0) {
		if (peek(unpack, err) < 0)
			return -1;
		if (unpack->head.type != FRAME_DATA)
			return 0;
		if (archive_program_read(
			&unpack->program, bytes, size, got, err) < 0)
			return -1;
		/* That frame is at its end. */
		if (*got == 0)
			unpack->has_head = false;
	}
	unpack->file_bytes += *got;
	unpack->total_bytes += *got;
	if (unpack->file_bytes > unpack->limits.file_bytes)
		return fail_limit(err, "too large a file");
	if (unpack->total_bytes > unpack->limits.total_bytes)
		return fail_limit(err, "too much in it");
	return 0;
}
