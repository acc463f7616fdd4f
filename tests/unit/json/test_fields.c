/* Field tables: every wrong input is named, every right one arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "json/fields.h"

#include <string.h>

struct variable {
	const char *key;
	int64_t weight;
};

struct input {
	const char *name;
	const char *text;
	const char *note;
	const char *host;
	bool start;
	int64_t port;
	int64_t offset;
	struct json_object *metadata;
	struct variable *variables;
	size_t variables_count;
	double share;
	struct json_object *labels;
	const char *const *words;
	size_t words_count;
};

static bool
is_lower_case(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static const struct field variable_fields[] = {
	CODED_FIELD(struct variable, key, REQUIRED, is_lower_case, "of a to z",
	    "INVALID_KEY"),
	INTEGER_FIELD(struct variable, weight, OPTIONAL, 0, 10),
	{ 0 },
};

static const struct field input_fields[] = {
	CODED_FIELD(struct input, name, REQUIRED, is_lower_case, "of a to z",
	    "INVALID_NAME"),
	TEXT_FIELD(struct input, text, OPTIONAL, 5),
	STRING_FIELD(struct input, note, OPTIONAL, is_lower_case, "of a to z"),
	RENAMED_FIELD(struct input, host, "db-host", OPTIONAL, NULL, NULL,
	    "INVALID_HOST"),
	BOOL_FIELD(struct input, start, OPTIONAL),
	CODED_INTEGER_FIELD(
	    struct input, port, OPTIONAL, 1, 65535, "INVALID_PORT"),
	INTEGER_FIELD(struct input, offset, OPTIONAL, -10, 10),
	OBJECT_FIELD(struct input, metadata, OPTIONAL),
	LIST_FIELD(struct input, variables, OPTIONAL, struct variable,
	    variable_fields),
	NUMBER_FIELD(struct input, share, OPTIONAL, 0, 4),
	MAP_FIELD(
	    struct input, labels, OPTIONAL, 2, 3, is_lower_case, "of a to z"),
	STRINGS_FIELD(struct input, words, OPTIONAL, 2, 3),
	{ 0 },
};

struct fixture {
	struct arena arena;
	struct json_object *json;
	struct input input;
	struct error err;
};

static int
decode(struct fixture *f, const char *text)
{
	memset(&f->err, 0, sizeof f->err);
	json_object_put(f->json);
	assert_int_equal(json_parse(text, strlen(text), &f->json, &f->err), 0);
	return fields_decode(
	    input_fields, f->json, &f->arena, &f->input, &f->err);
}

static int
set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	*state = &fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	json_object_put(f->json);
	arena_clear(&f->arena);
	return 0;
}

static void
every_member_arrives_in_its_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    decode(f, "{\"name\":\"blog\",\"text\":\"12345\","
		      "\"note\":\"x\",\"db-host\":\"h\","
		      "\"start\":true,\"port\":65535,\"offset\":-10,"
		      "\"metadata\":{\"deep\":[1]},"
		      "\"variables\":[{\"key\":\"a\",\"weight\":10},"
		      "{\"key\":\"b\"}]}"),
	    0);
	assert_string_equal(f->input.name, "blog");
	assert_string_equal(f->input.text, "12345");
	assert_string_equal(f->input.note, "x");
	assert_string_equal(f->input.host, "h");
	assert_true(f->input.start);
	assert_int_equal(f->input.port, 65535);
	assert_int_equal(f->input.offset, -10);
	assert_non_null(json_member(f->input.metadata, "deep"));
	assert_int_equal(f->input.variables_count, 2);
	assert_string_equal(f->input.variables[0].key, "a");
	assert_int_equal(f->input.variables[0].weight, 10);
	assert_string_equal(f->input.variables[1].key, "b");
	assert_int_equal(f->input.variables[1].weight, 0);
}

static void
texts_outlive_the_json(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(decode(f, "{\"name\":\"blog\"}"), 0);
	json_object_put(f->json);
	f->json = NULL;
	assert_string_equal(f->input.name, "blog");
}

static void
missing_members_leave_the_defaults(void **state)
{
	struct fixture *f = *state;

	f->input = (struct input){ .text = "old", .start = true, .port = 80 };
	assert_int_equal(
	    decode(f, "{\"name\":\"a\",\"text\":null,\"start\":null,"
		      "\"port\":null,\"metadata\":null,"
		      "\"variables\":null,\"unknown\":[{}],"
		      "\"Port\":\"x\",\"__proto__\":{}}"),
	    0);
	assert_string_equal(f->input.text, "old");
	assert_true(f->input.start);
	assert_int_equal(f->input.port, 80);
	assert_null(f->input.metadata);
	assert_null(f->input.variables);
	assert_int_equal(f->input.variables_count, 0);
}

struct refusal {
	const char *text, *field, *code, *message;
};

static void
assert_refusals(struct fixture *f, const struct refusal *cases, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (decode(f, cases[i].text) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(f->err.field, cases[i].field);
		assert_string_equal(error_code(&f->err), cases[i].code);
		assert_string_equal(f->err.message, cases[i].message);
	}
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void
what_is_required_must_be_there(void **state)
{
	static const struct refusal cases[] = {
		{ "{}", "name", "INVALID_NAME", "name is required" },
		{ "{\"name\":null}", "name", "INVALID_NAME",
		    "name is required" },
		{ "{\"name\":\"\"}", "name", "INVALID_NAME",
		    "name is required" },
		{ "{\"Name\":\"x\"}", "name", "INVALID_NAME",
		    "name is required" },
		{ "{\"name\":\"a\",\"variables\":[{}]}", "variables[0].key",
		    "INVALID_KEY", "variables[0].key is required" },
	};

	assert_refusals(*state, cases, COUNT(cases));
}

#define NAMED(rest) "{\"name\":\"a\"," rest "}"

static void
every_wrong_type_is_refused(void **state)
{
	static const char *const members[] = { "text", "start", "port",
		"metadata", "variables" };
	static const char *const values[] = { "\"x\"", "true", "1", "{}", "[]",
		"1.5" };
	struct fixture *f = *state;
	auto_buffer struct buffer text = BUFFER(100);
	size_t i, j;

	for (i = 0; i < COUNT(members); i++) {
		for (j = 0; j < COUNT(values); j++) {
			buffer_truncate(&text, 0);
			buffer_printf(&text, "{\"name\":\"a\",\"%s\":%s}",
			    members[i], values[j]);
			if ((decode(f, text.bytes) == 0) != (i == j))
				fail_msg("%s", text.bytes);
			if (i != j)
				assert_string_equal(f->err.field, members[i]);
		}
	}
	for (j = 1; j < COUNT(values); j++) {
		buffer_truncate(&text, 0);
		buffer_printf(&text, "{\"name\":%s}", values[j]);
		assert_int_equal(decode(f, text.bytes), -1);
		assert_string_equal(f->err.field, "name");
	}
}

static void
numbers_are_integers_in_their_range(void **state)
{
	static const struct refusal cases[] = {
		{ NAMED("\"port\":0"), "port", "INVALID_PORT",
		    "port must be 1 to 65535" },
		{ NAMED("\"port\":65536"), "port", "INVALID_PORT",
		    "port must be 1 to 65535" },
		{ NAMED("\"port\":-1"), "port", "INVALID_PORT",
		    "port must be 1 to 65535" },
		/* 80 once it is narrowed to 32 bits. */
		{ NAMED("\"port\":4294967376"), "port", "INVALID_PORT",
		    "port must be 1 to 65535" },
		{ NAMED("\"port\":9223372036854775807"), "port", "INVALID_PORT",
		    "port must be 1 to 65535" },
		{ NAMED("\"port\":80.5"), "port", "INVALID_PORT",
		    "port must be an integer" },
		{ NAMED("\"port\":80.0"), "port", "INVALID_PORT",
		    "port must be an integer" },
		{ NAMED("\"port\":8e1"), "port", "INVALID_PORT",
		    "port must be an integer" },
		{ NAMED("\"port\":\"80\""), "port", "INVALID_PORT",
		    "port must be an integer" },
		{ NAMED("\"offset\":11"), "offset", "INVALID_REQUEST",
		    "offset must be -10 to 10" },
		{ NAMED("\"offset\":-11"), "offset", "INVALID_REQUEST",
		    "offset must be -10 to 10" },
	};

	assert_refusals(*state, cases, COUNT(cases));
}

