/*
 * Archives that were sent, unpacked beneath a directory handle: out of plain
 * names, without following links; what is neither a file nor a directory is
 * left out. files.archive_max bounds all that comes out, and there are 50,000
 * entries at most.
 */
#ifndef AGENT_EXTRACT_H
#define AGENT_EXTRACT_H

#include "agent/executor.h"

#include <stddef.h>
#include <stdint.h>

struct extracted {
	size_t files, directories, left_out;
	int64_t bytes;
};

/*
 * Unpacks the archive that is read from fd, a file, into the directory, which
 * nobody else has; synced. After a failure what was unpacked so far is still
 * there. ERR_INVALID INVALID_ARCHIVE, ERR_TOO_LARGE, ERR_STORAGE_FULL.
 */
int extract_archive(struct run *run, int fd, int directory,
    struct extracted *out, struct error *err);

/* The same of an upload: also ERR_NOT_FOUND UPLOAD_NOT_FOUND. */
int extract_upload(struct run *run, const char *token, int directory,
    struct extracted *out, struct error *err);

#endif
