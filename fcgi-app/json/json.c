#include "json/json.h"

#include "json/scan.h"

#include <limits.h>

#define TRUSTED_DEPTH 64

void
json_release(struct json_object **object)
{
	json_object_put(*object);
}

/*
 * Parses the whole text in json-c's strict mode. *out is NULL for null, too.
 * Returns NULL, or why the text is refused.
 */
static const char *
parse_strictly(
    const char *text, size_t length, int depth, struct json_object **out)
{
	struct json_tokener *tokener;
	enum json_tokener_error reason;

	*out = NULL;
	if (length > INT_MAX)
		return "too large";
	tokener = json_tokener_new_ex(depth);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	*out = json_tokener_parse_ex(tokener, text, (int)length);
	/* A number at the very end is complete only when the text ends. */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		*out = json_tokener_parse_ex(tokener, "", 1);
	reason = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	if (reason == json_tokener_success)
		return NULL;
	json_object_put(*out);
	*out = NULL;
	return json_tokener_error_desc(reason);
}

int
json_parse(const char *text, size_t length, struct json_object **out,
    struct error *err)
{
	const char *reason;

	if (json_scan(text, length, err) < 0)
		return -1;
	reason = parse_strictly(text, length, JSON_DEPTH_MAXIMUM + 1, out);
	if (reason != NULL)
		return error_set(err, ERR_INVALID, "INVALID_JSON",
		    "invalid JSON: %s", reason);
	return 0;
}

int
json_parse_trusted(const char *text, size_t length, struct json_object **out,
    struct error *err)
{
	const char *reason = parse_strictly(text, length, TRUSTED_DEPTH, out);

	if (reason != NULL) {
		error_set(err, ERR_UPSTREAM, NULL, "the answer is not JSON");
		return error_detail(err, "%s", reason);
	}
	return 0;
}

struct json_object *
json_member(struct json_object *object, const char *name)
{
	struct json_object *member = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &member);
	return member;
}

const char *
json_text(struct json_object *object, const char *name)
{
	struct json_object *member = json_member(object, name);

	return json_object_is_type(member, json_type_string)
		   ? json_object_get_string(member)
		   : NULL;
}

int64_t
json_int(struct json_object *object, const char *name, int64_t fallback)
{
	struct json_object *member = json_member(object, name);

	return json_object_is_type(member, json_type_int)
		   ? json_object_get_int64(member)
		   : fallback;
}

bool
json_boolean(struct json_object *object, const char *name, bool fallback)
{
	struct json_object *member = json_member(object, name);

	return json_object_is_type(member, json_type_boolean)
		   ? json_object_get_boolean(member)
		   : fallback;
}

void
json_put(
    struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add(object, name, value);
}

void
json_put_text(struct json_object *object, const char *name, const char *text)
{
	json_put(object, name, text ? json_object_new_string(text) : NULL);
}

void
json_put_integer(struct json_object *object, const char *name, int64_t value)
{
	json_put(object, name, json_object_new_int64(value));
}

void
json_put_boolean(struct json_object *object, const char *name, bool value)
{
	json_put(object, name, json_object_new_boolean(value));
}

const char *
json_serialize(struct json_object *object, size_t *out_length)
{
	return json_object_to_json_string_length(object,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
	    out_length);
}
