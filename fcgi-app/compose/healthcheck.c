#include "compose/healthcheck.h"

#include "base/clock.h"

#include <string.h>

#define PATH_MAXIMUM 1024
#define DOMAIN_MAXIMUM 253
#define INTERVAL_MINIMUM_MS 1000

static const char *
text_or_null(struct json_object *object, const char *name)
{
	const char *text = json_text(object, name);

	return text != NULL && *text != '\0' ? text : NULL;
}

/* People write service.yml by hand too: nothing here has been checked. */
static bool
path_is_sound(const char *path)
{
	size_t i;

	if (path == NULL || path[0] != '/' || strlen(path) > PATH_MAXIMUM)
		return false;
	for (i = 0; path[i] != '\0'; i++)
		if (path[i] <= ' ' || path[i] > '~')
			return false;
	return true;
}

static const char *
read_host(struct json_object *networking)
{
	const char *domain = text_or_null(networking, "domain");
	size_t length = domain != NULL ? strlen(domain) : 0;

	if (length == 0 || length > DOMAIN_MAXIMUM ||
	    strspn(domain,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789.-") != length)
		return NULL;
	return domain;
}

static void
read_statuses(struct json_object *check, struct healthcheck *out)
{
	struct json_object *list = json_member(check, "success_statuses");
	size_t count, i;

	if (!json_object_is_type(list, json_type_array))
		return;
	count = json_object_array_length(list);
	for (i = 0;
	     i < count && out->status_count < HEALTHCHECK_STATUSES_MAXIMUM;
	     i++) {
		int status =
		    json_object_get_int(json_object_array_get_idx(list, i));

		if (status >= 100 && status <= 599)
			out->statuses[out->status_count++] = status;
	}
}

static int64_t
read_interval(struct json_object *check, int64_t default_ms)
{
	const char *text = text_or_null(check, "interval");
	int64_t interval_ms;

	if (text == NULL || clock_parse_duration(text, &interval_ms) < 0)
		return default_ms;
	return interval_ms > INTERVAL_MINIMUM_MS ? interval_ms
						 : INTERVAL_MINIMUM_MS;
}

static bool
is_asked_for(struct json_object *networking, const char *type)
{
	if (type != NULL)
		return strcmp(type, "http") == 0 || strcmp(type, "tcp") == 0;
	return json_boolean(networking, "expose", false);
}

bool
healthcheck_read(struct json_object *metadata, int64_t default_interval_ms,
    struct healthcheck *out)
{
	struct json_object *check = json_member(metadata, "healthcheck");
	struct json_object *networking = json_member(metadata, "networking");
	const char *type = text_or_null(check, "type");
	int64_t port = json_int(check, "port", 0);

	if (port == 0)
		port = json_int(networking, "container_port", 0);
	*out = (struct healthcheck){
		.is_tcp = type != NULL && strcmp(type, "tcp") == 0,
		.path = text_or_null(check, "path"),
		.service = text_or_null(check, "service"),
		.host = read_host(networking),
		.contains = text_or_null(check, "response_contains"),
		.port = port >= 1 && port <= 65535 ? (int)port : 0,
		.interval_ms = read_interval(check, default_interval_ms),
	};
	if (out->service == NULL)
		out->service = text_or_null(networking, "service");
	read_statuses(check, out);
	return out->service != NULL && out->port != 0 &&
	       (out->is_tcp || path_is_sound(out->path)) &&
	       is_asked_for(networking, type);
}
