/* config.yml as people write it, rightly and wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "settings/grammar.h"
#include "settings/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char path[64];
	struct arena arena;
	struct settings *settings;
	struct error err;
	unsigned int warnings;
	unsigned int warning_line;
	char warning[256];
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int fd;

	snprintf(f->path, sizeof f->path, "/tmp/flatrun-settings-XXXXXX");
	fd = mkstemp(f->path);
	close(fd);
	*state = f;
	return fd < 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static void
write_text(struct fixture *f, const char *text, size_t length)
{
	int fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void
keep_warning(void *context, unsigned int line, const char *text)
{
	struct fixture *f = context;

	f->warnings++;
	f->warning_line = line;
	snprintf(f->warning, sizeof f->warning, "%s", text);
}

static int
load_bytes(struct fixture *f, const char *text, size_t length)
{
	f->warnings = 0;
	f->settings = NULL;
	memset(&f->err, 0, sizeof f->err);
	write_text(f, text, length);
	return settings_load(
	    f->path, &f->arena, keep_warning, f, &f->settings, &f->err);
}

static int
load(struct fixture *f, const char *text)
{
	return load_bytes(f, text, strlen(text));
}

/* The file is refused with "path:<expected>". */
static void
assert_refused(struct fixture *f, const char *text, const char *expected)
{
	size_t length = strlen(f->path);

	if (load(f, text) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(strncmp(f->err.message, f->path, length), 0);
	assert_int_equal(f->err.message[length], ':');
	assert_string_equal(f->err.message + length + 1, expected);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
	struct fixture *f = *state;
	const struct settings *settings;

	assert_int_equal(load(f, "# nothing\n"), 0);
	settings = f->settings;
	assert_int_equal(f->warnings, 0);
	assert_string_equal(settings->path, f->path);
	assert_string_equal(
	    settings->deployments_path, "/var/lib/flatrun/deployments");
	assert_string_equal(
	    settings->database_directory, "/var/lib/flatrun/database");
	assert_string_equal(settings->docker_socket, "/var/run/docker.sock");
	assert_string_equal(settings->run_directory, "/run/flatrun");
	assert_string_equal(settings->user, "flatrun");
	assert_string_equal(settings->api.host, "127.0.0.1");
	assert_int_equal(settings->api.port, 8090);
	assert_int_equal(settings->api.tls_port, 8443);
	assert_string_equal(settings->api.certificate, "");
	assert_null(settings->api.server_names[0]);
	assert_null(settings->api.allowed_origins[0]);
	assert_null(settings->api.trusted_proxies[0]);
	assert_false(settings->api.enable_cors);
	assert_int_equal(settings->api.envelope, ENVELOPE_BOTH);
	assert_int_equal(settings->api.wait_seconds, 60);
	assert_true(settings->auth.enabled);
	assert_null(settings->auth.api_keys[0]);
	assert_string_equal(settings->auth.jwt_secret, "");
	assert_int_equal(settings->auth.token_lifetime_s, 86400);
	assert_string_equal(
	    settings->nginx.vhost_directory, "/etc/nginx/flatrun.d");
	assert_string_equal(settings->nginx.user, "www-data");
	assert_int_equal(settings->log_level, LOG_INFO);
	assert_int_equal(settings->sample_interval_ms, 10000);
	assert_int_equal(settings->resync_interval_ms, 120000);
	assert_int_equal(settings->deploy.settle_seconds, 5);
	assert_int_equal(settings->deploy.health_timeout_ms, 120000);
	assert_null(settings->policy.allow[0]);
	assert_null(settings->policy.bind_paths[0]);
}

static void
values_go_where_they_belong(void **state)
{
	struct fixture *f = *state;
	const struct settings *settings;

	assert_int_equal(
	    load(f, "deployments_path: /srv/apps\n"
		    "docker_socket: unix:///run/docker.sock\n"
		    "default_timeout: 1h30m\n"
		    "state_directory: \"/srv/state\"\n"
		    "api:\n"
		    "  host: \"::1\"\n"
		    "  port: 80\n"
		    "  tls_port: 0\n"
		    "  enable_cors: yes\n"
		    "  allowed_origins: [\"https://a.example.org:8443\"]\n"
		    "  server_names:\n"
		    "    - panel.example.org\n"
		    "    - 192.0.2.1\n"
		    "  trusted_proxies: [10.0.0.0/8, \"fd00::/8\"]\n"
		    "  envelope: keys\n"
		    "auth:\n"
		    "  api_keys: [Vq2rT8mZ1xW4bN7c]\n"
		    "  token_lifetime: 12h\n"
		    "logging: { level: debug, format: json }\n"
		    "compose:\n"
		    "  policy:\n"
		    "    allow: [cap_add]\n"
		    "    bind_paths: [/srv/media]\n"),
	    0);
	settings = f->settings;
	assert_string_equal(settings->deployments_path, "/srv/apps");
	assert_string_equal(settings->docker_socket, "/run/docker.sock");
	assert_int_equal(settings->default_timeout_ms, 90 * 60 * 1000);
	assert_string_equal(
	    settings->database_directory, "/srv/state/database");
	assert_string_equal(settings->api.host, "::1");
	assert_int_equal(settings->api.port, 80);
	assert_int_equal(settings->api.tls_port, 0);
	assert_true(settings->api.enable_cors);
	assert_string_equal(
	    settings->api.allowed_origins[0], "https://a.example.org:8443");
	assert_string_equal(settings->api.server_names[1], "192.0.2.1");
	assert_null(settings->api.server_names[2]);
	assert_string_equal(settings->api.trusted_proxies[1], "fd00::/8");
	assert_int_equal(settings->api.envelope, ENVELOPE_KEYS);
	assert_string_equal(settings->auth.api_keys[0], "Vq2rT8mZ1xW4bN7c");
	assert_int_equal(settings->auth.token_lifetime_s, 12 * 3600);
	assert_int_equal(settings->log_level, LOG_DEBUG);
	assert_string_equal(settings->policy.allow[0], "cap_add");
	assert_string_equal(settings->policy.bind_paths[0], "/srv/media");
}

static void
empty_values_mean_the_default(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "docker_socket:\nuser: \"\"\napi:\n"
				 "  server_names:\n  port: ~\nauth:\n"),
	    0);
	assert_string_equal(f->settings->docker_socket, "/var/run/docker.sock");
	assert_string_equal(f->settings->user, "flatrun");
	assert_null(f->settings->api.server_names[0]);
	assert_int_equal(f->settings->api.port, 8090);
}

