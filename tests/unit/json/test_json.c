/* JSON text: RFC 8259 and nothing else, and the tree holds what it said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_MAXIMUM (2U * 1024 * 1024)

/* AddressSanitizer makes everything some times slower. */
#ifdef __SANITIZE_ADDRESS__
#define LIMIT_MS 1000
#else
#define LIMIT_MS 100
#endif

/* Parses a copy that ends where the text does, so that reading on is seen. */
static int
parse(const char *text, size_t length, struct json_object **out,
    struct error *err)
{
	char *copy = malloc(length ? length : 1);
	int result;

	memcpy(copy, text, length);
	*out = NULL;
	memset(err, 0, sizeof *err);
	result = json_parse(copy, length, out, err);
	free(copy);
	return result;
}

static void
assert_accepted(const char *text)
{
	auto_json struct json_object *object = NULL;
	struct error err;

	if (parse(text, strlen(text), &object, &err) < 0)
		fail_msg("refused: %s: %s", text, err.message);
}

static void
assert_refused(const char *text, size_t length, const char *code)
{
	auto_json struct json_object *object = NULL;
	struct error err;

	if (parse(text, length, &object, &err) == 0)
		fail_msg("accepted: %.*s", (int)length, text);
	assert_null(object);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.code, code);
	assert_true(err.message[0] != '\0');
}

static void
valid_texts_are_accepted(void **state)
{
	static const char *const texts[] = { "{}", "[]", "null", "true",
		"false", "0", "-0", "\"\"", " \t\r\n{ } \t\r\n", "{}\n",
		"{\"a\":1}\n", "1 ", "\"x\" ", "null ", "-1.5e+10", "1E5",
		"1e-7", "0.0", "0e0", "123456789012345678",
		"[1,2.5,\"x\",null,true,{\"a\":[]}]", "{\"\":1}",
		"{\"a\":1,\"A\":2,\"aa\":3}", "[{\"a\":1},{\"a\":1}]",
		"{\"a\":{\"a\":{\"a\":1}}}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20AC\"",
		"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\x7F\"",
		"\"\xEF\xBB\xBF\"", "\"\xE2\x80\xA8\"" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_accepted(texts[i]);
}

static void
everything_else_is_refused(void **state)
{
	static const char *const texts[] = { "", " ", "{", "}", "[", "]", "{}}",
		"{}{}", "{} x", "null null", "nul", "nullx", "truE", "True",
		"NaN", "-NaN", "Infinity", "-Infinity", "inf", "nan",
		"undefined", "'x'", "{'a':1}", "{a:1}", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}",
		"{null:1}", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1", "[1}",
		"{\"a\":1]", "01", "-01", "007", "+1", ".5", "5.", "-", "--1",
		"1e", "1e+", "1.e5", "0x10", "1_000", "1 2", "1,2", "\"", "\"a",
		"\"\\", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"",
		"\"\\U0041\"", "\"\\'\"", "\"\\a\"", "\"\\0\"", "/**/{}",
		"{}//", "{/**/}", "#\n{}", "\xEF\xBB\xBF{}", "\v{}", "\f{}",
		"\xC2\xA0{}", "(1)", "=1" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(texts[i], strlen(texts[i]), "INVALID_JSON");
}

static void
control_bytes_in_strings_are_refused(void **state)
{
	char text[] = "{\"a\":\"x?y\"}", name[] = "{\"x?y\":1}";
	int byte;

	(void)state;
	for (byte = 0; byte < 0x20; byte++) {
		text[7] = (char)byte;
		name[3] = (char)byte;
		assert_refused(text, sizeof text - 1, "INVALID_JSON");
		assert_refused(name, sizeof name - 1, "INVALID_JSON");
	}
}

static void
nul_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	assert_refused("\0", 1, "INVALID_JSON");
	assert_refused("{}\0", 3, "INVALID_JSON");
	assert_refused("\0{}", 3, "INVALID_JSON");
	assert_refused("{}\0{}", 5, "INVALID_JSON");
	assert_refused("\"KEY\\u0000junk\"", 15, "INVALID_JSON");
	assert_refused("{\"a\\u0000b\":1}", 14, "INVALID_JSON");
}

