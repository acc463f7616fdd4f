/*
 * Reads an archive (tar, plain or compressed with gzip) and hands on what is
 * in it. In flatrun-archive alone: nothing here is trusted.
 */
#ifndef ARCHIVE_READER_H
#define ARCHIVE_READER_H

#include "archive/frames.h"

struct archive;

/* Of an archive that is open; the last frame is FRAME_END or FRAME_ERROR. */
int reader_run(struct archive *archive, frame_sink *sink, void *context);
/* The formats that are read. */
struct archive *reader_new(void);
int reader_open_fd(struct archive *archive, int fd);

#endif
