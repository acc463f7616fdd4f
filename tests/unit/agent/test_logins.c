/* What the Docker client is told of a login, beside what root told it. */
#include "agent/logins.h"

#include "docker/docker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_config(
    const char *before, const struct docker_login *login, const char *after)
{
	auto_json struct json_object *config = json_tokener_parse(before);

	assert_non_null(config);
	logins_put(config, login);
	assert_string_equal(json_serialize(config, NULL), after);
}

static void
a_login_is_added_and_others_stay(void **state)
{
	const struct docker_login login = {
		.host = "ghcr.io", .username = "me", .password = "pass"
	};

	(void)state;
	assert_config("{}", &login,
	    "{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6cGFzcw==\"}}}");
	assert_config("{\"auths\":{\"quay.io\":{\"auth\":\"x\"},"
		      "\"ghcr.io\":{\"auth\":\"old\",\"identitytoken\":\"t\"}},"
		      "\"proxies\":{}}",
	    &login,
	    "{\"auths\":{\"quay.io\":{\"auth\":\"x\"},"
	    "\"ghcr.io\":{\"auth\":\"bWU6cGFzcw==\"}},\"proxies\":{}}");
	assert_config("{\"auths\":7}", &login,
	    "{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6cGFzcw==\"}}}");
}

static void
docker_hub_has_the_name_that_clients_know(void **state)
{
	const struct docker_login login = {
		.host = "docker.io", .username = "me", .password = "pass"
	};

	(void)state;
	assert_config("{}", &login,
	    "{\"auths\":{\"https://index.docker.io/v1/\":"
	    "{\"auth\":\"bWU6cGFzcw==\"}}}");
}

/* A helper would be asked for the host, and know nothing. */
static void
helpers_are_not_asked_for_it(void **state)
{
	const struct docker_login login = {
		.host = "ghcr.io", .username = "me", .password = "pass"
	};

	(void)state;
	assert_config("{\"credsStore\":\"desktop\"}", &login,
	    "{\"credsStore\":\"desktop\",\"auths\":{\"ghcr.io\":"
	    "{\"auth\":\"bWU6cGFzcw==\"}},\"credHelpers\":{\"ghcr.io\":\"\"}}");
	assert_config("{\"credHelpers\":{\"gcr.io\":\"gcloud\","
		      "\"ghcr.io\":\"x\"}}",
	    &login,
	    "{\"credHelpers\":{\"gcr.io\":\"gcloud\",\"ghcr.io\":\"\"},"
	    "\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6cGFzcw==\"}}}");
}

/* As long as they may be. */
static void
long_passwords_are_encoded_whole(void **state)
{
	auto_json struct json_object *config = json_object_new_object();
	char password[16 * 1024];
	const struct docker_login login = {
		.host = "ghcr.io", .username = "me", .password = password
	};
	const char *text;

	(void)state;
	memset(password, 'x', sizeof password);
	password[sizeof password - 1] = '\0';
	logins_put(config, &login);
	text = json_text(
	    json_member(json_member(config, "auths"), "ghcr.io"), "auth");
	assert_int_equal(strlen(text), 4 * ((3 + 16 * 1024 - 1 + 2) / 3));
	assert_null(strchr(text, '\n'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_added_and_others_stay),
		cmocka_unit_test(docker_hub_has_the_name_that_clients_know),
		cmocka_unit_test(helpers_are_not_asked_for_it),
		cmocka_unit_test(long_passwords_are_encoded_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
