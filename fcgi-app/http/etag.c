#include "http/etag.h"

#include "base/buffer.h"

#include <openssl/sha.h>
#include <string.h>

#define STATE_BYTES 8
#define VERSION_MAXIMUM 64

int
etag_reply(const struct request *request, struct reply *reply,
    const char *version, const struct payload *payload)
{
	auto_buffer struct buffer etag = BUFFER(256);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct body *body;
	size_t i;

	if (version == NULL || *version == '\0')
		return reply_payload(request, reply, 200, payload);
	body = payload_render(request, payload);
	SHA256((const unsigned char *)body->text, body->length, digest);
	buffer_printf(&etag, "\"%s.", version);
	for (i = 0; i < STATE_BYTES; i++)
		buffer_printf(&etag, "%02x", digest[i]);
	buffer_char(&etag, '"');
	if (reply_not_modified(request, reply,
		arena_strdup(request->arena, buffer_string(&etag)))) {
		body_release(body);
		return 0;
	}
	reply->status = 200;
	reply->body = body;
	return 0;
}

static int
fail(const char *header, struct error *err)
{
	return error_field(err, header, "INVALID_PRECONDITION",
	    "%s must be '*' or at most %d entity tags", header,
	    ETAG_LIST_MAXIMUM);
}

/* From the quote that opens the tag to the one that closes it. */
static const char *
add_tag(const char *at, struct json_object *list)
{
	const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
	size_t length;

	if (end == NULL)
		return NULL;
	length = strcspn(at + 1, ".\"");
	/* "*" in quotes is a tag as any other, and none of ours. */
	if (length > VERSION_MAXIMUM || (length == 1 && at[1] == '*'))
		length = 0;
	json_object_array_add(
	    list, json_object_new_string_len(at + 1, (int)length));
	return end + 1;
}

int
etag_versions(const char *header, const char *text, struct json_object **out,
    struct error *err)
{
	auto_json struct json_object *list = json_object_new_array();
	const char *at = text;

	if (strcmp(text, "*") == 0) {
		json_object_array_add(list, json_object_new_string("*"));
		*out = TAKE(list);
		return 0;
	}
	for (;;) {
		at += strspn(at, " \t,");
		if (*at == '\0')
			break;
		if (strncmp(at, "W/", 2) == 0)
			at += 2;
		at = add_tag(at, list);
		if (at == NULL || strchr(" \t,", *at) == NULL ||
		    json_object_array_length(list) > ETAG_LIST_MAXIMUM)
			return fail(header, err);
	}
	if (json_object_array_length(list) == 0)
		return fail(header, err);
	*out = TAKE(list);
	return 0;
}
