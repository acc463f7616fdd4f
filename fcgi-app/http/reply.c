#include "http/reply.h"

#include "app.h"
#include "settings/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LARGE (256U * 1024)

static const int statuses[] = {
	[ERR_INTERNAL] = 500,
	[ERR_INVALID] = 400,
	[ERR_UNAUTHENTICATED] = 401,
	[ERR_FORBIDDEN] = 403,
	[ERR_NOT_FOUND] = 404,
	[ERR_METHOD] = 405,
	[ERR_CONFLICT] = 409,
	[ERR_PRECONDITION] = 412,
	[ERR_TOO_LARGE] = 413,
	[ERR_MEDIA_TYPE] = 415,
	[ERR_UNPROCESSABLE] = 422,
	[ERR_RATE_LIMITED] = 429,
	[ERR_UPSTREAM] = 502,
	[ERR_UNAVAILABLE] = 503,
	[ERR_TIMEOUT] = 504,
	[ERR_STORAGE_FULL] = 507,
};

int
reply_status(enum error_kind kind)
{
	return statuses[kind];
}

void
reply_header(struct reply *reply, const char *name, const char *value)
{
	assert(reply->header_count < HEADER_MAXIMUM);
	reply->headers[reply->header_count++] =
	    (struct pair){ .name = name, .value = value };
}

static void
copy_members(struct json_object *to, struct json_object *from)
{
	if (from == NULL)
		return;
	json_object_object_foreach(from, name, value)
	    json_put(to, name, json_object_get(value));
}

struct body *
payload_render(const struct request *request, const struct payload *payload)
{
	auto_json struct json_object *data = payload->data;
	auto_json struct json_object *extras = payload->extras;
	auto_json struct json_object *top = json_object_new_object();
	enum settings_envelope envelope = request->app->settings->api.envelope;
	const char *text;
	size_t length;

	if (envelope != ENVELOPE_KEYS)
		json_put(top, "data", json_object_get(data));
	if (envelope != ENVELOPE_DATA) {
		if (payload->key != NULL)
			json_put(top, payload->key, json_object_get(data));
		else
			copy_members(top, data);
	}
	copy_members(top, extras);
	if (payload->message != NULL)
		json_put_text(top, "message", payload->message);
	text = json_serialize(top, &length);
	return body_new(text, length);
}

int
reply_payload(const struct request *request, struct reply *reply, int status,
    const struct payload *payload)
{
	reply->status = status;
	reply->body = payload_render(request, payload);
	reply->is_large = reply->body->length >= LARGE;
	return 0;
}

static void
add_error_headers(
    const struct request *request, struct reply *reply, const struct error *err)
{
	if (err->kind == ERR_UNAUTHENTICATED)
		reply_header(reply, "WWW-Authenticate", "Bearer");
	if (err->retry_after_s > 0)
		reply_header(reply, "Retry-After",
		    arena_printf(request->arena, "%u", err->retry_after_s));
}

/* It was of the answer that the request did not get. */
static void
drop_etag(struct reply *reply)
{
	size_t i, kept = 0;

	for (i = 0; i < reply->header_count; i++)
		if (strcmp(reply->headers[i].name, "ETag") != 0)
			reply->headers[kept++] = reply->headers[i];
	reply->header_count = kept;
}

int
reply_error(
    const struct request *request, struct reply *reply, const struct error *err)
{
	auto_json struct json_object *more = TAKE(reply->error_extras);
	auto_json struct json_object *top = json_object_new_object();
	const char *text;
	size_t length;

	/* What went wrong inside is for the log; the id leads there. */
	json_put_text(top, "error", error_public(err));
	json_put_text(top, "code", error_code(err));
	json_put_text(top, "request_id", request->id);
	if (err->field[0] != '\0')
		json_put_text(top, "field", err->field);
	if (err->related[0] != '\0')
		json_put_text(top, "active_job_id", err->related);
	copy_members(top, more);
	reply->status = statuses[err->kind];
	drop_etag(reply);
	add_error_headers(request, reply, err);
	text = json_serialize(top, &length);
	body_release(reply->body);
	reply->body = body_new(text, length);
	return 0;
}

bool
reply_not_modified(
    const struct request *request, struct reply *reply, const char *etag)
{
	const char *at = request->if_none_match;
	size_t length = strlen(etag);

	reply_header(reply, "ETag", etag);
	reply_header(reply, "Cache-Control", "no-cache");
	if (at == NULL)
		return false;
	while (*at != '\0') {
		at += strspn(at, " \t,");
		if (*at == '*' && at[1] == '\0')
			break;
		if (strncmp(at, "W/", 2) == 0)
			at += 2;
		if (strncmp(at, etag, length) == 0 &&
		    strchr(" \t,", at[length]) != NULL)
			break;
		at += strcspn(at, ",");
	}
	if (*at == '\0')
		return false;
	reply->status = 304;
	return true;
}
