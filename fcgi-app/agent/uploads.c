#include "agent/uploads.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/tree.h"
#include "jobs/files.h"
#include "settings/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "upload-"
#define NAME_SIZE (sizeof PREFIX + UPLOAD_TOKEN_LENGTH)
#define WAITING_MAXIMUM 64
#define KEPT_S 900

bool
upload_token_is_valid(const char *token)
{
	return strspn(token, "0123456789abcdef") == UPLOAD_TOKEN_LENGTH &&
	       token[UPLOAD_TOKEN_LENGTH] == '\0';
}

static void
name_upload(const char *token, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, PREFIX "%s", token);
}

/* Calls visit for each upload; gives how many there are. */
static size_t
each_upload(int staging, void (*visit)(int staging, const char *name))
{
	int fd = openat(staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t count = 0;

	if (entries == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(entries)) != NULL) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		count++;
		if (visit != NULL)
			visit(staging, entry->d_name);
	}
	closedir(entries);
	return count;
}

static int
receive_all(int fd, char *bytes, size_t length, struct error *err)
{
	while (length > 0) {
		ssize_t got = recv(fd, bytes, length, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(err, ERR_INVALID, NULL,
			    "the file did not come as a whole");
		bytes += got;
		length -= (size_t)got;
	}
	return 0;
}

static int
write_all_of(int to, const char *bytes, size_t length, struct error *err)
{
	while (length > 0) {
		ssize_t put = write(to, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_errno(err, "cannot keep the file");
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

static int
receive_pieces(
    int fd, int to, int64_t maximum, off_t *out_size, struct error *err)
{
	char piece[16384];
	unsigned char head[4];

	for (*out_size = 0;;) {
		size_t length, size;

		if (receive_all(fd, (char *)head, sizeof head, err) < 0)
			return -1;
		length = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
			 (size_t)head[2] << 8 | head[3];
		if (length == 0)
			return 0;
		*out_size += (off_t)length;
		if (length > FILES_PIECE_MAXIMUM || *out_size > maximum)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "the file is larger than %lld bytes",
			    (long long)maximum);
		for (; length > 0; length -= size) {
			size = length < sizeof piece ? length : sizeof piece;
			if (receive_all(fd, piece, size, err) < 0 ||
			    write_all_of(to, piece, size, err) < 0)
				return -1;
		}
	}
}

int
upload_receive(struct agent *agent, int fd, struct arena *arena,
    const char **out_token, off_t *out_size, struct error *err)
{
	int64_t maximum = agent->settings->files.upload_max_bytes;
	auto_fd int staging = compose_open_staging(agent->compose, err);
	char token[UPLOAD_TOKEN_LENGTH + 1], name[NAME_SIZE];
	auto_fd int to = -1;

	if (staging < 0)
		return -1;
	if (each_upload(staging, NULL) >= WAITING_MAXIMUM)
		return error_set(err, ERR_UNAVAILABLE, "TOO_MANY_REQUESTS",
		    "too many files wait to be put in their places");
	random_hex(token, UPLOAD_TOKEN_LENGTH);
	name_upload(token, name);
	to = file_open(staging, name, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
	if (to < 0)
		return -1;
	if (receive_pieces(fd, to, maximum, out_size, err) < 0 ||
	    file_sync(to, err) < 0) {
		unlinkat(staging, name, 0);
		return -1;
	}
	*out_token = arena_strdup(arena, token);
	return 0;
}

static int
fail_no_upload(struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "UPLOAD_NOT_FOUND",
	    "the file that was sent is not there any more");
}

int
upload_open(struct agent *agent, const char *token, struct error *err)
{
	auto_fd int staging = compose_open_staging(agent->compose, err);
	char name[NAME_SIZE];
	int fd;

	if (staging < 0)
		return -1;
	if (!upload_token_is_valid(token))
		return fail_no_upload(err);
	name_upload(token, name);
	fd = file_open(staging, name, O_RDONLY, 0, err);
	return fd < 0 && err->kind == ERR_NOT_FOUND ? fail_no_upload(err) : fd;
}

/* The mode and the owner of the file that is replaced. */
static int
follow_old(int fd, int directory, const char *name, struct error *err)
{
	struct stat old = { .st_mode = S_IFREG | 0644 };
	struct error missing;

	if (tree_status(directory, name, &old, &missing) < 0) {
		if (missing.kind != ERR_NOT_FOUND) {
			*err = missing;
			return -1;
		}
	} else if (S_ISDIR(old.st_mode)) {
		return error_set(err, ERR_CONFLICT, "IS_A_DIRECTORY",
		    "'%.200s' is a directory", name);
	} else if (!S_ISREG(old.st_mode)) {
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%.200s' is not a regular file", name);
	}
	/* The owner first: that takes special bits away. */
	if (fchown(fd, old.st_uid, old.st_gid) < 0 ||
	    fchmod(fd, old.st_mode & 0777) < 0)
		return error_errno(err, "cannot write '%s'", name);
	return file_sync(fd, err);
}

/* To another file system, on which something beneath a deployment may be. */
static int
place_copy(int from, int directory, const char *name, struct error *err)
{
	char temporary[32], digits[17];
	auto_fd int to = -1;
	off_t size;

	random_hex(digits, 16);
	snprintf(temporary, sizeof temporary, ".flatrun-%s.tmp", digits);
	to = file_open(
	    directory, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
	if (to < 0)
		return -1;
	if (tree_copy_bytes(from, to, INT64_MAX, &size, err) < 0 ||
	    follow_old(to, directory, name, err) < 0) {
		unlinkat(directory, temporary, 0);
		return -1;
	}
	if (renameat(directory, temporary, directory, name) == 0)
		return file_sync(directory, err);
	error_errno(err, "cannot write '%s'", name);
	unlinkat(directory, temporary, 0);
	return -1;
}

int
upload_place(struct agent *agent, const char *token, int directory,
    const char *name, struct error *err)
{
	auto_fd int staging = compose_open_staging(agent->compose, err);
	auto_fd int fd = upload_open(agent, token, err);
	char staged[NAME_SIZE];

	if (staging < 0 || fd < 0 || follow_old(fd, directory, name, err) < 0)
		return -1;
	name_upload(token, staged);
	if (renameat(staging, staged, directory, name) == 0)
		return file_sync(directory, err);
	if (errno != EXDEV)
		return error_errno(err, "cannot write '%s'", name);
	return place_copy(fd, directory, name, err);
}

void
upload_remove(struct agent *agent, const char *token)
{
	struct error ignored;
	auto_fd int staging = compose_open_staging(agent->compose, &ignored);
	char name[NAME_SIZE];

	if (staging < 0 || !upload_token_is_valid(token))
		return;
	name_upload(token, name);
	unlinkat(staging, name, 0);
}

static void
remove_old(int staging, const char *name)
{
	struct stat status;

	if (fstatat(staging, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    status.st_mtime < clock_wall_s() - KEPT_S)
		unlinkat(staging, name, 0);
}

void
uploads_tidy(struct agent *agent)
{
	struct error ignored;
	auto_fd int staging = compose_open_staging(agent->compose, &ignored);

	if (staging >= 0)
		each_upload(staging, remove_old);
}
