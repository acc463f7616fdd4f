/* Deployments that are thrown away, and what was staged and left. */
#include "base/clock.h"
#include "base/file.h"
#include "compose/compose-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int
compose_trash(struct compose *compose, const char *name, struct error *err)
{
	auto_fd int directory = compose_open_directory(compose, name, err);
	char thrown[128], checked[72], digits[7];
	time_t now = (time_t)clock_wall_s();
	struct tm utc;
	size_t length;

	if (directory < 0)
		return -1;
	gmtime_r(&now, &utc);
	random_hex(digits, 6);
	length = (size_t)snprintf(thrown, sizeof thrown, "%s.", name);
	length += strftime(
	    thrown + length, sizeof thrown - length, "%Y%m%dT%H%M%SZ-", &utc);
	snprintf(thrown + length, sizeof thrown - length, "%s", digits);
	if (file_move(compose->root, name, compose->trash, thrown, err) < 0)
		return -1;
	snprintf(checked, sizeof checked, "%s.yml", name);
	return file_remove_tree(compose->checked, checked, err);
}

/* When it was thrown away, by its name; -1 for what is not ours. */
static int64_t
thrown_at(const char *name)
{
	const char *dot = strrchr(name, '.');
	struct tm utc = { 0 };
	const char *end;

	if (dot == NULL || dot == name)
		return -1;
	end = strptime(dot + 1, "%Y%m%dT%H%M%SZ", &utc);
	if (end == NULL || *end != '-' || strlen(end) != 7)
		return -1;
	return (int64_t)timegm(&utc);
}

/*
 * Removes what is older than the time; all of it when that is -1. What cannot
 * be removed keeps nothing else from it.
 */
static int
empty(int directory, int64_t before, struct error *err)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int result = 0;

	if (entries == NULL) {
		error_errno(err, "cannot list what is to be removed");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(entries)) != NULL) {
		int64_t at = thrown_at(entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    (before >= 0 && (at < 0 || at >= before)))
			continue;
		if (file_remove_tree(directory, entry->d_name, err) < 0)
			result = -1;
	}
	closedir(entries);
	return result;
}

int
compose_empty_trash(
    struct compose *compose, int64_t older_than_s, struct error *err)
{
	int64_t before = clock_wall_s() - older_than_s;

	return empty(compose->trash, before > 0 ? before : 0, err);
}

int
compose_clear_staging(struct compose *compose, struct error *err)
{
	return empty(compose->staging, -1, err);
}

int
compose_clear_temporary(
    struct compose *compose, const char *name, struct error *err)
{
	struct error failed;
	auto_fd int directory = compose_open_directory(compose, name, &failed);

	if (directory >= 0)
		return file_clear_temporary(directory, err);
	if (failed.kind == ERR_NOT_FOUND)
		return 0;
	*err = failed;
	return -1;
}
