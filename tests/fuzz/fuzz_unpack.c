/* Archives: whatever comes out has a path that stays within. */
#include "archive/unpack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_path(const char *path)
{
	if (*path == '\0' || *path == '/' || strcmp(path, "..") == 0 ||
	    strncmp(path, "../", 3) == 0 || strstr(path, "/../") != NULL ||
	    strlen(path) > UNPACK_PATH_MAXIMUM)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const struct unpack_limits limits = { 100, 100000, 1000000 };
	auto_unpack struct unpack *unpack = NULL;
	struct unpack_entry entry;
	struct error err;
	char block[4096];
	bool found;
	size_t got;

	if (unpack_open_memory(bytes, length, &limits, &unpack, &err) < 0)
		return 0;
	while (unpack_next(unpack, &entry, &found, &err) == 0 && found) {
		check_path(entry.path);
		do {
			if (unpack_read(
				unpack, block, sizeof block, &got, &err) < 0)
				return 0;
		} while (got > 0);
	}
	return 0;
}
