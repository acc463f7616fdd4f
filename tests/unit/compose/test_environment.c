/* .env.flatrun changed in place, and what in it is a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compose/compose.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	const char *text;
	struct error err;
};

static int
set_up(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	free(f);
	return 0;
}

#define EDIT(f, before, ...)                                           \
	compose_environment_edit(before,                               \
	    (const struct compose_variable[]){ __VA_ARGS__ },          \
	    sizeof((const struct compose_variable[]){ __VA_ARGS__ }) / \
		sizeof(struct compose_variable),                       \
	    &(f)->arena, &(f)->text, &(f)->err)

static void
what_is_the_same_stays_as_it_is_written(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    EDIT(f, "# a\n export  A = \"one\" \r\n\n\nB='$x'\n#C=1\n",
		{ "B", "$x" }, { "A", "one" }),
	    0);
	assert_string_equal(
	    f->text, "# a\n export  A = \"one\" \r\n\n\nB='$x'\n#C=1\n");
	/* The last line may have no end. */
	assert_int_equal(EDIT(f, "A=1", { "A", "1" }, { "B", "2" }), 0);
	assert_string_equal(f->text, "A=1\nB=2\n");
}

static void
what_is_other_takes_the_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    EDIT(f, "A=1\n# b\nB=2\nC=3\n", { "C", "a#b" }, { "B", "new" }), 0);
	assert_string_equal(f->text, "# b\nB=new\nC='a#b'\n");
	assert_int_equal(EDIT(f, "", { "Z", "1" }, { "A", "" }), 0);
	assert_string_equal(f->text, "Z=1\nA=\n");
	assert_int_equal(compose_environment_edit("A=1\n# kept\n", NULL, 0,
			     &f->arena, &f->text, &f->err),
	    0);
	assert_string_equal(f->text, "# kept\n");
}

static void
the_last_line_of_a_variable_is_the_one_that_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(EDIT(f, "A=1\nB=2\nA=3\n", { "A", "3" }), 0);
	assert_string_equal(f->text, "A=3\n");
	assert_int_equal(
	    EDIT(f, "A=1\nB=2\nA=3\n", { "A", "1" }, { "B", "2" }), 0);
	assert_string_equal(f->text, "B=2\nA=1\n");
}

static void
what_is_no_list_of_variables_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(EDIT(f, "", { "A", "1" }, { "A", "1" }), -1);
	assert_string_equal(error_code(&f->err), "INVALID_ENVIRONMENT");
	assert_int_equal(EDIT(f, "", { "A", "1\n2" }), -1);
	assert_string_equal(error_code(&f->err), "INVALID_ENVIRONMENT");
	assert_int_equal(EDIT(f, "", { "1", "1" }), -1);
	assert_string_equal(f->err.field, "env_vars");
}

static void
a_secret_is_known_by_name_or_value(void **state)
{
	static const struct {
		const char *name, *value;
		bool secret;
	} cases[] = {
		{ "DB_PASSWORD", "x", true },
		{ "password", "x", true },
		{ "MYSQL_PWD", "x", true },
		{ "SECRET", "x", true },
		{ "GITHUB_TOKEN", "x", true },
		{ "APP_KEY", "x", true },
		{ "AWS_ACCESS_KEY_ID", "x", true },
		{ "CREDENTIALS", "x", true },
		{ "PRIVATE", "x", true },
		{ "SENTRY_DSN", "x", true },
		{ "A", "-----BEGIN RSA PRIVATE KEY-----", true },
		{ "DATABASE_URL", "mysql://user:pass@db:3306/app", true },
		{ "U", "redis://:pass@cache", true },
		{ "U", "http://user@host/", false },
		{ "U", "https://example.org:8080/a@b", false },
		{ "U", "https://example.org/?a=b:c@d", false },
		{ "DB_PASSWORD", "", false },
		{ "PORT", "8080", false },
		{ "TZ", "Europe/Berlin", false },
		{ "NAME", "a:b@c", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (compose_variable_is_secret(cases[i].name, cases[i].value) !=
		    cases[i].secret)
			fail_msg("%s=%s", cases[i].name, cases[i].value);
}

static void
files_with_endpoints_of_their_own_are_known(void **state)
{
	static const char *const managed[] = { "service.yml", ".env.flatrun",
		"docker-compose.yml", "compose.yaml", "my-compose-file.yml" };
	static const char *const others[] = { "", ".env", "service.yaml",
		"data/docker-compose.yml", "compose", "a.yml",
		"docker-compose.yml.bak" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof managed / sizeof managed[0]; i++)
		assert_true(compose_file_is_managed(managed[i]));
	for (i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(compose_file_is_managed(others[i]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_the_same_stays_as_it_is_written),
		TEST(what_is_other_takes_the_place),
		TEST(the_last_line_of_a_variable_is_the_one_that_stays),
		TEST(what_is_no_list_of_variables_is_refused),
		TEST(a_secret_is_known_by_name_or_value),
		TEST(files_with_endpoints_of_their_own_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
