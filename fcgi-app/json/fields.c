#include "json/fields.h"

#include <stdio.h>
#include <string.h>

static int decode_table(const struct field *fields, struct json_object *object,
    struct arena *arena, void *out, const char *prefix, struct error *err);

static int
decode_string(const struct field *field, struct json_object *value,
    struct arena *arena, char *at, const char *path, struct error *err)
{
	const char *text = json_object_get_string(value);
	size_t length = (size_t)json_object_get_string_len(value);

	if (!json_object_is_type(value, json_type_string))
		return error_field(
		    err, path, NULL, "%s must be a string", path);
	if (length > (size_t)field->maximum) {
		error_field(err, path, NULL, "%s is longer than %lld bytes",
		    path, (long long)field->maximum);
		return -1;
	}
	if (length == 0 && field->presence == REQUIRED)
		return error_field(
		    err, path, field->code, "%s is required", path);
	/* An empty optional string is the same as none. */
	if (field->is_valid != NULL && length > 0 && !field->is_valid(text))
		return error_field(err, path, field->code, "%s must be %s",
		    path, field->expected);
	*(const char **)(void *)at = arena_strndup(arena, text, length);
	return 0;
}

/* json-c saturates beyond 64 bits; every range of ours ends before that. */
static int
decode_integer(const struct field *field, struct json_object *value, char *at,
    const char *path, struct error *err)
{
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return error_field(
		    err, path, field->code, "%s must be an integer", path);
	number = json_object_get_int64(value);
	if (number < field->minimum || number > field->maximum)
		return error_field(err, path, field->code,
		    "%s must be %lld to %lld", path, (long long)field->minimum,
		    (long long)field->maximum);
	*(int64_t *)(void *)at = number;
	return 0;
}

static int
decode_number(const struct field *field, struct json_object *value, char *at,
    const char *path, struct error *err)
{
	double number;

	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return error_field(
		    err, path, field->code, "%s must be a number", path);
	number = json_object_get_double(value);
	if (!(number >= (double)field->minimum &&
		number <= (double)field->maximum))
		return error_field(err, path, field->code,
		    "%s must be %lld to %lld", path, (long long)field->minimum,
		    (long long)field->maximum);
	*(double *)(void *)at = number;
	return 0;
}

static int
check_text(const struct field *field, struct json_object *value,
    const char *path, struct error *err)
{
	if (!json_object_is_type(value, json_type_string))
		return error_field(
		    err, path, NULL, "%s must be a string", path);
	if (json_object_get_string_len(value) > field->maximum)
		return error_field(err, path, NULL,
		    "%s is longer than %lld bytes", path,
		    (long long)field->maximum);
	return 0;
}

static int
check_map(const struct field *field, struct json_object *map, const char *path,
    struct error *err)
{
	char name_path[192];

	if ((size_t)json_object_object_length(map) > field->count_maximum)
		return error_field(err, path, NULL,
		    "%s has more than %zu members", path, field->count_maximum);
	json_object_object_foreach(map, name, value)
	{
		size_t length = strlen(name);

		if (length < 1 || length > MAP_NAME_MAXIMUM)
			return error_field(err, path, NULL,
			    "names in %s must have 1 to %d bytes", path,
			    MAP_NAME_MAXIMUM);
		if (field->is_valid != NULL && !field->is_valid(name))
			return error_field(err, path, NULL,
			    "names in %s must be %s", path, field->expected);
		snprintf(
		    name_path, sizeof name_path, "%.100s.%.60s", path, name);
		if (check_text(field, value, name_path, err) < 0)
			return -1;
	}
	return 0;
}

static int
decode_map(const struct field *field, struct json_object *value, char *at,
    const char *path, struct error *err)
{
	if (!json_object_is_type(value, json_type_object))
		return error_field(
		    err, path, NULL, "%s must be an object", path);
	if (check_map(field, value, path, err) < 0)
		return -1;
	*(struct json_object **)(void *)at = value;
	return 0;
}

static int
decode_strings(const struct field *field, struct json_object *value,
    struct arena *arena, char *out, const char *path, struct error *err)
{
	size_t count, i;
	const char **strings;
	char element_path[128];

