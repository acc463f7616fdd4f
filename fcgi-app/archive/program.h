/*
 * flatrun-archive, as those see it who start it (archive/frames.h).
 */
#ifndef ARCHIVE_PROGRAM_H
#define ARCHIVE_PROGRAM_H

#include "archive/frames.h"

#include <stdatomic.h>

#define PROGRAM_PATH_MAXIMUM 1024

struct process;

struct archive_program {
	struct process *process;
	size_t left; /* bytes of the newest frame that were not read */
};

/*
 * Where it is: beside the running program, as in a build, or where it was
 * installed; FLATRUN_ARCHIVE in the environment comes before both. Gives path.
 */
const char *archive_program(char path[PROGRAM_PATH_MAXIMUM]);

/* arguments have to live until the end, cancel (or NULL) as well. */
int archive_program_start(struct archive_program *program,
    const char *const *arguments, const int *descriptors, size_t count,
    int64_t timeout_ms, const atomic_bool *cancel, struct error *err);
/* Whatever state it is in. */
void archive_program_end(struct archive_program *program);

/*
 * The next frame's head. -1 also for FRAME_ERROR, with that error; what was
 * left of the frame before is skipped.
 */
int archive_program_frame(
    struct archive_program *program, struct frame_head *out, struct error *err);
/* What follows the head: size bytes at most, *got is 0 at its end. */
int archive_program_read(struct archive_program *program, void *bytes,
    size_t size, size_t *got, struct error *err);
/* It said what it never should: -1. */
int archive_program_broken(struct error *err);

#endif
