/* Archives: whatever comes out are whole frames, with one last frame. */
#include "archive/reader.h"

#include <archive.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAXIMUM (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* What is expected next. */
struct reading {
	struct frame_head head;
	bool in_body, ended;
	size_t total;
};

static void
check_head(struct reading *reading, const void *bytes, size_t length)
{
	if (length != sizeof reading->head || reading->ended)
		abort();
	memcpy(&reading->head, bytes, length);
	if (reading->head.type < FRAME_FILE ||
	    reading->head.type > FRAME_ERROR ||
	    reading->head.length > FRAME_BYTES_MAXIMUM)
		abort();
	reading->in_body = reading->head.length > 0;
	reading->ended = reading->head.type >= FRAME_END;
}

static int
check_frame(void *context, const void *bytes, size_t length)
{
	struct reading *reading = context;

	if (reading->in_body) {
		if (length != reading->head.length)
			abort();
		reading->in_body = false;
	} else {
		check_head(reading, bytes, length);
	}
	/* A bomb is not for the fuzzer to wait for. */
	reading->total += length;
	return reading->total > OUTPUT_MAXIMUM ? -1 : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct archive *archive = reader_new();
	struct reading reading = { 0 };

	if (archive_read_open_memory(archive, bytes, length) == ARCHIVE_OK &&
	    reader_run(archive, check_frame, &reading) == 0 && !reading.ended)
		abort();
	archive_read_free(archive);
	return 0;
}
