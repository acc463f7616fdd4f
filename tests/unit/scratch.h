/*
 * A directory that a test has for itself, removed with all that is in it.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct scratch {
	char path[32];
	int fd;
};

void scratch_make(struct scratch *scratch);
void scratch_remove(struct scratch *scratch);

/* The path of name in it; valid until the fourth call after. */
const char *scratch_path(const struct scratch *scratch, const char *name);

/* Writes a file there, or makes a directory. */
void scratch_write(const struct scratch *scratch, const char *name,
    const void *bytes, size_t length);
void scratch_make_directory(const struct scratch *scratch, const char *name);

/* The whole file as text for the caller to free, NULL when there is none. */
char *scratch_read(const struct scratch *scratch, const char *name);
bool scratch_has(const struct scratch *scratch, const char *name);
/* How many names are in the directory called name; "." is itself. */
size_t scratch_count(const struct scratch *scratch, const char *name);

/*
 * Mounts an empty file system of size_kib on the directory called name, in a
 * mount name space of the test program. false: the machine does not allow it.
 */
bool scratch_mount(
    struct scratch *scratch, const char *name, unsigned int size_kib);

/* How many descriptors this process has open. */
size_t count_descriptors(void);

#endif
