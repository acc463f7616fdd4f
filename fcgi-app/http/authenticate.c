#include "http/authenticate.h"

#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/lookout.h"
#include "http/token.h"
#include "settings/settings.h"
#include "store/throttle.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define KEY_TEXT_MAXIMUM 256

static void
identify(struct request *request, const char *kind, const char *id,
    const char *name, enum role role)
{
	request->identity = (struct identity){
		.actor = arena_printf(request->arena, "%s:%s", kind, id),
		.name = name,
		.key_id = id,
		.role = role,
	};
}

static void
hash_text(const char *text, unsigned char hash[32])
{
	EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
}

/* A key of config.yml is named by the start of its hash. */
static const char *
configured_key_id(struct arena *arena, const unsigned char hash[32])
{
	return arena_printf(arena, "config-%02x%02x%02x%02x%02x%02x", hash[0],
	    hash[1], hash[2], hash[3], hash[4], hash[5]);
}

static bool
find_configured_key(struct request *request, const char *text)
{
	const char *const *key = request->app->settings->auth.api_keys;
	unsigned char given[32], known[32];
	bool found = false;

	hash_text(text, given);
	for (; *key != NULL; key++) {
		hash_text(*key, known);
		if (CRYPTO_memcmp(given, known, sizeof known) == 0)
			found = true;
	}
	if (found)
		identify(request, "key",
		    configured_key_id(request->arena, given), "api-user",
		    ROLE_ADMIN);
	return found;
}

static bool
find_configured_key_id(struct request *request, const char *id)
{
	const char *const *key = request->app->settings->auth.api_keys;
	unsigned char known[32];

	for (; *key != NULL; key++) {
		hash_text(*key, known);
		if (strcmp(configured_key_id(request->arena, known), id) != 0)
			continue;
		identify(request, "key", id, "api-user", ROLE_ADMIN);
		return true;
	}
	return false;
}

static int
refuse_key(struct error *err)
{
	return error_set(
	    err, ERR_UNAUTHENTICATED, "INVALID_API_KEY", "Invalid API key");
}

/* What cannot be noted, on a full disk for one, must not lock anybody out. */
static void
note_failure(struct request *request)
{
	struct error err;

	if (store_throttle_note(request->store, request->address, &err) < 0)
		log_error(LOG_WARNING, "cannot note a failed login", &err);
}

static void
note_use(struct request *request, const char *key_id)
{
	struct error err;

	if (store_key_touch(request->store, key_id, &err) < 0)
		log_error(LOG_WARNING, "cannot note the use of a key", &err);
}

int
authenticate_key(struct request *request, const char *text, struct error *err)
{
	struct api_key key;
	bool found = false;

	if (store_throttle_check(request->store, request->address, err) < 0)
		return -1;
	if (strlen(text) <= KEY_TEXT_MAXIMUM) {
		if (find_configured_key(request, text))
			return 0;
		if (store_key_find(request->store, text, request->arena, &key,
			&found, err) < 0)
			return -1;
	}
	if (!found) {
		note_failure(request);
		return refuse_key(err);
	}
	identify(request, "key", key.id, key.name, key.role);
	note_use(request, key.id);
	return 0;
}

static int
authenticate_token(
    struct request *request, const char *token, struct error *err)
{
	struct token_claims claims;
	struct api_key key;
	bool found;

	if (token_verify(&request->app->token_key, token, clock_wall_s(),
		request->arena, &claims, err) < 0)
		return -1;
	if (find_configured_key_id(request, claims.key_id))
		return 0;
	if (store_key_find_id(request->store, claims.key_id, request->arena,
		&key, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(
		    err, ERR_UNAUTHENTICATED, NULL, "Invalid or expired token");
	identify(request, "key", key.id, key.name, key.role);
	return 0;
}

/* A token has two dots, a key none. */
static bool
looks_like_token(const char *text)
{
	const char *dot = strchr(text, '.');

	return dot != NULL && strchr(dot + 1, '.') != NULL;
}

int
authenticate(struct request *request, struct error *err)
{
	const char *header = request->authorization;
	size_t scheme;

	if (!request->app->settings->auth.enabled) {
		request->identity = (struct identity){ .actor = "anonymous",
			.name = "anonymous",
			.key_id = "",
			.role = ROLE_ADMIN };
		return 0;
	}
	if (header == NULL && request->api_key != NULL)
		return authenticate_key(request, request->api_key, err);
	if (header == NULL || *header == '\0')
		return error_set(err, ERR_UNAUTHENTICATED, NULL,
		    "Authorization header required");
	scheme = strcspn(header, " ");
	if (header[scheme] == '\0' || header[scheme + 1] == '\0' ||
	    strchr(header + scheme + 1, ' ') != NULL)
		return error_set(err, ERR_UNAUTHENTICATED, NULL,
		    "Invalid authorization header format");
	if (scheme == 6 && strncasecmp(header, "Bearer", 6) == 0)
		return looks_like_token(header + 7)
			   ? authenticate_token(request, header + 7, err)
			   : authenticate_key(request, header + 7, err);
	if (scheme == 6 && strncasecmp(header, "ApiKey", 6) == 0)
		return authenticate_key(request, header + 7, err);
	return error_set(
	    err, ERR_UNAUTHENTICATED, NULL, "Unsupported authorization scheme");
}

bool
authenticate_still(struct request *request)
{
	auto_arena struct arena arena = { 0 };
	struct request probe = *request;
	const char *id = request->identity.key_id;
	struct api_key key;
	struct error ignored;
	bool found;

	/* A stream may last for days: nothing is left in its arena. */
	probe.arena = &arena;
	if (!request->app->settings->auth.enabled ||
	    find_configured_key_id(&probe, id))
		return true;
	if (request->app->lookout != NULL)
		return lookout_has_key(request->app->lookout, id);
	/* What cannot be read now is asked again a second later. */
	return store_key_find_id(
		   request->store, id, &arena, &key, &found, &ignored) < 0 ||
	       found;
}