static void
a_tilde_is_the_home_of_the_files_owner(void **state)
{
	struct fixture *f = *state;

	if (getuid() != 0)
		skip();
	setenv("HOME", "/nowhere", 1);
	assert_int_equal(load(f, "deployments_path: ~/apps\n"), 0);
	assert_string_equal(f->settings->deployments_path, "/root/apps");
}

static void
keys_of_the_product_without_use_here_are_known(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    load(f, "nginx: {image: nginx:alpine, external: false}\n"
		    "certbot:\n  renewal_threshold_days: 30\n"
		    "infrastructure:\n  redis: {port: 6379}\n"
		    "templates: {github: {enabled: true}}\n"
		    "cluster: [whatever]\n"),
	    0);
	assert_int_equal(f->warnings, 0);
	assert_refused(f, "certbot:\n  enabled: maybe\n",
	    "2: certbot.enabled: must be true or false");
}

static void
an_unknown_key_is_a_warning_with_its_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "api:\n  port: 1\n  prot: 2\n"), 0);
	assert_int_equal(f->warnings, 1);
	assert_int_equal(f->warning_line, 3);
	assert_string_equal(f->warning, "api.prot: unknown key, ignored");
}

static void
wrong_values_are_refused_with_line_and_key(void **state)
{
	struct fixture *f = *state;
	static const char *const cases[][2] = {
		{ "\napi:\n  port: 70000\n",
		    "3: api.port: must be from 1 to 65535" },
		{ "api:\n  port: \"80\"\n",
		    "2: api.port: must be a whole number" },
		{ "api:\n  port: 80.5\n",
		    "2: api.port: must be a whole number" },
		{ "api:\n  port: 99999999999999999999\n",
		    "2: api.port: must be a whole number" },
		{ "api: 5\n", "1: api: must be a group of keys" },
		{ "user: [a]\n", "1: user: must be a text" },
		{ "user: 'a;b'\n", "1: user: must be the name of a user" },
		{ "auth:\n  enabled: 'true'\n",
		    "2: auth.enabled: must be true or false" },
		{ "api:\n  server_names: a\n",
		    "2: api.server_names: must be a list" },
		{ "api:\n  server_names:\n  - ok.org\n  - 'a b'\n",
		    "4: api.server_names[1]: must be a host name or an IP "
		    "address" },
		{ "default_timeout: 30\n",
		    "1: default_timeout: must be a duration such as 30s, 2m "
		    "or 12h" },
		{ "default_timeout: 1s\n",
		    "1: default_timeout: must be from 10s to 86400s" },
		{ "files:\n  upload_max: much\n",
		    "2: files.upload_max: must be a size such as 65536, 512K, "
		    "64M or 2G" },
		{ "files:\n  upload_max: 64X\n",
		    "2: files.upload_max: must be a size such as 65536, 512K, "
		    "64M or 2G" },
		{ "files:\n  upload_max: 64Mi\n",
		    "2: files.upload_max: must be a size such as 65536, 512K, "
		    "64M or 2G" },
		{ "files:\n  upload_max: 1023K\n",
		    "2: files.upload_max: must be from 1M to 16384M" },
		{ "files:\n  archive_max: 99999999999999T\n",
		    "2: files.archive_max: must be from 1M to 1048576M" },
		{ "docker_socket: tcp://10.0.0.1:2375\n",
		    "1: docker_socket: must be unix:// and an absolute path; "
		    "Docker over TCP is not supported" },
		{ "api:\n  envelope: none\n",
		    "2: api.envelope: must be both, data or keys" },
		{ "state_directory: var/lib\n",
		    "1: state_directory: must be an absolute path of letters, "
		    "digits and . _ + @ -" },
		{ "api:\n  tls_port: 8090\n",
		    "2: api.tls_port: is the same as api.port" },
		{ "api:\n  certificate: /a.pem\n",
		    "2: api.certificate: needs api.certificate_key too" },
		{ "api:\n  certificate_key: /a.pem\n",
		    "2: api.certificate_key: needs api.certificate too" },
		{ "api:\n  enable_cors: true\n"
		  "  allowed_origins: ['*', 'https://a.org']\n",
		    "3: api.allowed_origins: has \"*\", so nothing else has a "
		    "place in it" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_refused(f, cases[i][0], cases[i][1]);
}

#define SHA256 \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
templates_come_from_directories_and_pinned_archives(void **state)
{
	struct fixture *f = *state;
	const struct settings_template_source *sources;

	assert_int_equal(
	    load(f, "infrastructure: {default_proxy_network: front}\n"
		    "templates:\n"
		    "  catalogue: /srv/catalogue\n"
		    "  sources:\n"
		    "    - {name: ours, path: /srv/templates}\n"
		    "    - name: far\n"
		    "      url: https://example.org/t.tar.gz\n"
		    "      sha256: " SHA256 "\n"
		    "      ca: /etc/ssl/ours.pem\n"),
	    0);
	assert_int_equal(f->warnings, 0);
	assert_string_equal(f->settings->proxy_network, "front");
	assert_string_equal(f->settings->templates.catalogue, "/srv/catalogue");
	assert_int_equal(f->settings->templates.source_count, 2);
	sources = f->settings->templates.sources;
	assert_string_equal(sources[0].name, "ours");
	assert_string_equal(sources[0].path, "/srv/templates");
	assert_null(sources[0].url);
	assert_null(sources[1].path);
	assert_string_equal(sources[1].url, "https://example.org/t.tar.gz");
	assert_string_equal(sources[1].sha256, SHA256);
	assert_string_equal(sources[1].ca, "/etc/ssl/ours.pem");
}

static void
a_source_of_templates_that_is_not_pinned_is_refused(void **state)
{
	static const char *const wrong[] = {
		"{name: a}",
		"{path: /a}",
		"{name: builtin, path: /a}",
		"{name: a, path: relative}",
		"{name: a, path: /a, url: 'https://b/c', sha256: " SHA256 "}",
		"{name: a, url: 'https://b/c'}",
		"{name: a, url: 'http://b/c', sha256: " SHA256 "}",
		"{name: a, url: 'https://b/c', sha256: abc}",
		"{name: a, path: /a, ca: /b}",
		"{name: a, path: /a, other: b}",
		"{name: a b, path: /a}",
		"{name: [a], path: /a}",
		"word",
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (load(f, arena_printf(&f->arena,
				"templates: {sources: [%s]}\n", wrong[i])) == 0)
			fail_msg("accepted: %s", wrong[i]);
	assert_refused(f, "templates: {sources: x}\n",
	    "1: templates.sources: must be a list of groups of keys");
	assert_refused(f,
	    "templates:\n  sources:\n    - {name: a, path: /a}\n"
	    "    - {name: a, path: /b}\n",
	    "4: templates.sources: must be sources of different names");
}

static void
a_file_that_reads_in_two_ways_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "user: a\napi: {}\nuser: b\n",
	    "3: user: is here twice, first on line 1");
	assert_refused(f, "api: {port: 1, port: 2}\n",
	    "1: port: is here twice, first on line 1");
	assert_refused(
	    f, "user: a\n---\nuser: b\n", "2: a second document begins here");
	assert_refused(
	    f, "user: &x a\napi: *x\n", "1: anchors are not allowed here");
	assert_refused(f, "user: *x\n", "1: aliases are not allowed here");
	assert_refused(
	    f, "user: !!binary aGk=\n", "1: tags are not allowed here");
	assert_refused(f, "<<: {a: b}\nx: {<<: 1, <<: 2}\n",
	    "2: <<: is here twice, first on line 2");
	assert_refused(
	    f, "- a\n", "1: the file must consist of 'key: value' lines");
	assert_refused(f, "? [a, b]\n: c\n", "1: a key must be a single word");
	assert_refused(f, "\xef\xbb\xbfuser: a\n",
	    "1: the file begins with a byte order mark");
	assert_refused(f, "user: \"\xff\"\n", "1: the file is not UTF-8 text");
	assert_refused(f, "user: \"a\\0b\"\n", "1: a NUL is not allowed");
	assert_int_equal(load_bytes(f, "user: a\0b\n", 10), -1);
}

static void
broken_yaml_is_refused_with_its_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "api:\n  port: [1\nx: y\n"), -1);
	assert_non_null(strstr(f->err.message, ":3: "));
	assert_int_equal(load(f, "a: b: c\n"), -1);
	assert_int_equal(load(f, "api:\n\tport: 1\n"), -1);
	assert_non_null(strstr(f->err.message, ":2: "));
}

