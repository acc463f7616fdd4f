#include "archive/program.h"

#include "base/arena.h"
#include "base/process.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_NAME "flatrun-archive"
#define INSTALLED PKGLIBEXECDIR "/" PROGRAM_NAME

const char *
archive_program(char path[PROGRAM_PATH_MAXIMUM])
{
	static const char name[] = "/" PROGRAM_NAME;
	const char *given = getenv("FLATRUN_ARCHIVE");
	ssize_t length;

	if (given != NULL && *given == '/') {
		snprintf(path, PROGRAM_PATH_MAXIMUM, "%s", given);
		return path;
	}
	length = readlink(
	    "/proc/self/exe", path, PROGRAM_PATH_MAXIMUM - sizeof name);
	while (length > 0 && path[length - 1] != '/')
		length--;
	if (length > 0) {
		memcpy(path + length - 1, name, sizeof name);
		if (access(path, X_OK) == 0)
			return path;
	}
	snprintf(path, PROGRAM_PATH_MAXIMUM, "%s", INSTALLED);
	return path;
}

int
archive_program_start(struct archive_program *program,
    const char *const *arguments, const int *descriptors, size_t count,
    int64_t timeout_ms, const atomic_bool *cancel, struct error *err)
{
	static const char *const environment[] = { "LC_ALL=C.UTF-8", NULL };
	struct process_options options = {
		.argv = arguments,
		.environment = environment,
		.descriptors = descriptors,
		.descriptor_count = count,
		.timeout_ms = timeout_ms,
		.cancel = cancel,
	};

	*program = (struct archive_program){ 0 };
	return process_start(&options, &program->process, err);
}

void
archive_program_end(struct archive_program *program)
{
	struct process_result ignored;

	if (program->process != NULL)
		process_finish(program->process, &ignored);
	program->process = NULL;
}

int
archive_program_broken(struct error *err)
{
	error_set(err, ERR_INVALID, "INVALID_ARCHIVE",
	    "the archive could not be read to its end");
	return error_detail(err, "%s ended early", PROGRAM_NAME);
}

static int
read_exactly(struct archive_program *program, void *bytes, size_t size,
    struct error *err)
{
	char *at = bytes;

	while (size > 0) {
		size_t got = process_read(program->process, at, size);

		if (got == 0)
			return archive_program_broken(err);
		at += got;
		size -= got;
	}
	return 0;
}

/* Code, message and detail. */
static int
take_error(struct archive_program *program, const struct frame_head *head,
    struct error *err)
{
	auto_free char *text = xmalloc(head->length + 3);
	const char *message, *detail;

	if (read_exactly(program, text, head->length, err) < 0)
		return -1;
	memset(text + head->length, 0, 3);
	message = text + strlen(text) + 1;
	detail = message + strlen(message) + 1;
	program->left = 0;
	error_set(err, (enum error_kind)head->mode, text, "%s", message);
	return error_detail(err, "%s", detail);
}

static int
skip_rest(struct archive_program *program, struct error *err)
{
	char bytes[4096];
	size_t got;

	while (program->left > 0)
		if (archive_program_read(
			program, bytes, sizeof bytes, &got, err) < 0)
			return -1;
	return 0;
}

int
archive_program_frame(
    struct archive_program *program, struct frame_head *out, struct error *err)
{
	if (skip_rest(program, err) < 0 ||
	    read_exactly(program, out, sizeof *out, err) < 0)
		return -1;
	if (out->length > FRAME_BYTES_MAXIMUM || out->type < FRAME_FILE ||
	    out->type > FRAME_ERROR)
		return archive_program_broken(err);
	if (out->type == FRAME_ERROR)
		return take_error(program, out, err);
	program->left = out->length;
	return 0;
}

int
archive_program_read(struct archive_program *program, void *bytes, size_t size,
    size_t *got, struct error *err)
{
	*got = size < program->left ? size : program->left;
	if (read_exactly(program, bytes, *got, err) < 0)
		return -1;
	program->left -= *got;
	return 0;
}
