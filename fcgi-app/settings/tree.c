#include "settings/settings-private.h"

#include "base/clock.h"
#include "settings/grammar.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAXIMUM 256
#define LIST_MAXIMUM 100

int
settings_fail_expected(const struct settings_reader *reader,
    const struct config_node *node, const char *key, struct error *err,
    const char *what)
{
	return error_set(err, ERR_INVALID, "CONFIG_INVALID",
	    "%s:%u: %s: must be %s", reader->path, node->line, key, what);
}

static const struct setting *
find_setting(const char *key)
{
	const struct setting *setting;

	for (setting = setting_table; setting->key != NULL; setting++)
		if (strcmp(setting->key, key) == 0)
			return setting;
	return NULL;
}

/* Is this the first part of a key that we know? */
static bool
is_section(const char *key)
{
	const struct setting *setting;
	size_t length = strlen(key);

	for (setting = setting_table; setting->key != NULL; setting++)
		if (strncmp(setting->key, key, length) == 0 &&
		    setting->key[length] == '.')
			return true;
	return false;
}

static int
read_bool(const struct config_node *node, bool *out)
{
	static const char *const words[][2] = { { "true", "false" },
		{ "True", "False" }, { "yes", "no" }, { "on", "off" } };
	size_t i;

	if (node->kind != CONFIG_SCALAR || !node->plain)
		return -1;
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		*out = strcmp(node->text, words[i][0]) == 0;
		if (*out || strcmp(node->text, words[i][1]) == 0)
			return 0;
	}
	return -1;
}

/*
 * "~/" is the home of the file's owner, not of the process: the programs that
 * read this file run as several users and have to agree.
 */
static const char *
expand_home(const struct settings_reader *reader, const char *text)
{
	if (strncmp(text, "~/", 2) != 0 || reader->home == NULL)
		return text;
	return arena_printf(reader->arena, "%s%s", reader->home, text + 1);
}

static int
read_string(const struct settings_reader *reader, const struct setting *setting,
    const struct config_node *node, const char *key, const char **out,
    struct error *err)
{
	const char *text;

	if (node->kind != CONFIG_SCALAR)
		return settings_fail_expected(reader, node, key, err, "a text");
	text = expand_home(reader, node->text);
	if (*text != '\0' && setting->is_valid != NULL &&
	    !setting->is_valid(text))
		return settings_fail_expected(
		    reader, node, key, err, setting->expected);
	*out = text;
	return 0;
}

static int
read_strings(const struct settings_reader *reader,
    const struct setting *setting, const struct config_node *node,
    const char *const **out, struct error *err)
{
	const struct config_node *item;
	const char **list;
	size_t count = 0;

	if (node->kind != CONFIG_SEQUENCE)
		return settings_fail_expected(
		    reader, node, setting->key, err, "a list");
	for (item = node->first; item != NULL; item = item->next)
		count++;
	if (count > LIST_MAXIMUM)
		return settings_fail_expected(reader, node, setting->key, err,
		    "a list of at most 100 values");
	list = arena_array(reader->arena, count + 1, sizeof *list);
	count = 0;
	for (item = node->first; item != NULL; item = item->next) {
		char key[KEY_MAXIMUM];

		snprintf(key, sizeof key, "%s[%zu]", setting->key, count);
		if (read_string(reader, setting, item, key, &list[count], err) <
		    0)
			return -1;
		if (*list[count] == '\0')
			return settings_fail_expected(
			    reader, item, key, err, "something");
		count++;
	}
	*out = list;
	return 0;
}

static int
read_integer(const struct settings_reader *reader,
    const struct setting *setting, const struct config_node *node, int64_t *out,
    struct error *err)
{
	int64_t value;

	if (node->kind != CONFIG_SCALAR || !node->plain ||
	    number_parse(node->text, &value) < 0)
		return settings_fail_expected(
		    reader, node, setting->key, err, "a whole number");
	if (value < setting->minimum || value > setting->maximum)
		return error_set(err, ERR_INVALID, "CONFIG_INVALID",
		    "%s:%u: %s: must be from %lld to %lld", reader->path,
		    node->line, setting->key, (long long)setting->minimum,
		    (long long)setting->maximum);
	*out = value;
	return 0;
}

static int
read_duration(const struct settings_reader *reader,
    const struct setting *setting, const struct config_node *node, int64_t *out,
    struct error *err)
{
	int64_t value_ms;

	if (node->kind != CONFIG_SCALAR ||
	    clock_parse_duration(node->text, &value_ms) < 0)
		return settings_fail_expected(reader, node, setting->key, err,
		    "a duration such as 30s, 2m or 12h");
	if (value_ms < setting->minimum || value_ms > setting->maximum)
		return error_set(err, ERR_INVALID, "CONFIG_INVALID",
		    "%s:%u: %s: must be from %llds to %llds", reader->path,
		    node->line, setting->key,
		    (long long)(setting->minimum / 1000),
		    (long long)(setting->maximum / 1000));
	*out = setting->type == SETTING_SECONDS ? value_ms / 1000 : value_ms;
	return 0;
}