static void
a_bomb_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	int64_t start_ms = clock_monotonic_ms();
	size_t size = 300 * 1024, i;
	char *text = malloc(size);

	memset(text, '[', size);
	assert_int_equal(load_bytes(f, text, 200 * 1024), -1);
	assert_non_null(strstr(f->err.message, "nested too deeply"));
	for (i = 0; i + 4 <= 200 * 1024; i += 4)
		memcpy(text + i, "- a\n", 4);
	assert_int_equal(load_bytes(f, text, 200 * 1024), -1);
	assert_non_null(strstr(f->err.message, "too many values"));
	memset(text, '#', size);
	assert_int_equal(load_bytes(f, text, size), -1);
	assert_non_null(strstr(f->err.message, "larger than 256 KiB"));
	assert_int_equal(load_bytes(f, text, 256 * 1024), 0);
	free(text);
	assert_true(clock_monotonic_ms() - start_ms < 2000);
}

static void
weak_secrets_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f,
	    "auth:\n  jwt_secret: Zk3vQ9tLw2Xr7Nb5Jd8Ph1Gs6Fy4Ca0\n",
	    "2: auth.jwt_secret: is shorter than 32 characters");
	assert_refused(f,
	    "auth:\n  jwt_secret: YOUR_secret_key_here_zk3vQ9tLw2Xr7\n",
	    "2: auth.jwt_secret: is a sample from documentation, and so known "
	    "to all");
	assert_refused(f,
	    "auth:\n  jwt_secret: abababababababababababababababababab\n",
	    "2: auth.jwt_secret: consists of too few different characters");
	assert_refused(f, "auth:\n  api_keys: [Vq2rT8mZ1xW4bN7]\n",
	    "2: auth.api_keys: has a key shorter than 16 characters");
	assert_refused(f, "auth:\n  api_keys: [your-api-key-1Vq2rT8m]\n",
	    "2: auth.api_keys: is a sample from documentation, and so known "
	    "to all");
	assert_refused(f,
	    "auth:\n  api_keys: [Vq2rT8mZ1xW4bN7c, Vq2rT8mZ1xW4bN7c]\n",
	    "2: auth.api_keys: has a key twice");
	assert_refused(f,
	    "auth:\n  api_keys: [Zk3vQ9tLw2Xr7Nb5Jd8Ph1Gs6Fy4Ca0q]\n"
	    "  jwt_secret: Zk3vQ9tLw2Xr7Nb5Jd8Ph1Gs6Fy4Ca0q\n",
	    "2: auth.api_keys: has a key that is the jwt_secret too");
	assert_int_equal(
	    load(f, "auth:\n  jwt_secret: Zk3vQ9tLw2Xr7Nb5Jd8Ph1Gs6Fy4Ca0q\n"),
	    0);
}