static void
texts_have_their_grammar_and_length(void **state)
{
	static const struct refusal cases[] = {
		{ "{\"name\":\"A\"}", "name", "INVALID_NAME",
		    "name must be of a to z" },
		{ "{\"name\":\"a\\n\"}", "name", "INVALID_NAME",
		    "name must be of a to z" },
		{ NAMED("\"note\":\"1\""), "note", "INVALID_REQUEST",
		    "note must be of a to z" },
		{ NAMED("\"text\":\"123456\""), "text", "INVALID_REQUEST",
		    "text is longer than 5 bytes" },
		/* Three letters, six bytes. */
		{ NAMED("\"text\":\"\\u00e4\\u00e4\\u00e4\""), "text",
		    "INVALID_REQUEST", "text is longer than 5 bytes" },
	};
	struct fixture *f = *state;

	assert_refusals(f, cases, COUNT(cases));
	/* An empty optional text is none: no grammar is asked. */
	assert_int_equal(decode(f, NAMED("\"note\":\"\",\"text\":\"\"")), 0);
	assert_string_equal(f->input.text, "");
}

static void
elements_of_lists_are_named_by_their_number(void **state)
{
	static const struct refusal cases[] = {
		{ NAMED("\"variables\":[{\"key\":\"a\"},{\"key\":\"B\"}]"),
		    "variables[1].key", "INVALID_KEY",
		    "variables[1].key must be of a to z" },
		{ NAMED("\"variables\":[{\"key\":\"a\",\"weight\":11}]"),
		    "variables[0].weight", "INVALID_REQUEST",
		    "variables[0].weight must be 0 to 10" },
		{ NAMED("\"variables\":[{\"key\":\"a\",\"weight\":true}]"),
		    "variables[0].weight", "INVALID_REQUEST",
		    "variables[0].weight must be an integer" },
		{ NAMED("\"variables\":[{\"key\":\"a\"},\"x\"]"),
		    "variables[1]", "INVALID_REQUEST",
		    "variables[1] must be an object" },
		{ NAMED("\"variables\":[null]"), "variables[0]",
		    "INVALID_REQUEST", "variables[0] must be an object" },
		{ NAMED("\"variables\":{\"key\":\"a\"}"), "variables",
		    "INVALID_REQUEST", "variables must be an array" },
	};

	assert_refusals(*state, cases, COUNT(cases));
}

