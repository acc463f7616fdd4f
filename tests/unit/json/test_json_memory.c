/* What a body of two megabytes may cost: json-c takes 1 KiB for "{}". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "json/json.h"

#include <malloc.h>

#define BODY_BYTES ((size_t)2 * 1024 * 1024)
#define COST_MAXIMUM ((size_t)32 * 1024 * 1024)

/* [element, element, …] of count elements. */
static void
append_array(struct buffer *text, const char *element, size_t count)
{
	size_t i;

	buffer_char(text, '[');
	for (i = 0; i < count; i++) {
		if (i > 0)
			buffer_char(text, ',');
		buffer_text(text, element);
	}
	buffer_char(text, ']');
	assert_false(text->overflowed);
}

static void
a_body_full_of_small_values_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} elements[] = { { "{}", 3 }, { "[]", 3 }, { "1", 2 }, { "\"\"", 3 },
		{ "null", 5 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof elements / sizeof elements[0]; i++) {
		auto_buffer struct buffer text = BUFFER(BODY_BYTES);
		auto_json struct json_object *value = NULL;
		struct error err;

		append_array(
		    &text, elements[i].text, BODY_BYTES / elements[i].size - 1);
		assert_int_equal(
		    json_parse(text.bytes, text.length, &value, &err), -1);
		assert_string_equal(err.code, "INVALID_JSON");
		assert_null(value);
	}
}

static void
the_most_values_there_may_be_cost_a_bounded_amount(void **state)
{
	auto_buffer struct buffer text = BUFFER(BODY_BYTES);
	auto_json struct json_object *value = NULL;
	size_t before = mallinfo2().uordblks;
	struct error err;

	(void)state;
	append_array(&text, "{}", JSON_VALUES_MAXIMUM - 1);
	assert_int_equal(json_parse(text.bytes, text.length, &value, &err), 0);
	assert_int_equal(
	    json_object_array_length(value), JSON_VALUES_MAXIMUM - 1);
	assert_true(mallinfo2().uordblks - before < COST_MAXIMUM);

	buffer_truncate(&text, 0);
	append_array(&text, "{}", JSON_VALUES_MAXIMUM);
	json_release(&value);
	value = NULL;
	assert_int_equal(json_parse(text.bytes, text.length, &value, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_full_of_small_values_is_refused),
		cmocka_unit_test(
		    the_most_values_there_may_be_cost_a_bounded_amount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