static void
lone_surrogates_are_refused(void **state)
{
	static const char *const texts[] = { "\"\\ud800\"", "\"\\udc00\"",
		"\"\\uDFFF\"", "\"\\ud83d\\ud83d\"", "\"\\ud83dx\"",
		"\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\",
		"\"\\ud83d\\u", "\"\\ud83d\\ude0\"", "\"\\ude00\\ud83d\"",
		"{\"\\ud800\":1}", "\"\xED\xA0\x80\"" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(texts[i], strlen(texts[i]), "INVALID_JSON");
}

static void
invalid_utf8_is_refused(void **state)
{
	static const char *const texts[] = { "\"\xFF\"", "\"\x80\"", "\"\xC3\"",
		"\"\xC0\xAF\"", "\"\xE0\x80\xAF\"", "\"\xF4\x90\x80\x80\"",
		"\"\xE2\x82\"", "{\"\xFF\":1}", "{}\xFF", "\xFF\xFE{\x00",
		"\"\xC0\x80\"" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(texts[i], strlen(texts[i]), "INVALID_JSON");
}

static void
duplicate_names_are_refused_however_they_are_spelled(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{ "{\"a\":1,\"a\":1}", "a" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "a" },
		{ "{\"a\":1,\"\\u0061\":2}", "a" },
		{ "{\"\\u00e4\":1,\"\xC3\xA4\":2}", "\xC3\xA4" },
		{ "{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}",
		    "\xF0\x9F\x98\x80" },
		{ "{\"/\":1,\"\\/\":2}", "/" },
		{ "{\"\\n\":1,\"\\u000a\":2}", "\n" },
		{ "{\"\":1,\"\":2}", "" },
		{ "[[{\"x\":{\"auth\":1,\"auth\":2}}]]", "auth" },
		{ "{\"a\":{},\"b\":[{\"c\":1}],\"a\":null}", "a" },
	};
	struct json_object *object;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_refused(
		    cases[i].text, strlen(cases[i].text), "DUPLICATE_KEY");
		parse(cases[i].text, strlen(cases[i].text), &object, &err);
		assert_string_equal(err.field, cases[i].field);
	}
}

/* Puts count times the text into the buffer. */
static void
repeat(struct buffer *buffer, const char *text, size_t count)
{
	while (count-- > 0)
		assert_int_equal(buffer_text(buffer, text), 0);
}

static void
texts_nest_32_deep_and_no_deeper(void **state)
{
	static const struct {
		const char *open, *middle, *close;
	} kinds[] = { { "[", "1", "]" }, { "{\"a\":", "1", "}" },
		{ "[", "", "]" } };
	struct buffer text = BUFFER(1000);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		repeat(&text, kinds[i].open, 32);
		buffer_text(&text, kinds[i].middle);
		repeat(&text, kinds[i].close, 32);
		assert_accepted(text.bytes);
		buffer_truncate(&text, 0);
		repeat(&text, kinds[i].open, 33);
		buffer_text(&text, kinds[i].middle);
		repeat(&text, kinds[i].close, 33);
		assert_refused(text.bytes, text.length, "INVALID_JSON");
		buffer_truncate(&text, 0);
	}
	buffer_clear(&text);
}

static void
an_object_has_1000_members_and_no_more(void **state)
{
	struct buffer text = BUFFER(100000);
	int count, i;

	(void)state;
	for (count = 1000; count <= 1001; count++) {
		buffer_truncate(&text, 0);
		for (i = 0; i < count; i++)
			buffer_printf(
			    &text, "%s\"m%d\":%d", i == 0 ? "{" : ",", i, i);
		buffer_char(&text, '}');
		if (count == 1000)
			assert_accepted(text.bytes);
		else
			assert_refused(text.bytes, text.length, "INVALID_JSON");
	}
	buffer_clear(&text);
}

static void
numbers_are_held_as_they_are_or_refused(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} integers[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
		{ "4294967376", 4294967376 },
		{ "1000000000000000000", 1000000000000000000 },
	};
	static const char *const refused[] = { "9223372036854775808",
		"-9223372036854775809", "18446744073709551615",
		"18446744073709551617", "99999999999999999999",
		"-99999999999999999999999999999999999999", "1e309", "-1e309",
		"1e99999", "1.5E400", "[1e9999999999999999999]",
		"{\"a\":18446744073709551617}" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof integers / sizeof integers[0]; i++) {
		auto_json struct json_object *number = NULL;
		struct error err;

		assert_int_equal(parse(integers[i].text,
				     strlen(integers[i].text), &number, &err),
		    0);
		assert_true(json_object_is_type(number, json_type_int));
		assert_int_equal(
		    json_object_get_int64(number), integers[i].value);
	}
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_refused(refused[i], strlen(refused[i]), "INVALID_JSON");
	assert_accepted("1.7976931348623157e308");
	assert_accepted("0.00000000000000000000000000000000000000000000001");
	assert_accepted("1e-400");
}

