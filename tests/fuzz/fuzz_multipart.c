/*
 * multipart/form-data of strangers: the first line of the input is the
 * Content-Type, the rest the body, which comes in pieces of odd sizes.
 */
#include "http/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct source {
	const char *at;
	size_t left, piece;
};

static int
give(
    void *context, char *bytes, size_t size, size_t *out_got, struct error *err)
{
	struct source *source = context;

	(void)err;
	source->piece = source->piece * 3 % 1021 + 1;
	*out_got = source->piece < source->left ? source->piece : source->left;
	if (*out_got > size)
		*out_got = size;
	memcpy(bytes, source->at, *out_got);
	source->at += *out_got;
	source->left -= *out_got;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const uint8_t *line = memchr(bytes, '\n', size);
	size_t type_length = line ? (size_t)(line - bytes) : size, got;
	struct source source = { .piece = 7 };
	struct arena arena = { 0 };
	struct multipart_part part;
	struct multipart *multipart;
	struct error err;
	size_t total = 0;
	bool found = true;
	char chunk[333];

	if (line != NULL) {
		source.at = (const char *)line + 1;
		source.left = size - type_length - 1;
	}
	if (multipart_open(
		arena_strndup(&arena, (const char *)bytes, type_length), give,
		&source, &arena, &multipart, &err) == 0) {
		while (multipart_next(multipart, &part, &found, &err) == 0 &&
		       found) {
			/* Some are passed over. */
			if (total % 3 == 2)
				continue;
			while (multipart_read(multipart, chunk, sizeof chunk,
				   &got, &err) == 0 &&
			       got > 0)
				total += got;
		}
	}
	if (total > size)
		abort();
	arena_clear(&arena);
	return 0;
}
