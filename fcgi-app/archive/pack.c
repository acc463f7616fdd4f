#include "archive/pack.h"

#include "archive/program.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the program does for itself, and a little more. */
#define SPARE_MS 5000

/* A file that is gone with the last descriptor: one to write, one to read. */
static int
open_nameless(int staging, int *out_write, struct error *err)
{
	char name[24], digits[17];
	int fd;

	random_hex(digits, 16);
	snprintf(name, sizeof name, "pack-%s", digits);
	*out_write =
	    file_open(staging, name, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
	if (*out_write < 0)
		return -1;
	fd = file_open(staging, name, O_RDONLY, 0, err);
	unlinkat(staging, name, 0);
	return fd;
}

/* The program says only how it ended. */
static int
run_writer(int directory, int to, const char *leave_out,
    const struct pack_limits *limits, struct error *err)
{
	char entries[24], bytes[24], timeout[24], path[PROGRAM_PATH_MAXIMUM];
	const char *const arguments[] = { archive_program(path), "write",
		entries, bytes, timeout, leave_out, NULL };
	const int descriptors[] = { directory, to };
	struct archive_program program;
	struct frame_head head;
	int result;

	snprintf(entries, sizeof entries, "%zu", limits->entries);
	snprintf(bytes, sizeof bytes, "%lld", (long long)limits->total_bytes);
	snprintf(
	    timeout, sizeof timeout, "%lld", (long long)limits->timeout_ms);
	if (archive_program_start(&program, arguments, descriptors, 2,
		limits->timeout_ms + SPARE_MS, limits->cancel, err) < 0)
		return -1;
	result = archive_program_frame(&program, &head, err);
	if (result == 0 && head.type != FRAME_END)
		result = archive_program_broken(err);
	archive_program_end(&program);
	return result;
}

int
pack_tree(int directory, int staging, const char *leave_out,
    const struct pack_limits *limits, off_t *out_size, struct error *err)
{
	struct stat status;
	auto_fd int to = -1;
	auto_fd int from = open_nameless(staging, &to, err);

	if (from < 0 || run_writer(directory, to, leave_out, limits, err) < 0)
		return -1;
	if (fstat(from, &status) < 0)
		return error_errno(err, "cannot read the archive");
	*out_size = status.st_size;
	return take_fd(&from);
}
