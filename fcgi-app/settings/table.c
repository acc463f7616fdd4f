#include "settings/settings-private.h"

#include "settings/grammar.h"

#include <string.h>

#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* The offset of the member, which must have the type of its row. */
#define MEMBER(member_, wanted_)                                               \
	(offsetof(struct settings, member_) + 0 * sizeof(struct {              \
		_Static_assert(                                                \
		    __builtin_types_compatible_p(                              \
			__typeof__(((struct settings *)0)->member_), wanted_), \
		    "the key has another type than the member");               \
		int unused;                                                    \
	}))
#define TEXT(key_, member_, is_valid_, expected_)                \
	{                                                        \
		.key = (key_), .type = SETTING_STRING,           \
		.offset = MEMBER(member_, const char *),         \
		.is_valid = (is_valid_), .expected = (expected_) \
	}
#define TEXTS(key_, member_, is_valid_, expected_)               \
	{                                                        \
		.key = (key_), .type = SETTING_STRINGS,          \
		.offset = MEMBER(member_, const char *const *),  \
		.is_valid = (is_valid_), .expected = (expected_) \
	}
#define FLAG(key_, member_)                          \
	{                                            \
		.key = (key_), .type = SETTING_BOOL, \
		.offset = MEMBER(member_, bool)      \
	}
#define INTEGER(key_, member_, minimum_, maximum_)                         \
	{                                                                  \
		.key = (key_), .type = SETTING_INTEGER,                    \
		.offset = MEMBER(member_, int64_t), .minimum = (minimum_), \
		.maximum = (maximum_)                                      \
	}
#define DURATION(key_, member_, minimum_ms_, maximum_ms_)                     \
	{                                                                     \
		.key = (key_), .type = SETTING_DURATION,                      \
		.offset = MEMBER(member_, int64_t), .minimum = (minimum_ms_), \
		.maximum = (maximum_ms_)                                      \
	}
#define SIZE(key_, member_, minimum_, maximum_)                            \
	{                                                                  \
		.key = (key_), .type = SETTING_SIZE,                       \
		.offset = MEMBER(member_, int64_t), .minimum = (minimum_), \
		.maximum = (maximum_)                                      \
	}
#define CHOICE(key_, read_, expected_)                                  \
	{                                                               \
		.key = (key_), .type = SETTING_CHOICE, .read = (read_), \
		.expected = (expected_)                                 \
	}
#define UNUSED(key_, type_)                                               \
	{                                                                 \
		.key = (key_), .type = (type_), .offset = SETTING_UNUSED, \
		.maximum = INT64_MAX                                      \
	}

#define A_PATH "an absolute path of letters, digits and . _ + @ -"

static bool
docker_socket_is_valid(const char *text)
{
	if (strncmp(text, "unix://", 7) == 0)
		text += 7;
	return run_path_is_valid(text);
}

static int
read_envelope(const char *text, struct settings *settings)
{
	if (strcmp(text, "both") == 0)
		settings->api.envelope = ENVELOPE_BOTH;
	else if (strcmp(text, "data") == 0)
		settings->api.envelope = ENVELOPE_DATA;
	else if (strcmp(text, "keys") == 0)
		settings->api.envelope = ENVELOPE_KEYS;
	else
		return -1;
	return 0;
}

static int
read_log_level(const char *text, struct settings *settings)
{
	return log_level_parse(text, &settings->log_level);
}

/* Log lines are JSON whichever it is; files of the product may say "text". */
static int
read_log_format(const char *text, struct settings *settings)
{
	(void)settings;
	return strcmp(text, "json") == 0 || strcmp(text, "text") == 0 ? 0 : -1;
}

