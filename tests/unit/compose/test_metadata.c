#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "compose/metadata.h"

#include <string.h>

static void
assert_json(const char *yaml, const char *expected)
{
	auto_json struct json_object *metadata = NULL;
	struct error err;

	if (metadata_parse(yaml, strlen(yaml), &metadata, &err) < 0)
		fail_msg("%s: %s", yaml, err.message);
	assert_string_equal(json_serialize(metadata, NULL), expected);
}

static void
plain_scalars_get_the_types_of_the_core_schema(void **state)
{
	(void)state;
	assert_json("a: true\nb: 'true'\nc: 12\nd: \"12\"\ne: 1.5\nf: ~\n"
		    "g: yes\nh: 0x1F\ni: 0o17\nj: text\nk: 1.10\n",
	    "{\"a\":true,\"b\":\"true\",\"c\":12,\"d\":\"12\",\"e\":1.5,"
	    "\"f\":null,\"g\":\"yes\",\"h\":31,\"i\":15,\"j\":\"text\","
	    "\"k\":1.10}");
	assert_json("a: .inf\nb: .nan\nc: 99999999999999999999\nd: .5\n"
		    "e: -1\nf: 1.\ng: 007\n",
	    "{\"a\":\".inf\",\"b\":\".nan\",\"c\":\"99999999999999999999\","
	    "\"d\":0.5,\"e\":-1,\"f\":1.0,\"g\":7}");
	assert_json("a: {b: [1, {c: d}]}\ne: []\nf: {}\n",
	    "{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":[],\"f\":{}}");
}

static void
assert_not_parsed(const char *yaml)
{
	auto_json struct json_object *metadata = NULL;
	struct error err;

	assert_int_equal(
	    metadata_parse(yaml, strlen(yaml), &metadata, &err), -1);
	assert_string_equal(err.code, "INVALID_METADATA");
	assert_string_equal(err.field, "metadata");
	assert_null(metadata);
}

static void
what_is_no_mapping_is_refused(void **state)
{
	(void)state;
	assert_not_parsed("");
	assert_not_parsed("text");
	assert_not_parsed("[a]");
	assert_not_parsed("a: 1\na: 2\n");
	assert_not_parsed("a: [");
	assert_not_parsed("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]"
			  "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
}

/* JSON to YAML and back is the same JSON. */
static void
assert_survives(const char *json)
{
	auto_json struct json_object *before = NULL, *after = NULL;
	auto_buffer struct buffer yaml = BUFFER(65536);
	struct error err;

	assert_int_equal(json_parse(json, strlen(json), &before, &err), 0);
	assert_int_equal(metadata_format(before, &yaml, &err), 0);
	if (metadata_parse(buffer_string(&yaml), yaml.length, &after, &err) < 0)
		fail_msg("%s\n%s", err.message, buffer_string(&yaml));
	assert_string_equal(json_serialize(after, NULL), json);
}

static void
metadata_survives_the_way_to_disk_and_back(void **state)
{
	(void)state;
	assert_survives("{}");
	assert_survives("{\"name\":\"blog\",\"type\":\"web\",\"networking\":"
			"{\"expose\":true,\"domain\":\"a.example.com\","
			"\"container_port\":80},\"domains\":[{\"id\":\"x\","
			"\"aliases\":[\"b.c\",\"d.e\"]},{}],\"n\":null,"
			"\"r\":1.5,\"l\":[[1,2],[],[{}]]}");
	assert_survives(
	    "{\"a\":\"true\",\"b\":\"12\",\"c\":\"\",\"d\":\"- x\","
	    "\"e\":\"a: b\",\"f\":\"#\",\"g\":\"null\","
	    "\"h\":\"line\\nbreak\",\"i\":\"$x\",\"j\":\" x \","
	    "\"k\":\"\\\"'\\\\\",\"l\":\"yes\",\"m\":\"2001-01-01\","
	    "\"1\":\"x\",\"true\":1,\"a b\":2,\"<<x\":3}");
}

static int
check(const char *json, struct error *err)
{
	auto_json struct json_object *metadata = NULL;

	memset(err, 0, sizeof *err);
	assert_int_equal(json_parse(json, strlen(json), &metadata, err), 0);
	return metadata_check(metadata, err);
}

static void
assert_wrong(const char *json, const char *field, const char *code)
{
	struct error err;

	if (check(json, &err) == 0)
		fail_msg("passes: %s", json);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.field, field);
	assert_string_equal(error_code(&err), code);
}

