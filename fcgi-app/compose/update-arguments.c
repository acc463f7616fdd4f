#include "compose/update-arguments.h"

#include "compose/compose.h"
#include "docker/docker.h"
#include "docker/reference.h"

#include <string.h>

#define REASON_MAXIMUM 500
#define SETTLE_MAXIMUM 600
#define TIMEOUT_MAXIMUM 3600
#define PATH_LENGTH_MAXIMUM 2000
#define PATH_CHARACTERS                                        \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789/._~-!$&'()*+,;=:@%?"

/* What can stand in a request line as it is. */
static bool
path_is_valid(const char *text)
{
	size_t length = strlen(text);

	return text[0] == '/' && length <= PATH_LENGTH_MAXIMUM &&
	       strspn(text, PATH_CHARACTERS) == length;
}

static bool
reason_is_valid(const char *text)
{
	size_t i;

	if (strlen(text) > REASON_MAXIMUM)
		return false;
	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
			return false;
	return true;
}

#define REASON_FIELD(type_)                                    \
	STRING_FIELD(type_, reason, OPTIONAL, reason_is_valid, \
	    "one line of at most 500 bytes")
#define TIME_FIELDS(type_)                                                 \
	INTEGER_FIELD(type_, settle_seconds, OPTIONAL, 0, SETTLE_MAXIMUM), \
	    INTEGER_FIELD(                                                 \
		type_, timeout_seconds, OPTIONAL, 1, TIMEOUT_MAXIMUM)

const struct field update_argument_fields[] = {
	TEXT_FIELD(struct update_arguments, compose_content, REQUIRED,
	    COMPOSE_TEXT_MAXIMUM),
	REASON_FIELD(struct update_arguments),
	BOOL_FIELD(struct update_arguments, apply, OPTIONAL),
	BOOL_FIELD(struct update_arguments, deploy, OPTIONAL),
	TIME_FIELDS(struct update_arguments),
	OBJECT_FIELD(struct update_arguments, probe, OPTIONAL),
	{ 0 },
};

const struct field image_argument_fields[] = {
	STRING_FIELD(struct image_arguments, service, OPTIONAL,
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED),
	CODED_FIELD(struct image_arguments, image, REQUIRED,
	    docker_reference_is_valid, REFERENCE_EXPECTED, "INVALID_IMAGE"),
	REASON_FIELD(struct image_arguments),
	BOOL_FIELD(struct image_arguments, apply, OPTIONAL),
	BOOL_FIELD(struct image_arguments, pull, OPTIONAL),
	TIME_FIELDS(struct image_arguments),
	OBJECT_FIELD(struct image_arguments, probe, OPTIONAL),
	{ 0 },
};

static bool
mount_type_is_valid(const char *text)
{
	return strcmp(text, "volume") == 0 || strcmp(text, "file") == 0;
}

/* Colons separate it from the rest of a mount. */
static bool
container_path_is_valid(const char *text)
{
	return text[0] == '/' && strpbrk(text, ":$\n\r") == NULL;
}

#define MOUNT_FIELDS                                                       \
	STRING_FIELD(struct mount_arguments, service, OPTIONAL,            \
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED),                 \
	    STRING_FIELD(struct mount_arguments, container_path, REQUIRED, \
		container_path_is_valid, "an absolute path without ':'"),  \
	    REASON_FIELD(struct mount_arguments),                          \
	    BOOL_FIELD(struct mount_arguments, apply, OPTIONAL),           \
	    TIME_FIELDS(struct mount_arguments),                           \
	    OBJECT_FIELD(struct mount_arguments, probe, OPTIONAL)

const struct field mount_argument_fields[] = {
	MOUNT_FIELDS,
	STRING_FIELD(struct mount_arguments, id, REQUIRED, docker_name_is_valid,
	    "2 to 128 of a-z, A-Z, 0-9, '_', '.' and '-'"),
	STRING_FIELD(struct mount_arguments, type, OPTIONAL,
	    mount_type_is_valid, "volume or file"),
	BOOL_FIELD(struct mount_arguments, read_only, OPTIONAL),
	{ 0 },
};

const struct field unmount_argument_fields[] = {
	MOUNT_FIELDS,
	{ 0 },
};

const struct field rollback_argument_fields[] = {
	INTEGER_FIELD(
	    struct rollback_arguments, revision, OPTIONAL, 1, INT32_MAX),
	REASON_FIELD(struct rollback_arguments),
	TIME_FIELDS(struct rollback_arguments),
	BOOL_FIELD(struct rollback_arguments, resume, OPTIONAL),
	{ 0 },
};

const struct field probe_argument_fields[] = {
	CODED_FIELD(struct probe_arguments, path, REQUIRED, path_is_valid,
	    "'/' and characters of a URL's path", "INVALID_PATH"),
	STRING_FIELD(struct probe_arguments, service, OPTIONAL,
	    compose_name_is_valid, "the name of a service"),
	CODED_INTEGER_FIELD(
	    struct probe_arguments, port, OPTIONAL, 1, 65535, "INVALID_PORT"),
	INTEGER_FIELD(
	    struct probe_arguments, expect_status, OPTIONAL, 100, 599),
	{ 0 },
};

int
probe_arguments_decode(struct json_object *probe, struct arena *arena,
    struct probe_arguments *out, struct error *err)
{
	return probe == NULL ? 0
			     : fields_decode(probe_argument_fields, probe,
				   arena, out, err);
}
