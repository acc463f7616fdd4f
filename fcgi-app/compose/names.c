/* The grammar of names, byte by byte. */
#include "compose/compose.h"

#include <ctype.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool
compose_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 63 && *name != '-' && *name != '_' &&
	       strspn(name, LOWER DIGITS "_-") == length;
}

bool
compose_variable_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 128 && strchr(DIGITS, *name) == NULL &&
	       strspn(name, UPPER LOWER DIGITS "_") == length;
}

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
is_tag(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= 128 && *text != '.' && *text != '-' &&
	       strspn(text, UPPER LOWER DIGITS "_.-") == length;
}

bool
compose_image_is_valid(const char *image)
{
	size_t length = strlen(image);
	const char *digest = strchr(image, '@'), *slash, *tag;

	if (length == 0 || length > 255 ||
	    (digest != NULL && !is_digest(digest + 1)))
		return false;
	if (digest != NULL)
		length = (size_t)(digest - image);
	slash = memrchr(image, '/', length);
	tag = memrchr(image, ':', length);
	if (tag != NULL && (slash == NULL || tag > slash)) {
		char text[256];

		memcpy(text, tag + 1, length - (size_t)(tag + 1 - image));
		text[length - (size_t)(tag + 1 - image)] = '\0';
		if (!is_tag(text))
			return false;
		length = (size_t)(tag - image);
	}
	slash = memchr(image, '/', length);
	if (slash != NULL &&
	    begins_with_registry(image, (size_t)(slash - image))) {
		if (!is_registry(image, (size_t)(slash - image)))
			return false;
		length -= (size_t)(slash + 1 - image);
		image = slash + 1;
	}
	return is_path(image, length);
}