static void
authentication_is_off_on_loopback_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "auth: {enabled: false}\n"), -1);
	assert_int_equal(load(f, "auth: {enabled: false}\n"
				 "api: {host: 0.0.0.0, tls_port: 0}\n"),
	    -1);
	assert_int_equal(
	    load(f, "auth: {enabled: false}\napi: {tls_port: 0}\n"), 0);
	assert_int_equal(f->warnings, 1);
	assert_string_equal(f->warning,
	    "auth.enabled: is false: every local user is an administrator");
}

static void
what_others_may_touch_is_told(void **state)
{
	struct fixture *f = *state;
	const char *text = "auth: {api_keys: [Vq2rT8mZ1xW4bN7c]}\n";

	assert_int_equal(chmod(f->path, 0644), 0);
	assert_int_equal(load(f, text), 0);
	assert_int_equal(f->warnings, 1);
	assert_non_null(strstr(f->warning, "everybody may read"));
	assert_int_equal(chmod(f->path, 0640), 0);
	assert_int_equal(load(f, text), 0);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_int_equal(load(f, text), -1);
	assert_non_null(strstr(f->err.message, "written by everybody"));
}

static void
a_file_that_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(settings_load("/nonexistent/config.yml", &f->arena,
			     NULL, NULL, &f->settings, &f->err),
	    -1);
	assert_string_equal(f->err.message,
	    "/nonexistent/config.yml: No such file or directory");
	assert_int_equal(settings_load("/dev/null", &f->arena, NULL, NULL,
			     &f->settings, &f->err),
	    -1);
}

