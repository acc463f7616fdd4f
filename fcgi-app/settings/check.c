#include "settings/settings-private.h"

#include "settings/grammar.h"

#include <ctype.h>
#include <string.h>

#define JWT_SECRET_MINIMUM 32
#define API_KEY_MINIMUM 16
#define DISTINCT_MINIMUM 8

/*
 * Parts of the secrets that documentation, examples and habits offer. None of
 * them turns up in random text by chance often enough to matter.
 */
static const char *const sample_parts[] = { "change-me", "changeme",
	"change-this", "changethis", "change-in-prod", "your-", "-here",
	"example", "sample", "insecure", "placeholder", "default-secret",
	"my-secret", "mysecret", "super-secret", "supersecret", "secret-key",
	"secretkey", "jwt-secret", "jwtsecret", "flatrun-", "password",
	"0123456789abcdef", "abcdefghijkl", NULL };

static bool
is_sample(const char *secret)
{
	char text[513];
	size_t i;

	for (i = 0; i < sizeof text - 1 && secret[i] != '\0'; i++)
		text[i] = secret[i] == '_' || secret[i] == ' '
			      ? '-'
			      : (char)tolower((unsigned char)secret[i]);
	text[i] = '\0';
	for (i = 0; sample_parts[i] != NULL; i++)
		if (strstr(text, sample_parts[i]) != NULL)
			return true;
	return false;
}

/* "aaaaaaaa…", "12121212…": long, and guessed at once. */
static bool
is_monotonous(const char *secret)
{
	bool seen[256] = { false };
	unsigned int distinct = 0;

	for (; *secret != '\0'; secret++) {
		distinct += !seen[(unsigned char)*secret];
		seen[(unsigned char)*secret] = true;
	}
	return distinct < DISTINCT_MINIMUM;
}

static const char *
weakness(const char *secret, size_t minimum)
{
	if (strlen(secret) < minimum)
		return minimum == JWT_SECRET_MINIMUM
			   ? "is shorter than 32 characters"
			   : "has a key shorter than 16 characters";
	if (is_sample(secret))
		return "is a sample from documentation, and so known to all";
	if (is_monotonous(secret))
		return "consists of too few different characters";
	return NULL;
}

static int
check_secrets(const struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	const char *secret = reader->settings->auth.jwt_secret;
	const char *const *keys = reader->settings->auth.api_keys;
	const char *reason;
	size_t i, j;

	if (*secret != '\0' &&
	    (reason = weakness(secret, JWT_SECRET_MINIMUM)) != NULL)
		return settings_fail(
		    reader, root, "auth.jwt_secret", err, reason);
	for (i = 0; keys[i] != NULL; i++) {
		reason = weakness(keys[i], API_KEY_MINIMUM);
		if (reason == NULL && strcmp(keys[i], secret) == 0)
			reason = "has a key that is the jwt_secret too";
		for (j = 0; reason == NULL && j < i; j++)
			if (strcmp(keys[i], keys[j]) == 0)
				reason = "has a key twice";
		if (reason != NULL)
			return settings_fail(
			    reader, root, "auth.api_keys", err, reason);
	}
	return 0;
}

/* Without authentication whoever gets a connection is root on this host. */
static int
check_exposure(const struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	const struct settings *settings = reader->settings;

	if (settings->auth.enabled)
		return 0;
	if (!host_is_loopback(settings->api.host) ||
	    (settings->api.tls_port != 0 &&
		!host_is_loopback(settings->api.tls_host)))
		return settings_fail(reader, root, "auth.enabled", err,
		    "may be false only while api.host and api.tls_host are "
		    "loopback addresses (or api.tls_port is 0)");
	settings_warn(reader, root, "auth.enabled",
	    "is false: every local user is an administrator");
	return 0;
}

static int
check_listeners(const struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	const struct settings *settings = reader->settings;

	if (settings->api.port == settings->api.tls_port)
		return settings_fail(reader, root, "api.tls_port", err,
		    "is the same as api.port");
	if (!host_is_loopback(settings->api.host))
		settings_warn(reader, root, "api.host",
		    "keys and tokens cross the network unencrypted; use "
		    "api.tls_host and api.tls_port");
	if (*settings->api.certificate != '\0' &&
	    *settings->api.certificate_key == '\0')
		return settings_fail(reader, root, "api.certificate", err,
		    "needs api.certificate_key too");
	if (*settings->api.certificate == '\0' &&
	    *settings->api.certificate_key != '\0')
		return settings_fail(reader, root, "api.certificate_key", err,
		    "needs api.certificate too");
	return 0;
}

static int
check_origins(const struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	const char *const *origins = reader->settings->api.allowed_origins;
	size_t i;

	if (!reader->settings->api.enable_cors)
		return 0;
	if (origins[0] == NULL)
		settings_warn(reader, root, "api.enable_cors",
		    "no page may use the API: api.allowed_origins is empty");
	for (i = 0; origins[i] != NULL; i++)
		if (strcmp(origins[i], "*") == 0 &&
		    (i > 0 || origins[1] != NULL))
			return settings_fail(reader, root,
			    "api.allowed_origins", err,
			    "has \"*\", so nothing else has a place in it");
	return 0;
}

int
settings_check(const struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	if (check_secrets(reader, root, err) < 0 ||
	    check_exposure(reader, root, err) < 0 ||
	    check_listeners(reader, root, err) < 0)
		return -1;
	return check_origins(reader, root, err);
}
