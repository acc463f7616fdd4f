#include "admin/site.h"

#include "admin/template.h"
#include "settings/grammar.h"

#include <ctype.h>
#include <string.h>

/* A job may take as long as a client may wait, and then some. */
#define WAIT_MAXIMUM_S 600
#define READ_MARGIN_S 60

/* What multipart/form-data puts around a file. */
#define UPLOAD_ENVELOPE 65536

static int
fail(struct error *err, const char *key)
{
	return error_set(err, ERR_INVALID, "CONFIG_INVALID",
	    "%s: has a value that has no place in nginx's configuration", key);
}

static const char *
number(struct arena *arena, int64_t value)
{
	return arena_printf(arena, "%lld", (long long)value);
}

/* "::" is all addresses, IPv4 included; a name could be two of them. */
static const char *
listen_address(struct arena *arena, const char *host, int64_t port)
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (strchr(host, ':') == NULL)
		return arena_printf(arena, "%s:%lld", host, (long long)port);
	return arena_printf(arena, "[%s]:%lld%s", host, (long long)port,
	    strcmp(host, "::") == 0 ? " ipv6only=off" : "");
}

/*
 * A pattern that matches this text alone. Patterns and not plain keys, since
 * long keys need larger hash tables, and those are set for all of nginx.
 */
static void
append_pattern(struct buffer *out, const char *text)
{
	buffer_text(out, "\t\"~^");
	for (; *text != '\0'; text++) {
		if (strchr(".[]", *text) != NULL)
			buffer_char(out, '\\');
		buffer_char(out, (char)tolower((unsigned char)*text));
	}
	buffer_text(out, "$\" ");
}

static void
append_value(struct buffer *out, const char *text)
{
	buffer_char(out, '"');
	for (; *text != '\0'; text++)
		buffer_char(out, (char)tolower((unsigned char)*text));
	buffer_char(out, '"');
}

/* The lines without the last line's end: the template has one. */
static const char *
finish_lines(struct buffer *text, struct arena *arena)
{
	if (text->length > 0)
		buffer_truncate(text, text->length - 1);
	return arena_strdup(arena, buffer_string(text));
}

static int
known_hosts(const struct settings *settings, struct arena *arena,
    const char **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(SITE_MAXIMUM);
	const char *const *names = settings->api.server_names;
	size_t i;

	for (i = 0; names[i] != NULL; i++) {
		if (!server_name_is_valid(names[i]))
			return fail(err, "api.server_names");
		append_pattern(
		    &text, strchr(names[i], ':') == NULL
			       ? names[i]
			       : arena_printf(arena, "[%s]", names[i]));
		buffer_text(&text, "\"\";\n");
	}
	*out = i == 0 ? NULL : finish_lines(&text, arena);
	return 0;
}

static int
cors_origins(const struct settings *settings, struct arena *arena,
    const char **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(SITE_MAXIMUM);
	const char *const *origins = settings->api.allowed_origins;
	size_t i;

	if (origins[0] != NULL && strcmp(origins[0], "*") == 0) {
		*out = "\tdefault \"*\";\n\t\"\" \"\";\n\tnull \"\";";
		return 0;
	}
	buffer_text(&text, "\tdefault \"\";\n");
	for (i = 0; origins[i] != NULL; i++) {
		if (!origin_is_valid(origins[i]))
			return fail(err, "api.allowed_origins");
		append_pattern(&text, origins[i]);
		append_value(&text, origins[i]);
		buffer_text(&text, ";\n");
	}
	*out = finish_lines(&text, arena);
	return 0;
}

static int
trusted_proxies(const struct settings *settings, struct arena *arena,
    const char **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(SITE_MAXIMUM);
	const char *const *networks = settings->api.trusted_proxies;
	size_t i;

	for (i = 0; networks[i] != NULL; i++) {
		if (!network_is_valid(networks[i]))
			return fail(err, "api.trusted_proxies");
		buffer_printf(&text, "\tset_real_ip_from %s;\n", networks[i]);
	}
	*out = i == 0 ? NULL : finish_lines(&text, arena);
	return 0;
}

static bool
port_is_valid(int64_t port)
{
	return port >= 1 && port <= UINT16_MAX;
}

