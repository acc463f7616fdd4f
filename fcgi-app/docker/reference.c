/* The grammar of image references, byte by byte. */
#include "docker/reference.h"

#include <ctype.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define REFERENCE_MAXIMUM 255
#define DEFAULT_HOST "docker.io"

/* [a-z0-9]+ parts with one of ".", "_", "__" or any number of "-" between. */
static bool
is_path_component(const char *text, size_t length)
{
	size_t at = 0, start;

	for (;;) {
		start = at;
		while (at < length && strchr(LOWER DIGITS, text[at]) != NULL)
			at++;
		if (at == start)
			return false;
		if (at == length)
			return true;
		start = at;
		while (at < length && text[at] == text[start] &&
		       strchr("._-", text[at]) != NULL)
			at++;
		if (at == start ||
		    at - start > (text[start] == '.'      ? 1U
				     : text[start] == '_' ? 2U
							  : length))
			return false;
	}
}

static bool
is_path(const char *text, size_t length)
{
	for (;;) {
		const char *slash = memchr(text, '/', length);
		size_t part = slash != NULL ? (size_t)(slash - text) : length;

		if (!is_path_component(text, part))
			return false;
		if (slash == NULL)
			return true;
		text += part + 1;
		length -= part + 1;
	}
}

static bool
is_port(const char *text, size_t length)
{
	return length >= 1 && length <= 5 && strspn(text, DIGITS) >= length;
}

static bool
is_host(const char *text, size_t length)
{
	for (;;) {
		const char *dot = memchr(text, '.', length);
		size_t label = dot != NULL ? (size_t)(dot - text) : length;

		if (label == 0 || *text == '-' || text[label - 1] == '-' ||
		    strspn(text, UPPER LOWER DIGITS "-") < label)
			return false;
		if (dot == NULL)
			return true;
		text += label + 1;
		length -= label + 1;
	}
}

/* Labels of a host's name, or an address in brackets; with a port or not. */
static bool
is_registry(const char *text, size_t length)
{
	const char *colon;

	if (*text == '[') {
		size_t inside = strspn(text + 1, "0123456789abcdefABCDEF:") + 1;

		if (inside < 3 || inside >= length || text[inside] != ']')
			return false;
		return inside + 1 == length ||
		       (text[inside + 1] == ':' &&
			   is_port(text + inside + 2, length - inside - 2));
	}
	colon = memchr(text, ':', length);
	if (colon != NULL) {
		size_t host = (size_t)(colon - text);

		if (!is_port(colon + 1, length - host - 1))
			return false;
		length = host;
	}
	return is_host(text, length);
}

/* What is before the first slash names a registry when no path could. */
static bool
begins_with_registry(const char *text, size_t length)
{
	size_t i;

	if (length == 9 && memcmp(text, "localhost", 9) == 0)
		return true;
	for (i = 0; i < length; i++)
		if (strchr(".:[" UPPER, text[i]) != NULL)
			return true;
	return false;
}

static bool
is_digest(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t length;

	if (colon == NULL || colon == text || !isalpha((unsigned char)*text) ||
	    strspn(text, UPPER LOWER DIGITS "-_+.") < (size_t)(colon - text))
		return false;
	length = strlen(colon + 1);
	return length >= 32 &&
	       strspn(colon + 1, DIGITS "abcdefABCDEF") == length;
}

static bool
is_tag(const char *text, size_t length)
{
	return length >= 1 && length <= 128 && *text != '.' && *text != '-' &&
	       strspn(text, UPPER LOWER DIGITS "_.-") >= length;
}

/* A reference cut into its parts; those it does not have are NULL. */
struct parts {
	const char *host, *path, *tag, *digest;
	size_t host_length, name_length, path_length, tag_length;
};

static void
cut(const char *text, struct parts *out)
{
	const char *slash, *colon;
	size_t length = strcspn(text, "@");

	memset(out, 0, sizeof *out);
	if (text[length] == '@')
		out->digest = text + length + 1;
	slash = memrchr(text, '/', length);
	colon = memrchr(text, ':', length);
	if (colon != NULL && (slash == NULL || colon > slash)) {
		out->tag = colon + 1;
		out->tag_length = length - (size_t)(out->tag - text);
		length = (size_t)(colon - text);
	}
	out->name_length = length;
	slash = memchr(text, '/', length);
	out->path = text;
	if (slash != NULL &&
	    begins_with_registry(text, (size_t)(slash - text))) {
		out->host = text;
		out->host_length = (size_t)(slash - text);
		out->path = slash + 1;
	}
	out->path_length = length - (size_t)(out->path - text);
}

