#include "http/body.h"

#include "app.h"
#include "http/connection.h"
#include "http/route.h"
#include "settings/settings.h"

#include <string.h>
#include <strings.h>

/* The media type without its parameters. */
static bool
type_is(const char *type, const char *wanted)
{
	size_t length = strlen(wanted);

	return strncasecmp(type, wanted, length) == 0 &&
	       strchr("; \t", type[length]) != NULL;
}

static bool
has_credentials(const struct request *request)
{
	return (request->authorization != NULL &&
		   *request->authorization != '\0') ||
	       (request->api_key != NULL && *request->api_key != '\0');
}

static bool
is_binary(const char *type)
{
	static const char *const binary[] = { "application/octet-stream",
		"application/gzip", "application/x-gzip", "application/x-tar" };
	size_t i;

	for (i = 0; i < sizeof binary / sizeof binary[0]; i++)
		if (type_is(type, binary[i]))
			return true;
	return false;
}

static int
check_type(const struct request *request, struct error *err)
{
	const char *type = request->content_type ? request->content_type : "";
	bool is_form = type_is(type, "multipart/form-data");

	if (strcmp(request->method, "PUT") == 0 ? !is_form : is_binary(type))
		return 0;
	if (is_form && strcmp(request->method, "POST") == 0) {
		if (has_credentials(request))
			return 0;
		return error_set(err, ERR_MEDIA_TYPE, NULL,
		    "multipart/form-data is taken with an Authorization header "
		    "only");
	}
	return error_set(err, ERR_MEDIA_TYPE, NULL,
	    "the body has a media type that is not taken here");
}

int
body_begin(struct request *request, struct error *err)
{
	int64_t maximum = request->app->settings->files.upload_max_bytes;

	if (request->content_length > maximum + BODY_ENVELOPE_MAXIMUM)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "the body is larger than %lld bytes", (long long)maximum);
	if (check_type(request, err) < 0)
		return -1;
	return 0;
}

int
body_read(struct request *request, char *bytes, size_t size, size_t *out_got,
    struct error *err)
{
	if (request->body_left < (int64_t)size)
		size = request->body_left > 0 ? (size_t)request->body_left : 0;
	*out_got = size > 0
		       ? connection_read_some(request->connection, bytes, size)
		       : 0;
	request->body_left -= (int64_t)*out_got;
	if (size == 0 || *out_got > 0)
		return 0;
	request->body_left = 0;
	return error_set(err, ERR_INVALID, NULL,
	    "the body is shorter than Content-Length says");
}

void
body_discard(struct request *request)
{
	char chunk[16384];
	struct error ignored;
	size_t got;

	if (request->route == NULL || !request->route->raw_body)
		return;
	while (body_read(request, chunk, sizeof chunk, &got, &ignored) == 0 &&
	       got > 0)
		;
}
