/* What clients may say about containers, volumes and networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/arguments.h"

#include <stdio.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct arena arena;
static struct error err;

static void
release(void *json)
{
	json_object_put(json);
}

static int
decode(const struct field *fields, const char *text, void *out)
{
	struct json_object *json;

	memset(&err, 0, sizeof err);
	assert_int_equal(json_parse(text, strlen(text), &json, &err), 0);
	arena_defer(&arena, release, json);
	return fields_decode(fields, json, &arena, out, &err);
}

static int
clear(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

/* Decodes and checks; the field at fault, or "". */
static const char *
exec_fault(const char *text)
{
	struct exec_arguments arguments = { .command = "sh",
		.timeout = EXEC_TIMEOUT_S };

	if (decode(exec_argument_fields, text, &arguments) < 0 ||
	    exec_arguments_check(&arguments, &err) < 0) {
		assert_int_equal(err.kind, ERR_INVALID);
		return err.field;
	}
	return "";
}

static void
users_and_directories_have_a_grammar(void **state)
{
	static const char *const users[] = { "0", "www-data", "1000:1000",
		"a.b_c:g-1" };
	static const char *const wrong[] = { "-a", "a:", ":a", "a:-b", "a b",
		"a:b:c", "a\\n", "a:b\\t", "\u00e4" };
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(users); i++) {
		snprintf(text, sizeof text, "{\"user\":\"%s\"}", users[i]);
		assert_string_equal(exec_fault(text), "");
	}
	for (i = 0; i < COUNT(wrong); i++) {
		snprintf(text, sizeof text, "{\"user\":\"%s\"}", wrong[i]);
		assert_string_equal(exec_fault(text), "user");
	}
	assert_string_equal(exec_fault("{\"workdir\":\"/a b/\\u00e4\"}"), "");
	assert_string_equal(exec_fault("{\"workdir\":\"a/b\"}"), "workdir");
	assert_string_equal(
	    exec_fault("{\"workdir\":\"/a\\u007f\"}"), "workdir");
	assert_string_equal(exec_fault("{\"command\":\"\"}"), "command");
	assert_string_equal(exec_fault("{\"env\":{\"A_1\":\"\"}}"), "");
	assert_string_equal(exec_fault("{\"env\":{\"1A\":\"\"}}"), "env");
	assert_string_equal(exec_fault("{\"env\":{\"A=\":\"\"}}"), "env");
}

static void
a_command_line_is_put_together(void **state)
{
	struct exec_arguments arguments = { .command = "sh" };
	struct docker_exec exec;

	(void)state;
	exec = exec_arguments_apply(&arguments, "c", &arena);
	assert_string_equal(exec.arguments[0], "sh");
	assert_null(exec.arguments[1]);
	assert_null(exec.environment);
	assert_int_equal(
	    decode(exec_argument_fields,
		"{\"command\":\"ls\",\"args\":[\"-l\",\"\"],"
		"\"env\":{\"A\":\"b=c\"},\"user\":\"u\",\"workdir\":\"/\"}",
		&arguments),
	    0);
	exec = exec_arguments_apply(&arguments, "c", &arena);
	assert_string_equal(exec.container, "c");
	assert_string_equal(exec.arguments[1], "-l");
	assert_string_equal(exec.arguments[2], "");
	assert_null(exec.arguments[3]);
	assert_string_equal(exec.environment[0], "A=b=c");
	assert_null(exec.environment[1]);
	assert_string_equal(exec.user, "u");
	assert_string_equal(exec.directory, "/");
}

static void
limits_have_their_ranges(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{ "{}", "" },
		{ "{\"memory_limit\":6291456}", "" },
		{ "{\"memory_limit\":6291455}", "memory_limit" },
		{ "{\"memory_limit\":0,\"memory_swap\":-1}", "" },
		{ "{\"memory_limit\":9000000,\"memory_swap\":8999999}",
		    "memory_swap" },
		{ "{\"memory_swap\":1}", "memory_swap" },
		{ "{\"cpus\":0.01}", "" },
		{ "{\"cpus\":0.001}", "cpus" },
		{ "{\"cpus\":8192}", "cpus" },
		{ "{\"cpu_shares\":2}", "" },
		{ "{\"cpu_shares\":1}", "cpu_shares" },
		{ "{\"restart_policy\":\"always\"}", "" },
		{ "{\"restart_policy\":\"Always\"}", "restart_policy" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct limit_arguments arguments = LIMIT_ARGUMENTS;
		bool fails = decode(limit_argument_fields, cases[i].text,
				 &arguments) < 0 ||
			     limit_arguments_check(&arguments, &err) < 0;

		assert_string_equal(fails ? err.field : "", cases[i].field);
	}
}

