/* service.yml to JSON and back. */
#include "compose/metadata.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "compose/compose.h"
#include "compose/document-private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_OF_METADATA 30 /* of 32 that JSON may have */

static const struct tree_kind metadata_kind = { "metadata",
	"INVALID_METADATA" };

static struct json_object *
text_json(const struct node *node)
{
	return json_object_new_string_len(node->text, (int)node->length);
}

/* Numbers that JSON's readers would round or cannot write stay texts. */
static struct json_object *
integer_json(const struct node *node)
{
	const char *text = node->text;
	int base = 10;
	long long value;
	char *end;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
		base = text[1] == 'x' ? 16 : 8;
		text += 2;
	}
	errno = 0;
	value = strtoll(text, &end, base);
	return errno != 0 || *end != '\0' ? text_json(node)
					  : json_object_new_int64(value);
}

/* Whether JSON would write the number like this, too. */
static bool
is_json_number(const char *text)
{
	size_t digits;

	text += *text == '-';
	digits = strspn(text, "0123456789");
	if (digits == 0 || (digits > 1 && *text == '0'))
		return false;
	return text[digits] != '.' ||
	       strspn(text + digits + 1, "0123456789") > 0;
}

static struct json_object *
float_json(const struct node *node)
{
	double value = strtod(node->text, NULL);

	/* ".inf" and ".nan", which strtod() does not know, have an n. */
	if (!isfinite(value) || strpbrk(node->text, "nN") != NULL)
		return text_json(node);
	return is_json_number(node->text)
		   ? json_object_new_double_s(value, node->text)
		   : json_object_new_double(value);
}

static struct json_object *
scalar_json(const struct node *node)
{
	if (!node->plain)
		return text_json(node);
	switch (scalar_resolve(node->text)) {
	case SCALAR_NULL:
		return NULL;
	case SCALAR_BOOLEAN:
		return json_object_new_boolean(
		    node->text[0] == 't' || node->text[0] == 'T');
	case SCALAR_INTEGER:
		return integer_json(node);
	case SCALAR_FLOAT:
		return float_json(node);
	default:
		return text_json(node);
	}
}

static struct json_object *
node_json(const struct node *node)
{
	struct json_object *object;
	size_t i;

	if (node->type == NODE_SCALAR)
		return scalar_json(node);
	if (node->type == NODE_SEQUENCE) {
		object = json_object_new_array_ext((int)node->count);
		for (i = 0; i < node->count; i++)
			json_object_array_add(
			    object, node_json(node->items[i]));
		return object;
	}
	object = json_object_new_object();
	for (i = 0; i < node->count; i++)
		json_object_object_add(object, node->entries[i].key->text,
		    node_json(node->entries[i].value));
	return object;
}

static bool
is_deeper(const struct node *node, int depth)
{
	size_t i;

	if (node->type != NODE_SCALAR && depth == 0)
		return true;
	for (i = 0; i < node->count; i++)
		if (is_deeper(node->type == NODE_SEQUENCE
				  ? node->items[i]
				  : node->entries[i].value,
			depth - 1))
			return true;
	return false;
}

int
metadata_parse(const char *text, size_t length, struct json_object **out,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct node *root = NULL;

	if (tree_parse(&metadata_kind, text, length, &arena, &root, err) < 0)
		return -1;
	if (root == NULL || root->type != NODE_MAPPING)
		return error_field(
		    err, "metadata", "INVALID_METADATA", "no mapping");
	if (is_deeper(root, DEPTH_OF_METADATA))
		return error_field(err, "metadata", "INVALID_METADATA",
		    "nested deeper than %d", DEPTH_OF_METADATA);
	*out = node_json(root);
	return 0;
}

static void write_json(
    struct buffer *out, struct json_object *value, int depth);

static void
indent(struct buffer *out, int depth)
{
	buffer_printf(out, "%*s", depth * 2, "");
}

static void
write_members(struct buffer *out, struct json_object *object, int depth)
{
	bool first = true;

	json_object_object_foreach(object, name, value)
	{
		/* The first member of an item stands behind its dash. */
		if (!first)
			indent(out, depth);
		first = false;
		scalar_write_string(out, name);
		buffer_char(out, ':');
		write_json(out, value, depth + 1);
	}
}

