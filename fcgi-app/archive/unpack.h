/*
 * Archives that strangers made: tar, plain or compressed with gzip, read one
 * entry after the other, by a program without rights (archive/frames.h). What
 * that says is checked here. Nothing is written.
 *
 * Files and directories alone: a link, a device, a path that is absolute, has
 * ".." or an empty part, is no UTF-8 or has control bytes ends the reading
 * with ERR_INVALID INVALID_ARCHIVE, as does what is no archive. (Links and
 * devices may also be passed over.) Beyond the limits, which count what comes
 * out, it ends with ERR_TOO_LARGE. So whoever unpacks does it into a place of
 * its own, and throws that away on failure.
 *
 * One thread each.
 */
#ifndef ARCHIVE_UNPACK_H
#define ARCHIVE_UNPACK_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UNPACK_PATH_MAXIMUM 1024
#define UNPACK_DEPTH_MAXIMUM 64

struct unpack;

struct unpack_limits {
	uint64_t entries;
	uint64_t file_bytes;  /* of one file */
	uint64_t total_bytes; /* of all files */
	/* Links, devices and the like are passed over and not refused. */
	bool pass_over;
	const atomic_bool *cancel; /* when to end early; may be NULL */
};

struct unpack_entry {
	/* Without "./" before it and '/' after it; valid until the next. */
	const char *path;
	bool is_directory;
	mode_t mode;       /* permissions alone: 0777 at most */
	uint64_t size;     /* what the archive says; 0 when it does not */
	int64_t changed_s; /* Unix seconds, 0 when unknown */
};

int unpack_open_memory(const void *bytes, size_t length,
    const struct unpack_limits *limits, struct unpack **out, struct error *err);
/* Reads fd from where it is; it stays the caller's. */
int unpack_open_file(int fd, const struct unpack_limits *limits,
    struct unpack **out, struct error *err);
void unpack_close(struct unpack *unpack);
void unpack_release(struct unpack **unpack);
#define auto_unpack CLEANUP(unpack_release)

/* *found is false after the last entry. */
int unpack_next(struct unpack *unpack, struct unpack_entry *out, bool *found,
    struct error *err);

/* How many entries were passed over so far. */
size_t unpack_passed_over(const struct unpack *unpack);

/* The next bytes of the entry's file; *got is 0 at its end. */
int unpack_read(struct unpack *unpack, void *bytes, size_t size, size_t *got,
    struct error *err);

#endif
