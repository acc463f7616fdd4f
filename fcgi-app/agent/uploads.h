/*
 * Files that workers sent, until a job takes them: in the staging area of the
 * deployments, so that putting one in its place is a rename. What no job took
 * goes after fifteen minutes, and when the agent starts.
 */
#ifndef AGENT_UPLOADS_H
#define AGENT_UPLOADS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct agent;

/*
 * Receives the pieces of jobs/files.h on the connection and syncs the file.
 * *out_token is in the arena. ERR_TOO_LARGE over files.upload_max;
 * ERR_STORAGE_FULL; ERR_INVALID when the worker went away.
 */
int upload_receive(struct agent *agent, int fd, struct arena *arena,
    const char **out_token, off_t *out_size, struct error *err);

/* UPLOAD_TOKEN_LENGTH lower-case hexadecimal digits. */
bool upload_token_is_valid(const char *token);

/* Opens one for reading. ERR_NOT_FOUND UPLOAD_NOT_FOUND. */
int upload_open(struct agent *agent, const char *token, struct error *err);

/*
 * Puts it into the directory under name, in place of a regular file that may be
 * there; with the mode and owner of that one, else 0644. Both are synced.
 * ERR_CONFLICT IS_A_DIRECTORY; ERR_INVALID UNSAFE_PATH for anything else.
 */
int upload_place(struct agent *agent, const char *token, int directory,
    const char *name, struct error *err);

/* Fine when it is gone. */
void upload_remove(struct agent *agent, const char *token);

/* Removes what has waited too long. */
void uploads_tidy(struct agent *agent);

#endif
