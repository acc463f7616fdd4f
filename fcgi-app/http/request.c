#include "http/request.h"

#include "base/file.h"
#include "base/utf8.h"
#include "http/route.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WAIT_MAXIMUM_S 600

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* Decodes %XX (and '+' in queries) once; NULL for what no text may hold. */
static const char *
decode(struct arena *arena, const char *text, size_t length, bool plus)
{
	char *decoded = arena_alloc(arena, length + 1), *out = decoded;
	size_t i;

	for (i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '%') {
			int high = -1, low = -1;

			if (length - i > 2) {
				high = hex_value(text[i + 1]);
				low = hex_value(text[i + 2]);
			}
			if (high < 0 || low < 0)
				return NULL;
			byte = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (byte == '+' && plus) {
			byte = ' ';
		}
		if (byte < 0x20 || byte == 0x7F)
			return NULL;
		*out++ = (char)byte;
	}
	return utf8_is_valid(decoded, (size_t)(out - decoded)) ? decoded : NULL;
}

static int
split_path(
    struct request *request, const char *path, size_t length, struct error *err)
{
	const char *end = path + length;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t size = (size_t)((slash ? slash : end) - path);
		const char *segment;

		if (size == 0 && slash != NULL)
			return error_set(err, ERR_NOT_FOUND, NULL,
			    "there is nothing at this path");
		segment = decode(request->arena, path, size, false);
		if (segment == NULL)
			return error_set(err, ERR_INVALID, "INVALID_PATH",
			    "the path has an invalid encoding");
		if (request->segment_count == SEGMENT_MAXIMUM)
			return error_set(err, ERR_NOT_FOUND, NULL,
			    "there is nothing at this path");
		request->segments[request->segment_count++] = segment;
		path += size + 1;
	}
	return 0;
}

static int
split_query(struct request *request, const char *query, struct error *err)
{
	while (*query != '\0') {
		size_t size = strcspn(query, "&");
		const char *equals = memchr(query, '=', size);
		size_t name_size = equals ? (size_t)(equals - query) : size;
		struct pair pair;

		if (size > 0) {
			pair.name =
			    decode(request->arena, query, name_size, true);
			pair.value = equals ? decode(request->arena, equals + 1,
						  size - name_size - 1, true)
					    : "";
			if (pair.name == NULL || pair.value == NULL ||
			    request->query_count == QUERY_MAXIMUM)
				return error_set(err, ERR_INVALID,
				    "INVALID_QUERY",
				    "the query has an invalid encoding or too "
				    "many parameters");
			request->query[request->query_count++] = pair;
		}
		query += size;
		query += *query == '&';
	}
	return 0;
}

int
request_parse_uri(struct request *request, const char *uri, struct error *err)
{
	size_t length;

	/* The absolute form (RFC 9112, section 3.2.2) names the host again. */
	if (strncasecmp(uri, "http://", 7) == 0 ||
	    strncasecmp(uri, "https://", 8) == 0) {
		uri = strchr(uri, ':') + 3;
		uri += strcspn(uri, "/?");
	}
	length = strcspn(uri, "?");
	if (length < 4 || strncmp(uri, "/api", 4) != 0 ||
	    (length > 4 && uri[4] != '/'))
		return error_set(
		    err, ERR_NOT_FOUND, NULL, "there is nothing at this path");
	if (length > 5 && split_path(request, uri + 5, length - 5, err) < 0)
		return -1;
	return uri[length] == '?' ? split_query(request, uri + length + 1, err)
				  : 0;
}

const char *
request_id_choose(struct arena *arena, const char *given)
{
	char digits[33];
	size_t length;

	if (given != NULL) {
		length = strspn(given,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		    "0123456789._-");
		if (length >= 1 && length <= 64 && given[length] == '\0')
			return given;
	}
	random_hex(digits, 32);
	return arena_strdup(arena, digits);
}

static const char *
find_pair(const struct pair *pairs, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

const char *
request_parameter(const struct request *request, const char *name)
{
	return find_pair(request->parameters, request->parameter_count, name);
}

const char *
request_query(const struct request *request, const char *name)
{
	return find_pair(request->query, request->query_count, name);
}

int
request_query_integer(const struct request *request, const char *name,
    int64_t fallback, int64_t minimum, int64_t maximum, int64_t *out,
    struct error *err)
{
	const char *text = request_query(request, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	int64_t value;

	*out = fallback;
	if (text == NULL)
		return 0;
	value = digits > 0 && digits <= 9 ? strtoll(text, NULL, 10) : -1;
	if (digits == 0 || digits > 9 || text[digits] != '\0' ||
	    value < minimum || value > maximum)
		return error_field(err, name, NULL, "%s must be %lld to %lld",
		    name, (long long)minimum, (long long)maximum);
	*out = value;
	return 0;
}

int
request_query_boolean(const struct request *request, const char *name,
    bool fallback, bool *out, struct error *err)
{
	const char *text = request_query(request, name);

	*out = fallback;
	if (text == NULL)
		return 0;
	if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		*out = true;
	else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		*out = false;
	else
		return error_field(
		    err, name, NULL, "%s must be true or false", name);
	return 0;
}

int
request_decode(struct request *request, void *out, struct error *err)
{
	if (request->json == NULL)
		return 0;
	return fields_decode(
	    request->route->body, request->json, request->arena, out, err);
}

int64_t
request_wait_ms(const struct request *request, int64_t fallback_ms)
{
	const char *at = request->prefer;
	long seconds;

	while (at != NULL && *at != '\0') {
		at += strspn(at, " \t,;");
		if (strncasecmp(at, "respond-async", 13) == 0 &&
		    strchr(" \t,;=", at[13]) != NULL)
			return 0;
		if (strncasecmp(at, "wait=", 5) == 0 && at[5] >= '0' &&
		    at[5] <= '9') {
			seconds = strtol(at + 5, NULL, 10);
			if (seconds > WAIT_MAXIMUM_S)
				seconds = WAIT_MAXIMUM_S;
			fallback_ms = seconds * 1000;
		}
		at += strcspn(at, ",;");
	}
	return fallback_ms;
}

void
request_close_store(struct request *request)
{
	if (request->thread_store != NULL)
		store_close(TAKE(*request->thread_store));
	request->store = NULL;
}
