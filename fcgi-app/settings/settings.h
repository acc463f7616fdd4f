/*
 * config.yml: read, checked, never guessed.
 *
 * The keys are the product's (deployments_path, docker_socket, api, auth,
 * domain, nginx, certbot, logging, health, infrastructure) and ours. Values
 * that are wrong make settings_load() fail with "file:line: key: reason", for
 * the operator and not for a client; unknown keys are reported through
 * on_warning and otherwise ignored.
 * Immutable after loading; one per process; callable from any thread.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_DEFAULT_PATH "/etc/flatrun/config.yml"

enum settings_envelope { ENVELOPE_BOTH, ENVELOPE_DATA, ENVELOPE_KEYS };

/* A directory or an archive with templates: path, or url with sha256. */
struct settings_template_source {
	const char *name;
	const char *path;   /* NULL: url */
	const char *url;    /* https */
	const char *sha256; /* of the archive, 64 digits in lower case */
	const char *ca;     /* PEM file of who signs for the host, or NULL */
};

struct settings {
	const char *path; /* of the file, for messages to the operator */

	const char *deployments_path; /* deployments_path */
	const char *docker_socket;    /* docker_socket, without "unix://" */
	int64_t default_timeout_ms;   /* default_timeout: of a Compose run */
	const char *state_directory;  /* state_directory: /var/lib/flatrun */
	/*
	 * Where flatrun.db is: state_directory/database. SQLite needs a
	 * directory that workers may write to; in state_directory itself they
	 * could put another secrets/ or deployments/ in place of ours.
	 */
	const char *database_directory;
	const char *run_directory;  /* run_directory: /run/flatrun */
	const char *user;           /* user: flatrun, whom workers run as */
	int64_t trash_days;         /* trash_days: 30 */
	int64_t job_retention_days; /* jobs.retention_days: 30 */
	int64_t job_parallel;       /* jobs.parallel: 4 */

	struct {
		const char *host;     /* api.host: 127.0.0.1 */
		int64_t port;         /* api.port: 8090 (plain HTTP) */
		int64_t tls_port;     /* api.tls_port: 8443, 0: none */
		const char *tls_host; /* api.tls_host: 0.0.0.0 */
		const char *certificate,
		    *certificate_key;            /* "" : self-signed */
		const char *const *server_names; /* NULL-ended; empty: any */
		bool enable_cors;
		const char *const *allowed_origins; /* NULL-ended */
		enum settings_envelope envelope;
		int64_t wait_seconds;     /* api.wait_seconds: 60 */
		int64_t rate_per_second;  /* api.rate_limit: 50, per address */
		int64_t rate_burst;       /* api.rate_burst: 100 */
		int64_t login_per_minute; /* api.login_rate_limit: 30 */
		int64_t streams_per_address; /* api.streams_per_address: 32 */
		int64_t workers;             /* api.workers: 0 = cores */
		int64_t threads;             /* api.threads: 16 a worker */
		int64_t streams;             /* api.streams: 64 at once */
		int64_t streams_per_key;     /* api.streams_per_key: 8 */
		const char *const
		    *trusted_proxies; /* CIDRs for real_ip; empty */
	} api;

	struct {
		int64_t upload_max_bytes;  /* files.upload_max: 64M */
		int64_t archive_max_bytes; /* files.archive_max: 1G, of the
					      files in an archive */
	} files;

	struct {
		bool enabled;                /* auth.enabled: true */
		const char *const *api_keys; /* NULL-ended; administrators */
		const char *jwt_secret;   /* "": generated in state_directory */
		int64_t token_lifetime_s; /* auth.token_lifetime: 24h */
	} auth;

	struct {
		const char *default_domain;
		bool auto_subdomain, auto_ssl;
		const char *subdomain_style;
	} domain;

	struct {
		const char *vhost_directory; /* nginx.vhost_directory:
						/etc/nginx/flatrun.d */
		const char *user;            /* nginx.user: www-data */
		const char *access_log;      /* nginx.access_log, or "off" */
		const char *pid_file;        /* nginx.pid_file:
						/run/nginx.pid */
	} nginx;

	enum log_level log_level;   /* logging.level */
	int64_t sample_interval_ms; /* health.sample_interval: 10s */
	/* health.check_interval: 30s, for checks without one of their own. */
	int64_t check_interval_ms;
	int64_t resync_interval_ms; /* health.resync_interval: 2m */

	struct {
		int64_t settle_seconds;    /* deploy.settle_seconds: 5 */
		int64_t health_timeout_ms; /* deploy.health_timeout: 2m */
	} deploy;

	struct {
		const char *const *allow;      /* compose.policy.allow */
		const char *const *bind_paths; /* compose.policy.bind_paths */
	} policy;

	const char *proxy_network; /* infrastructure.default_proxy_network */

	struct {
		const char *catalogue; /* templates.catalogue: the installed */
		const struct settings_template_source *sources;
		size_t source_count; /* templates.sources */
	} templates;
};

/*
 * Reads path (NULL: the first of ~/.config/flatrun/config.yml,
 * /etc/flatrun/config.yml, /opt/flatrun/config.yml, ./config.yml that
 * exists). All is in the arena. on_warning may be NULL. Secrets are checked
 * here too: a jwt_secret under 32 bytes, one of the documentation's samples
 * or equal to an API key is refused, as is an API key under 16 bytes.
 */
int settings_load(const char *path, struct arena *arena,
    void (*on_warning)(void *context, unsigned int line, const char *text),
    void *context, struct settings **out, struct error *err);

#endif