static void
a_list_has_1000_elements_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(100000);
	int count, i;

	for (count = 1000; count <= 1001; count++) {
		buffer_truncate(&text, 0);
		buffer_text(&text, "{\"name\":\"a\",\"variables\":[");
		for (i = 0; i < count; i++)
			buffer_printf(
			    &text, "%s{\"key\":\"k\"}", i == 0 ? "" : ",");
		buffer_text(&text, "]}");
		assert_int_equal(decode(f, text.bytes), count == 1000 ? 0 : -1);
	}
	assert_string_equal(f->err.field, "variables");
	assert_int_equal(f->input.variables_count, 1000);
	assert_int_equal(decode(f, NAMED("\"variables\":[]")), 0);
	assert_int_equal(f->input.variables_count, 0);
	buffer_clear(&text);
}

static void
a_string_has_64_kib_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(100000);
	int extra, i;

	for (extra = 0; extra <= 1; extra++) {
		buffer_truncate(&text, 0);
		buffer_text(&text, "{\"name\":\"a\",\"db-host\":\"");
		for (i = 0; i < 64 * 1024 + extra; i++)
			buffer_char(&text, 'x');
		buffer_text(&text, "\"}");
		assert_int_equal(decode(f, text.bytes), -extra);
	}
	/* By its name on the wire, not in the program. */
	assert_string_equal(f->err.field, "db-host");
	buffer_clear(&text);
}

static void
numbers_with_a_fraction_arrive(void **state)
{
	static const struct refusal cases[] = {
		{ NAMED("\"share\":\"1\""), "share", "INVALID_REQUEST",
		    "share must be a number" },
		{ NAMED("\"share\":true"), "share", "INVALID_REQUEST",
		    "share must be a number" },
		{ NAMED("\"share\":4.0001"), "share", "INVALID_REQUEST",
		    "share must be 0 to 4" },
		{ NAMED("\"share\":-0.1"), "share", "INVALID_REQUEST",
		    "share must be 0 to 4" },
	};
	struct fixture *f = *state;

	assert_int_equal(decode(f, NAMED("\"share\":0.25")), 0);
	assert_true(f->input.share == 0.25);
	assert_int_equal(decode(f, NAMED("\"share\":4")), 0);
	assert_true(f->input.share == 4);
	assert_refusals(f, cases, COUNT(cases));
}

