/* metadata.yml: its members, one by one. */
#include "templates/templates-private.h"
#include "json/fields.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define NAME_MAXIMUM 64
#define LINE_MAXIMUM 255
#define PATH_MAXIMUM 255
#define FILES_MAXIMUM 32
#define SECRET_MAXIMUM 256

static bool
is_word(const char *id)
{
	size_t length = strlen(id);

	return length >= 1 && length <= NAME_MAXIMUM && *id != '-' &&
	       strspn(id, LOWER DIGITS "-") == length;
}

bool
template_id_is_valid(const char *id)
{
	return is_word(strncmp(id, "infra/", 6) == 0 ? id + 6 : id);
}

static bool
is_line(const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return i <= LINE_MAXIMUM;
}

static bool
is_mount_id(const char *id)
{
	return strlen(id) > 1 && compose_name_is_valid(id);
}

/* Without what YAML, Compose or a path could take for something else. */
static bool
is_container_path(const char *path)
{
	size_t length = strlen(path);

	return *path == '/' && length > 1 && length <= PATH_MAXIMUM &&
	       strspn(path, LOWER UPPER DIGITS "/._-") == length &&
	       strstr(path, "..") == NULL;
}

static bool
is_mount_type(const char *type)
{
	return strcmp(type, "volume") == 0 || strcmp(type, "file") == 0;
}

static bool
is_encoding(const char *encoding)
{
	return strcmp(encoding, "base64") == 0 ||
	       strcmp(encoding, "hex") == 0 ||
	       strcmp(encoding, "alphanumeric") == 0;
}

/* Beneath the deployment, and none of the files that are the service's. */
static bool
is_file_path(const char *path)
{
	size_t length = strlen(path), part;

	if (length == 0 || length > PATH_MAXIMUM ||
	    strspn(path, LOWER UPPER DIGITS "/._-") != length ||
	    strcmp(path, "service.yml") == 0 ||
	    strncmp(path, ".env.flatrun", 12) == 0 ||
	    (strchr(path, '/') == NULL && strstr(path, "compose") != NULL))
		return false;
	for (;; path += part + 1) {
		part = strcspn(path, "/");
		if (part == 0 || (part == 1 && *path == '.') ||
		    (part == 2 && strncmp(path, "..", 2) == 0))
			return false;
		if (path[part] == '\0')
			return true;
	}
}

static const struct field mount_fields[] = {
	STRING_FIELD(struct template_mount, id, REQUIRED, is_mount_id,
	    "2 to 63 of a-z, 0-9, '-' and '_'"),
	STRING_FIELD(struct template_mount, name, OPTIONAL, is_line, "a line"),
	STRING_FIELD(struct template_mount, description, OPTIONAL, NULL, NULL),
	STRING_FIELD(struct template_mount, container_path, REQUIRED,
	    is_container_path, "an absolute path"),
	STRING_FIELD(struct template_mount, type, OPTIONAL, is_mount_type,
	    "file or volume"),
	BOOL_FIELD(struct template_mount, required, OPTIONAL),
	{ 0 },
};

static const struct field file_fields[] = {
	STRING_FIELD(struct template_file, path, REQUIRED, is_file_path,
	    "a path beneath the deployment that is not the service's own"),
	TEXT_FIELD(
	    struct template_file, content, OPTIONAL, TEMPLATE_TEXT_MAXIMUM),
	{ 0 },
};

static const struct field secret_fields[] = {
	STRING_FIELD(struct template_secret, key, REQUIRED,
	    compose_variable_name_is_valid, "a variable name"),
	STRING_FIELD(struct template_secret, encoding, OPTIONAL, is_encoding,
	    "base64, hex or alphanumeric"),
	STRING_FIELD(
	    struct template_secret, prefix, OPTIONAL, is_line, "a line"),
	INTEGER_FIELD(
	    struct template_secret, bytes, OPTIONAL, 8, SECRET_MAXIMUM),
	{ 0 },
};

struct action {
	const char *id, *name, *command, *description, *icon, *service;
};

static const struct field action_fields[] = {
	STRING_FIELD(struct action, id, REQUIRED, compose_name_is_valid,
	    COMPOSE_NAME_EXPECTED),
	STRING_FIELD(struct action, name, REQUIRED, is_line, "a line"),
	STRING_FIELD(struct action, command, REQUIRED, NULL, NULL),
	STRING_FIELD(struct action, description, OPTIONAL, NULL, NULL),
	STRING_FIELD(struct action, icon, OPTIONAL, is_line, "a line"),
	STRING_FIELD(struct action, service, OPTIONAL, compose_name_is_valid,
	    COMPOSE_NAME_EXPECTED),
	{ 0 },
};

struct metadata {
	struct template_details details;
	struct json_object *env;
	struct action *quick_actions;
	size_t quick_actions_count;
};

#define DETAIL_TEXT(name_)                                              \
	RENAMED_FIELD(struct metadata, details.name_, #name_, OPTIONAL, \
	    is_line, "a line of at most 255 bytes", NULL)

