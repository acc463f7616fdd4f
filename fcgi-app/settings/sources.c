/* templates.sources: where templates come from, besides those installed. */
#include "settings/grammar.h"
#include "settings/settings-private.h"

#include <string.h>

#define SOURCES_MAXIMUM 20
#define KEY "templates.sources"

struct member {
	const char *name;
	bool (*is_valid)(const char *text);
	const char *expected;
};

enum { NAME, PATH, URL, SHA256, CA, MEMBER_COUNT };

static const struct member members[MEMBER_COUNT] = {
	[NAME] = { "name", word_is_valid, "of a-z, 0-9, '_', '-' and '.'" },
	[PATH] = { "path", path_is_valid,
	    "an absolute path of letters, digits and . _ + @ -" },
	[URL] = { "url", https_url_is_valid,
	    "https://, a host and a path, without a user" },
	[SHA256] = { "sha256", sha256_is_valid,
	    "64 hexadecimal digits in lower case" },
	[CA] = { "ca", path_is_valid,
	    "an absolute path of letters, digits and . _ + @ -" },
};

static int
read_member(const struct settings_reader *reader,
    const struct config_node *node, const char *texts[MEMBER_COUNT],
    struct error *err)
{
	size_t i;

	for (i = 0; i < MEMBER_COUNT; i++) {
		if (strcmp(node->key, members[i].name) != 0)
			continue;
		if (node->kind != CONFIG_SCALAR ||
		    !members[i].is_valid(node->text))
			return settings_fail_expected(reader, node,
			    arena_printf(reader->arena, KEY "[].%s", node->key),
			    err, members[i].expected);
		texts[i] = node->text;
		return 0;
	}
	return settings_fail_expected(reader, node,
	    arena_printf(reader->arena, KEY "[].%s", node->key), err,
	    "name, path, url, sha256 or ca");
}

static int
read_source(const struct settings_reader *reader,
    const struct config_node *item, struct settings_template_source *out,
    struct error *err)
{
	const char *texts[MEMBER_COUNT] = { NULL };
	const struct config_node *node;

	if (item->kind != CONFIG_MAPPING)
		return settings_fail_expected(
		    reader, item, KEY, err, "a list of groups of keys");
	for (node = item->first; node != NULL; node = node->next)
		if (read_member(reader, node, texts, err) < 0)
			return -1;
	if (texts[NAME] == NULL || strcmp(texts[NAME], "builtin") == 0 ||
	    (texts[PATH] == NULL) == (texts[URL] == NULL) ||
	    (texts[URL] == NULL) != (texts[SHA256] == NULL) ||
	    (texts[CA] != NULL && texts[URL] == NULL))
		return settings_fail_expected(reader, item, KEY, err,
		    "name and path, or name, url, sha256 and maybe ca; a name "
		    "other than \"builtin\"");
	*out = (struct settings_template_source){
		.name = texts[NAME],
		.path = texts[PATH],
		.url = texts[URL],
		.sha256 = texts[SHA256],
		.ca = texts[CA],
	};
	return 0;
}

int
settings_read_template_sources(const struct settings_reader *reader,
    const struct config_node *node, struct error *err)
{
	struct settings_template_source *sources =
	    arena_array(reader->arena, SOURCES_MAXIMUM, sizeof *sources);
	const struct config_node *item;
	size_t count = 0, i;

	if (node->kind != CONFIG_SEQUENCE)
		return settings_fail_expected(
		    reader, node, KEY, err, "a list of groups of keys");
	for (item = node->first; item != NULL; item = item->next) {
		if (count == SOURCES_MAXIMUM)
			return settings_fail_expected(
			    reader, item, KEY, err, "a list of at most 20");
		if (read_source(reader, item, &sources[count], err) < 0)
			return -1;
		for (i = 0; i < count; i++)
			if (strcmp(sources[i].name, sources[count].name) == 0)
				return settings_fail_expected(reader, item, KEY,
				    err, "sources of different names");
		count++;
	}
	reader->settings->templates.sources = sources;
	reader->settings->templates.source_count = count;
	return 0;
}
