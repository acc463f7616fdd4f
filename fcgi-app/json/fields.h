/*
 * Field tables: what the members of a JSON object must be, and where in a C
 * struct they go. One table decodes, names the field at fault, and (later)
 * documents itself.
 *
 *	struct start_input {
 *		const char *reason;
 *		bool force_recreate;
 *	};
 *	static const struct field start_fields[] = {
 *		STRING_FIELD(struct start_input, reason, OPTIONAL, NULL, NULL),
 *		BOOL_FIELD(struct start_input, force_recreate, OPTIONAL),
 *		{ 0 },
 *	};
 *
 * Members that no row names are ignored. null counts as missing; an empty
 * string counts as missing for a REQUIRED field. Wrong types are ERR_INVALID
 * with the field's name ("env_vars[2].key" inside a list).
 */
#ifndef JSON_FIELDS_H
#define JSON_FIELDS_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
	FIELD_NONE, /* ends a table */
	FIELD_STRING,
	FIELD_BOOL,
	FIELD_INTEGER,
	FIELD_NUMBER,  /* an integer or one with a fraction */
	FIELD_OBJECT,  /* any object, handed on as json */
	FIELD_MAP,     /* an object of strings, handed on as json */
	FIELD_STRINGS, /* an array of strings */
	FIELD_LIST,    /* of objects, each decoded by a table of its own */
};

enum field_presence { OPTIONAL, REQUIRED };

#define STRING_MAXIMUM (64 * 1024)
#define LIST_MAXIMUM 1000
#define MAP_NAME_MAXIMUM 255

struct field {
	const char *name;
	enum field_type type;
	enum field_presence presence;
	size_t offset;
	bool (*is_valid)(const char *text); /* strings; may be NULL */
	const char *expected; /* "1 to 63 of a-z, 0-9": what is_valid wants */
	const char *code;     /* when is_valid says no; NULL: INVALID_REQUEST */
	int64_t minimum, maximum;   /* numbers; maximum: bytes of a string */
	size_t count_maximum;       /* of strings and of a map */
	const struct field *fields; /* of a list's elements */
	size_t element_size, count_offset;
};

/* A list in the struct: const struct x *name; size_t name_count; */
#define FIELD_OFFSET(type_, member_, wanted_)                        \
	(offsetof(type_, member_) + 0 * sizeof(struct {              \
		_Static_assert(                                      \
		    __builtin_types_compatible_p(                    \
			__typeof__(((type_ *)0)->member_), wanted_), \
		    "the field has another type than the member");   \
		int unused;                                          \
	}))

#define STRING_FIELD(type_, member_, presence_, is_valid_, expected_) \
	{                                                             \
		.name = #member_, .type = FIELD_STRING,               \
		.presence = (presence_),                              \
		.offset = FIELD_OFFSET(type_, member_, const char *), \
		.is_valid = (is_valid_), .expected = (expected_),     \
		.maximum = STRING_MAXIMUM                             \
	}
/* The same with the code of its refusal: INVALID_NAME, INVALID_IMAGE, … */
#define CODED_FIELD(type_, member_, presence_, is_valid_, expected_, code_) \
	{                                                                   \
		.name = #member_, .type = FIELD_STRING,                     \
		.presence = (presence_),                                    \
		.offset = FIELD_OFFSET(type_, member_, const char *),       \
		.is_valid = (is_valid_), .expected = (expected_),           \
		.code = (code_), .maximum = STRING_MAXIMUM                  \
	}
/* The same under another name on the wire than in the struct. */
#define RENAMED_FIELD(                                                \
    type_, member_, name_, presence_, is_valid_, expected_, code_)    \
	{                                                             \
		.name = (name_), .type = FIELD_STRING,                \
		.presence = (presence_),                              \
		.offset = FIELD_OFFSET(type_, member_, const char *), \
		.is_valid = (is_valid_), .expected = (expected_),     \
		.code = (code_), .maximum = STRING_MAXIMUM            \
	}
