/*
 * Files beneath a directory handle, complete or not at all.
 *
 * Names and paths are relative to an open directory and are resolved without
 * following a symbolic link and without leaving the directory (openat2(2)
 * with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS). A path that tries gets
 * ERR_INVALID with the code UNSAFE_PATH; one that does not exist gets
 * ERR_NOT_FOUND. A name is a single one: with a '/' in it, ".", ".." and ""
 * are UNSAFE_PATH, too.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Like openat(2), O_CLOEXEC added. The caller closes the descriptor. */
int file_open(
    int directory, const char *path, int flags, mode_t mode, struct error *err);

/* Opens an absolute directory path, following links: for configured roots. */
int file_open_root(const char *path, struct error *err);

/*
 * Appends the whole regular file to out. ERR_TOO_LARGE when it does not fit
 * in the buffer's maximum.
 */
int file_read(
    int directory, const char *path, struct buffer *out, struct error *err);

/*
 * Replaces the file called name, directly in directory: a temporary file
 * beside it is written, synced and renamed, the directory synced.
 */
int file_write(int directory, const char *name, const void *bytes,
    size_t length, mode_t mode, struct error *err);

/*
 * The same for several files of one directory: all are written and synced
 * before the first takes its place, so that a full disk leaves all as they
 * were. bytes NULL: the file is removed if it is there.
 */
struct file_content {
	const char *name;
	const void *bytes;
	size_t length;
	mode_t mode;
};
#define FILES_MAXIMUM 4
int file_write_all(int directory, const struct file_content *files,
    size_t count, struct error *err);

/* Removes the files that a process which was killed had not yet put in place
 * of others, directly in directory. */
int file_clear_temporary(int directory, struct error *err);

/* Makes the directory unless it is there. */
int file_make_directory(
    int directory, const char *name, mode_t mode, struct error *err);

/* rename(2) from one directory to another that fails when the target exists
 * (ERR_CONFLICT), with both directories synced. */
int file_move(int from, const char *from_name, int to, const char *to_name,
    struct error *err);

/*
 * Removes name and, if it is a directory, all beneath it; links are removed,
 * never followed. What does not exist is fine.
 */
int file_remove_tree(int directory, const char *name, struct error *err);

/* Syncs an open directory or file. */
int file_sync(int fd, struct error *err);

/* Fills bytes from the kernel's random source; never fails. */
void random_bytes(void *bytes, size_t length);
/* length lower-case hexadecimal digits, length even, and a NUL. */
void random_hex(char *text, size_t length);

#endif