	if (!json_object_is_type(value, json_type_array))
		return error_field(
		    err, path, NULL, "%s must be an array", path);
	count = json_object_array_length(value);
	if (count > field->count_maximum)
		return error_field(err, path, NULL,
		    "%s has more than %zu elements", path,
		    field->count_maximum);
	strings = arena_array(arena, count + 1, sizeof *strings);
	for (i = 0; i < count; i++) {
		struct json_object *element =
		    json_object_array_get_idx(value, i);

		snprintf(
		    element_path, sizeof element_path, "%.100s[%zu]", path, i);
		if (check_text(field, element, element_path, err) < 0)
			return -1;
		strings[i] =
		    arena_strdup(arena, json_object_get_string(element));
	}
	*(const char *const **)(void *)(out + field->offset) = strings;
	*(size_t *)(void *)(out + field->count_offset) = count;
	return 0;
}

static int
decode_list(const struct field *field, struct json_object *value,
    struct arena *arena, char *out, const char *path, struct error *err)
{
	size_t count, i;
	char *elements, prefix[128];

	if (!json_object_is_type(value, json_type_array))
		return error_field(
		    err, path, NULL, "%s must be an array", path);
	count = json_object_array_length(value);
	if (count > LIST_MAXIMUM)
		return error_field(err, path, NULL,
		    "%s has more than %d elements", path, LIST_MAXIMUM);
	elements = arena_array(arena, count, field->element_size);
	for (i = 0; i < count; i++) {
		struct json_object *element =
		    json_object_array_get_idx(value, i);

		snprintf(prefix, sizeof prefix, "%.100s[%zu].", path, i);
		if (!json_object_is_type(element, json_type_object)) {
			prefix[strlen(prefix) - 1] = '\0';
			return error_field(
			    err, prefix, NULL, "%s must be an object", prefix);
		}
		if (decode_table(field->fields, element, arena,
			elements + i * field->element_size, prefix, err) < 0)
			return -1;
	}
	*(char **)(void *)(out + field->offset) = elements;
	*(size_t *)(void *)(out + field->count_offset) = count;
	return 0;
}

static int
decode_field(const struct field *field, struct json_object *value,
    struct arena *arena, char *out, const char *path, struct error *err)
{
	char *at = out + field->offset;

	switch (field->type) {
	case FIELD_STRING:
		return decode_string(field, value, arena, at, path, err);
	case FIELD_BOOL:
		if (!json_object_is_type(value, json_type_boolean))
			return error_field(
			    err, path, NULL, "%s must be true or false", path);
		*(bool *)at = json_object_get_boolean(value);
		return 0;
	case FIELD_INTEGER:
		return decode_integer(field, value, at, path, err);
	case FIELD_NUMBER:
		return decode_number(field, value, at, path, err);
	case FIELD_MAP:
		return decode_map(field, value, at, path, err);
	case FIELD_STRINGS:
		return decode_strings(field, value, arena, out, path, err);
	case FIELD_OBJECT:
		if (!json_object_is_type(value, json_type_object))
			return error_field(
			    err, path, NULL, "%s must be an object", path);
		*(struct json_object **)(void *)at = value;
		return 0;
	case FIELD_LIST:
		return decode_list(field, value, arena, out, path, err);
	case FIELD_NONE:
		break;
	}
	return 0;
}

static int
decode_table(const struct field *fields, struct json_object *object,
    struct arena *arena, void *out, const char *prefix, struct error *err)
{
	const struct field *field;
	char path[192];

	for (field = fields; field->type != FIELD_NONE; field++) {
		struct json_object *value = json_member(object, field->name);

		snprintf(path, sizeof path, "%s%s", prefix, field->name);
		if (value == NULL && field->presence == REQUIRED)
			return error_field(
			    err, path, field->code, "%s is required", path);
		if (value != NULL &&
		    decode_field(field, value, arena, out, path, err) < 0)
			return -1;
	}
	return 0;
}

int
fields_decode(const struct field *fields, struct json_object *object,
    struct arena *arena, void *out, struct error *err)
{
	if (!json_object_is_type(object, json_type_object))
		return error_set(
		    err, ERR_INVALID, NULL, "the body must be a JSON object");
	return decode_table(fields, object, arena, out, "", err);
}

struct json_object *
fields_select(const struct field *fields, struct json_object *object)
{
	struct json_object *out = json_object_new_object();

	for (; fields->type != FIELD_NONE; fields++) {
		struct json_object *value = json_member(object, fields->name);

		if (value != NULL)
			json_put(out, fields->name, json_object_get(value));
	}
	return out;
}