static void
write_items(struct buffer *out, struct json_object *array, int depth)
{
	size_t i, count = json_object_array_length(array);

	for (i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		indent(out, depth);
		buffer_char(out, '-');
		if (json_object_is_type(item, json_type_object) &&
		    json_object_object_length(item) > 0) {
			buffer_char(out, ' ');
			write_members(out, item, depth + 1);
		} else {
			write_json(out, item, depth + 1);
		}
	}
}

/* Behind "name:" or "-", to the end of the line. */
static void
write_json(struct buffer *out, struct json_object *value, int depth)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		if (json_object_object_length(value) == 0) {
			buffer_text(out, " {}\n");
			return;
		}
		buffer_char(out, '\n');
		indent(out, depth);
		write_members(out, value, depth);
		return;
	case json_type_array:
		if (json_object_array_length(value) == 0) {
			buffer_text(out, " []\n");
			return;
		}
		buffer_char(out, '\n');
		write_items(out, value, depth);
		return;
	case json_type_string:
		buffer_char(out, ' ');
		scalar_write_string(out, json_object_get_string(value));
		buffer_char(out, '\n');
		return;
	default: /* null, booleans and numbers are written alike */
		buffer_printf(out, " %s\n", json_object_to_json_string(value));
	}
}

int
metadata_format(
    struct json_object *metadata, struct buffer *out, struct error *err)
{
	if (!json_object_is_type(metadata, json_type_object))
		return error_field(
		    err, "metadata", "INVALID_METADATA", "no object");
	if (json_object_object_length(metadata) == 0)
		buffer_text(out, "{}\n");
	else
		write_members(out, metadata, 0);
	if (out->overflowed)
		return error_field(err, "metadata", "INVALID_METADATA",
		    "larger than %zu bytes", out->maximum);
	return 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* At least two labels of letters, digits and '-', the last not a number. */
static bool
is_domain(const char *text)
{
	size_t length = strlen(text), label, labels = 0;

	if (length == 0 || length > 253)
		return false;
	for (;; text += label + 1) {
		label = strcspn(text, ".");
		if (label == 0 || label > 63 || *text == '-' ||
		    text[label - 1] == '-' ||
		    strspn(text, LETTERS DIGITS "-") < label)
			return false;
		labels++;
		if (text[label] == '\0')
			return labels > 1 && strspn(text, DIGITS) < label;
	}
}

static bool
is_path(const char *text)
{
	size_t length = strlen(text);

	return *text == '/' && length <= 1024 &&
	       strspn(text, LETTERS DIGITS "._~/-") == length;
}

/* It may have a query; nothing but the application reads it. */
static bool
is_health_path(const char *text)
{
	size_t length = strlen(text);

	return *text == '/' && length <= 1024 &&
	       strspn(text, LETTERS DIGITS "._~/-?=&%:@!*+,;()") == length;
}

static bool
is_interval(const char *text)
{
	int64_t unused;

	return clock_parse_duration(text, &unused) == 0;
}

static bool
is_check_type(const char *text)
{
	return strcmp(text, "http") == 0 || strcmp(text, "tcp") == 0 ||
	       strcmp(text, "exec") == 0;
}

static bool
is_protocol(const char *text)
{
	size_t length = strlen(text);

	return length <= 16 && strspn(text, LETTERS DIGITS "-") == length;
}

static bool
is_word(const char *text)
{
	return strlen(text) <= 255;
}

enum member_type { MEMBER_TEXT, MEMBER_FLAG, MEMBER_PORT, MEMBER_NUMBER };

struct member {
	const char *name;
	enum member_type type;
	bool (*is_valid)(const char *text);
	const char *code;
	const char *expected;
};

#define DOMAIN_EXPECTED \
	"a domain of at least two labels of letters, digits and '-'"
#define PATH_EXPECTED "a path beginning with '/'"

static const struct member top_members[] = {
	{ "name", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ "type", MEMBER_TEXT, is_word, NULL, "at most 255 bytes" },
	{ "primary_service", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

static const struct member networking_members[] = {
	{ "expose", MEMBER_FLAG, NULL, NULL, NULL },
	{ "domain", MEMBER_TEXT, is_domain, "INVALID_DOMAIN", DOMAIN_EXPECTED },
	{ "service", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ "container_port", MEMBER_PORT, NULL, "INVALID_PORT", NULL },
	{ "protocol", MEMBER_TEXT, is_protocol, NULL, "such as http" },
	{ "proxy_type", MEMBER_TEXT, is_protocol, NULL, "such as http" },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

static const struct member ssl_members[] = {
	{ "enabled", MEMBER_FLAG, NULL, NULL, NULL },
	{ "auto_cert", MEMBER_FLAG, NULL, NULL, NULL },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

static const struct member healthcheck_members[] = {
	{ "path", MEMBER_TEXT, is_health_path, "INVALID_PATH", PATH_EXPECTED },
	{ "interval", MEMBER_TEXT, is_interval, NULL,
	    "a duration such as 30s" },
	{ "service", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ "port", MEMBER_PORT, NULL, "INVALID_PORT", NULL },
	{ "type", MEMBER_TEXT, is_check_type, NULL, "http, tcp or exec" },
	{ "response_contains", MEMBER_TEXT, is_word, NULL,
	    "at most 255 bytes" },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

static const struct member domain_members[] = {
	{ "id", MEMBER_TEXT, is_word, NULL, "at most 255 bytes" },
	{ "service", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ "container_port", MEMBER_PORT, NULL, "INVALID_PORT", NULL },
	{ "domain", MEMBER_TEXT, is_domain, "INVALID_DOMAIN", DOMAIN_EXPECTED },
	{ "path_prefix", MEMBER_TEXT, is_path, "INVALID_PATH", PATH_EXPECTED },
	{ "strip_prefix", MEMBER_FLAG, NULL, NULL, NULL },
	{ "static_cache", MEMBER_FLAG, NULL, NULL, NULL },
	{ "proxy_timeout", MEMBER_NUMBER, NULL, NULL, NULL },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

/* "" and 0 are what clients send for "none". */
static int
check_member(const struct member *member, struct json_object *value,
    const char *field, struct error *err)
{
	enum json_type type = json_object_get_type(value);
	const char *text;
	int64_t number;

	switch (member->type) {
	case MEMBER_FLAG:
		return type == json_type_boolean
			   ? 0
			   : error_field(err, field, NULL,
				 "'%s' must be true or false", field);
	case MEMBER_PORT:
	case MEMBER_NUMBER:
		number =
		    type == json_type_int ? json_object_get_int64(value) : -1;
		if (number >= 0 && number <= 65535)
			return 0;
		return error_field(err, field, member->code,
		    "'%s' must be a number from 0 to 65535", field);
	default:
		break;
	}
	if (type != json_type_string)
		return error_field(
		    err, field, NULL, "'%s' must be a string", field);
	text = json_object_get_string(value);
	if (strlen(text) == (size_t)json_object_get_string_len(value) &&
	    (*text == '\0' || member->is_valid(text)))
		return 0;
	return error_field(err, field, member->code, "'%s' must be %s", field,
	    member->expected);
}

static int
check_members(struct json_object *object, const struct member *members,
    const char *prefix, struct error *err)
{
	for (; members->name != NULL; members++) {
		struct json_object *value = json_member(object, members->name);
		char field[sizeof err->field];

		snprintf(field, sizeof field, "%s.%s", prefix, members->name);
		if (value != NULL &&
		    check_member(members, value, field, err) < 0)
			return -1;
	}
	return 0;
}

/* An object of the parent that may be missing. */
static int
check_object(struct json_object *parent, const char *name, const char *prefix,
    const struct member *members, struct error *err)
{
	struct json_object *object = json_member(parent, name);
	char field[sizeof err->field];

	snprintf(field, sizeof field, "%s.%s", prefix, name);
	if (object == NULL)
		return 0;
	if (!json_object_is_type(object, json_type_object))
		return error_field(
		    err, field, NULL, "'%s' must be an object", field);
	return check_members(object, members, field, err);
}

static int
check_aliases(struct json_object *domain, const char *name, const char *prefix,
    struct error *err)
{
	static const struct member alias = { NULL, MEMBER_TEXT, is_domain,
		"INVALID_DOMAIN", DOMAIN_EXPECTED };
	struct json_object *list = json_member(domain, name);
	char field[sizeof err->field];
	size_t i;

	snprintf(field, sizeof field, "%s.%s", prefix, name);
	if (list == NULL)
		return 0;
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > 100)
		return error_field(err, field, NULL,
		    "'%s' must be a list of at most 100", field);
	for (i = 0; i < json_object_array_length(list); i++) {
		snprintf(field, sizeof field, "%s.%s[%zu]", prefix, name, i);
		if (check_member(&alias, json_object_array_get_idx(list, i),
			field, err) < 0)
			return -1;
	}
	return 0;
}

static int
check_domain(struct json_object *domain, const char *field, struct error *err)
{
	if (check_members(domain, domain_members, field, err) < 0 ||
	    check_object(domain, "ssl", field, ssl_members, err) < 0 ||
	    check_aliases(domain, "aliases", field, err) < 0)
		return -1;
	return check_aliases(domain, "route_only_aliases", field, err);
}

static const struct member action_members[] = {
	{ "id", MEMBER_TEXT, is_word, NULL, "at most 255 bytes" },
	{ "service", MEMBER_TEXT, compose_name_is_valid, "INVALID_NAME",
	    COMPOSE_NAME_EXPECTED },
	{ NULL, MEMBER_TEXT, NULL, NULL, NULL },
};

/* A text for the container's shell, or the words of a command. */
static int
check_action(struct json_object *action, const char *field, struct error *err)
{
	struct json_object *command = json_member(action, "command");
	bool is_list = json_object_is_type(command, json_type_array);
	size_t i, count = is_list ? json_object_array_length(command) : 0;
	char member[sizeof err->field];

	if (check_members(action, action_members, field, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (!json_object_is_type(json_object_array_get_idx(command, i),
			json_type_string))
			break;
	if (command == NULL || (is_list && count > 0 && i == count) ||
	    json_object_is_type(command, json_type_string))
		return 0;
	snprintf(member, sizeof member, "%s.command", field);
	return error_field(err, member, NULL,
	    "'%s' must be a string or a list of strings", member);
}

/* A list of objects that may be missing. */
static int
check_each(struct json_object *metadata, const char *name,
    int (*check)(struct json_object *, const char *, struct error *),
    struct error *err)
{
	struct json_object *list = json_member(metadata, name);
	char field[sizeof err->field];
	size_t i;

	snprintf(field, sizeof field, "metadata.%s", name);
	if (list == NULL)
		return 0;
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > 100)
		return error_field(err, field, NULL,
		    "'%s' must be a list of at most 100", field);
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		snprintf(field, sizeof field, "metadata.%s[%zu]", name, i);
		if (!json_object_is_type(one, json_type_object))
			return error_field(
			    err, field, NULL, "'%s' must be an object", field);
		if (check(one, field, err) < 0)
			return -1;
	}
	return 0;
}

int
metadata_check(struct json_object *metadata, struct error *err)
{
	if (!json_object_is_type(metadata, json_type_object))
		return error_field(
		    err, "metadata", NULL, "'metadata' must be an object");
	if (check_members(metadata, top_members, "metadata", err) < 0 ||
	    check_object(metadata, "networking", "metadata", networking_members,
		err) < 0 ||
	    check_object(metadata, "ssl", "metadata", ssl_members, err) < 0 ||
	    check_object(metadata, "healthcheck", "metadata",
		healthcheck_members, err) < 0)
		return -1;
	return check_each(metadata, "domains", check_domain, err) < 0
		   ? -1
		   : check_each(metadata, "quick_actions", check_action, err);
}

struct json_object *
metadata_default(const char *name, const struct document *document)
{
	const struct compose_service *primary =
	    document != NULL ? document_primary_service(document) : NULL;
	struct json_object *metadata = json_object_new_object();
	struct json_object *networking = json_object_new_object();
	struct json_object *healthcheck = json_object_new_object();

	json_put_boolean(networking, "expose", false);
	if (primary != NULL) {
		json_put_text(networking, "service", primary->name);
		if (primary->container_port != 0)
			json_put_integer(networking, "container_port",
			    primary->container_port);
	}
	json_put_text(networking, "protocol", "http");
	json_put_text(networking, "proxy_type", "http");
	json_put_text(healthcheck, "path", "/");
	json_put_text(healthcheck, "interval", "30s");
	json_put_text(metadata, "name", name);
	json_put(metadata, "networking", networking);
	json_put(metadata, "healthcheck", healthcheck);
	return metadata;
}
