#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

void
scratch_make(struct scratch *scratch)
{
	snprintf(scratch->path, sizeof scratch->path, "/tmp/flatrun-XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
}

static int
remove_one(
    const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	remove(path);
	return 0;
}

void
scratch_remove(struct scratch *scratch)
{
	close(scratch->fd);
	nftw(scratch->path, remove_one, 64, FTW_PHYS | FTW_DEPTH);
}

const char *
scratch_path(const struct scratch *scratch, const char *name)
{
	static char paths[4][PATH_SIZE];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_SIZE, "%s/%s", scratch->path, name);
	return path;
}

void
scratch_write(const struct scratch *scratch, const char *name,
    const void *bytes, size_t length)
{
	int fd = openat(
	    scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

void
scratch_make_directory(const struct scratch *scratch, const char *name)
{
	assert_int_equal(mkdirat(scratch->fd, name, 0755), 0);
}

char *
scratch_read(const struct scratch *scratch, const char *name)
{
	int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *text;

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &status), 0);
	text = calloc(1, (size_t)status.st_size + 1);
	assert_int_equal(
	    read(fd, text, (size_t)status.st_size), status.st_size);
	close(fd);
	return text;
}

bool
scratch_has(const struct scratch *scratch, const char *name)
{
	struct stat status;

	return fstatat(scratch->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static size_t
count_names(const char *path)
{
	DIR *entries = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(entries);
	while ((entry = readdir(entries)) != NULL)
		count += strcmp(entry->d_name, ".") != 0 &&
			 strcmp(entry->d_name, "..") != 0;
	closedir(entries);
	return count;
}

size_t
scratch_count(const struct scratch *scratch, const char *name)
{
	return count_names(scratch_path(scratch, name));
}

size_t
count_descriptors(void)
{
	return count_names("/proc/self/fd");
}

bool
scratch_mount(struct scratch *scratch, const char *name, unsigned int size_kib)
{
	char options[32];

	snprintf(options, sizeof options, "size=%uk", size_kib);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", scratch_path(scratch, name), "tmpfs", 0, options) < 0)
		return false;
	/* The descriptor shows the mounts as they were. */
	close(scratch->fd);
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch->fd >= 0;
}
