#include "handlers/uploads.h"

#include "app.h"
#include "base/utf8.h"
#include "http/body.h"
#include "http/multipart.h"
#include "jobs/files.h"
#include "settings/settings.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#define CHUNK_BYTES ((size_t)16 * 1024)
#define FIELD_BYTES_MAXIMUM ((size_t)4096)

static int
read_from_body(
    void *context, char *bytes, size_t size, size_t *out_got, struct error *err)
{
	return body_read(context, bytes, size, out_got, err);
}

static int
read_from_part(
    void *context, char *bytes, size_t size, size_t *out_got, struct error *err)
{
	return multipart_read(context, bytes, size, out_got, err);
}

/* Sends what the source gives until its end. */
static int
send_file(struct request *request, multipart_source *source, void *context,
    const char **out_token, struct error *err)
{
	struct files_upload upload;
	char chunk[CHUNK_BYTES];
	size_t got = 1;

	if (files_upload_begin(
		request->app->settings->run_directory, &upload, err) < 0)
		return -1;
	while (got > 0) {
		if (source(context, chunk, sizeof chunk, &got, err) < 0) {
			files_upload_abandon(&upload);
			return -1;
		}
		if (files_upload_send(&upload, chunk, got, err) < 0)
			return -1;
	}
	return files_upload_end(&upload, request->arena, out_token, err);
}

/* What some clients send is a path of their own machine. */
static const char *
plain_name(struct request *request, const char *filename)
{
	const char *at = filename, *name = filename;

	if (filename == NULL)
		return NULL;
	for (; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7F)
			return NULL;
		if (*at == '/' || *at == '\\')
			name = at + 1;
	}
	if (*name == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strlen(name) > NAME_MAX ||
	    !utf8_is_valid(name, strlen(name)))
		return NULL;
	return arena_strdup(request->arena, name);
}

static int
read_field(struct request *request, struct multipart *multipart,
    const char *name, struct upload *out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(FIELD_BYTES_MAXIMUM);
	char chunk[1024];
	size_t got = 1;

	while (got > 0) {
		if (multipart_read(multipart, chunk, sizeof chunk, &got, err) <
		    0)
			return -1;
		buffer_append(&text, chunk, got);
	}
	if (text.overflowed || out->field_count == UPLOAD_FIELDS_MAXIMUM ||
	    !utf8_is_valid(buffer_string(&text), text.length) ||
	    strlen(buffer_string(&text)) != text.length)
		return 0;
	out->fields[out->field_count++] = (struct pair){ .name = name,
		.value = arena_strdup(request->arena, buffer_string(&text)) };
	return 0;
}

static int
read_parts(struct request *request, struct multipart *multipart,
    const char *field, struct upload *out, struct error *err)
{
	struct multipart_part part;
	bool found;

	for (;;) {
		if (multipart_next(multipart, &part, &found, err) < 0)
			return -1;
		if (!found)
			break;
		if (strcmp(part.name, field) != 0) {
			if (part.filename == NULL &&
			    read_field(
				request, multipart, part.name, out, err) < 0)
				return -1;
			continue;
		}
		if (out->token != NULL)
			return error_field(err, field, NULL,
			    "the form has more than one '%s'", field);
		if (send_file(request, read_from_part, multipart, &out->token,
			err) < 0)
			return -1;
		out->filename = plain_name(request, part.filename);
	}
	return out->token != NULL
		   ? 0
		   : error_field(err, field, NULL,
			 strcmp(field, "file") == 0 ? "No file provided"
						    : "No archive provided");
}

int
upload_read(struct request *request, const char *field, struct upload *out,
    struct error *err)
{
	const char *type = request->content_type ? request->content_type : "";
	struct multipart *multipart;

	*out = (struct upload){ .token = NULL };
	if (strncasecmp(type, "multipart/", 10) != 0)
		return send_file(
		    request, read_from_body, request, &out->token, err);
	if (multipart_open(type, read_from_body, request, request->arena,
		&multipart, err) < 0)
		return -1;
	if (read_parts(request, multipart, field, out, err) == 0)
		return 0;
	if (out->token != NULL)
		upload_discard(request, out->token);
	return -1;
}

const char *
upload_field(const struct upload *upload, const char *name)
{
	size_t i;

	for (i = 0; i < upload->field_count; i++)
		if (strcmp(upload->fields[i].name, name) == 0)
			return upload->fields[i].value;
	return NULL;
}

void
upload_discard(struct request *request, const char *token)
{
	files_discard(request->app->settings->run_directory, token);
}
