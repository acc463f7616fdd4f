#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "compose/edit.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	struct compose_edit edit;
	struct error err;
};

static int
setup(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	free(f);
	return 0;
}

static struct compose_edit *
edit(struct fixture *f, const char *text)
{
	memset(&f->err, 0, sizeof f->err);
	f->edit = (struct compose_edit){ &f->arena, text, strlen(text) };
	return &f->edit;
}

/* The document's text after the edit, whose result is given. */
#define assert_text(f, result, expected)                                    \
	do {                                                                \
		if ((result) < 0)                                           \
			fail_msg("%s", (f)->err.message);                   \
		assert_string_equal((f)->edit.text, (expected));            \
		assert_int_equal((f)->edit.length, strlen((f)->edit.text)); \
	} while (0)

#define assert_kept(f, result, kind_expected, code_expected, before) \
	do {                                                         \
		assert_int_equal((result), -1);                      \
		assert_int_equal((f)->err.kind, (kind_expected));    \
		assert_string_equal((f)->err.code, (code_expected)); \
		assert_string_equal((f)->edit.text, (before));       \
	} while (0)

#define assert_refused(f, result, before) \
	assert_kept(f, result, ERR_CONFLICT, "EDIT_NOT_POSSIBLE", before)

static int
set_image(struct fixture *f, const char *text, const char *image)
{
	return compose_edit_image(edit(f, text), "app", image, &f->err);
}

static int
set_key(
    struct fixture *f, const char *text, const char *key, const char *fragment)
{
	return compose_edit_service_key(
	    edit(f, text), "app", key, fragment, &f->err);
}

static int
remove_key(struct fixture *f, const char *text, const char *key)
{
	return compose_edit_remove_key(edit(f, text), "app", key, &f->err);
}

static void
an_image_gives_way_byte_for_byte(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_image(f,
		"# top\nservices:\n  app: # the app\n    image:   nginx:1  # "
		"old\n    restart: always\n",
		"nginx:2"),
	    "# top\nservices:\n  app: # the app\n    image:   nginx:2  # old\n "
	    "   restart: always\n");
	assert_text(f,
	    set_image(f, "services:\n  app:\n    image: \"nginx:1\"", "a/b:2"),
	    "services:\n  app:\n    image: a/b:2");
	assert_text(f,
	    set_image(f, "services:\n  app:\n    image: 'x' # c", "b"),
	    "services:\n  app:\n    image: b # c");
	assert_text(f,
	    set_image(
		f, "services:\n  app:\n    image:\n      nginx # c\n", "b"),
	    "services:\n  app:\n    image: b\n");
	assert_text(f,
	    set_image(f, "services:\n  app:\n    image: ${A:-b}:${C}\n", "b"),
	    "services:\n  app:\n    image: b\n");
	/* A name that YAML 1.1 would take for a number. */
	assert_text(f, set_image(f, "services:\n  app:\n    image: b\n", "123"),
	    "services:\n  app:\n    image: \"123\"\n");
}

static void
an_image_that_is_the_same_stays_as_it_is_written(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_image(
		f, "services:\n  app:\n    image: 'nginx:1'\n", "nginx:1"),
	    "services:\n  app:\n    image: 'nginx:1'\n");
}

static void
line_breaks_and_characters_stay(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_image(f,
		"# \xc3\xa4\xe2\x82\xac\r\nservices:\r\n  app:\r\n    image: "
		"a # \xf0\x9f\x90\xb3\r\n",
		"b"),
	    "# \xc3\xa4\xe2\x82\xac\r\nservices:\r\n  app:\r\n    image: b # "
	    "\xf0\x9f\x90\xb3\r\n");
	assert_text(f,
	    set_key(f, "services:\r\n  app:\r\n    image: a\r\n", "ports",
		"- \"80\"\n- \"81\"\n"),
	    "services:\r\n  app:\r\n    image: a\r\n    ports:\r\n      - "
	    "\"80\"\r\n      - \"81\"\r\n");
}

static void
a_new_key_comes_last_in_its_service(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    image: a\n    # said of a\n\n  # of "
		"b\n  b:\n    image: b\n",
		"restart", "always"),
	    "services:\n  app:\n    image: a\n    # said of a\n    restart: "
	    "always\n\n  # of b\n  b:\n    image: b\n");
	/* Indented as the rest; no line break at the end before, none now. */
	assert_text(f,
	    set_key(f, "services:\n    app:\n        image: a", "expose",
		"- \"80\""),
	    "services:\n    app:\n        image: a\n        expose:\n          "
	    "  - \"80\"");
	assert_text(f,
	    set_key(f, "---\nservices:\n  app:\n    image: a\n...\n", "restart",
		"always\n"),
	    "---\nservices:\n  app:\n    image: a\n    restart: "
	    "always\n...\n");
}

