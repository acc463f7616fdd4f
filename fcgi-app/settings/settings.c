#include "settings/settings.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "settings/grammar.h"
#include "settings/settings-private.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAXIMUM (256 * 1024)

static const char *const no_texts[] = { NULL };

static void
set_defaults(struct settings *settings, const char *path)
{
	*settings = (struct settings){
		.path = path,
		.docker_socket = "/var/run/docker.sock",
		.default_timeout_ms = 10 * 60 * 1000,
		.state_directory = "/var/lib/flatrun",
		.run_directory = "/run/flatrun",
		.user = "flatrun",
		.trash_days = 30,
		.job_retention_days = 30,
		.job_parallel = 4,
		.api = {
			.host = "127.0.0.1",
			.port = 8090,
			.tls_port = 8443,
			.tls_host = "0.0.0.0",
			.certificate = "",
			.certificate_key = "",
			.server_names = no_texts,
			.allowed_origins = no_texts,
			.envelope = ENVELOPE_BOTH,
			.wait_seconds = 60,
			.rate_per_second = 50,
			.rate_burst = 100,
			.login_per_minute = 30,
			.streams_per_address = 32,
			.threads = 16,
			.streams = 64,
			.streams_per_key = 8,
			.trusted_proxies = no_texts,
		},
		.files = {
			.upload_max_bytes = 64 * 1024 * 1024,
			.archive_max_bytes = 1024 * 1024 * 1024,
		},
		.auth = {
			.enabled = true,
			.api_keys = no_texts,
			.jwt_secret = "",
			.token_lifetime_s = 24 * 60 * 60,
		},
		.domain = {
			.default_domain = "",
			.subdomain_style = "words",
		},
		.nginx = {
			.vhost_directory = "/etc/nginx/flatrun.d",
			.user = "www-data",
			.pid_file = "/run/nginx.pid",
			.access_log = "/var/log/nginx/flatrun.access.log",
		},
		.log_level = LOG_INFO,
		.sample_interval_ms = 10 * 1000,
		.check_interval_ms = 30 * 1000,
		.resync_interval_ms = 2 * 60 * 1000,
		.deploy.settle_seconds = 5,
		.deploy.health_timeout_ms = 2 * 60 * 1000,
		.policy = { .allow = no_texts, .bind_paths = no_texts },
		.proxy_network = "proxy",
		.templates = { .catalogue = PKGDATADIR "/templates" },
	};
}

/* An empty value is the default, as if the key were not there. */
static void
set_text(const char **text, const char *fallback)
{
	if (*text == NULL || **text == '\0')
		*text = fallback;
}

static void
replace_empty(struct settings *settings, struct arena *arena)
{
	struct settings defaults;

	set_defaults(&defaults, settings->path);
	set_text(&settings->docker_socket, defaults.docker_socket);
	if (strncmp(settings->docker_socket, "unix://", 7) == 0)
		settings->docker_socket += 7;
	set_text(&settings->state_directory, defaults.state_directory);
	set_text(&settings->run_directory, defaults.run_directory);
	set_text(&settings->user, defaults.user);
	set_text(&settings->api.host, defaults.api.host);
	set_text(&settings->api.tls_host, defaults.api.tls_host);
	set_text(
	    &settings->domain.subdomain_style, defaults.domain.subdomain_style);
	set_text(
	    &settings->nginx.vhost_directory, defaults.nginx.vhost_directory);
	set_text(&settings->nginx.user, defaults.nginx.user);
	set_text(&settings->nginx.pid_file, defaults.nginx.pid_file);
	set_text(&settings->nginx.access_log, defaults.nginx.access_log);
	set_text(&settings->proxy_network, defaults.proxy_network);
	set_text(&settings->templates.catalogue, defaults.templates.catalogue);
	set_text(&settings->deployments_path,
	    arena_printf(arena, "%s/deployments", settings->state_directory));
	settings->database_directory =
	    arena_printf(arena, "%s/database", settings->state_directory);
}

static const char *
home_of(uid_t owner, struct arena *arena)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(owner, &entry, buffer, sizeof buffer, &found) != 0 ||
	    found == NULL || !path_is_valid(found->pw_dir))
		return NULL;
	return arena_strdup(arena, found->pw_dir);
}

/* An error of the file as a whole has no line. */
static int
fail_file(const char *path, struct error *err, const char *reason)
{
	return error_set(
	    err, ERR_INVALID, "CONFIG_INVALID", "%s: %s", path, reason);
}

/*
 * Opened by its path, links followed: the file is the operator's, and some
 * keep it elsewhere.
 */
static int
read_file(const char *path, struct buffer *text, struct stat *status,
    struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char chunk[4096];
	ssize_t got;

	if (fd < 0 || fstat(fd, status) < 0)
		return fail_file(path, err, strerrordesc_np(errno));
	if (!S_ISREG(status->st_mode))
		return fail_file(path, err, "is not a regular file");
	if (status->st_mode & S_IWOTH)
		return fail_file(path, err, "may be written by everybody");
	while ((got = read(fd, chunk, sizeof chunk)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_file(path, err, strerrordesc_np(errno));
		if (buffer_append(text, chunk, (size_t)got) < 0)
			return fail_file(path, err, "is larger than 256 KiB");
	}
	return 0;
}

/* The first that exists of the places where people put it. */
static const char *
find_file(struct arena *arena)
{
	const char *home = home_of(getuid(), arena);
	const char *const places[] = {
		home != NULL
		    ? arena_printf(arena, "%s/.config/flatrun/config.yml", home)
		    : SETTINGS_DEFAULT_PATH,
		SETTINGS_DEFAULT_PATH,
		"/opt/flatrun/config.yml",
		"./config.yml",
	};
	size_t i;

	for (i = 0; i < sizeof places / sizeof places[0]; i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	return SETTINGS_DEFAULT_PATH;
}

int
settings_load(const char *path, struct arena *arena,
    void (*on_warning)(void *context, unsigned int line, const char *text),
    void *context, struct settings **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(FILE_MAXIMUM);
	struct settings *settings = arena_alloc(arena, sizeof *settings);
	struct settings_reader reader = { .arena = arena,
		.settings = settings,
		.on_warning = on_warning,
		.context = context };
	struct config_node *root;
	struct stat status = { 0 };

	reader.path =
	    path != NULL ? arena_strdup(arena, path) : find_file(arena);
	set_defaults(settings, reader.path);
	if (read_file(reader.path, &text, &status, err) < 0)
		return -1;
	reader.home = home_of(status.st_uid, arena);
	if (config_text_parse(reader.path, buffer_string(&text), text.length,
		arena, &root, err) < 0 ||
	    settings_read_tree(&reader, root, err) < 0)
		return -1;
	replace_empty(settings, arena);
	if (settings_check(&reader, root, err) < 0)
		return -1;
	if ((status.st_mode & S_IROTH) &&
	    (*settings->auth.jwt_secret != '\0' ||
		settings->auth.api_keys[0] != NULL))
		settings_warn(&reader, root, "auth",
		    "holds secrets, and everybody may read this file");
	*out = settings;
	return 0;
}