static void
the_tree_has_the_text_of_the_strings(void **state)
{
	static const char text[] = "{\"a\\u00e4\\ud83d\\ude00\":\"\\\"\\\\\\/"
				   "\\b\\f\\n\\r\\t\\u0001\"}";
	auto_json struct json_object *object = NULL;
	struct error err;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &object, &err), 0);
	assert_string_equal(json_text(object, "a\xC3\xA4\xF0\x9F\x98\x80"),
	    "\"\\/\b\f\n\r\t\x01");
}

static void
an_error_says_the_byte(void **state)
{
	struct json_object *object;
	struct error err;

	(void)state;
	assert_int_equal(parse("{\"a\": tru}", 10, &object, &err), -1);
	assert_non_null(strstr(err.message, "byte 6"));
}

/* Processor time, which other work on the machine does not change. */
static double
parse_ms(const struct buffer *text, int *out_result)
{
	struct json_object *object = NULL;
	struct error err;
	clock_t started = clock();
	double took_ms;

	*out_result = json_parse(text->bytes, text->length, &object, &err);
	took_ms = (double)(clock() - started) * 1000 / CLOCKS_PER_SEC;
	json_object_put(object);
	return took_ms;
}

static void
no_text_takes_long(void **state)
{
	static const struct {
		const char *before, *part, *after;
		int result; /* 1: either */
	} cases[] = {
		{ "", "[", "", -1 },
		{ "", "{\"a\":", "", -1 },
		{ "", "[{\"a\":", "", -1 },
		{ "\"", "\\u0041", "\"", 0 },
		{ "\"", "\\\\", "", -1 },
		{ "{\"", "\\\\", "", -1 },
		{ "{\"", "a", "\":1}", 0 },
		{ "[", "{\"", "", -1 },
		{ "", "9", "", -1 },
		{ "0.", "9", "", 1 },
		{ "1e", "0", "1", 1 },
		{ "-0.", "0", "1", 1 },
		{ "", " ", "", -1 },
		{ "", "\xC3\xA4", "", -1 },
	};
	struct buffer text = BUFFER(TEXT_MAXIMUM);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t count = (TEXT_MAXIMUM - 100) / strlen(cases[i].part);
		double took_ms;
		int result;

		buffer_truncate(&text, 0);
		buffer_text(&text, cases[i].before);
		repeat(&text, cases[i].part, count);
		buffer_text(&text, cases[i].after);
		took_ms = parse_ms(&text, &result);
		if (took_ms > LIMIT_MS)
			fail_msg("'%s' again and again: %.0f ms", cases[i].part,
			    took_ms);
		if (cases[i].result != 1)
			assert_int_equal(result, cases[i].result);
	}
	buffer_clear(&text);
}

static void
a_hundred_thousand_brackets_are_refused_at_once(void **state)
{
	struct buffer text = BUFFER(TEXT_MAXIMUM);
	int result;

	(void)state;
	repeat(&text, "[", 100000);
	repeat(&text, "]", 100000);
	assert_true(parse_ms(&text, &result) < LIMIT_MS);
	assert_int_equal(result, -1);
	buffer_clear(&text);
}

static void
full_objects_do_not_take_long(void **state)
{
	struct buffer text = BUFFER(TEXT_MAXIMUM);
	double took_ms;
	int i = 0, result;

	(void)state;
	buffer_char(&text, '[');
	while (i < JSON_VALUES_MAXIMUM / 1001) {
		int member;

		buffer_text(&text, i++ == 0 ? "{" : ",{");
		for (member = 0; member < 1000; member++)
			buffer_printf(&text, "%s\"%d\":0",
			    member == 0 ? "" : ",", member * 7919 % 1000);
		buffer_char(&text, '}');
	}
	buffer_char(&text, ']');
	took_ms = parse_ms(&text, &result);
	assert_int_equal(result, 0);
	/* As many names are sorted here as there may be. */
	assert_true(took_ms < LIMIT_MS);
	buffer_clear(&text);
}

