#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "templates/templates.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPOSE                                   \
	"# first\n"                               \
	"services:\n"                             \
	"  app:\n"                                \
	"    image: demo:1.2 # pinned\n"          \
	"    expose:\n"                           \
	"      - \"80\"\n"                        \
	"    volumes:\n"                          \
	"      - ./app:/app # code\n"             \
	"      - data:/data\n"                    \
	"      - {type: tmpfs, target: /cache}\n" \
	"    environment:\n"                      \
	"      KEY: ${KEY:?}\n"                   \
	"volumes:\n"                              \
	"  data:\n"
#define METADATA                                                            \
	"name: Demo\n"                                                      \
	"priority: 3\n"                                                     \
	"mounts:\n"                                                         \
	"  - {id: app, container_path: /app, type: file, required: true}\n" \
	"  - {id: data, container_path: /data, required: true}\n"           \
	"  - {id: more, container_path: /more}\n"                           \
	"files:\n"                                                          \
	"  - {path: a/b, content: '${NAME} ${KEY} ${OTHER} $${NAME} $x'}\n" \
	"  - {path: c}\n"                                                   \
	"env:\n"                                                            \
	"  template: \"HOST=${NAME}.example\\nKEY=never\\n\"\n"             \
	"  secrets: [{key: KEY, encoding: hex, bytes: 8}]\n"

static const struct template_place place = { "blog", "proxy" };

struct fixture {
	struct scratch scratch;
	struct compose *compose;
	struct arena arena;
	struct template template;
	struct error err;
};