static void
a_key_after_a_block_scalar_is_none_of_it(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    command: |\n      a\n      # b\n",
		"image", "i"),
	    "services:\n  app:\n    command: |\n      a\n      # b\n    image: "
	    "i\n");
	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    command: |+\n      a\n\n  b:\n    "
		"image: b\n",
		"image", "i"),
	    "services:\n  app:\n    command: |+\n      a\n\n    image: i\n  "
	    "b:\n    image: b\n");
	assert_text(f,
	    set_key(
		f, "services:\n  app:\n    command: >-\n      a", "image", "i"),
	    "services:\n  app:\n    command: >-\n      a\n    image: i");
}

static void
a_list_gives_way_with_its_indentation(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    ports: # public\n    # first\n    - "
		"\"80\" # web\n    - \"81\"\n    image: a\n",
		"ports", "- \"90:90\"\n"),
	    "services:\n  app:\n    ports: # public\n    # first\n    - "
	    "\"90:90\"\n    image: a\n");
	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    ports:\n        - \"80\"\n\n    # i\n "
		"   image: a\n",
		"ports", "- \"1\"\n# second\n- \"2\"\n"),
	    "services:\n  app:\n    ports:\n        - \"1\"\n        # "
	    "second\n        - \"2\"\n\n    # i\n    image: a\n");
	/* A mapping cannot stand where a list may. */
	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    environment:\n    - A=1\n    image: "
		"a\n",
		"environment", "A: 1\nB: 2\n"),
	    "services:\n  app:\n    environment:\n      A: 1\n      B: 2\n    "
	    "image: a\n");
}

static void
values_change_between_one_line_and_several(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    ports: [\"80\"] # web\n    image: a\n",
		"ports", "- \"1\"\n- \"2\"\n"),
	    "services:\n  app:\n    ports: # web\n      - \"1\"\n      - "
	    "\"2\"\n    image: a\n");
	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    ports: # web\n      - \"80\" # one\n  "
		"  image: a\n",
		"ports", "[]"),
	    "services:\n  app:\n    ports: [] # web\n    image: a\n");
	assert_text(f,
	    set_key(f, "services:\n  app:\n    image:\n    restart: always\n",
		"image", "a"),
	    "services:\n  app:\n    image: a\n    restart: always\n");
	assert_text(f,
	    set_key(f,
		"services:\n  app:\n    command: | # shell\n      a\n      "
		"b\n\n    image: a\n",
		"command", "[a, b]"),
	    "services:\n  app:\n    command: [a, b]\n\n    image: a\n");
	assert_text(f,
	    set_key(f, "services:\n  app:\n    command: a\n    image: a\n",
		"command", "|\n  one\n\n  two\n"),
	    "services:\n  app:\n    command: |\n        one\n\n        two\n  "
	    "  image: a\n");
	assert_text(f,
	    set_key(f, "services:\n  app:\n    command: a\n    image: a\n",
		"command", NULL),
	    "services:\n  app:\n    command:\n    image: a\n");
}

static void
values_in_braces_stay_in_braces(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_image(
		f, "services: {app: {image: a, restart: always}} # c\n", "b:1"),
	    "services: {app: {image: \"b:1\", restart: always}} # c\n");
	assert_text(f,
	    set_key(f, "services:\n  app: {image: a}\n", "ports",
		"- \"80:80\"\n- 81\n"),
	    "services:\n  app: {image: a, \"ports\": [\"80:80\", 81]}\n");
	assert_text(f,
	    set_key(f, "services:\n  app: {\n    image: a, # the image\n  }\n",
		"environment", "A: b, c\n"),
	    "services:\n  app: {\n    image: a, \"environment\": {\"A\": \"b, "
	    "c\"}, # the image\n  }\n");
	assert_text(f,
	    set_key(f, "services:\n  app: {image: }\n", "image", "a"),
	    "services:\n  app: {image: \"a\" }\n");
	assert_refused(f,
	    remove_key(f, "services:\n  app: {image: a, tty: true}\n", "tty"),
	    "services:\n  app: {image: a, tty: true}\n");
}

