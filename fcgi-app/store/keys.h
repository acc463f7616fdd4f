/*
 * API keys: "fr_" and 43 characters of unpadded base64url over 32 random
 * bytes. Only the SHA-256 of the whole key is stored; comparing goes over all
 * keys in constant time.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum role { ROLE_PUBLIC, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

/* "admin", "operator" or "viewer"; -1 for another word. */
int role_parse(const char *name, enum role *out);
const char *role_name(enum role role);

#define KEY_TEXT_SIZE 47 /* with the NUL */

struct api_key {
	const char *id; /* 12 hex */
	const char *name;
	const char *prefix; /* first 12 characters and "..." */
	enum role role;
	int64_t created_at;   /* Unix seconds */
	int64_t last_used_at; /* 0: never */
	int64_t revoked_at;   /* 0: in force */
};

/* 1 to 64 printable characters, no control bytes. */
bool key_name_is_valid(const char *name);

/* Makes a key; text gets the only copy there will ever be. */
int store_key_create(struct store *store, const char *name, enum role role,
    char text[KEY_TEXT_SIZE], struct arena *arena, struct api_key *out,
    struct error *err);
/* All keys, the newest first, revoked ones too. */
int store_key_list(struct store *store, struct arena *arena,
    struct api_key **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND KEY_NOT_FOUND. Revoking twice is fine. */
int store_key_revoke(struct store *store, const char *id, struct error *err);

/* The key in force with this text or id; *found tells. */
int store_key_find(struct store *store, const char *text, struct arena *arena,
    struct api_key *out, bool *found, struct error *err);
int store_key_find_id(struct store *store, const char *id, struct arena *arena,
    struct api_key *out, bool *found, struct error *err);

/* Notes the use, at most once a minute, and another time when the database is
 * busy: nobody waits for it. */
int store_key_touch(struct store *store, const char *id, struct error *err);

#endif
