/*
 * JSON text in and out, on top of json-c.
 *
 * json_parse() takes RFC 8259 and nothing else. json-c alone accepts NaN, raw
 * control bytes, invalid UTF-8, duplicate names and numbers it then clips; a
 * scan over the text refuses those first, so that the tree holds what the
 * client wrote. Errors are ERR_INVALID with the code INVALID_JSON or
 * DUPLICATE_KEY, and say the byte offset.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/arena.h"
#include "base/error.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAXIMUM 32
#define JSON_MEMBERS_MAXIMUM 1000
/* Of all kinds: two megabytes of "{}" would take up to a gigabyte. */
#define JSON_VALUES_MAXIMUM 20000

/* json_object_put() for an auto_json variable. */
void json_release(struct json_object **object);
#define auto_json CLEANUP(json_release)

/* The caller owns *out. Callable from any thread. */
int json_parse(const char *text, size_t length, struct json_object **out,
    struct error *err);

/*
 * The same for text that a program of ours or Docker wrote: json-c's strict
 * mode, any number of members, depth up to 64. ERR_UPSTREAM on failure.
 */
int json_parse_trusted(const char *text, size_t length,
    struct json_object **out, struct error *err);

/*
 * Reading: NULL, 0, false or the fallback when object is NULL or no object,
 * the member is missing or of another type. Texts live as long as the object.
 */
struct json_object *json_member(struct json_object *object, const char *name);
const char *json_text(struct json_object *object, const char *name);
int64_t json_int(
    struct json_object *object, const char *name, int64_t fallback);
bool json_boolean(struct json_object *object, const char *name, bool fallback);

/*
 * Writing: adds a member to object. Texts must be UTF-8; json_put_text() with
 * NULL adds null. json_put() hands the value over.
 */
void json_put(
    struct json_object *object, const char *name, struct json_object *value);
void json_put_text(
    struct json_object *object, const char *name, const char *text);
void json_put_integer(
    struct json_object *object, const char *name, int64_t value);
void json_put_boolean(struct json_object *object, const char *name, bool value);

/* Compact text, valid as long as the object; '/' is not escaped. */
const char *json_serialize(struct json_object *object, size_t *out_length);

#endif