static bool
read_parts(const char *text, struct parts *out)
{
	if (*text == '\0' || strlen(text) > REFERENCE_MAXIMUM)
		return false;
	cut(text, out);
	return (out->host == NULL ||
		   is_registry(out->host, out->host_length)) &&
	       is_path(out->path, out->path_length) &&
	       (out->tag == NULL || is_tag(out->tag, out->tag_length)) &&
	       (out->digest == NULL || is_digest(out->digest));
}

bool
docker_reference_is_valid(const char *text)
{
	struct parts parts;

	return read_parts(text, &parts);
}

bool
docker_registry_host_is_valid(const char *host)
{
	size_t length = strlen(host);

	return length > 0 && length <= REFERENCE_MAXIMUM &&
	       is_registry(host, length);
}

bool
docker_image_is_valid(const char *text)
{
	const char *digits = text;
	size_t length;

	if (strncmp(text, "sha256:", 7) == 0)
		digits += 7;
	length = strlen(digits);
	return (length >= 4 && length <= 64 &&
		   strspn(digits, DIGITS "abcdef") == length) ||
	       docker_reference_is_valid(text);
}

const char *
docker_registry_host(const char *address, struct arena *arena)
{
	static const char *const hub[] = { "index." DEFAULT_HOST,
		"registry-1." DEFAULT_HOST, "registry." DEFAULT_HOST };
	char *host, *at;
	size_t i;

	if (strncmp(address, "https://", 8) == 0)
		address += 8;
	else if (strncmp(address, "http://", 7) == 0)
		address += 7;
	host = arena_strndup(arena, address, strcspn(address, "/"));
	for (at = host; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	for (i = 0; i < sizeof hub / sizeof hub[0]; i++)
		if (strcmp(host, hub[i]) == 0)
			return DEFAULT_HOST;
	return docker_registry_host_is_valid(host) ? host : NULL;
}

/* Docker Hub has several names, and images of its own below "library/". */
static void
name_registry(const struct parts *parts, struct arena *arena,
    struct docker_reference *out)
{
	out->host = DEFAULT_HOST;
	if (parts->host != NULL)
		out->host =
		    arena_strndup(arena, parts->host, parts->host_length);
	if (strcmp(out->host, "index." DEFAULT_HOST) == 0)
		out->host = DEFAULT_HOST;
	out->path = arena_strndup(arena, parts->path, parts->path_length);
	if (strcmp(out->host, DEFAULT_HOST) == 0 &&
	    strchr(out->path, '/') == NULL)
		out->path = arena_printf(arena, "library/%s", out->path);
}

int
docker_reference_parse(const char *text, struct arena *arena,
    struct docker_reference *out, struct error *err)
{
	struct parts parts;

	if (!read_parts(text, &parts))
		return error_field(err, "name", "INVALID_IMAGE",
		    "name must be " REFERENCE_EXPECTED);
	name_registry(&parts, arena, out);
	out->name = arena_strndup(arena, text, parts.name_length);
	out->digest = arena_strdup(arena, parts.digest ? parts.digest : "");
	out->tag = parts.digest != NULL ? "" : "latest";
	if (parts.tag != NULL)
		out->tag = arena_strndup(arena, parts.tag, parts.tag_length);
	return 0;
}

const char *
docker_reference_canonical(
    const struct docker_reference *reference, struct arena *arena)
{
	bool has_digest = reference->digest[0] != '\0';

	return arena_printf(arena, "%s/%s%c%s", reference->host,
	    reference->path, has_digest ? '@' : ':',
	    has_digest ? reference->digest : reference->tag);
}

bool
docker_reference_is_latest(const char *text, struct arena *arena)
{
	struct docker_reference parts;
	struct error ignored;

	return docker_reference_parse(text, arena, &parts, &ignored) == 0 &&
	       parts.digest[0] == '\0' && strcmp(parts.tag, "latest") == 0;
}
