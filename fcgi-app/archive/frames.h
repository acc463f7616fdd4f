/*
 * What flatrun-archive tells whoever started it, on its standard output.
 *
 * Archives come from strangers, and what decompresses and parses them is large:
 * it is a program of its own, without rights, that hands on what is in them
 * entry by entry. Who reads checks everything again.
 *
 *   flatrun-archive read         descriptor 3: the archive
 *   flatrun-archive write ENTRIES BYTES TIMEOUT_MS [LEFT_OUT]
 *                                descriptor 3: the directory, 4: the archive
 *
 * A frame is a head and as many bytes as it says. Both ends are of one build,
 * on one machine.
 */
#ifndef ARCHIVE_FRAMES_H
#define ARCHIVE_FRAMES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_BYTES_MAXIMUM ((size_t)64 * 1024)

enum frame_type {
	FRAME_FILE = 1,  /* an entry: its path follows */
	FRAME_DIRECTORY, /* the same */
	FRAME_OTHER,     /* the same: a link, a device, … */
	FRAME_DATA,      /* the next bytes of the file */
	FRAME_END,       /* that was all, and it went well */
	FRAME_ERROR,     /* it did not: code, message and detail, NUL-ended */
};

struct frame_head {
	uint32_t type;
	uint32_t length; /* of what follows */
	uint32_t mode;   /* permissions; enum error_kind of an error */
	uint32_t reserved;
	uint64_t size;     /* of the file, by the archive; 0: unknown */
	int64_t changed_s; /* Unix seconds */
};

/* 0, or -1 when nobody reads any more. */
typedef int frame_sink(void *context, const void *bytes, size_t length);
int frame_put(frame_sink *sink, void *context, const struct frame_head *head,
    const void *bytes);
int frame_put_error(
    frame_sink *sink, void *context, const struct error *failure);

#endif
