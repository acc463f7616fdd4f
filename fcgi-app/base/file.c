#include "base/file.h"

#include "base/arena.h"
#include "base/cleanup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEMPORARY_PREFIX ".flatrun-"
#define TEMPORARY_SUFFIX ".tmp"
#define TEMPORARY_DIGITS 16
#define TEMPORARY_SIZE                                           \
	(sizeof TEMPORARY_PREFIX + sizeof TEMPORARY_SUFFIX - 1 + \
	    TEMPORARY_DIGITS)

static int
fail_open(struct error *err, const char *what, const char *path)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
		return error_set(
		    err, ERR_NOT_FOUND, NULL, "'%s' not found", path);
	if (errno == EXDEV || errno == ELOOP)
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%s' is a link or leads out of its directory", path);
	return error_errno(err, "cannot %s '%s'", what, path);
}

int
file_open(
    int directory, const char *path, int flags, mode_t mode, struct error *err)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0)
		return fail_open(err, "open", path);
	return (int)fd;
}

/* A name is one step: what unlinkat(2) and the like would walk is refused. */
static int
check_name(const char *name, struct error *err)
{
	if (*name != '\0' && strchr(name, '/') == NULL &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return 0;
	return error_set(err, ERR_INVALID, "UNSAFE_PATH",
	    "'%s' is not the name of a file", name);
}

int
file_open_root(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail_open(err, "open", path) : fd;
}

int
file_read(
    int directory, const char *path, struct buffer *out, struct error *err)
{
	auto_fd int fd =
	    file_open(directory, path, O_RDONLY | O_NONBLOCK, 0, err);
	struct stat status;
	char chunk[16384];
	ssize_t got;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) < 0)
		return error_errno(err, "cannot read '%s'", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%s' is not a regular file", path);
	while ((got = read(fd, chunk, sizeof chunk)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "cannot read '%s'", path);
		if (buffer_append(out, chunk, (size_t)got) < 0)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "'%s' is larger than %zu bytes", path,
			    out->maximum);
	}
	return 0;
}

static int
write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = write(fd, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

int
file_sync(int fd, struct error *err)
{
	if (fsync(fd) < 0)
		return error_errno(err, "cannot sync a file");
	return 0;
}

/* Writes the bytes, synced, to a file that is not what anybody looks for. */
static int
stage(int directory, const struct file_content *file,
    char temporary[TEMPORARY_SIZE], struct error *err)
{
	char digits[TEMPORARY_DIGITS + 1];
	auto_fd int fd = -1;

	random_hex(digits, TEMPORARY_DIGITS);
	snprintf(temporary, TEMPORARY_SIZE,
	    TEMPORARY_PREFIX "%s" TEMPORARY_SUFFIX, digits);
	fd = file_open(
	    directory, temporary, O_WRONLY | O_CREAT | O_EXCL, file->mode, err);
	if (fd < 0)
		return -1;
	/* fchmod: the umask has no say in the mode of what others read. */
	if (fchmod(fd, file->mode) < 0 ||
	    write_all(fd, file->bytes, file->length) < 0 || fsync(fd) < 0) {
		error_errno(err, "cannot write '%s'", file->name);
		unlinkat(directory, temporary, 0);
		return -1;
	}
	return 0;
}

static int
take_place(int directory, const struct file_content *file,
    const char *temporary, struct error *err)
{
	if (file->bytes != NULL
		? renameat(directory, temporary, directory, file->name) < 0
		: unlinkat(directory, file->name, 0) < 0 && errno != ENOENT)
		return error_errno(err, "cannot write '%s'", file->name);
	return 0;
}

int
file_write_all(int directory, const struct file_content *files, size_t count,
    struct error *err)
{
	char temporary[FILES_MAXIMUM][TEMPORARY_SIZE] = { 0 };
	size_t staged = 0, placed = 0;
	int failed = 0;

	assert(count <= FILES_MAXIMUM);
	for (; staged < count && !failed; staged++)
		failed = check_name(files[staged].name, err) < 0 ||
			 (files[staged].bytes != NULL &&
			     stage(directory, &files[staged], temporary[staged],
				 err) < 0);
	for (; placed < count && !failed; placed++)
		failed = take_place(
		    directory, &files[placed], temporary[placed], err);
	/* Some may have taken their place, or never been made: no matter. */
	for (; failed && staged > 0; staged--)
		if (temporary[staged - 1][0] != '\0')
			unlinkat(directory, temporary[staged - 1], 0);
	return failed ? -1 : file_sync(directory, err);
}

int
file_write(int directory, const char *name, const void *bytes, size_t length,
    mode_t mode, struct error *err)
{
	const struct file_content file = { .name = name,
		.bytes = bytes != NULL ? bytes : "",
		.length = length,
		.mode = mode };

	return file_write_all(directory, &file, 1, err);
}

static bool
is_temporary(const char *name)
{
	size_t prefix = strlen(TEMPORARY_PREFIX);

	return strlen(name) == TEMPORARY_SIZE - 1 &&
	       strncmp(name, TEMPORARY_PREFIX, prefix) == 0 &&
	       strspn(name + prefix, "0123456789abcdef") == TEMPORARY_DIGITS &&
	       strcmp(name + prefix + TEMPORARY_DIGITS, TEMPORARY_SUFFIX) == 0;
}

int
file_clear_temporary(int directory, struct error *err)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int failed = 0;

	if (entries == NULL) {
		error_errno(err, "cannot list a directory");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(entries)) != NULL && !failed)
		if (is_temporary(entry->d_name) &&
		    unlinkat(directory, entry->d_name, 0) < 0 &&
		    errno != ENOENT)
			failed = error_errno(err, "cannot remove a file");
	closedir(entries);
	return failed;
}

