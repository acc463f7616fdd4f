/*
 * Keyed hashes: what the agent gives out of things that nobody may guess from
 * it, such as an environment. The key is root's alone, in secrets/seal of the
 * state directory: made at the first start, the same ever after.
 */
#ifndef AGENT_SEAL_H
#define AGENT_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

#define SEAL_KEY_SIZE 32
#define SEAL_TEXT_SIZE 33 /* 32 hexadecimal digits and a NUL */
#define SEAL_MAXIMUM ((size_t)64 * 1024 * 1024)

struct settings;

struct seal_key {
	unsigned char bytes[SEAL_KEY_SIZE];
};

int seal_open(
    const struct settings *settings, struct seal_key *out, struct error *err);

/*
 * Appends one text of many, so that no two lists of texts are the same bytes.
 * NULL is not "".
 */
void seal_add(struct buffer *sealed, const char *text);

/* The hash of what was added. */
void seal_finish(const struct seal_key *key, const struct buffer *sealed,
    char out[SEAL_TEXT_SIZE]);

#endif