const struct setting setting_table[] = {
	TEXT("deployments_path", deployments_path, path_is_valid, A_PATH),
	TEXT("docker_socket", docker_socket, docker_socket_is_valid,
	    "unix:// and an absolute path; Docker over TCP is not supported"),
	DURATION("default_timeout", default_timeout_ms, 10000, DAY_MS),
	TEXT("state_directory", state_directory, path_is_valid, A_PATH),
	TEXT("run_directory", run_directory, run_path_is_valid,
	    "an absolute path of at most 80 characters"),
	TEXT("user", user, user_is_valid, "the name of a user"),
	INTEGER("trash_days", trash_days, 0, 3650),
	INTEGER("jobs.retention_days", job_retention_days, 1, 3650),
	INTEGER("jobs.parallel", job_parallel, 1, 64),

	TEXT("api.host", api.host, listen_host_is_valid, "an IP address"),
	INTEGER("api.port", api.port, 1, 65535),
	TEXT("api.tls_host", api.tls_host, listen_host_is_valid,
	    "an IP address"),
	INTEGER("api.tls_port", api.tls_port, 0, 65535),
	TEXT("api.certificate", api.certificate, path_is_valid, A_PATH),
	TEXT("api.certificate_key", api.certificate_key, path_is_valid, A_PATH),
	TEXTS("api.server_names", api.server_names, server_name_is_valid,
	    "a host name or an IP address"),
	FLAG("api.enable_cors", api.enable_cors),
	TEXTS("api.allowed_origins", api.allowed_origins,
	    origin_pattern_is_valid,
	    "\"*\", or http:// or https://, a host, maybe a port, and no '/' "
	    "after them"),
	CHOICE("api.envelope", read_envelope, "both, data or keys"),
	INTEGER("api.wait_seconds", api.wait_seconds, 0, 3600),
	INTEGER("api.rate_limit", api.rate_per_second, 0, 100000),
	INTEGER("api.rate_burst", api.rate_burst, 1, 100000),
	INTEGER("api.login_rate_limit", api.login_per_minute, 1, 100000),
	INTEGER("api.streams_per_address", api.streams_per_address, 1, 10000),
	INTEGER("api.workers", api.workers, 0, 256),
	INTEGER("api.threads", api.threads, 1, 256),
	INTEGER("api.streams", api.streams, 1, 4096),
	INTEGER("api.streams_per_key", api.streams_per_key, 1, 4096),
	TEXTS("api.trusted_proxies", api.trusted_proxies, network_is_valid,
	    "an IP address or a network such as 10.0.0.0/8"),

	SIZE("files.upload_max", files.upload_max_bytes, MIB, 16 * GIB),
	SIZE("files.archive_max", files.archive_max_bytes, MIB, 1024 * GIB),

	FLAG("auth.enabled", auth.enabled),
	TEXTS("auth.api_keys", auth.api_keys, line_is_valid, "a text"),
	TEXT("auth.jwt_secret", auth.jwt_secret, line_is_valid, "a text"),
	{ .key = "auth.token_lifetime",
	    .type = SETTING_SECONDS,
	    .offset = MEMBER(auth.token_lifetime_s, int64_t),
	    .minimum = 60000,
	    .maximum = 366 * DAY_MS },

	TEXT("domain.default_domain", domain.default_domain, host_name_is_valid,
	    "a domain name"),
	FLAG("domain.auto_subdomain", domain.auto_subdomain),
	FLAG("domain.auto_ssl", domain.auto_ssl),
	TEXT("domain.subdomain_style", domain.subdomain_style, word_is_valid,
	    "a word"),

	TEXT("nginx.vhost_directory", nginx.vhost_directory, path_is_valid,
	    A_PATH),
	TEXT("nginx.pid_file", nginx.pid_file, path_is_valid, A_PATH),
	TEXT("nginx.user", nginx.user, user_is_valid, "the name of a user"),
	TEXT("nginx.access_log", nginx.access_log, log_path_is_valid,
	    "an absolute path, or \"off\""),
	UNUSED("nginx.enabled", SETTING_BOOL),
	UNUSED("nginx.image", SETTING_STRING),
	UNUSED("nginx.container_name", SETTING_STRING),
	UNUSED("nginx.config_path", SETTING_STRING),
	UNUSED("nginx.reload_command", SETTING_STRING),
	UNUSED("nginx.external", SETTING_BOOL),
	UNUSED("nginx.container_webroot_path", SETTING_STRING),
	UNUSED("nginx.reject_unknown_domains", SETTING_BOOL),

	UNUSED("certbot.enabled", SETTING_BOOL),
	UNUSED("certbot.image", SETTING_STRING),
	UNUSED("certbot.email", SETTING_STRING),
	UNUSED("certbot.staging", SETTING_BOOL),
	UNUSED("certbot.certs_path", SETTING_STRING),
	UNUSED("certbot.webroot_path", SETTING_STRING),
	UNUSED("certbot.dns_provider", SETTING_STRING),
	UNUSED("certbot.container_webroot_path", SETTING_STRING),
	UNUSED("certbot.auto_renewal_enabled", SETTING_BOOL),
	UNUSED("certbot.renewal_threshold_days", SETTING_INTEGER),
	UNUSED("certbot.renewal_check_interval", SETTING_DURATION),

	CHOICE(
	    "logging.level", read_log_level, "debug, info, warning or error"),
	CHOICE("logging.format", read_log_format, "json or text"),

	DURATION("health.sample_interval", sample_interval_ms, 1000, DAY_MS),
	DURATION("health.resync_interval", resync_interval_ms, 1000, DAY_MS),
	DURATION("health.check_interval", check_interval_ms, 1000, DAY_MS),
	UNUSED("health.metrics_retention", SETTING_DURATION),

	INTEGER("deploy.settle_seconds", deploy.settle_seconds, 0, 600),
	DURATION(
	    "deploy.health_timeout", deploy.health_timeout_ms, 1000, 3600000),

	TEXTS("compose.policy.allow", policy.allow, word_is_valid,
	    "a key of a Compose service"),
	TEXTS("compose.policy.bind_paths", policy.bind_paths, path_is_valid,
	    A_PATH),

	TEXT("infrastructure.default_proxy_network", proxy_network,
	    network_name_is_valid,
	    "2 to 128 of a-z, A-Z, 0-9, '_', '.' and '-'"),
	UNUSED("infrastructure.default_database_network", SETTING_STRING),
	UNUSED("infrastructure.database.enabled", SETTING_BOOL),
	UNUSED("infrastructure.database.type", SETTING_STRING),
	UNUSED("infrastructure.database.container", SETTING_STRING),
	UNUSED("infrastructure.database.host", SETTING_STRING),
	UNUSED("infrastructure.database.port", SETTING_INTEGER),
	UNUSED("infrastructure.database.root_user", SETTING_STRING),
	UNUSED("infrastructure.database.root_password", SETTING_STRING),
	UNUSED("infrastructure.redis.enabled", SETTING_BOOL),
	UNUSED("infrastructure.redis.container", SETTING_STRING),
	UNUSED("infrastructure.redis.host", SETTING_STRING),
	UNUSED("infrastructure.redis.port", SETTING_INTEGER),
	UNUSED("infrastructure.redis.password", SETTING_STRING),

	UNUSED("security", SETTING_ANY),
	UNUSED("audit", SETTING_ANY),
	UNUSED("cluster", SETTING_ANY),
	UNUSED("capacity", SETTING_ANY),
	UNUSED("cleanup", SETTING_ANY),
	UNUSED("plans", SETTING_ANY),
	UNUSED("ai", SETTING_ANY),
	UNUSED("mcp", SETTING_ANY),
	UNUSED("backup", SETTING_ANY),

	TEXT("templates.catalogue", templates.catalogue, path_is_valid, A_PATH),
	{ .key = "templates.sources",
	    .type = SETTING_TREE,
	    .read_tree = settings_read_template_sources },
	UNUSED("templates.sync_interval", SETTING_DURATION),
	UNUSED("templates.github", SETTING_ANY),
	UNUSED("templates.marketplace", SETTING_ANY),
	{ 0 },
};