/* What the Engine is told of a container with the limits. */
static int
apply(const char *text, const struct docker_limits *present,
    struct docker_limits *out)
{
	struct limit_arguments arguments = LIMIT_ARGUMENTS;

	assert_int_equal(decode(limit_argument_fields, text, &arguments), 0);
	return limit_arguments_apply(&arguments, present, out, &err);
}

static void
what_is_not_named_stays(void **state)
{
	const struct docker_limits present = { .memory_bytes = 8 * MIB,
		.nano_cpus = 5 };
	struct docker_limits out;

	(void)state;
	assert_int_equal(apply("{}", &present, &out), 0);
	assert_int_equal(out.memory_bytes, 0);
	assert_int_equal(out.memory_swap_bytes, 0);
	assert_int_equal(out.nano_cpus, 0);
	assert_int_equal(out.cpu_quota_us, 0);
	assert_int_equal(out.cpu_shares, 0);
	assert_null(out.restart_policy);
}

static void
more_memory_brings_its_swap(void **state)
{
	static const char text[] = "{\"memory_limit\":20971520}"; /* 20 MiB */
	struct docker_limits present = { 0 }, out;

	(void)state;
	assert_int_equal(apply(text, &present, &out), 0);
	assert_int_equal(out.memory_bytes, 20 * MIB);
	assert_int_equal(out.memory_swap_bytes, 40 * MIB);
	present.memory_bytes = 8 * MIB;
	present.memory_swap_bytes = 32 * MIB;
	assert_int_equal(apply(text, &present, &out), 0);
	assert_int_equal(out.memory_swap_bytes, 0);
	present.memory_swap_bytes = -1;
	assert_int_equal(apply(text, &present, &out), 0);
	assert_int_equal(out.memory_swap_bytes, 0);
	present.memory_swap_bytes = 32 * MIB;
	assert_int_equal(apply("{\"memory_limit\":20971520,\"memory_swap\":-1}",
			     &present, &out),
	    0);
	assert_int_equal(out.memory_swap_bytes, -1);
	assert_int_equal(
	    apply("{\"memory_swap\":7340032}", &present, &out), -1);
	assert_string_equal(err.field, "memory_swap");
	present.memory_bytes = 0;
	assert_int_equal(
	    apply("{\"memory_swap\":7340032}", &present, &out), -1);
	assert_string_equal(err.field, "memory_swap");
}

static void
cores_are_set_the_way_they_were(void **state)
{
	struct docker_limits present = { 0 }, out;

	(void)state;
	assert_int_equal(apply("{\"cpus\":0.5}", &present, &out), 0);
	assert_int_equal(out.nano_cpus, 500000000);
	assert_int_equal(out.cpu_quota_us, 0);
	present.cpu_quota_us = 1000;
	assert_int_equal(apply("{\"cpus\":0.5}", &present, &out), 0);
	assert_int_equal(out.nano_cpus, 0);
	assert_int_equal(out.cpu_quota_us, 50000);
	assert_int_equal(out.cpu_period_us, 100000);
	assert_int_equal(apply("{\"cpus\":0}", &present, &out), 0);
	assert_int_equal(out.cpu_quota_us, -1);
}