static void
members_with_a_meaning_are_checked(void **state)
{
	(void)state;
	assert_wrong("[]", "metadata", "INVALID_REQUEST");
	assert_wrong("{\"name\":1}", "metadata.name", "INVALID_REQUEST");
	assert_wrong("{\"name\":\"../x\"}", "metadata.name", "INVALID_NAME");
	assert_wrong(
	    "{\"networking\":[]}", "metadata.networking", "INVALID_REQUEST");
	assert_wrong("{\"networking\":{\"expose\":\"yes\"}}",
	    "metadata.networking.expose", "INVALID_REQUEST");
	assert_wrong("{\"networking\":{\"domain\":\"a.b;}\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"domain\":\"localhost\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"domain\":\"1.2.3.4\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"domain\":\"-a.bc\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"domain\":\"a..bc\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"domain\":\"a.bc.\"}}",
	    "metadata.networking.domain", "INVALID_DOMAIN");
	assert_wrong("{\"networking\":{\"container_port\":65536}}",
	    "metadata.networking.container_port", "INVALID_PORT");
	assert_wrong("{\"networking\":{\"container_port\":\"80\"}}",
	    "metadata.networking.container_port", "INVALID_PORT");
	assert_wrong("{\"networking\":{\"service\":\"A b\"}}",
	    "metadata.networking.service", "INVALID_NAME");
	assert_wrong("{\"ssl\":{\"enabled\":1}}", "metadata.ssl.enabled",
	    "INVALID_REQUEST");
	assert_wrong("{\"healthcheck\":{\"path\":\"x\"}}",
	    "metadata.healthcheck.path", "INVALID_PATH");
	assert_wrong("{\"healthcheck\":{\"interval\":\"soon\"}}",
	    "metadata.healthcheck.interval", "INVALID_REQUEST");
	assert_wrong("{\"domains\":{}}", "metadata.domains", "INVALID_REQUEST");
	assert_wrong(
	    "{\"domains\":[1]}", "metadata.domains[0]", "INVALID_REQUEST");
	assert_wrong("{\"domains\":[{},{\"domain\":\"x y\"}]}",
	    "metadata.domains[1].domain", "INVALID_DOMAIN");
	assert_wrong("{\"domains\":[{\"path_prefix\":\"/a b\"}]}",
	    "metadata.domains[0].path_prefix", "INVALID_PATH");
	assert_wrong("{\"domains\":[{\"aliases\":[\"a.bc\",\"$x\"]}]}",
	    "metadata.domains[0].aliases[1]", "INVALID_DOMAIN");
	assert_wrong("{\"quick_actions\":{}}", "metadata.quick_actions",
	    "INVALID_REQUEST");
	assert_wrong("{\"quick_actions\":[{\"id\":1}]}",
	    "metadata.quick_actions[0].id", "INVALID_REQUEST");
	assert_wrong("{\"quick_actions\":[{},{\"service\":\"A b\"}]}",
	    "metadata.quick_actions[1].service", "INVALID_NAME");
	assert_wrong("{\"quick_actions\":[{\"command\":1}]}",
	    "metadata.quick_actions[0].command", "INVALID_REQUEST");
	assert_wrong("{\"quick_actions\":[{\"command\":[]}]}",
	    "metadata.quick_actions[0].command", "INVALID_REQUEST");
	assert_wrong("{\"quick_actions\":[{\"command\":[\"a\",1]}]}",
	    "metadata.quick_actions[0].command", "INVALID_REQUEST");
}

static void
what_clients_send_passes(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(
	    check("{\"name\":\"blog\",\"type\":\"web\",\"networking\":{"
		  "\"expose\":true,\"domain\":\"Blog.example-1.com\","
		  "\"container_port\":80,\"protocol\":\"http\"},\"ssl\":{"
		  "\"enabled\":true,\"auto_cert\":true},\"healthcheck\":{"
		  "\"path\":\"/health?full=1\",\"interval\":\"30s\"},"
		  "\"domains\":[{\"id\":\"default\",\"service\":\"web\","
		  "\"container_port\":80,\"domain\":\"xn--d1acpjx3f.xn--p1ai\","
		  "\"path_prefix\":\"/api\",\"strip_prefix\":true,"
		  "\"aliases\":[\"www.example.com\"]}],"
		  "\"quick_actions\":[{\"x\":1},{\"id\":\"a\","
		  "\"command\":[\"ls\"]},{\"id\":\"b\",\"command\":\"ls "
		  "/\"}],\"anything\":null}",
		&err),
	    0);
	assert_int_equal(check("{\"networking\":{\"expose\":false,\"domain\":"
			       "\"\",\"container_port\":0},\"domains\":null}",
			     &err),
	    0);
}

static void
the_default_comes_from_the_primary_service(void **state)
{
	static const char text[] = "services:\n"
				   "  db: {image: p}\n"
				   "  web: {image: n, ports: ['8080:80']}\n";
	auto_arena struct arena arena = { 0 };
	auto_json struct json_object *with = NULL, *without = NULL;
	struct document *document;
	struct error err;

	(void)state;
	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	with = metadata_default("blog", document);
	assert_string_equal(json_serialize(with, NULL),
	    "{\"name\":\"blog\",\"networking\":{\"expose\":false,"
	    "\"service\":\"web\",\"container_port\":80,\"protocol\":\"http\","
	    "\"proxy_type\":\"http\"},\"healthcheck\":{\"path\":\"/\","
	    "\"interval\":\"30s\"}}");
	without = metadata_default("blog", NULL);
	assert_int_equal(metadata_check(without, &err), 0);
	assert_int_equal(metadata_check(with, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    plain_scalars_get_the_types_of_the_core_schema),
		cmocka_unit_test(what_is_no_mapping_is_refused),
		cmocka_unit_test(metadata_survives_the_way_to_disk_and_back),
		cmocka_unit_test(members_with_a_meaning_are_checked),
		cmocka_unit_test(what_clients_send_passes),
		cmocka_unit_test(the_default_comes_from_the_primary_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