static void
keys_are_taken_out_with_their_lines(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    remove_key(f,
		"services:\n  app:\n    image: a\n    ports: # c\n    - "
		"\"80\"\n    # d\n    restart: always\n",
		"ports"),
	    "services:\n  app:\n    image: a\n    # d\n    restart: always\n");
	assert_text(f,
	    remove_key(
		f, "services:\n  app:\n    image: a\n    tty: true", "tty"),
	    "services:\n  app:\n    image: a\n");
	assert_text(f, remove_key(f, "services:\n  app:\n    image: a\n", "x"),
	    "services:\n  app:\n    image: a\n");
	assert_refused(f,
	    remove_key(f, "services:\n  app:\n    image: a\n", "image"),
	    "services:\n  app:\n    image: a\n");
}

static void
what_stands_by_an_alias_is_not_edited_there(void **state)
{
	struct fixture *f = *state;
	static const char whole[] =
	    "x-app: &app\n  image: a\nservices:\n  app: *app\n";
	static const char merged[] =
	    "x-app: &app\n  image: a\n  tty: true\nservices:\n  app:\n    <<: "
	    "*app\n    restart: always\n";
	static const char shared[] =
	    "services:\n  app: &app\n    image: a\n  b:\n    <<: *app\n";
	static const char anchored[] =
	    "services:\n  app:\n    image: &i a\n  b:\n    image: *i\n";

	assert_refused(f, set_image(f, whole, "b"), whole);
	assert_non_null(strstr(f->err.message, "alias"));
	assert_refused(f, remove_key(f, merged, "tty"), merged);
	/* The other service would change, too. */
	assert_refused(f, set_image(f, shared, "b"), shared);
	assert_refused(f, set_image(f, anchored, "b"), anchored);
}

static void
an_own_key_wins_over_a_merged_one(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    set_image(f,
		"x-app: &app\n  image: a\nservices:\n  app:\n    <<: *app\n",
		"b"),
	    "x-app: &app\n  image: a\nservices:\n  app:\n    <<: *app\n    "
	    "image: b\n");
	/* The other service has its own already. */
	assert_text(f,
	    set_image(f,
		"services:\n  app: &app\n    image: a\n  b:\n    <<: *app\n    "
		"image: c\n",
		"b"),
	    "services:\n  app: &app\n    image: b\n  b:\n    <<: *app\n    "
	    "image: c\n");
	assert_text(f,
	    set_key(f,
		"x-e: &e\n  A: 1\nservices:\n  app:\n    image: a\n    "
		"environment: *e # shared\n",
		"environment", "A: 2"),
	    "x-e: &e\n  A: 1\nservices:\n  app:\n    image: a\n    "
	    "environment: # shared\n      A: 2\n");
}

static void
sections_are_made_where_they_are_missing(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    compose_edit_add(
		edit(f, "services:\n  app:\n    image: a\n# end\n"), "volumes",
		"db_data", NULL, &f->err),
	    "services:\n  app:\n    image: a\n# end\nvolumes:\n  db_data:\n");
	assert_text(f,
	    compose_edit_add(
		&f->edit, "volumes", "other", "name: o\n", &f->err),
	    "services:\n  app:\n    image: a\n# end\nvolumes:\n  db_data:\n  "
	    "other:\n    name: o\n");
	assert_text(f,
	    compose_edit_add(
		edit(f,
		    "networks: {} # none\nservices:\n    app:\n        image: "
		    "a\n"),
		"networks", "web", "external: true", &f->err),
	    "networks: # none\n    web:\n        external: true\nservices:\n  "
	    "  app:\n        image: a\n");
	assert_text(f,
	    compose_edit_add(
		edit(f,
		    "volumes:\n# nothing yet\nservices:\n  app:\n    image: "
		    "a\n"),
		"volumes", "on", NULL, &f->err),
	    "volumes:\n  \"on\":\n# nothing yet\nservices:\n  app:\n    image: "
	    "a\n");
}