static void
limits_are_not_silently_kept(void **state)
{
	const struct docker_limits present = {
		.memory_bytes = 8 * MIB, .nano_cpus = 5, .cpu_shares = 7
	};
	const struct docker_limits none = { 0 };
	struct docker_limits out;

	(void)state;
	assert_int_equal(apply("{\"memory_limit\":0}", &present, &out), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(err.code, "LIMIT_NOT_REMOVABLE");
	assert_int_equal(apply("{\"cpus\":0}", &present, &out), -1);
	assert_string_equal(err.code, "LIMIT_NOT_REMOVABLE");
	assert_int_equal(apply("{\"cpu_shares\":0}", &present, &out), 0);
	assert_int_equal(out.cpu_shares, 1024);
	assert_int_equal(
	    apply("{\"memory_limit\":0,\"cpus\":0,\"cpu_shares\":0}", &none,
		&out),
	    0);
	assert_int_equal(out.cpu_shares, 0);
}

static void
subnets_and_gateways_belong_together(void **state)
{
	static const struct {
		const char *subnet, *gateway, *field;
		bool ipv6;
	} cases[] = {
		{ "10.7.0.0/16", "10.7.255.1", "", false },
		{ "10.7.8.0/21", "10.7.15.1", "", false },
		{ "10.7.8.0/21", "10.7.16.1", "gateway", false },
		{ "10.7.0.0/16", "fd00::1", "gateway", false },
		{ "fd00:7::/64", "fd00:7::1", "", true },
		{ "fd00:7::/64", NULL, "", true },
		{ "fd00:7::/64", "fd00:8::1", "gateway", true },
		{ "fd00:7::1/64", NULL, "subnet", true },
		{ "10.7.0.1/16", NULL, "subnet", false },
		{ "10.7.0.0/32", NULL, "subnet", false },
		{ "10.7.0.0/0", NULL, "subnet", false },
		{ "10.7.0.0/016", NULL, "subnet", false },
		{ "10.7.0.0/16 ", NULL, "subnet", false },
		{ "10.7.0.0/1000", NULL, "subnet", false },
		{ "10.7.0.0/", NULL, "subnet", false },
		{ "10.7.0.0", NULL, "subnet", false },
		{ "/16", NULL, "subnet", false },
		{ "10.7.0.0x/16", NULL, "subnet", false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8",
		    NULL, "subnet", false },
		{ NULL, "10.7.0.1", "subnet", false },
		{ "", "", "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const struct network_arguments arguments = { .name = "n1",
			.driver = "",
			.subnet = cases[i].subnet,
			.gateway = cases[i].gateway };
		struct docker_network_options out;
		bool fails =
		    network_arguments_apply(&arguments, &out, &err) < 0;

		assert_string_equal(fails ? err.field : "", cases[i].field);
		assert_string_equal(out.driver, "bridge");
		if (!fails)
			assert_int_equal(out.ipv6, cases[i].ipv6);
	}
}

static void
options_of_a_volume_have_two_names(void **state)
{
	struct volume_arguments arguments = { .driver = "local" };
	struct docker_volume_options out;

	(void)state;
	assert_int_equal(decode(volume_argument_fields,
			     "{\"name\":\"v1\",\"driver\":\"\"}", &arguments),
	    0);
	volume_arguments_apply(&arguments, &out);
	assert_string_equal(out.driver, "local");
	assert_null(out.driver_options);
	assert_int_equal(
	    decode(volume_argument_fields,
		"{\"name\":\"v1\",\"options\":{\"o\":\"bind\"}}", &arguments),
	    0);
	volume_arguments_apply(&arguments, &out);
	assert_string_equal(json_text(out.driver_options, "o"), "bind");
	assert_int_equal(
	    decode(volume_argument_fields, "{\"name\":\"v\"}", &arguments), -1);
	assert_string_equal(err.code, "INVALID_NAME");
}

static void
networks_of_docker_are_known(void **state)
{
	(void)state;
	assert_true(docker_network_is_predefined("bridge"));
	assert_true(docker_network_is_predefined("host"));
	assert_true(docker_network_is_predefined("ingress"));
	assert_false(docker_network_is_predefined("bridge2"));
	assert_true(docker_network_is_closed("none"));
	assert_false(docker_network_is_closed("bridge"));
}

static void
ids_and_names_have_their_length(void **state)
{
	char text[200];

	(void)state;
	memset(text, 'a', sizeof text);
	text[129] = '\0';
	assert_false(docker_name_is_valid(text));
	text[128] = '\0';
	assert_true(docker_name_is_valid(text));
	assert_false(docker_id_is_whole(text));
	text[64] = '\0';
	assert_true(docker_id_is_whole(text));
	text[3] = 'A';
	assert_false(docker_id_is_whole(text));
	assert_false(docker_name_is_valid("a"));
	assert_true(docker_name_is_valid("a_"));
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(users_and_directories_have_a_grammar),
		TEST(a_command_line_is_put_together),
		TEST(limits_have_their_ranges),
		TEST(what_is_not_named_stays),
		TEST(more_memory_brings_its_swap),
		TEST(cores_are_set_the_way_they_were),
		TEST(limits_are_not_silently_kept),
		TEST(subnets_and_gateways_belong_together),
		TEST(options_of_a_volume_have_two_names),
		TEST(networks_of_docker_are_known),
		TEST(ids_and_names_have_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