static int
setup(void **state)
{
	static const char *const none[] = { NULL };
	static const struct compose_policy policy = { none, none };
	struct fixture *f = xcalloc(1, sizeof *f);

	scratch_make(&f->scratch);
	assert_int_equal(
	    compose_open(f->scratch.path, &policy, false, &f->compose, &f->err),
	    0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	compose_close(f->compose);
	scratch_remove(&f->scratch);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int
check(struct fixture *f, const char *id, const char *compose,
    const char *metadata)
{
	const struct template_text text = {
		.id = id, .compose = compose, .metadata = metadata
	};

	memset(&f->err, 0, sizeof f->err);
	return template_check(
	    &text, "tests", f->compose, &f->arena, &f->template, &f->err);
}

static void
assert_checks(struct fixture *f, const char *id, const char *compose,
    const char *metadata)
{
	if (check(f, id, compose, metadata) < 0)
		fail_msg("%s", f->err.message);
}

static void
assert_refused(struct fixture *f, const char *compose, const char *metadata,
    const char *part)
{
	assert_int_equal(check(f, "demo", compose, metadata), -1);
	assert_string_equal(f->err.code, "INVALID_TEMPLATE");
	if (strstr(f->err.message, part) == NULL)
		fail_msg("'%s' lacks '%s'", f->err.message, part);
}

static int64_t
number_of(const struct template *template, const char *name)
{
	auto_json struct json_object *metadata = NULL;

	assert_int_equal(json_parse_trusted(template->metadata,
			     strlen(template->metadata), &metadata, NULL),
	    0);
	return json_int(metadata, name, -1);
}

static void
ids_have_a_grammar(void **state)
{
	static const char *const good[] = { "a", "0", "uptime-kuma", "n8n",
		"infra/redis",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char *const bad[] = { "", "-a", "A", "a_b", "a.b", "a/b",
		"infra/", "infra/-", "infra/a/b", "../a", "infra/../a", "a b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(template_id_is_valid(good[i]));
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(template_id_is_valid(bad[i]));
}

static void
what_is_not_said_has_a_default(void **state)
{
	struct fixture *f = *state;

	assert_checks(
	    f, "my-thing", "services: {x: {image: a, expose: [81]}}\n", NULL);
	assert_string_equal(f->template.name, "My Thing");
	assert_string_equal(f->template.category, "general");
	assert_string_equal(f->template.type, "");
	assert_int_equal(f->template.priority, 0);
	assert_int_equal(number_of(&f->template, "container_port"), 81);
	assert_checks(f, "demo", "services: {x: {image: a}}\n",
	    "mounts: [{id: ab, container_path: /a}]\n");
	assert_non_null(strstr(f->template.metadata,
	    "{\"id\":\"ab\",\"container_path\":\"/a\",\"name\":\"ab\","
	    "\"description\":\"\",\"type\":\"volume\",\"required\":false}"));
	assert_checks(f, "infra/it", "services: {x: {image: a}}\n",
	    "mounts: {dirs: [a], files: [b]}\ntype: other\nunknown: [1]\n");
	assert_string_equal(f->template.name, "It");
	assert_string_equal(f->template.type, TEMPLATE_INFRASTRUCTURE);
	assert_null(strstr(f->template.metadata, "unknown"));
	assert_null(strstr(f->template.metadata, "dirs"));
}

static void
what_a_deployment_would_fail_with_is_refused(void **state)
{
	static const char good[] = "services: {x: {image: a}}\n";
	struct fixture *f = *state;

	assert_refused(f, "services: {}\n", NULL, "services");
	assert_refused(f, "x: [", NULL, "line 2");
	assert_refused(f, "services: {x: {image: a, privileged: true}}\n", NULL,
	    "privileged");
	assert_refused(f, "services: {x: {image: '${A:?b}'}}\n", NULL, "A");
	assert_refused(
	    f, "name: other\nservices: {x: {image: a}}\n", NULL, "name");
	assert_refused(f, good, "- a\n", "mapping");
	assert_refused(f, good, "priority: high\n", "priority");
	assert_refused(f, good, "name: [a]\n", "name");
	assert_refused(f, good, "container_port: 70000\n", "container_port");
	assert_refused(f, good, "mounts: [{id: a/b, container_path: /a}]\n",
	    "mounts[0].id");
	assert_refused(f, good, "mounts: [{id: ab, container_path: '/a:b'}]\n",
	    "container_path");
	assert_refused(f, good,
	    "mounts: [{id: ab, container_path: /a}, "
	    "{id: ab, container_path: /b}]\n",
	    "twice");
	assert_refused(f, good, "env: {secrets: [{key: 1A}]}\n", "key");
	assert_refused(
	    f, good, "env: {secrets: [{key: A, encoding: rot}]}\n", "encoding");
	assert_refused(
	    f, good, "env: {secrets: [{key: A, bytes: 4}]}\n", "bytes");
	assert_refused(
	    f, good, "env: {secrets: [{key: A, prefix: \"a\\nb\"}]}", "prefix");
	assert_refused(f, good, "env: {file: .env}\n", "one environment");
	assert_refused(f, good, "healthcheck: {path: x}\n", "healthcheck");
	assert_refused(
	    f, good, "quick_actions: [{id: a, name: b}]\n", "command");
}

static void
files_stay_beneath_the_deployment(void **state)
{
	static const char *const paths[] = { "/etc/x", "../x", "a/../x", "a//b",
		"./a", "a/", "", "service.yml", ".env.flatrun",
		"docker-compose.yml", "my-compose.yaml", "a b", "a\\\\b" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_refused(f, "services: {x: {image: a}}\n",
		    arena_printf(&f->arena,
			"files: [{path: \"%s\", content: x}]\n", paths[i]),
		    "files[0].path");
	assert_refused(f, "services: {x: {image: a}}\n",
	    "files: [{path: a}, {path: a}]\n", "in the way");
	assert_refused(f, "services: {x: {image: a}}\n",
	    "files: [{path: a/b}, {path: a}]\n", "in the way");
	assert_checks(f, "demo", "services: {x: {image: a}}\n",
	    "files: [{path: .config/a}, {path: nginx/docker-compose.yml}]\n");
}

static void
names_are_filled_in_and_others_are_not(void **state)
{
	struct fixture *f = *state;
	const struct template_place other = { "blog", "front" };
	const char *text;

	f->template.content =
	    "x-a: \"${NAME} ${PROXY_NETWORK} ${OTHER} $${NAME} $NAME "
	    "${NAME:-x} ${NAME\"\n"
	    "networks: {proxy: {external: true}}\n"
	    "services: {x: {networks: [proxy]}}\n";
	assert_int_equal(
	    template_compose(&f->template, &place, &f->arena, &text, &f->err),
	    0);
	assert_string_equal(text, "x-a: \"blog proxy ${OTHER} $${NAME} $NAME "
				  "${NAME:-x} ${NAME\"\n"
				  "networks: {proxy: {external: true}}\n"
				  "services: {x: {networks: [proxy]}}\n");
	assert_int_equal(
	    template_compose(&f->template, &other, &f->arena, &text, &f->err),
	    0);
	assert_non_null(strstr(text, "networks: {front: {external: true}}"));
	assert_non_null(strstr(text, "networks: [front]"));
}

static const char *
value_of(struct compose_variable *variables, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

static void
secrets_are_made_anew_and_given_ones_win(void **state)
{
	struct compose_variable given[] = { { "KEY", "mine" }, { "X", "y" } };
	struct fixture *f = *state;
	struct compose_variable *first, *second;
	size_t count;

	assert_checks(f, "demo", COMPOSE, METADATA);
	assert_int_equal(template_environment(&f->template, &place, NULL, 0,
			     &f->arena, &first, &count, &f->err),
	    0);
	assert_int_equal(count, 2);
	assert_int_equal(strlen(value_of(first, count, "KEY")), 16);
	assert_int_equal(
	    strspn(value_of(first, count, "KEY"), "0123456789abcdef"), 16);
	assert_string_equal(value_of(first, count, "HOST"), "blog.example");
	assert_int_equal(template_environment(&f->template, &place, NULL, 0,
			     &f->arena, &second, &count, &f->err),
	    0);
	assert_string_not_equal(
	    value_of(first, count, "KEY"), value_of(second, count, "KEY"));
	assert_int_equal(template_environment(&f->template, &place, given, 2,
			     &f->arena, &first, &count, &f->err),
	    0);
	assert_int_equal(count, 3);
	assert_string_equal(value_of(first, count, "KEY"), "mine");
	assert_string_equal(value_of(first, count, "X"), "y");
}

static void
secrets_have_the_form_that_is_asked_for(void **state)
{
	static const char alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "abcdefghijklmnopqrstuvwxyz"
					   "0123456789";
	struct fixture *f = *state;
	struct compose_variable *variables;
	const char *value;
	size_t count;

	assert_checks(f, "demo", "services: {x: {image: a}}\n",
	    "env: {secrets: [{key: A}, "
	    "{key: B, encoding: base64, bytes: 256, prefix: 'base64:'}, "
	    "{key: C, encoding: alphanumeric, bytes: 200}, "
	    "{key: D, encoding: hex, bytes: 256}]}\n");
	assert_int_equal(template_environment(&f->template, &place, NULL, 0,
			     &f->arena, &variables, &count, &f->err),
	    0);
	assert_int_equal(strlen(value_of(variables, count, "A")), 44);
	value = value_of(variables, count, "B");
	assert_memory_equal(value, "base64:", 7);
	assert_int_equal(strlen(value), 7 + 344);
	value = value_of(variables, count, "C");
	assert_int_equal(strlen(value), 200);
	assert_int_equal(strspn(value, alphanumeric), 200);
	assert_int_equal(strlen(value_of(variables, count, "D")), 512);
}

static void
files_are_filled_in(void **state)
{
	struct compose_variable variables[] = { { "KEY", "k" },
		{ "NAME", "never" } };
	struct fixture *f = *state;
	struct compose_file *files;
	size_t count;

	assert_checks(f, "demo", COMPOSE, METADATA);
	assert_int_equal(template_files(&f->template, &place, variables, 2,
			     &f->arena, &files, &count, &f->err),
	    0);
	assert_int_equal(count, 2);
	assert_string_equal(files[0].path, "a/b");
	assert_string_equal(files[0].text, "blog k ${OTHER} $${NAME} $x");
	assert_int_equal(files[0].length, strlen(files[0].text));
	assert_string_equal(files[1].text, "");
}

static const char *
generate(struct fixture *f, const struct template_choice *choice)
{
	const char *text;

	assert_checks(f, "demo", COMPOSE, METADATA);
	if (template_generate(
		&f->template, &place, choice, &f->arena, &text, &f->err) < 0)
		return NULL;
	return text;
}

static void
without_a_choice_nothing_changes(void **state)
{
	const struct template_choice choice = { 0 };

	assert_string_equal(generate(*state, &choice), COMPOSE);
}

static void
mounts_are_as_they_were_chosen(void **state)
{
	const struct template_mount_choice mounts[] = {
		{ "app", true, NULL },
		{ "data", true, "file" },
		{ "more", true, "volume" },
	};
	const struct template_choice choice = { .mounts = mounts,
		.mount_count = 3 };
	const char *text = generate(*state, &choice);

	assert_non_null(text);
	assert_non_null(strstr(text, "- \"./app:/app\"\n"));
	assert_non_null(strstr(text, "- \"./data:/data\"\n"));
	assert_non_null(strstr(text, "- \"more:/more\"\n"));
	assert_non_null(strstr(text, "\"target\":\"/cache\""));
	assert_non_null(strstr(text, "\n  data:\n  more:"));
	assert_non_null(strstr(text, "image: demo:1.2 # pinned\n"));
}

static void
mounts_that_are_not_wanted_go(void **state)
{
	const struct template_mount_choice mounts[] = {
		{ "app", false, NULL },
		{ "data", false, NULL },
	};
	const struct template_choice choice = { .mounts = mounts,
		.mount_count = 2 };
	const char *text = generate(*state, &choice);

	assert_non_null(text);
	assert_null(strstr(text, ":/app"));
	assert_null(strstr(text, ":/data"));
	assert_non_null(strstr(text, "/cache"));
}

static void
an_unknown_mount_is_refused(void **state)
{
	const struct template_mount_choice mounts[] = { { "other", true,
	    NULL } };
	const struct template_choice choice = { .mounts = mounts,
		.mount_count = 1 };
	struct fixture *f = *state;

	assert_null(generate(f, &choice));
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_string_equal(f->err.field, "mounts");
}

static void
ports_and_images_are_put_in(void **state)
{
	const struct compose_port ports[] = { { .published = true },
		{ 8443, 443, true }, { 9000, 0, false } };
	const struct template_choice choice = {
		.image = "demo:2", .ports = ports, .port_count = 3
	};
	const char *text = generate(*state, &choice);

	assert_non_null(text);
	assert_non_null(strstr(text, "image: demo:2 # pinned\n"));
	assert_non_null(strstr(text, "- \"80:80\"\n"));
	assert_non_null(strstr(text, "- \"443:8443\"\n"));
	assert_non_null(strstr(text, "- \"9000\"\n"));
	assert_null(strstr(text, "- \"80\"\n"));
}

static void
put(struct fixture *f, const char *name, const char *text)
{
	scratch_write(&f->scratch, name, text, strlen(text));
}

static const struct template_text *
find_text(const struct template_texts *texts, const char *id)
{
	size_t i;

	for (i = 0; i < texts->count; i++)
		if (strcmp(texts->texts[i].id, id) == 0)
			return &texts->texts[i];
	return NULL;
}

static void
a_directory_is_read_without_following_links(void **state)
{
	struct fixture *f = *state;
	struct template_texts texts;

	scratch_make_directory(&f->scratch, "blog");
	put(f, "blog/docker-compose.yml", "a");
	put(f, "blog/metadata.yml", "b");
	scratch_make_directory(&f->scratch, "plain");
	put(f, "plain/docker-compose.yml", "c");
	scratch_make_directory(&f->scratch, "none");
	put(f, "none/metadata.yml", "d");
	scratch_make_directory(&f->scratch, "Upper");
	put(f, "Upper/docker-compose.yml", "e");
	scratch_make_directory(&f->scratch, "linked");
	assert_int_equal(
	    symlink("../blog/docker-compose.yml",
		scratch_path(&f->scratch, "linked/docker-compose.yml")),
	    0);
	assert_int_equal(
	    symlink("blog", scratch_path(&f->scratch, "other")), 0);
	scratch_make_directory(&f->scratch, "binary");
	scratch_write(&f->scratch, "binary/docker-compose.yml", "a\0b", 3);
	scratch_make_directory(&f->scratch, "infra");
	scratch_make_directory(&f->scratch, "infra/redis");
	put(f, "infra/redis/docker-compose.yml", "g");

	assert_int_equal(template_read_directory(
			     f->scratch.path, &f->arena, &texts, &f->err),
	    0);
	assert_int_equal(texts.count, 5);
	assert_string_equal(find_text(&texts, "blog")->compose, "a");
	assert_string_equal(find_text(&texts, "blog")->metadata, "b");
	assert_null(find_text(&texts, "plain")->metadata);
	assert_non_null(find_text(&texts, "linked")->problem);
	assert_non_null(find_text(&texts, "binary")->problem);
	assert_string_equal(find_text(&texts, "infra/redis")->compose, "g");
}

static void
a_directory_that_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;
	struct template_texts texts;

	assert_int_equal(
	    template_read_directory(scratch_path(&f->scratch, "missing"),
		&f->arena, &texts, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_have_a_grammar),
		TEST(what_is_not_said_has_a_default),
		TEST(what_a_deployment_would_fail_with_is_refused),
		TEST(files_stay_beneath_the_deployment),
		TEST(names_are_filled_in_and_others_are_not),
		TEST(secrets_are_made_anew_and_given_ones_win),
		TEST(secrets_have_the_form_that_is_asked_for),
		TEST(files_are_filled_in),
		TEST(without_a_choice_nothing_changes),
		TEST(mounts_are_as_they_were_chosen),
		TEST(mounts_that_are_not_wanted_go),
		TEST(an_unknown_mount_is_refused),
		TEST(ports_and_images_are_put_in),
		TEST(a_directory_is_read_without_following_links),
		TEST(a_directory_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
