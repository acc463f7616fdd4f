/*
 * Tokens: JSON Web Tokens (RFC 7519), signed with HS256 and nothing else.
 *
 * All use of libjwt is in token.c. libjwt 1.x checks the signature but no
 * claim, and accepts any HMAC: the algorithm, exp, nbf and iat are checked
 * there by ourselves.
 */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_KEY_MINIMUM 32 /* bytes */
#define TOKEN_LEEWAY_S 60

struct token_key {
	const unsigned char *bytes;
	size_t length;
};

struct token_claims {
	const char *key_id;            /* of the API key it was made for */
	const char *username;          /* the key's name */
	int64_t issued_at, expires_at; /* Unix seconds */
};

/* *out is in the arena. */
int token_issue(const struct token_key *key, const struct token_claims *claims,
    struct arena *arena, const char **out, struct error *err);

/*
 * ERR_UNAUTHENTICATED: TOKEN_EXPIRED for a rightly signed one whose time is
 * over, else UNAUTHORIZED with the same message for every cause.
 */
int token_verify(const struct token_key *key, const char *token, int64_t now_s,
    struct arena *arena, struct token_claims *out, struct error *err);

#endif