static void
a_service_is_added_behind_the_others(void **state)
{
	struct fixture *f = *state;
	static const char fragment[] =
	    "image: mysql:8 # pinned\nvolumes:\n  - db:/var/lib/mysql\n";

	assert_text(f,
	    compose_edit_add(
		edit(f,
		    "volumes:\n  x:\nservices:\n\n  app:\n    image: a\n    "
		    "#ports:\n    #  - 80\n\n"),
		"services", "db", fragment, &f->err),
	    "volumes:\n  x:\nservices:\n\n  app:\n    image: a\n    #ports:\n "
	    "   #  - 80\n  db:\n    image: mysql:8 # pinned\n    volumes:\n    "
	    "  - db:/var/lib/mysql\n\n");
	assert_kept(f,
	    compose_edit_add(&f->edit, "services", "db", fragment, &f->err),
	    ERR_CONFLICT, "ALREADY_EXISTS", f->edit.text);
}

static void
members_deep_below_are_reached(void **state)
{
	struct fixture *f = *state;
	static const char *const path[] = { "services", "app", "networks",
		"web", "aliases", NULL };
	static const char *const image[] = { "services", "app", "image", "x",
		NULL };

	assert_text(f,
	    compose_edit_set(edit(f, "services:\n  app:\n    image: a\n"), path,
		"[b]", &f->err),
	    "services:\n  app:\n    image: a\n    networks:\n      web:\n      "
	    "  aliases: [b]\n");
	assert_true(compose_edit_has(&f->edit, path));
	assert_text(f, compose_edit_set(&f->edit, path, "- c\n- d\n", &f->err),
	    "services:\n  app:\n    image: a\n    networks:\n      web:\n      "
	    "  aliases:\n          - c\n          - d\n");
	assert_refused(f,
	    compose_edit_set(edit(f, "services:\n  app:\n    image: a\n"),
		image, "1", &f->err),
	    "services:\n  app:\n    image: a\n");
	assert_false(compose_edit_has(&f->edit, image));
}

static void
networks_are_renamed_wherever_they_are_named(void **state)
{
	struct fixture *f = *state;
	static const char aliased[] =
	    "x-n: &n [proxy]\nservices:\n  app:\n    networks: "
	    "*n\nnetworks:\n  proxy:\n";

	assert_text(f,
	    compose_edit_rename_network(
		edit(f,
		    "networks:\n  proxy: # p\n    external: true\nservices:\n "
		    " a:\n    image: proxy\n    networks: [back, 'proxy']\n  "
		    "b:\n    networks:\n      proxy:\n        aliases: "
		    "[proxy]\n"),
		"proxy", "front", &f->err),
	    "networks:\n  front: # p\n    external: true\nservices:\n  a:\n   "
	    " image: proxy\n    networks: [back, front]\n  b:\n    networks:\n "
	    "     front:\n        aliases: [proxy]\n");
	assert_kept(f,
	    compose_edit_rename_network(&f->edit, "proxy", "x", &f->err),
	    ERR_NOT_FOUND, "NETWORK_NOT_FOUND", f->edit.text);
	assert_kept(f,
	    compose_edit_rename_network(&f->edit, "front", "front", &f->err),
	    ERR_CONFLICT, "ALREADY_EXISTS", f->edit.text);
	assert_refused(f,
	    compose_edit_rename_network(
		edit(f, aliased), "proxy", "front", &f->err),
	    aliased);
}

static const char *const volumes[] = { "services", "app", "volumes", NULL };

static int
append(struct fixture *f, const char *text, const char *item)
{
	return compose_edit_append(edit(f, text), volumes, item, &f->err);
}

static int
drop(struct fixture *f, const char *text, size_t index)
{
	return compose_edit_drop(edit(f, text), volumes, index, &f->err);
}

static void
items_are_added_behind_the_others(void **state)
{
	struct fixture *f = *state;

	assert_text(f,
	    append(f,
		"services:\n  app:\n    volumes: # v\n    - a:/a # one\n    "
		"# - b:/b\n    image: i\n",
		"c:/c"),
	    "services:\n  app:\n    volumes: # v\n    - a:/a # one\n    # - "
	    "b:/b\n    - c:/c\n    image: i\n");
	assert_text(f,
	    append(f,
		"services:\n  app:\n    volumes:\n      - type: bind\n        "
		"source: ./a",
		"./c:/c"),
	    "services:\n  app:\n    volumes:\n      - type: bind\n        "
	    "source: ./a\n      - \"./c:/c\"");
	assert_text(f,
	    append(f, "services:\n  app:\n    volumes: [a:/a] # v\n", "b:/b"),
	    "services:\n  app:\n    volumes: [a:/a, \"b:/b\"] # v\n");
	assert_text(f, append(f, "services:\n  app:\n    image: i\n", "b:/b"),
	    "services:\n  app:\n    image: i\n    volumes:\n      - b:/b\n");
	assert_text(f,
	    append(f, "services:\n  app:\n    volumes: []\n", "b:/b"),
	    "services:\n  app:\n    volumes:\n      - b:/b\n");
}