static int
check_values(
    const struct settings *settings, struct arena *arena, struct error *err)
{
	if (!run_path_is_valid(settings->run_directory))
		return fail(err, "run_directory");
	if (!listen_host_is_valid(settings->api.host))
		return fail(err, "api.host");
	if (!port_is_valid(settings->api.port))
		return fail(err, "api.port");
	if (!path_is_valid(settings->nginx.vhost_directory))
		return fail(err, "nginx.vhost_directory");
	if (!log_path_is_valid(settings->nginx.access_log))
		return fail(err, "nginx.access_log");
	if (settings->api.tls_port == 0)
		return 0;
	if (!listen_host_is_valid(settings->api.tls_host))
		return fail(err, "api.tls_host");
	if (!port_is_valid(settings->api.tls_port))
		return fail(err, "api.tls_port");
	if (!path_is_valid(site_certificate(settings, arena)))
		return fail(err, "api.certificate");
	if (!path_is_valid(site_certificate_key(settings, arena)))
		return fail(err, "api.certificate_key");
	return 0;
}

const char *
site_certificate(const struct settings *settings, struct arena *arena)
{
	return *settings->api.certificate != '\0'
		   ? settings->api.certificate
		   : arena_printf(arena, "%s/tls/certificate.pem",
			 settings->state_directory);
}

const char *
site_certificate_key(const struct settings *settings, struct arena *arena)
{
	return *settings->api.certificate_key != '\0'
		   ? settings->api.certificate_key
		   : arena_printf(
			 arena, "%s/tls/key.pem", settings->state_directory);
}

int
site_render(const struct settings *settings, const char *template,
    struct arena *arena, struct buffer *out, struct error *err)
{
	const char *hosts = NULL, *origins = NULL, *proxies = NULL;
	int64_t wait_s = settings->api.wait_seconds;
	bool any_origin = settings->api.allowed_origins[0] != NULL &&
			  strcmp(settings->api.allowed_origins[0], "*") == 0;
	bool logged = strcmp(settings->nginx.access_log, "off") != 0;

	if (check_values(settings, arena, err) < 0 ||
	    known_hosts(settings, arena, &hosts, err) < 0 ||
	    cors_origins(settings, arena, &origins, err) < 0 ||
	    trusted_proxies(settings, arena, &proxies, err) < 0)
		return -1;
	if (wait_s < WAIT_MAXIMUM_S)
		wait_s = WAIT_MAXIMUM_S;
	const struct template_value values[] = {
		{ "run", settings->run_directory },
		{ "server_names", hosts },
		{ "known_hosts", hosts },
		{ "cors", settings->api.enable_cors ? "" : NULL },
		{ "cors_origins", origins },
		{ "cors_credentials", any_origin ? "\"\"" : "true" },
		{ "rate_limit", settings->api.rate_per_second > 0 ? "" : NULL },
		{ "rate_per_second",
		    number(arena, settings->api.rate_per_second) },
		{ "rate_burst", number(arena, settings->api.rate_burst) },
		{ "login_per_minute",
		    number(arena, settings->api.login_per_minute) },
		{ "login_burst",
		    number(arena, settings->api.login_per_minute / 2 + 1) },
		{ "streams_per_address",
		    number(arena, settings->api.streams_per_address) },
		{ "streams", number(arena, settings->api.streams) },
		{ "access_log", logged ? "" : NULL },
		{ "access_log_path", settings->nginx.access_log },
		{ "listen", listen_address(arena, settings->api.host,
				settings->api.port) },
		{ "tls", settings->api.tls_port > 0 ? "" : NULL },
		{ "tls_listen", listen_address(arena, settings->api.tls_host,
				    settings->api.tls_port) },
		{ "certificate", site_certificate(settings, arena) },
		{ "certificate_key", site_certificate_key(settings, arena) },
		{ "trusted_proxies", proxies },
		{ "read_timeout_s", number(arena, wait_s + READ_MARGIN_S) },
		{ "upload_maximum",
		    number(arena,
			settings->files.upload_max_bytes + UPLOAD_ENVELOPE) },
		{ "vhost_directory", settings->nginx.vhost_directory },
		{ 0 },
	};
	return template_fill(template, values, out, err);
}
