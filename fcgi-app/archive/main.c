/* flatrun-archive: reads and writes archives for the agent, without its rights.
 */
#include "config.h"

#include "archive/confine.h"
#include "archive/frames.h"
#include "archive/reader.h"
#include "archive/writer.h"
#include "base/log.h"

#include <archive.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST 3
#define SECOND 4

/* Nobody is told but by the frames. */
static int
put_out(void *context, const void *bytes, size_t length)
{
	const char *at = bytes;

	(void)context;
	while (length > 0) {
		ssize_t put = write(STDOUT_FILENO, at, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		at += put;
		length -= (size_t)put;
	}
	return 0;
}

static int
fail(const struct error *failure)
{
	return frame_put_error(put_out, NULL, failure) < 0 ? 1 : 0;
}

static int
read_archive(void)
{
	struct archive *archive = reader_new();
	struct error failure;
	int failed;

	/* Before there is anything of the archive in this process. */
	if (confine_reader(&failure) < 0)
		return fail(&failure);
	if (reader_open_fd(archive, FIRST) < 0) {
		error_set(&failure, ERR_INVALID, "INVALID_ARCHIVE",
		    "this is no archive that can be read: tar, plain or with "
		    "gzip");
		failed = fail(&failure);
	} else {
		failed = reader_run(archive, put_out, NULL) < 0;
	}
	archive_read_free(archive);
	return failed;
}

static int
write_archive(int argc, char **argv)
{
	struct pack_limits limits = {
		.entries = (size_t)strtoull(argv[0], NULL, 10),
		.total_bytes = strtoll(argv[1], NULL, 10),
		.timeout_ms = strtoll(argv[2], NULL, 10),
	};
	struct frame_head end = { .type = FRAME_END };
	struct error failure;

	if (confine_writer(&failure) < 0 ||
	    writer_run(FIRST, SECOND, argc > 3 ? argv[3] : NULL, &limits,
		&failure) < 0)
		return fail(&failure);
	return frame_put(put_out, NULL, &end, NULL) < 0;
}

int
main(int argc, char **argv)
{
	int failed = 2;

	/* Names are UTF-8, and libarchive converts them by the locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc == 2 && strcmp(argv[1], "read") == 0)
		failed = read_archive();
	else if ((argc == 5 || argc == 6) && strcmp(argv[1], "write") == 0)
		failed = write_archive(argc - 2, argv + 2);
	else
		fputs("flatrun-archive is started by flatrun-agent\n", stderr);
	/* Without rights there is nothing left to clean up with. */
	_exit(failed);
}