static void
strings_end_with_null(void **state)
{
	static const struct refusal cases[] = {
		{ NAMED("\"words\":\"a\""), "words", "INVALID_REQUEST",
		    "words must be an array" },
		{ NAMED("\"words\":[1]"), "words[0]", "INVALID_REQUEST",
		    "words[0] must be a string" },
		{ NAMED("\"words\":[\"a\",null]"), "words[1]",
		    "INVALID_REQUEST", "words[1] must be a string" },
		{ NAMED("\"words\":[\"a\",\"1234\"]"), "words[1]",
		    "INVALID_REQUEST", "words[1] is longer than 3 bytes" },
		{ NAMED("\"words\":[\"\",\"\",\"\"]"), "words",
		    "INVALID_REQUEST", "words has more than 2 elements" },
	};
	struct fixture *f = *state;

	assert_int_equal(decode(f, NAMED("\"words\":[\"\",\"a b\"]")), 0);
	assert_int_equal(f->input.words_count, 2);
	assert_string_equal(f->input.words[0], "");
	assert_string_equal(f->input.words[1], "a b");
	assert_null(f->input.words[2]);
	assert_int_equal(decode(f, NAMED("\"words\":[]")), 0);
	assert_null(f->input.words[0]);
	assert_refusals(f, cases, COUNT(cases));
}

static void
a_map_has_strings_alone(void **state)
{
	static const struct refusal cases[] = {
		{ NAMED("\"labels\":[]"), "labels", "INVALID_REQUEST",
		    "labels must be an object" },
		{ NAMED("\"labels\":{\"a\":1}"), "labels.a", "INVALID_REQUEST",
		    "labels.a must be a string" },
		{ NAMED("\"labels\":{\"a\":null}"), "labels.a",
		    "INVALID_REQUEST", "labels.a must be a string" },
		{ NAMED("\"labels\":{\"a\":\"1234\"}"), "labels.a",
		    "INVALID_REQUEST", "labels.a is longer than 3 bytes" },
		{ NAMED("\"labels\":{\"A\":\"\"}"), "labels", "INVALID_REQUEST",
		    "names in labels must be of a to z" },
		{ NAMED("\"labels\":{\"\":\"\"}"), "labels", "INVALID_REQUEST",
		    "names in labels must have 1 to 255 bytes" },
		{ NAMED("\"labels\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}"),
		    "labels", "INVALID_REQUEST",
		    "labels has more than 2 members" },
	};
	struct fixture *f = *state;

	assert_int_equal(
	    decode(f, NAMED("\"labels\":{\"a\":\"123\",\"b\":\"\"}")), 0);
	assert_string_equal(json_text(f->input.labels, "a"), "123");
	assert_refusals(f, cases, COUNT(cases));
}

static void
what_no_row_names_is_not_selected(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *some = NULL, *none = NULL;

	decode(f, "{\"b\":1,\"name\":\"a\",\"variables\":[{\"x\":1}],"
		  "\"note\":null}");
	some = fields_select(input_fields, f->json);
	assert_string_equal(json_serialize(some, NULL),
	    "{\"name\":\"a\",\"variables\":[{\"x\":1}]}");
	none = fields_select(input_fields, NULL);
	assert_string_equal(json_serialize(none, NULL), "{}");
}

static void
the_body_must_be_an_object(void **state)
{
	static const char *const texts[] = { "[]", "null", "1", "\"x\"", "true",
		"[{\"name\":\"a\"}]" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		assert_int_equal(decode(f, texts[i]), -1);
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_string_equal(
		    f->err.message, "the body must be a JSON object");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_member_arrives_in_its_place),
		TEST(texts_outlive_the_json),
		TEST(missing_members_leave_the_defaults),
		TEST(what_is_required_must_be_there),
		TEST(every_wrong_type_is_refused),
		TEST(numbers_are_integers_in_their_range),
		TEST(texts_have_their_grammar_and_length),
		TEST(elements_of_lists_are_named_by_their_number),
		TEST(a_list_has_1000_elements_and_no_more),
		TEST(a_string_has_64_kib_and_no_more),
		TEST(numbers_with_a_fraction_arrive),
		TEST(strings_end_with_null),
		TEST(a_map_has_strings_alone),
		TEST(what_no_row_names_is_not_selected),
		TEST(the_body_must_be_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
