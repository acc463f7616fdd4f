#include "http/token.h"

#include "json/json.h"

#include <errno.h>
#include <jwt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAXIMUM 4096
#define ISSUER "flatrun-agent"

static void
release_jwt(jwt_t **jwt)
{
	jwt_free(*jwt);
}

static int
refuse(struct error *err)
{
	return error_set(
	    err, ERR_UNAUTHENTICATED, NULL, "Invalid or expired token");
}

int
token_issue(const struct token_key *key, const struct token_claims *claims,
    struct arena *arena, const char **out, struct error *err)
{
	CLEANUP(release_jwt) jwt_t *jwt = NULL;
	char *text;

	/* An empty key would give an unsigned token. */
	if (key->length < TOKEN_KEY_MINIMUM)
		return error_set(err, ERR_INTERNAL, NULL, "no key for tokens");
	if (jwt_new(&jwt) != 0 ||
	    jwt_set_alg(jwt, JWT_ALG_HS256, key->bytes, (int)key->length) !=
		0 ||
	    jwt_add_grant(jwt, "iss", ISSUER) != 0 ||
	    jwt_add_grant(jwt, "sub", claims->key_id) != 0 ||
	    jwt_add_grant(jwt, "username", claims->username) != 0 ||
	    jwt_add_grant_int(jwt, "iat", (long)claims->issued_at) != 0 ||
	    jwt_add_grant_int(jwt, "nbf", (long)claims->issued_at) != 0 ||
	    jwt_add_grant_int(jwt, "exp", (long)claims->expires_at) != 0 ||
	    (text = jwt_encode_str(jwt)) == NULL)
		return error_set(
		    err, ERR_INTERNAL, NULL, "Failed to generate token");
	*out = arena_strdup(arena, text);
	free(text);
	return 0;
}

/* Three non-empty parts of base64url: what libjwt gets to see. */
static bool
is_well_formed(const char *token)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	int part;

	if (strlen(token) > TOKEN_MAXIMUM)
		return false;
	for (part = 0; part < 3; part++) {
		size_t size = strspn(token, alphabet);

		if (size == 0 || token[size] != (part < 2 ? '.' : '\0'))
			return false;
		token += size + 1;
	}
	return true;
}

/* jwt_get_grant_int() gives 0 for a string: the claim's JSON must be digits. */
static bool
read_time(jwt_t *jwt, const char *claim, int64_t *out)
{
	char *text = jwt_get_grants_json(jwt, claim);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	bool valid = digits > 0 && digits < 16 && text[digits] == '\0';

	if (valid)
		*out = strtoll(text, NULL, 10);
	free(text);
	return valid;
}

/* RFC 7515, section 4.1.11: an extension that must be understood is not. */
static bool
has_extensions(jwt_t *jwt)
{
	char *text = jwt_get_headers_json(jwt, "crit");
	bool has = text != NULL;

	free(text);
	return has;
}

static bool
read_claims(jwt_t *jwt, struct arena *arena, struct token_claims *out,
    int64_t *not_before)
{
	const char *issuer = jwt_get_grant(jwt, "iss");
	const char *subject = jwt_get_grant(jwt, "sub");
	const char *username = jwt_get_grant(jwt, "username");

	if (issuer == NULL || strcmp(issuer, ISSUER) != 0 || subject == NULL ||
	    username == NULL)
		return false;
	out->key_id = arena_strdup(arena, subject);
	out->username = arena_strdup(arena, username);
	return read_time(jwt, "iat", &out->issued_at) &&
	       read_time(jwt, "nbf", not_before) &&
	       read_time(jwt, "exp", &out->expires_at);
}

/* The value of a base64url digit (RFC 4648, section 5). */
static unsigned int
digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return (unsigned int)(digit - 'A');
	if (digit >= 'a' && digit <= 'z')
		return (unsigned int)(digit - 'a') + 26;
	if (digit >= '0' && digit <= '9')
		return (unsigned int)(digit - '0') + 52;
	return digit == '-' ? 62 : 63;
}

/*
 * libjwt's JSON takes the last of two claims with one name, another reader
 * the first: such a token says two things. token is well formed.
 */
static bool
is_unambiguous(const char *token, struct arena *arena)
{
	const char *payload = strchr(token, '.') + 1;
	size_t length = strcspn(payload, "."), i, size = 0;
	char *text = arena_alloc(arena, length + 1);
	auto_json struct json_object *claims = NULL;
	unsigned int bits = 0;
	struct error ignored;
	int held = 0;

	for (i = 0; i < length; i++) {
		bits = bits << 6 | digit_value(payload[i]);
		held += 6;
		if (held >= 8) {
			held -= 8;
			text[size++] = (char)(bits >> held & 0xFF);
		}
	}
	return json_parse(text, size, &claims, &ignored) == 0;
}

int
token_verify(const struct token_key *key, const char *token, int64_t now_s,
    struct arena *arena, struct token_claims *out, struct error *err)
{
	CLEANUP(release_jwt) jwt_t *jwt = NULL;
	int64_t not_before;

	/* With a NULL or empty key libjwt does not verify at all. */
	if (key->length < TOKEN_KEY_MINIMUM || !is_well_formed(token))
		return refuse(err);
	if (jwt_decode(&jwt, token, key->bytes, (int)key->length) != 0) {
		jwt = NULL;
		return refuse(err);
	}
	if (jwt_get_alg(jwt) != JWT_ALG_HS256 || has_extensions(jwt) ||
	    !is_unambiguous(token, arena) ||
	    !read_claims(jwt, arena, out, &not_before) ||
	    out->issued_at > now_s + TOKEN_LEEWAY_S ||
	    not_before > now_s + TOKEN_LEEWAY_S)
		return refuse(err);
	if (out->expires_at + TOKEN_LEEWAY_S <= now_s)
		return error_set(err, ERR_UNAUTHENTICATED, "TOKEN_EXPIRED",
		    "Invalid or expired token");
	return 0;
}