#define TEXT_FIELD(type_, member_, presence_, maximum_bytes_)         \
	{                                                             \
		.name = #member_, .type = FIELD_STRING,               \
		.presence = (presence_),                              \
		.offset = FIELD_OFFSET(type_, member_, const char *), \
		.maximum = (maximum_bytes_)                           \
	}
#define BOOL_FIELD(type_, member_, presence_)                                  \
	{                                                                      \
		.name = #member_, .type = FIELD_BOOL, .presence = (presence_), \
		.offset = FIELD_OFFSET(type_, member_, bool)                   \
	}
#define INTEGER_FIELD(type_, member_, presence_, minimum_, maximum_) \
	{                                                            \
		.name = #member_, .type = FIELD_INTEGER,             \
		.presence = (presence_),                             \
		.offset = FIELD_OFFSET(type_, member_, int64_t),     \
		.minimum = (minimum_), .maximum = (maximum_)         \
	}
#define CODED_INTEGER_FIELD(                                                  \
    type_, member_, presence_, minimum_, maximum_, code_)                     \
	{                                                                     \
		.name = #member_, .type = FIELD_INTEGER,                      \
		.presence = (presence_),                                      \
		.offset = FIELD_OFFSET(type_, member_, int64_t),              \
		.code = (code_), .minimum = (minimum_), .maximum = (maximum_) \
	}
#define NUMBER_FIELD(type_, member_, presence_, minimum_, maximum_) \
	{                                                           \
		.name = #member_, .type = FIELD_NUMBER,             \
		.presence = (presence_),                            \
		.offset = FIELD_OFFSET(type_, member_, double),     \
		.minimum = (minimum_), .maximum = (maximum_)        \
	}
#define OBJECT_FIELD(type_, member_, presence_)                              \
	{                                                                    \
		.name = #member_, .type = FIELD_OBJECT,                      \
		.presence = (presence_),                                     \
		.offset = FIELD_OFFSET(type_, member_, struct json_object *) \
	}
/* Names of 1 to 255 bytes; is_valid looks at these. */
#define MAP_FIELD(type_, member_, presence_, count_maximum_, maximum_bytes_,   \
    is_valid_, expected_)                                                      \
	{                                                                      \
		.name = #member_, .type = FIELD_MAP, .presence = (presence_),  \
		.offset = FIELD_OFFSET(type_, member_, struct json_object *),  \
		.is_valid = (is_valid_), .expected = (expected_),              \
		.maximum = (maximum_bytes_), .count_maximum = (count_maximum_) \
	}
/* NULL-ended in the struct: const char *const *name; size_t name_count; */
#define STRINGS_FIELD(                                                       \
    type_, member_, presence_, count_maximum_, maximum_bytes_)               \
	{                                                                    \
		.name = #member_, .type = FIELD_STRINGS,                     \
		.presence = (presence_),                                     \
		.offset = FIELD_OFFSET(type_, member_, const char *const *), \
		.maximum = (maximum_bytes_),                                 \
		.count_maximum = (count_maximum_),                           \
		.count_offset = FIELD_OFFSET(type_, member_##_count, size_t) \
	}
#define LIST_FIELD(type_, member_, presence_, element_, fields_)               \
	{                                                                      \
		.name = #member_, .type = FIELD_LIST, .presence = (presence_), \
		.offset = FIELD_OFFSET(type_, member_, element_ *),            \
		.fields = (fields_), .element_size = sizeof(element_),         \
		.count_offset = FIELD_OFFSET(type_, member_##_count, size_t)   \
	}

/*
 * Decodes object into *out, whose members keep their value where the object
 * has none. Strings and lists live in the arena; objects and maps are borrowed.
 */
int fields_decode(const struct field *fields, struct json_object *object,
    struct arena *arena, void *out, struct error *err);

/*
 * A new object with the members of object that the table names: what nobody
 * looked at is not passed on. object may be NULL.
 */
struct json_object *fields_select(
    const struct field *fields, struct json_object *object);

#endif