int
file_make_directory(
    int directory, const char *name, mode_t mode, struct error *err)
{
	struct stat status;

	if (check_name(name, err) < 0)
		return -1;
	if (mkdirat(directory, name, mode) == 0)
		return 0;
	if (errno != EEXIST ||
	    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "cannot create '%s'", name);
	if (!S_ISDIR(status.st_mode))
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%s' is not a directory", name);
	return 0;
}

int
file_move(int from, const char *from_name, int to, const char *to_name,
    struct error *err)
{
	if (check_name(from_name, err) < 0 || check_name(to_name, err) < 0)
		return -1;
	if (renameat2(from, from_name, to, to_name, RENAME_NOREPLACE) < 0) {
		if (errno == EEXIST)
			return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
			    "'%s' exists already", to_name);
		return fail_open(err, "move", from_name);
	}
	if (file_sync(to, err) < 0)
		return -1;
	return from == to ? 0 : file_sync(from, err);
}

/* Empties the directory; depth bounds the descriptors and the stack. */
static int
empty_directory(int directory, int depth, struct error *err)
{
	DIR *entries = fdopendir(directory);
	struct dirent *entry;
	int failed = 0;

	if (entries == NULL) {
		close(directory);
		return error_errno(err, "cannot read a directory");
	}
	while (!failed && (entry = readdir(entries)) != NULL) {
		int child;

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			continue;
		if ((errno != EISDIR && errno != EPERM) || depth == 0) {
			failed = error_errno(
			    err, "cannot remove '%s'", entry->d_name);
			break;
		}
		child = file_open(dirfd(entries), entry->d_name,
		    O_RDONLY | O_DIRECTORY, 0, err);
		failed =
		    child < 0 || empty_directory(child, depth - 1, err) < 0;
		if (!failed &&
		    unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR) < 0)
			failed = error_errno(
			    err, "cannot remove '%s'", entry->d_name);
	}
	closedir(entries);
	return failed ? -1 : 0;
}

int
file_remove_tree(int directory, const char *name, struct error *err)
{
	int child;

	if (check_name(name, err) < 0)
		return -1;
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	child = file_open(directory, name, O_RDONLY | O_DIRECTORY, 0, err);
	if (child < 0)
		return -1;
	if (empty_directory(child, 500, err) < 0)
		return -1;
	if (unlinkat(directory, name, AT_REMOVEDIR) < 0)
		return error_errno(err, "cannot remove '%s'", name);
	return 0;
}

void
random_bytes(void *bytes, size_t length)
{
	char *at = bytes;

	while (length > 0) {
		ssize_t got = getrandom(at, length, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got <= 0)
			continue;
		at += got;
		length -= (size_t)got;
	}
}

void
random_hex(char *text, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte;
	size_t i;

	for (i = 0; i < length; i += 2) {
		random_bytes(&byte, 1);
		text[i] = digits[byte >> 4];
		text[i + 1] = digits[byte & 15];
	}
	text[length] = '\0';
}