static void
grammar_takes_what_it_lists_and_nothing_else(void **state)
{
	static const struct {
		bool (*is_valid)(const char *text);
		const char *good[8], *bad[12];
	} cases[] = {
		{ path_is_valid, { "/", "/a/b.c", "/a_b+c@d-e/", "/..." },
		    { "", "a", "/a b", "/a/../b", "/..", "/a/.", "/a;b", "/$a",
			"/a\nb", "/a{b", "/a\"" } },
		{ host_name_is_valid,
		    { "a", "localhost", "a-b.example.org", "1.a" },
		    { "", ".", "a.", ".a", "-a", "a-", "a..b", "a_b", "1.2.3.4",
			"a b", "a;", "*.a" } },
		{ server_name_is_valid, { "a.org", "1.2.3.4", "::1", "1::2" },
		    { "1.2.3", "1.2.3.4.5", "[::1]", "a:80", "::1%lo", "~a" } },
		{ origin_is_valid,
		    { "http://a", "https://a.org:1", "http://127.0.0.1:65535",
			"https://[::1]:8443", "http://[::1]" },
		    { "a", "ftp://a", "null", "*", "http://", "http://a/",
			"http://a:0", "http://a:65536", "http://a:",
			"http://[::1", "http://u@a", "https://a\" b" } },
		{ network_is_valid, { "10.0.0.0/8", "::/0", "1.2.3.4" },
		    { "10.0.0.0/33", "::/129", "a/8", "10/8", "1.2.3.4/",
			"1.2.3.4/-1", "1.2.3.4/8;" } },
		{ user_is_valid, { "www-data", "_a", "a1" },
		    { "", "1a", "-a", "A", "a b", "a;", "root:x" } },
		{ listen_host_is_valid, { "0.0.0.0", "::", "localhost" },
		    { "example.org", "*", "[::]", "" } },
		{ word_is_valid, { "cap_add", "a.b-c" }, { "", "a b", "A" } },
		{ log_path_is_valid, { "off", "/var/log/a.log" },
		    { "on", "syslog:server=a", "/a b" } },
		{ network_name_is_valid, { "proxy", "a-b_c.d", "0a" },
		    { "", "a", "-a", ".a", "a b", "a/b", "a;" } },
		{ https_url_is_valid,
		    { "https://a/", "https://a.b:1/c?d=%20e",
			"https://[::1]/a" },
		    { "http://a/", "https://a", "https:///a", "https://u@a/",
			"https://a b/", "https://a/ b", "https://a/\n",
			"https://a/#b", "https://a:0/", "file:///a" } },
		{ host_is_loopback, { "127.0.0.1", "127.9.9.9", "::1" },
		    { "0.0.0.0", "128.0.0.1", "::", "a" } },
	};
	char long_path[300];
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (j = 0; j < 8 && cases[i].good[j] != NULL; j++)
			if (!cases[i].is_valid(cases[i].good[j]))
				fail_msg("%zu refuses %s", i, cases[i].good[j]);
		for (j = 0; j < 12 && cases[i].bad[j] != NULL; j++)
			if (cases[i].is_valid(cases[i].bad[j]))
				fail_msg("%zu takes %s", i, cases[i].bad[j]);
	}
	memset(long_path, 'a', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	long_path[0] = '/';
	assert_false(path_is_valid(long_path));
	assert_false(host_name_is_valid(long_path + 1));
}

#define TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_file_gives_the_defaults),
		TEST(values_go_where_they_belong),
		TEST(empty_values_mean_the_default),
		TEST(a_tilde_is_the_home_of_the_files_owner),
		TEST(keys_of_the_product_without_use_here_are_known),
		TEST(an_unknown_key_is_a_warning_with_its_line),
		TEST(wrong_values_are_refused_with_line_and_key),
		TEST(templates_come_from_directories_and_pinned_archives),
		TEST(a_source_of_templates_that_is_not_pinned_is_refused),
		TEST(a_file_that_reads_in_two_ways_is_refused),
		TEST(broken_yaml_is_refused_with_its_line),
		TEST(a_bomb_is_refused_at_once),
		TEST(weak_secrets_are_refused),
		TEST(authentication_is_off_on_loopback_only),
		TEST(what_others_may_touch_is_told),
		TEST(a_file_that_is_not_there_is_named),
		TEST(grammar_takes_what_it_lists_and_nothing_else),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
