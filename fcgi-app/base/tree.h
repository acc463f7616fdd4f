/*
 * What is beneath a directory: looked at, opened and walked through without
 * following a symbolic link, and without opening what is no file.
 *
 * Paths are relative to an open directory, of names with '/' between them; ""
 * is the directory itself. One that leads through a link or out of the
 * directory is ERR_INVALID UNSAFE_PATH, one that is not there ERR_NOT_FOUND
 * FILE_NOT_FOUND.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define TREE_DEPTH_MAXIMUM 64

/* The directory's entry at path: a link is one itself. */
int tree_status(
    int directory, const char *path, struct stat *out, struct error *err);

/* Opens a directory. ERR_CONFLICT NOT_A_DIRECTORY. */
int tree_open_directory(int directory, const char *path, struct error *err);

/*
 * Opens a regular file for reading; *out is its status. ERR_CONFLICT
 * IS_A_DIRECTORY; ERR_INVALID UNSAFE_PATH for a FIFO, a device, a socket.
 */
int tree_open_file(
    int directory, const char *path, struct stat *out, struct error *err);

/*
 * Opens the directory that the path's last name is in, and makes those that
 * are missing on the way (mode 0755) when told to. *out_name points into path,
 * which is not "".
 */
int tree_open_parent(int directory, const char *path, bool make,
    const char **out_name, struct error *err);

struct tree_entry {
	const char *name;
	struct stat status;
	int64_t child_count; /* of a directory, up to 1000; else -1 */
};

struct tree_list {
	struct tree_entry *entries; /* sorted by name */
	size_t count;
	size_t total;  /* of all in the directory */
	bool complete; /* false: there are more than were looked at */
};

/*
 * Entries of the directory at path, from number offset on, limit at most, in
 * the arena. 100,000 are looked at.
 */
int tree_list(int directory, const char *path, size_t offset, size_t limit,
    struct arena *arena, struct tree_list *out, struct error *err);

/*
 * Called for each entry, a directory before what is in it. parent is open and
 * has name; path begins at the tree's top. Not 0 ends the walk: -1 with err
 * filled, 1 without a failure.
 */
typedef int tree_visitor(void *context, int parent, const char *name,
    const char *path, const struct stat *status, struct error *err);

/*
 * Visits all that is beneath the directory, in no order, on its own file
 * system. ERR_TOO_LARGE for more than TREE_DEPTH_MAXIMUM levels. What goes
 * away meanwhile is left out. Gives what the last visit did.
 */
int tree_walk(
    int directory, tree_visitor *visit, void *context, struct error *err);

/* Copies what is left in a file to another, at most maximum bytes of it:
 * ERR_TOO_LARGE. */
int tree_copy_bytes(
    int from, int to, int64_t maximum, int64_t *out_size, struct error *err);

#endif
