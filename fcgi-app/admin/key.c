#include "admin/admin.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "store/keys.h"
#include "store/store.h"
#include "json/json.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define USAGE                                                    \
	"key create --name NAME [--role admin|operator|viewer] " \
	"[--output FILE]\n"                                      \
	"       flatrun-admin [-c FILE] key list [--json]\n"     \
	"       flatrun-admin [-c FILE] key revoke ID"

struct create_options {
	const char *name, *role, *output;
};

/* Whoever gets the file gets the key, so it is there complete or not at all. */
static int
hand_over(struct store *store, const struct create_options *options,
    const char *text, const struct api_key *key, struct error *err)
{
	auto_buffer struct buffer line = BUFFER(KEY_TEXT_SIZE + 1);
	struct error ignored = { 0 };

	if (options->output == NULL) {
		printf("%s\n", text);
		if (fflush(stdout) == 0)
			return 0;
		error_errno(err, "cannot print the key");
	} else {
		buffer_printf(&line, "%s\n", text);
		if (admin_write_file(options->output, buffer_string(&line),
			line.length, 0600, err) == 0)
			return 0;
	}
	/* Nobody knows the key: it is of no use but as a puzzle in the list. */
	store_key_revoke(store, key->id, &ignored);
	return -1;
}

static int
create_key(struct store *store, const struct create_options *options,
    struct arena *arena, struct error *err)
{
	char text[KEY_TEXT_SIZE];
	struct api_key key = { 0 };
	enum role role;
	int failed;

	if (role_parse(options->role, &role) < 0)
		return error_set(err, ERR_INVALID, NULL,
		    "the role is one of admin, operator, viewer");
	if (!key_name_is_valid(options->name))
		return error_set(err, ERR_INVALID, NULL,
		    "the name has 1 to 64 printable characters");
	if (store_key_create(
		store, options->name, role, text, arena, &key, err) < 0)
		return -1;
	failed = hand_over(store, options, text, &key, err);
	explicit_bzero(text, sizeof text);
	if (failed)
		return -1;
	fprintf(stderr, "key %s (%s, %s) created\n", key.id, key.name,
	    role_name(key.role));
	return 0;
}

static const char *
time_text(int64_t seconds, char text[CLOCK_TEXT_SIZE])
{
	return seconds > 0 ? clock_format_ms(seconds * 1000, text) : NULL;
}

static void
print_json(const struct api_key *keys, size_t count)
{
	auto_json struct json_object *list = json_object_new_array();
	char text[CLOCK_TEXT_SIZE];
	size_t i;

	for (i = 0; i < count; i++) {
		struct json_object *key = json_object_new_object();

		json_put_text(key, "id", keys[i].id);
		json_put_text(key, "name", keys[i].name);
		json_put_text(key, "prefix", keys[i].prefix);
		json_put_text(key, "role", role_name(keys[i].role));
		json_put_text(
		    key, "created_at", time_text(keys[i].created_at, text));
		json_put_text(
		    key, "last_used_at", time_text(keys[i].last_used_at, text));
		json_put_text(
		    key, "revoked_at", time_text(keys[i].revoked_at, text));
		json_object_array_add(list, key);
	}
	puts(json_serialize(list, NULL));
}

static void
print_table(const struct api_key *keys, size_t count)
{
	char used[CLOCK_TEXT_SIZE];
	size_t i;

	printf("%-12s  %-8s  %-15s  %-24s  %s\n", "ID", "ROLE", "PREFIX",
	    "LAST USED", "NAME");
	for (i = 0; i < count; i++) {
		const char *last = time_text(keys[i].last_used_at, used);

		printf("%-12s  %-8s  %-15s  %-24s  %s%s\n", keys[i].id,
		    role_name(keys[i].role), keys[i].prefix,
		    last != NULL ? last : "never", keys[i].name,
		    keys[i].revoked_at > 0 ? "  (revoked)" : "");
	}
}

static int
list_keys(
    struct store *store, bool json, struct arena *arena, struct error *err)
{
	struct api_key *keys;
	size_t count;

	if (store_key_list(store, arena, &keys, &count, err) < 0)
		return -1;
	if (json)
		print_json(keys, count);
	else
		print_table(keys, count);
	return 0;
}

/* The options of all three; what does not belong to the action is usage. */
static int
parse_options(
    int argc, char **argv, struct create_options *options, bool *out_json)
{
	static const struct option known[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "role", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'n')
			options->name = optarg;
		else if (option == 'r')
			options->role = optarg;
		else if (option == 'o')
			options->output = optarg;
		else if (option == 'j')
			*out_json = true;
		else
			return -1;
	}
	return 0;
}

static int
run(const struct settings *settings, const char *action,
    const struct create_options *options, bool json, const char *id,
    struct arena *arena, struct error *err)
{
	auto_store struct store *store = NULL;

	if (store_find(settings->database_directory, err) < 0 ||
	    store_open(settings->database_directory, STORE_ADMIN, &store, err) <
		0)
		return -1;
	if (strcmp(action, "create") == 0)
		return create_key(store, options, arena, err);
	if (strcmp(action, "list") == 0)
		return list_keys(store, json, arena, err);
	return store_key_revoke(store, id, err);
}

int
command_key(const char *config, int argc, char **argv)
{
	auto_arena struct arena arena = { 0 };
	struct create_options options = { .role = "admin" };
	const char *action = argc > 1 ? argv[1] : "", *id = NULL;
	struct settings *settings;
	struct error err = { 0 };
	bool json = false;
	int operands;

	if (argc < 2 || parse_options(argc - 1, argv + 1, &options, &json) < 0)
		return admin_usage(USAGE);
	operands = argc - 1 - optind;
	if (operands == 1)
		id = argv[1 + optind];
	if ((strcmp(action, "create") == 0 &&
		(operands != 0 || options.name == NULL)) ||
	    (strcmp(action, "list") == 0 && operands != 0) ||
	    (strcmp(action, "revoke") == 0 && operands != 1) ||
	    (strcmp(action, "create") != 0 && strcmp(action, "list") != 0 &&
		strcmp(action, "revoke") != 0))
		return admin_usage(USAGE);
	if (admin_load_settings(config, &arena, &settings) < 0)
		return ADMIN_FAILED;
	if (run(settings, action, &options, json, id, &arena, &err) < 0)
		return admin_fail(&err);
	return ADMIN_OK;
}
