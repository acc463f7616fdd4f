/*
 * Files of deployments, which workers may not read nor write: asked of the
 * agent on RUN/agent/files.sock, and sent to it. The names and contents never
 * go through the database.
 *
 * A connection is for one question, a frame as in protocol.h:
 *
 *   {"ask": "environment", "deployment": "blog", "reveal": false}
 *     {"env_vars": [{"key", "value", "masked"}]}
 *   {"ask": "list", "deployment", "path", "offset", "limit"}
 *     {"entries": [entry], "total", "complete"}; an entry is as the API has it
 *   {"ask": "entry", "deployment", "path"}
 *     {"entry": entry}
 *   {"ask": "open", "deployment", "path", "secrets": false}
 *     {"size"} and a descriptor to read from
 *   {"ask": "usage", "deployment"}
 *     {"bytes", "files", "complete"}
 *   {"ask": "archive", "deployment", "secrets": false}
 *     {"size"} and a descriptor to read from
 *   {"ask": "upload"}, and then pieces, each a length in four bytes,
 *   big-endian, and that many bytes; one of length 0 is the end
 *     {"upload": "<token>", "size"}
 *   {"ask": "discard", "upload": "<token>"}
 *     {}
 *
 * Any of them may be answered {"error": …} as in protocol.h. A path is of plain
 * names, "a/b"; "" is the deployment's directory. "secrets": the contents of
 * .env.flatrun may be seen. An upload is kept for fifteen minutes; a job takes
 * it by its token.
 */
#ifndef JOBS_FILES_H
#define JOBS_FILES_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

#define FILES_SOCKET "files.sock"
#define FILES_PIECE_MAXIMUM ((size_t)64 * 1024)
#define UPLOAD_TOKEN_LENGTH 32

/*
 * Asks, and waits at most timeout_ms. The caller owns *out and closes
 * *out_descriptor, which is -1 when none came. ERR_UNAVAILABLE
 * AGENT_UNAVAILABLE, or what the agent says.
 */
int files_ask(const char *run_directory, struct json_object *question,
    int64_t timeout_ms, struct json_object **out, int *out_descriptor,
    struct error *err);

/* A file on its way to the agent. */
struct files_upload {
	int fd;
};

int files_upload_begin(
    const char *run_directory, struct files_upload *out, struct error *err);
/* ERR_TOO_LARGE, ERR_STORAGE_FULL; then there is nothing more to send. */
int files_upload_send(struct files_upload *upload, const char *bytes,
    size_t length, struct error *err);
/* Ends it, in any case; the token is in the arena. */
int files_upload_end(struct files_upload *upload, struct arena *arena,
    const char **out_token, struct error *err);
/* Ends one that is not wanted. */
void files_upload_abandon(struct files_upload *upload);

/* Gives up one that no job was submitted for. */
void files_discard(const char *run_directory, const char *token);

#endif
