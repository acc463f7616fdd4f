/*
 * Who we are at registries, and what kinds of registries there are.
 *
 * Passwords are not here: agent/credentials.h has them. Writes are the
 * agent's, each within store_begin() and mirror_commit(), so that lists get a
 * new ETag.
 */
#ifndef STORE_CREDENTIALS_H
#define STORE_CREDENTIALS_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define CREDENTIALS_MAXIMUM 1000
#define CREDENTIAL_PASSWORD_MAXIMUM (16 * 1024)
#define CREDENTIAL_USERNAME_EXPECTED "1 to 255 printable characters without ':'"
#define CREDENTIAL_EMAIL_EXPECTED "up to 254 printable characters"
#define REGISTRY_TYPES_MAXIMUM 1000
#define REGISTRY_SLUG_EXPECTED \
	"1 to 63 of a-z, 0-9 and '-', not beginning or ending with '-'"

struct registry_type {
	const char *slug, *name;
	const char *url_patterns;                /* JSON array of texts */
	const char *auth_type;                   /* "basic" or "token" */
	const char *login_url, *docs_url, *icon; /* or "" */
	const char *host; /* of a built-in one that has a single host, or "" */
	bool is_builtin;
	int64_t created_at, updated_at; /* Unix seconds, 0: built in */
};

bool registry_slug_is_valid(const char *slug);
/* "basic" or "token". */
bool registry_auth_is_valid(const char *text);
/* Up to 255 printable characters: names, addresses of pages, icons. */
bool registry_text_is_valid(const char *text);
/* At most 20 such texts: ERR_INVALID naming url_patterns. */
int registry_patterns_check(struct json_object *patterns, struct error *err);
/* As clients see it, for the caller to release. */
struct json_object *registry_type_to_json(const struct registry_type *type);

/* The built-in ones first. */
int registry_type_list(struct store *store, struct arena *arena,
    struct registry_type **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND REGISTRY_NOT_FOUND. */
int registry_type_get(struct store *store, const char *slug,
    struct arena *arena, struct registry_type *out, struct error *err);
/* The times are set here. ERR_CONFLICT ALREADY_EXISTS. */
int registry_type_insert(
    struct store *store, const struct registry_type *type, struct error *err);
/* ERR_NOT_FOUND REGISTRY_NOT_FOUND, ERR_FORBIDDEN PROTECTED: built in. */
int registry_type_update(
    struct store *store, const struct registry_type *type, struct error *err);
int registry_type_delete(
    struct store *store, const char *slug, struct error *err);

struct credential {
	const char *id; /* 12 hex */
	const char *name;
	const char *registry_type; /* slug */
	const char *host;          /* as in a reference: "ghcr.io" */
	const char *username, *email;
	bool is_default;                /* the one for its host */
	int64_t secret;                 /* which of its password files */
	int64_t created_at, updated_at; /* Unix seconds */
};

bool credential_id_is_valid(const char *id);
bool credential_username_is_valid(const char *username);
bool credential_email_is_valid(const char *email);
/* As clients see it, for the caller to release; there is no password in it. */
struct json_object *credential_to_json(const struct credential *credential);

/* By name. */
int credential_list(struct store *store, struct arena *arena,
    struct credential **out, size_t *out_count, struct error *err);
/* ERR_NOT_FOUND CREDENTIAL_NOT_FOUND. */
int credential_get(struct store *store, const char *id, struct arena *arena,
    struct credential *out, struct error *err);
/* The one to use for the host: the default, else the oldest. */
int credential_find_for_host(struct store *store, const char *host,
    struct arena *arena, struct credential *out, bool *found,
    struct error *err);
/*
 * The row with its id, new or not; the times are set here. A default takes
 * that from the others of its host. ERR_CONFLICT ALREADY_EXISTS: another has
 * the name.
 */
int credential_put(
    struct store *store, struct credential *credential, struct error *err);
int credential_delete(struct store *store, const char *id, struct error *err);

#endif