static void
trusted_texts_are_checked_less_but_checked(void **state)
{
	static const char *const accepted[] = { "{}", "null", " null ", "{}\n",
		"[1,2]", "{\"a\":18446744073709551617}" };
	static const char *const refused[] = { "", " ", "{", "{}x", "nullx",
		"null x", "{\"a\":1,}", "'x'", "{} {}", "x" };
	struct buffer deep = BUFFER(1000);
	struct json_object *object;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		object = NULL;
		if (json_parse_trusted(
			accepted[i], strlen(accepted[i]), &object, &err) < 0)
			fail_msg("refused: %s", accepted[i]);
		json_object_put(object);
	}
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		object = NULL;
		if (json_parse_trusted(
			refused[i], strlen(refused[i]), &object, &err) == 0)
			fail_msg("accepted: %s", refused[i]);
		assert_null(object);
		assert_int_equal(err.kind, ERR_UPSTREAM);
	}
	repeat(&deep, "[", 60);
	repeat(&deep, "]", 60);
	assert_int_equal(
	    json_parse_trusted(deep.bytes, deep.length, &object, &err), 0);
	json_object_put(object);
	buffer_truncate(&deep, 0);
	repeat(&deep, "[", 100);
	repeat(&deep, "]", 100);
	assert_int_equal(
	    json_parse_trusted(deep.bytes, deep.length, &object, &err), -1);
	buffer_clear(&deep);
}

static void
members_of_another_type_are_as_good_as_none(void **state)
{
	static const char text[] = "{\"text\":\"x\",\"number\":7,\"yes\":true,"
				   "\"nothing\":null,\"real\":1.5}";
	auto_json struct json_object *object = NULL;
	struct error err;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &object, &err), 0);
	assert_string_equal(json_text(object, "text"), "x");
	assert_null(json_text(object, "number"));
	assert_null(json_text(object, "nothing"));
	assert_null(json_text(object, "missing"));
	assert_null(json_text(NULL, "text"));
	assert_null(json_text(json_member(object, "text"), "text"));
	assert_int_equal(json_int(object, "number", -1), 7);
	assert_int_equal(json_int(object, "text", -1), -1);
	assert_int_equal(json_int(object, "real", -1), -1);
	assert_int_equal(json_int(object, "yes", -1), -1);
	assert_int_equal(json_int(NULL, "number", -1), -1);
	assert_true(json_boolean(object, "yes", false));
	assert_true(json_boolean(object, "number", true));
	assert_false(json_boolean(object, "text", false));
	assert_null(json_member(object, "missing"));
	assert_null(json_member(NULL, "text"));
}

static void
what_is_written_is_compact_and_valid(void **state)
{
	auto_json struct json_object *object = json_object_new_object();
	auto_json struct json_object *again = NULL;
	struct error err;
	const char *text;
	size_t length;

	(void)state;
	json_put_text(object, "path", "/a \"b\"\n\x01\xC3\xA4");
	json_put_text(object, "none", NULL);
	json_put_integer(object, "least", INT64_MIN);
	json_put_boolean(object, "yes", true);
	json_put(object, "list", json_object_new_array());
	text = json_serialize(object, &length);
	assert_string_equal(text,
	    "{\"path\":\"/a \\\"b\\\"\\n\\u0001\xC3\xA4\",\"none\":null,"
	    "\"least\":-9223372036854775808,\"yes\":true,\"list\":[]}");
	assert_int_equal(length, strlen(text));
	assert_int_equal(parse(text, length, &again, &err), 0);
	assert_string_equal(json_text(again, "path"), "/a \"b\"\n\x01\xC3\xA4");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_texts_are_accepted),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(control_bytes_in_strings_are_refused),
		cmocka_unit_test(nul_is_refused_wherever_it_stands),
		cmocka_unit_test(lone_surrogates_are_refused),
		cmocka_unit_test(invalid_utf8_is_refused),
		cmocka_unit_test(
		    duplicate_names_are_refused_however_they_are_spelled),
		cmocka_unit_test(texts_nest_32_deep_and_no_deeper),
		cmocka_unit_test(an_object_has_1000_members_and_no_more),
		cmocka_unit_test(numbers_are_held_as_they_are_or_refused),
		cmocka_unit_test(the_tree_has_the_text_of_the_strings),
		cmocka_unit_test(an_error_says_the_byte),
		cmocka_unit_test(no_text_takes_long),
		cmocka_unit_test(
		    a_hundred_thousand_brackets_are_refused_at_once),
		cmocka_unit_test(full_objects_do_not_take_long),
		cmocka_unit_test(trusted_texts_are_checked_less_but_checked),
		cmocka_unit_test(members_of_another_type_are_as_good_as_none),
		cmocka_unit_test(what_is_written_is_compact_and_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
