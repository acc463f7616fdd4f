#include "docker/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST    \
	"sha256:" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ROUNDS 20000

static void
references_are_told_from_other_texts(void **state)
{
	static const char *const valid[] = { "nginx", "nginx:1.25-alpine",
		"library/nginx", "docker.io/library/nginx:latest",
		"localhost/x", "localhost:5000/x/y:Z_1", "ghcr.io/a/b-c__d.e",
		"[::1]:5000/x", "REGISTRY/x", "a.b/c--d",
		"nginx@sha256:"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		"abcdef",
		"x:1@sha256:0123456789abcdef0123456789abcdef" };
	static const char *const invalid[] = { "", "-x", "Nginx", "a b",
		"a:", ":a", "a:b:c", "a/", "/a", "a//b", "a..b", "a___b", "a-",
		"a.", "--privileged", "a:-x", "a:.x", "a@",
		"a@sha256:", "a@x:zz", "a@sha256:0123", "http://x/y",
		"x.y:port/z", "x.y:/z", ".x/y", "x-.y/z", "[::1/x", "[]/x",
		"a\n", "a\r\nX-Header: x", "a\r", "\na", "a:b\n", "..", "../a",
		"a/../b", "a/./b", "a/%2e%2e/b", "a?b", "a#b", "a:b?c=d",
		"x..y/z", "x.y./z", "a/B", "ghcr.io/Team/web", "a:b/c", " a",
		"a ", "a\tb", "a\\b", "a@b@c", "a;b", "$(a)", "\xc3\xa9" };
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof valid / sizeof valid[0]; i++)
		if (!docker_reference_is_valid(valid[i]))
			fail_msg("%s", valid[i]);
	for (i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
		if (docker_reference_is_valid(invalid[i]))
			fail_msg("%s", invalid[i]);
	memset(text, 'a', sizeof text);
	text[255] = '\0';
	assert_true(docker_reference_is_valid(text));
	text[255] = 'a';
	text[256] = '\0';
	assert_false(docker_reference_is_valid(text));
}

static void
hosts_are_told_from_other_texts(void **state)
{
	static const char *const valid[] = { "docker.io", "ghcr.io",
		"127.0.0.1:5000", "localhost", "registry", "[::1]:5000",
		"[fe80::1]", "Registry.Example:443" };
	static const char *const invalid[] = { "", "a/b", "http://a",
		"a:", "a:b", "a b", "a@b", "-a", "a..b", "a\n", "[::1", "a:1:2",
		"user:pass@host", "a?b", "a:123456" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof valid / sizeof valid[0]; i++)
		if (!docker_registry_host_is_valid(valid[i]))
			fail_msg("%s", valid[i]);
	for (i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
		if (docker_registry_host_is_valid(invalid[i]))
			fail_msg("%s", invalid[i]);
}

static void
an_address_of_a_registry_names_its_host(void **state)
{
	static const char *const cases[][2] = {
		{ "ghcr.io", "ghcr.io" },
		{ "https://ghcr.io/", "ghcr.io" },
		{ "https://index.docker.io/v1/", "docker.io" },
		{ "registry-1.docker.io", "docker.io" },
		{ "http://Registry.Example:5000/v2/", "registry.example:5000" },
		{ "127.0.0.1:5000", "127.0.0.1:5000" },
		{ "[::1]:5000", "[::1]:5000" },
		{ "", NULL },
		{ "https://", NULL },
		{ "ftp://x", NULL },
		{ "user:password@host", NULL },
		{ "a b", NULL },
		{ "x\r\ny", NULL },
	};
	auto_arena struct arena arena = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *host = docker_registry_host(cases[i][0], &arena);

		if (cases[i][1] == NULL)
			assert_null(host);
		else
			assert_string_equal(host, cases[i][1]);
	}
}

static void
images_are_named_by_reference_or_id(void **state)
{
	(void)state;
	assert_true(docker_image_is_valid("nginx"));
	assert_true(docker_image_is_valid("abcd"));
	assert_true(docker_image_is_valid("sha256:abcd"));
	assert_true(docker_image_is_valid(DIGEST));
	assert_false(docker_image_is_valid("sha256:"));
	assert_false(docker_image_is_valid("../x"));
	assert_false(docker_image_is_valid("a?force=1"));
}

static void
assert_parts(const char *text, const char *host, const char *path,
    const char *tag, const char *digest, const char *canonical)
{
	auto_arena struct arena arena = { 0 };
	struct docker_reference reference;
	struct error err;

	assert_int_equal(
	    docker_reference_parse(text, &arena, &reference, &err), 0);
	assert_string_equal(reference.host, host);
	assert_string_equal(reference.path, path);
	assert_string_equal(reference.tag, tag);
	assert_string_equal(reference.digest, digest);
	assert_string_equal(
	    docker_reference_canonical(&reference, &arena), canonical);
}