/* "64M", "64MiB" or "67108864". */
static int
read_size(const struct settings_reader *reader, const struct setting *setting,
    const struct config_node *node, int64_t *out, struct error *err)
{
	static const char units[] = "KMGT";
	char digits[16] = "";
	const char *text = node->kind == CONFIG_SCALAR ? node->text : "";
	size_t length = strspn(text, "0123456789");
	const char *unit = NULL, *rest = text + length;
	int64_t value;

	if (length > 0 && length < sizeof digits)
		memcpy(digits, text, length);
	if (*rest != '\0' && (unit = strchr(units, *rest)) != NULL)
		rest++;
	if (unit != NULL && strcmp(rest, "iB") == 0)
		rest += 2;
	if (*rest != '\0' || number_parse(digits, &value) < 0)
		return settings_fail_expected(reader, node, setting->key, err,
		    "a size such as 65536, 512K, 64M or 2G");
	while (unit != NULL && value <= INT64_MAX / 1024) {
		value *= 1024;
		unit = unit > units ? unit - 1 : NULL;
	}
	if (unit != NULL || value < setting->minimum ||
	    value > setting->maximum)
		return error_set(err, ERR_INVALID, "CONFIG_INVALID",
		    "%s:%u: %s: must be from %lldM to %lldM", reader->path,
		    node->line, setting->key,
		    (long long)(setting->minimum >> 20),
		    (long long)(setting->maximum >> 20));
	*out = value;
	return 0;
}

static int
read_choice(const struct settings_reader *reader, const struct setting *setting,
    const struct config_node *node, struct error *err)
{
	if (node->kind != CONFIG_SCALAR ||
	    setting->read(node->text, reader->settings) < 0)
		return settings_fail_expected(
		    reader, node, setting->key, err, setting->expected);
	return 0;
}

static int
read_setting(const struct settings_reader *reader,
    const struct setting *setting, const struct config_node *node,
    struct error *err)
{
	union {
		bool truth;
		int64_t number;
		const char *text;
		const char *const *texts;
	} unused;
	void *out = setting->offset == SETTING_UNUSED
			? (void *)&unused
			: (char *)reader->settings + setting->offset;

	switch (setting->type) {
	case SETTING_STRING:
		return read_string(
		    reader, setting, node, setting->key, out, err);
	case SETTING_STRINGS:
		return read_strings(reader, setting, node, out, err);
	case SETTING_BOOL:
		if (read_bool(node, out) < 0)
			return settings_fail_expected(
			    reader, node, setting->key, err, "true or false");
		return 0;
	case SETTING_INTEGER:
		return read_integer(reader, setting, node, out, err);
	case SETTING_DURATION:
	case SETTING_SECONDS:
		return read_duration(reader, setting, node, out, err);
	case SETTING_SIZE:
		return read_size(reader, setting, node, out, err);
	case SETTING_CHOICE:
		return read_choice(reader, setting, node, err);
	case SETTING_TREE:
		return setting->read_tree(reader, node, err);
	case SETTING_ANY:
		break;
	}
	return 0;
}

static void
warn(const struct settings_reader *reader, unsigned int line, const char *key,
    const char *reason)
{
	if (reader->on_warning != NULL)
		reader->on_warning(reader->context, line,
		    arena_printf(reader->arena, "%s: %s", key, reason));
}

static int
read_mapping(const struct settings_reader *reader,
    const struct config_node *mapping, const char *prefix, struct error *err)
{
	const struct config_node *node;

	for (node = mapping->first; node != NULL; node = node->next) {
		const char *key =
		    arena_printf(reader->arena, "%s%s", prefix, node->key);
		const struct setting *setting = find_setting(key);

		if (setting == NULL && !is_section(key)) {
			warn(reader, node->line, key, "unknown key, ignored");
			continue;
		}
		if (config_node_is_null(node))
			continue;
		if (setting != NULL) {
			if (read_setting(reader, setting, node, err) < 0)
				return -1;
			continue;
		}
		if (node->kind != CONFIG_MAPPING)
			return settings_fail_expected(
			    reader, node, key, err, "a group of keys");
		if (read_mapping(reader, node,
			arena_printf(reader->arena, "%s.", key), err) < 0)
			return -1;
	}
	return 0;
}

int
settings_read_tree(struct settings_reader *reader,
    const struct config_node *root, struct error *err)
{
	return read_mapping(reader, root, "", err);
}

const struct config_node *
settings_node(const struct config_node *root, const char *key)
{
	const struct config_node *node = root;

	while (node != NULL && *key != '\0') {
		size_t length = strcspn(key, ".");

		for (node = node->first; node != NULL; node = node->next)
			if (node->key != NULL && strlen(node->key) == length &&
			    strncmp(node->key, key, length) == 0)
				break;
		key += length;
		key += *key == '.';
	}
	return node;
}

static unsigned int
line_of(const struct config_node *root, const char *key)
{
	const struct config_node *node = settings_node(root, key);

	return node != NULL && node->line > 0 ? node->line : 1;
}

int
settings_fail(const struct settings_reader *reader,
    const struct config_node *root, const char *key, struct error *err,
    const char *reason)
{
	return error_set(err, ERR_INVALID, "CONFIG_INVALID", "%s:%u: %s: %s",
	    reader->path, line_of(root, key), key, reason);
}

void
settings_warn(const struct settings_reader *reader,
    const struct config_node *root, const char *key, const char *reason)
{
	warn(reader, line_of(root, key), key, reason);
}