static const struct field metadata_fields[] = {
	DETAIL_TEXT(name),
	DETAIL_TEXT(icon),
	DETAIL_TEXT(logo),
	DETAIL_TEXT(category),
	DETAIL_TEXT(type),
	RENAMED_FIELD(struct metadata, details.description, "description",
	    OPTIONAL, NULL, NULL, NULL),
	{ .name = "priority",
	    .type = FIELD_INTEGER,
	    .offset = FIELD_OFFSET(struct metadata, details.priority, int64_t),
	    .minimum = -1000000,
	    .maximum = 1000000 },
	{ .name = "container_port",
	    .type = FIELD_INTEGER,
	    .offset =
		FIELD_OFFSET(struct metadata, details.container_port, int64_t),
	    .minimum = 0,
	    .maximum = 65535 },
	{ .name = "mounts",
	    .type = FIELD_LIST,
	    .offset = FIELD_OFFSET(
		struct metadata, details.mounts, struct template_mount *),
	    .fields = mount_fields,
	    .element_size = sizeof(struct template_mount),
	    .count_offset =
		FIELD_OFFSET(struct metadata, details.mounts_count, size_t) },
	{ .name = "files",
	    .type = FIELD_LIST,
	    .offset = FIELD_OFFSET(
		struct metadata, details.files, struct template_file *),
	    .fields = file_fields,
	    .element_size = sizeof(struct template_file),
	    .count_offset =
		FIELD_OFFSET(struct metadata, details.files_count, size_t) },
	LIST_FIELD(struct metadata, quick_actions, OPTIONAL, struct action,
	    action_fields),
	OBJECT_FIELD(struct metadata, env, OPTIONAL),
	{ 0 },
};

struct environment {
	const char *template, *file, *example_path;
	struct template_secret *secrets;
	size_t secrets_count;
};

static bool
is_environment_file(const char *name)
{
	return strcmp(name, ".env.flatrun") == 0;
}

static const struct field environment_fields[] = {
	TEXT_FIELD(
	    struct environment, template, OPTIONAL, TEMPLATE_TEXT_MAXIMUM),
	STRING_FIELD(struct environment, file, OPTIONAL, is_environment_file,
	    ".env.flatrun: a deployment has one environment"),
	STRING_FIELD(struct environment, example_path, OPTIONAL, NULL, NULL),
	LIST_FIELD(struct environment, secrets, OPTIONAL,
	    struct template_secret, secret_fields),
	{ 0 },
};

static int
decode_environment(struct json_object *object, struct arena *arena,
    struct template_details *out, struct error *err)
{
	struct environment environment = { 0 };
	size_t i;

	if (object == NULL)
		return 0;
	if (fields_decode(
		environment_fields, object, arena, &environment, err) < 0)
		return -1;
	for (i = 0; i < environment.secrets_count; i++) {
		struct template_secret *secret = &environment.secrets[i];

		if (secret->encoding == NULL)
			secret->encoding = "base64";
		if (secret->prefix == NULL)
			secret->prefix = "";
		if (secret->bytes == 0)
			secret->bytes = 32;
	}
	out->secrets = environment.secrets;
	out->secrets_count = environment.secrets_count;
	out->env_template = environment.template;
	return 0;
}

/* One of the paths leads through the other, or is it. */
static bool
is_in_the_way(const char *left, const char *right)
{
	size_t length = strlen(left);

	return strncmp(left, right, length) == 0 &&
	       (right[length] == '\0' || right[length] == '/');
}

static int
check_files(const struct template_details *details, struct error *err)
{
	size_t i, k;

	if (details->files_count > FILES_MAXIMUM)
		return error_field(err, "files", NULL,
		    "there are more than %d files", FILES_MAXIMUM);
	for (i = 0; i < details->files_count; i++)
		for (k = 0; k < details->files_count; k++)
			if (i != k && is_in_the_way(details->files[i].path,
					  details->files[k].path))
				return error_field(err, "files", NULL,
				    "the file '%s' is in the way of '%s'",
				    details->files[i].path,
				    details->files[k].path);
	return 0;
}

static int
check_mounts(const struct template_details *details, struct error *err)
{
	size_t i, k;

	for (i = 0; i < details->mounts_count; i++)
		for (k = 0; k < i; k++)
			if (strcmp(details->mounts[i].id,
				details->mounts[k].id) == 0)
				return error_field(err, "mounts", NULL,
				    "the mount '%s' is there twice",
				    details->mounts[i].id);
	return 0;
}

int
template_decode(struct json_object *metadata, struct arena *arena,
    struct template_details *out, struct error *err)
{
	struct metadata decoded = { 0 };
	size_t i;

	if (fields_decode(metadata_fields, metadata, arena, &decoded, err) <
		0 ||
	    decode_environment(decoded.env, arena, &decoded.details, err) < 0 ||
	    check_files(&decoded.details, err) < 0 ||
	    check_mounts(&decoded.details, err) < 0)
		return -1;
	*out = decoded.details;
	for (i = 0; i < out->mounts_count; i++)
		if (out->mounts[i].type == NULL)
			out->mounts[i].type = "volume";
	for (i = 0; i < out->files_count; i++)
		if (out->files[i].content == NULL)
			out->files[i].content = "";
	return 0;
}

int
template_details(const struct template *template, struct arena *arena,
    struct template_details *out, struct error *err)
{
	auto_json struct json_object *metadata = NULL;

	if (json_parse_trusted(template->metadata, strlen(template->metadata),
		&metadata, err) < 0)
		return -1;
	return template_decode(metadata, arena, out, err);
}