static void
a_reference_is_cut_into_its_parts(void **state)
{
	(void)state;
	assert_parts("nginx", "docker.io", "library/nginx", "latest", "",
	    "docker.io/library/nginx:latest");
	assert_parts("nginx:1", "docker.io", "library/nginx", "1", "",
	    "docker.io/library/nginx:1");
	assert_parts("team/web", "docker.io", "team/web", "latest", "",
	    "docker.io/team/web:latest");
	assert_parts("index.docker.io/nginx", "docker.io", "library/nginx",
	    "latest", "", "docker.io/library/nginx:latest");
	assert_parts("127.0.0.1:5000/web:2", "127.0.0.1:5000", "web", "2", "",
	    "127.0.0.1:5000/web:2");
	assert_parts("localhost/web", "localhost", "web", "latest", "",
	    "localhost/web:latest");
	assert_parts("localhost:5000/a/b", "localhost:5000", "a/b", "latest",
	    "", "localhost:5000/a/b:latest");
	assert_parts(
	    "[::1]:5000/a:x", "[::1]:5000", "a", "x", "", "[::1]:5000/a:x");
	assert_parts("ghcr.io/a/b@" DIGEST, "ghcr.io", "a/b", "", DIGEST,
	    "ghcr.io/a/b@" DIGEST);
	assert_parts("ghcr.io/a/b:1@" DIGEST, "ghcr.io", "a/b", "1", DIGEST,
	    "ghcr.io/a/b@" DIGEST);
}

static void
what_is_no_reference_is_invalid_and_names_the_field(void **state)
{
	auto_arena struct arena arena = { 0 };
	struct docker_reference reference;
	struct error err;

	(void)state;
	assert_int_equal(
	    docker_reference_parse("a b", &arena, &reference, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.code, "INVALID_IMAGE");
	assert_string_equal(err.field, "name");
}

/* The same numbers in every run. */
static unsigned int
next_number(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 16) % below;
}

#define CHOOSE(seed, among) \
	(among)[next_number((seed), sizeof(among) / sizeof((among)[0]))]

/* What is put together of valid parts is cut into them again. */
static void
parts_put_together_come_apart_again(void **state)
{
	static const char *const hosts[] = { "ghcr.io", "localhost",
		"a.b-c.d:1", "[::1]", "[::1]:65535", "UPPER",
		"127.0.0.1:5000" };
	static const char *const paths[] = { "a", "a/b", "0/1/2", "a.b/c_d",
		"a__b/c---d", "library/x" };
	static const char *const tags[] = { "1", "_", "latest", "V1.2-rc_3",
		"a.b" };
	unsigned int seed = 7, round;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		auto_arena struct arena arena = { 0 };
		const char *host = CHOOSE(&seed, hosts);
		const char *path = CHOOSE(&seed, paths);
		const char *tag = CHOOSE(&seed, tags);
		bool has_digest = next_number(&seed, 2) == 1;
		const char *text = arena_printf(&arena, "%s/%s:%s%s", host,
		    path, tag, has_digest ? "@" DIGEST : "");
		struct docker_reference reference;
		struct error err;

		if (docker_reference_parse(text, &arena, &reference, &err) < 0)
			fail_msg("%s", text);
		assert_string_equal(reference.host, host);
		assert_string_equal(reference.path, path);
		assert_string_equal(reference.tag, tag);
		assert_string_equal(reference.digest, has_digest ? DIGEST : "");
		assert_string_equal(
		    reference.name, arena_printf(&arena, "%s/%s", host, path));
	}
}

static void
what_changes_with_each_release_is_latest(void **state)
{
	static const struct {
		const char *text;
		bool is_latest;
	} cases[] = {
		{ "nginx", true },
		{ "nginx:latest", true },
		{ "127.0.0.1:5000/a/b", true },
		{ "nginx:1", false },
		{ "nginx@" DIGEST, false },
		{ "nginx:latest@" DIGEST, false },
		{ "nginx:LATEST", false },
		{ "", false },
		{ "not a reference", false },
	};
	auto_arena struct arena arena = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (docker_reference_is_latest(cases[i].text, &arena) !=
		    cases[i].is_latest)
			fail_msg("%s", cases[i].text);
}

/* However a text is spoilt: what still passes is safe in a URL. */
static void
what_passes_is_safe_in_a_path(void **state)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-:/@[]+";
	static const char *const whole[] = { "ghcr.io/a/b:1", "a@" DIGEST,
		"a/b/c", "[::1]:5000/a:b", "localhost:1/x__y" };
	unsigned int seed = 11, round, passed = 0;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		unsigned int times = 1 + next_number(&seed, 4);
		char text[128];

		snprintf(text, sizeof text, "%s", CHOOSE(&seed, whole));
		while (times-- > 0)
			text[next_number(&seed, (unsigned int)strlen(text))] =
			    (char)(1 + next_number(&seed, 255));
		if (!docker_reference_is_valid(text))
			continue;
		passed++;
		assert_int_equal(strspn(text, safe), strlen(text));
		assert_null(strstr(text, ".."));
		assert_null(strstr(text, "//"));
		assert_true(text[0] != '/' && text[0] != '-');
	}
	/* Else this has shown nothing. */
	assert_true(passed > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_told_from_other_texts),
		cmocka_unit_test(hosts_are_told_from_other_texts),
		cmocka_unit_test(an_address_of_a_registry_names_its_host),
		cmocka_unit_test(images_are_named_by_reference_or_id),
		cmocka_unit_test(a_reference_is_cut_into_its_parts),
		cmocka_unit_test(
		    what_is_no_reference_is_invalid_and_names_the_field),
		cmocka_unit_test(what_changes_with_each_release_is_latest),
		cmocka_unit_test(parts_put_together_come_apart_again),
		cmocka_unit_test(what_passes_is_safe_in_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