static void
items_are_taken_out_with_their_lines(void **state)
{
	struct fixture *f = *state;
	static const char aliased[] =
	    "x-v: &v [a, b]\nservices:\n  app:\n    volumes: *v\n";

	assert_text(f,
	    drop(f,
		"services:\n  app:\n    volumes:\n    - a # one\n    # two\n  "
		"  - type: bind\n      source: ./b\n    - c\n",
		1),
	    "services:\n  app:\n    volumes:\n    - a # one\n    # two\n    - "
	    "c\n");
	assert_text(f,
	    drop(f, "services:\n  app:\n    volumes: [a, b, c]\n", 0),
	    "services:\n  app:\n    volumes: [\"b\", \"c\"]\n");
	assert_text(f,
	    drop(f, "services:\n  app:\n    image: i\n    volumes: [a]\n", 0),
	    "services:\n  app:\n    image: i\n");
	assert_refused(f, drop(f, aliased, 0), aliased);
	assert_refused(f, drop(f, "services:\n  app:\n    volumes: [a]\n", 1),
	    "services:\n  app:\n    volumes: [a]\n");
}

static void
ways_of_writing_without_a_place_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char explicit_key[] =
	    "services:\n  app:\n    ? image\n    : a\n    ? tty\n    : true\n";
	static const char colliding[] =
	    "x-a: &a [1]\nservices:\n  app:\n    image: a\n  b:\n    command: "
	    "*a\n";

	assert_refused(f, set_image(f, explicit_key, "b"), explicit_key);
	assert_refused(
	    f, set_key(f, explicit_key, "restart", "always"), explicit_key);
	/* The fragment's anchor would take over from the one before. */
	assert_refused(
	    f, set_key(f, colliding, "command", "&a [2]"), colliding);
	assert_refused(f,
	    set_key(
		f, "services:\n  app:\n    image: a\n", "command", "--- [b]"),
	    "services:\n  app:\n    image: a\n");
}

static void
what_is_no_document_or_fragment_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_kept(f, set_image(f, "services:\n\tapp:\n", "b"), ERR_INVALID,
	    "INVALID_COMPOSE", "services:\n\tapp:\n");
	assert_kept(
	    f, set_image(f, "", "b"), ERR_INVALID, "INVALID_COMPOSE", "");
	assert_kept(f, set_image(f, "- a\n", "b"), ERR_INVALID,
	    "INVALID_COMPOSE", "- a\n");
	assert_kept(f, set_image(f, "services:\n  b:\n    image: a\n", "b"),
	    ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
	    "services:\n  b:\n    image: a\n");
	assert_kept(f, set_image(f, "services:\n  app:\n", "a b"), ERR_INVALID,
	    "INVALID_IMAGE", "services:\n  app:\n");
	assert_kept(f, set_key(f, "services:\n  app:\n", "ports", "[a"),
	    ERR_INVALID, "INVALID_COMPOSE", "services:\n  app:\n");
	assert_text(f, set_image(f, "services:\n  app:\n", "a"),
	    "services:\n  app:\n    image: a\n");
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		EACH(an_image_gives_way_byte_for_byte),
		EACH(an_image_that_is_the_same_stays_as_it_is_written),
		EACH(line_breaks_and_characters_stay),
		EACH(a_new_key_comes_last_in_its_service),
		EACH(a_key_after_a_block_scalar_is_none_of_it),
		EACH(a_list_gives_way_with_its_indentation),
		EACH(values_change_between_one_line_and_several),
		EACH(values_in_braces_stay_in_braces),
		EACH(keys_are_taken_out_with_their_lines),
		EACH(what_stands_by_an_alias_is_not_edited_there),
		EACH(an_own_key_wins_over_a_merged_one),
		EACH(sections_are_made_where_they_are_missing),
		EACH(a_service_is_added_behind_the_others),
		EACH(members_deep_below_are_reached),
		EACH(networks_are_renamed_wherever_they_are_named),
		EACH(items_are_added_behind_the_others),
		EACH(items_are_taken_out_with_their_lines),
		EACH(ways_of_writing_without_a_place_are_refused),
		EACH(what_is_no_document_or_fragment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
