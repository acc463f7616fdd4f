/*
 * What only settings/ needs: the table of keys, and the checks that look at
 * more than one of them.
 */
#ifndef SETTINGS_SETTINGS_PRIVATE_H
#define SETTINGS_SETTINGS_PRIVATE_H

#include "settings/config-text.h"
#include "settings/settings.h"

enum setting_type {
	SETTING_STRING,
	SETTING_BOOL,
	SETTING_INTEGER,
	SETTING_DURATION, /* stored in milliseconds */
	SETTING_SECONDS,  /* a duration, stored in seconds */
	SETTING_SIZE,     /* stored in bytes */
	SETTING_STRINGS,
	SETTING_CHOICE, /* a word that read() takes */
	SETTING_TREE,   /* what read_tree() takes */
	SETTING_ANY,    /* known, of no use here, whatever is in it */
};

/* Known and checked for its type, but kept nowhere. */
#define SETTING_UNUSED ((size_t)-1)

struct settings_reader;

struct setting {
	const char *key; /* with dots: "api.port"; NULL ends the table */
	enum setting_type type;
	size_t offset; /* in struct settings, or SETTING_UNUSED */
	int64_t minimum, maximum;
	bool (*is_valid)(const char *text); /* strings; may be NULL */
	int (*read)(const char *text, struct settings *settings);
	int (*read_tree)(const struct settings_reader *reader,
	    const struct config_node *node, struct error *err);
	const char *expected; /* "a port, 1 to 65535" */
};

extern const struct setting setting_table[];

struct settings_reader {
	const char *path;
	const char *home; /* what "~" stands for, or NULL */
	struct arena *arena;
	struct settings *settings;
	void (*on_warning)(void *context, unsigned int line, const char *text);
	void *context;
};

/* Puts the values of the tree into reader->settings. */
int settings_read_tree(struct settings_reader *reader,
    const struct config_node *root, struct error *err);

/* The node is wrong: "path:line: key: must be what". Always -1. */
int settings_fail_expected(const struct settings_reader *reader,
    const struct config_node *node, const char *key, struct error *err,
    const char *what);

/* templates.sources */
int settings_read_template_sources(const struct settings_reader *reader,
    const struct config_node *node, struct error *err);

/* The node of a key with dots, or NULL. */
const struct config_node *settings_node(
    const struct config_node *root, const char *key);

/* Always -1, with "path:line: key: reason" and the line of that key. */
int settings_fail(const struct settings_reader *reader,
    const struct config_node *root, const char *key, struct error *err,
    const char *reason);
void settings_warn(const struct settings_reader *reader,
    const struct config_node *root, const char *key, const char *reason);

/* Secrets that are short, known or used twice, and keys at odds. */
int settings_check(const struct settings_reader *reader,
    const struct config_node *root, struct error *err);

#endif
