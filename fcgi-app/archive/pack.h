/*
 * Packing what is beneath a directory: tar, compressed with gzip.
 */
#ifndef ARCHIVE_PACK_H
#define ARCHIVE_PACK_H

#include "base/error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pack_limits {
	size_t entries;
	int64_t total_bytes; /* of all files, unpacked */
	int64_t timeout_ms;
	const atomic_bool *cancel; /* when to end early; may be NULL */
};

/*
 * Packs it into a file without a name in the directory staging; links as links,
 * without FIFOs, devices and sockets, without the entry of the top called
 * leave_out (NULL: all). Owners are not in it. Gives a descriptor to read from,
 * for the caller to close. ERR_TOO_LARGE ARCHIVE_TOO_LARGE, ERR_STORAGE_FULL,
 * ERR_TIMEOUT.
 */
int pack_tree(int directory, int staging, const char *leave_out,
    const struct pack_limits *limits, off_t *out_size, struct error *err);

#endif
