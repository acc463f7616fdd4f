/* Times and durations, as programs and people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <string.h>

static void
times_are_written_in_utc_to_the_millisecond(void **state)
{
	static const struct {
		int64_t wall_ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1769903999123, "2026-01-31T23:59:59.123Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 4102444800000, "2100-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.000Z" },
	};
	char text[CLOCK_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
		    clock_format_ms(cases[i].wall_ms, text), cases[i].text);
}

static void
any_time_at_all_can_be_written(void **state)
{
	static const int64_t times[] = { INT64_MIN, INT64_MAX, INT64_MIN + 1,
		INT64_MAX / 1000, -62135596800000, 253402300800000 };
	auto_arena struct arena arena = { 0 };
	char text[CLOCK_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		clock_format_ms(times[i], text);
		assert_true(strlen(text) >= 24);
		assert_int_equal(text[strlen(text) - 1], 'Z');
		assert_string_equal(clock_text_ms(&arena, times[i]), text);
	}
}

static void
times_are_read_in_any_zone_and_fraction(void **state)
{
	static const struct {
		const char *text;
		int64_t wall_ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-31T23:59:59.123Z", 1769903999123 },
		{ "2026-01-31t23:59:59.123z", 1769903999123 },
		{ "2026-02-01T00:59:59.123+01:00", 1769903999123 },
		{ "2026-01-31T18:29:59.123-05:30", 1769903999123 },
		{ "2026-01-31T23:59:59.123987654Z", 1769903999123 },
		{ "2026-01-31T23:59:59.1Z", 1769903999100 },
		{ "2026-01-31T23:59:59.12Z", 1769903999120 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "0001-01-01T00:00:00Z", -62135596800000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
		/* A leap second is the first of the next minute. */
		{ "2016-12-31T23:59:60Z", 1483228800000 },
	};
	int64_t wall_ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wall_ms = 42;
		if (clock_parse(cases[i].text, &wall_ms) < 0)
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(wall_ms, cases[i].wall_ms);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = { "", " ", "2026", "2026-01-31",
		"2026-01-31T23:59:59", "2026-01-31 23:59:59Z",
		"2026-01-31T23:59Z", "2026-1-31T23:59:59Z",
		"2026-00-31T23:59:59Z", "2026-13-31T23:59:59Z",
		"2026-01-00T23:59:59Z", "2026-01-32T23:59:59Z",
		"2026-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
		"1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-31T24:00:00Z", "2026-01-31T23:60:59Z",
		"2026-01-31T23:59:61Z", "2026-01-31T23:59:59.Z",
		"2026-01-31T23:59:59,1Z", "2026-01-31T23:59:59ZZ",
		"2026-01-31T23:59:59Z ", " 2026-01-31T23:59:59Z",
		"2026-01-31T23:59:59+1:00", "2026-01-31T23:59:59+0100",
		"2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+01:60",
		"2026-01-31T23:59:59+", "2026-01-31T23:59:59.123",
		"-026-01-31T23:59:59Z", "+2026-01-31T23:59:59Z",
		"20260-01-31T23:59:59Z", "2026-01-31T2\xD9\xA3:59:59Z" };
	int64_t wall_ms = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (clock_parse(texts[i], &wall_ms) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(wall_ms, 42);
	}
}

static void
what_is_written_can_be_read_back(void **state)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t wall_ms, at;

	(void)state;
	for (at = -62135596800000; at < 253402300800000;
	     at += 86399999LL * 997) {
		assert_int_equal(
		    clock_parse(clock_format_ms(at, text), &wall_ms), 0);
		assert_int_equal(wall_ms, at);
	}
}

static void
durations_are_sums_of_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "0s", 0 },
		{ "1ms", 1 },
		{ "1m", 60000 },
		{ "1m1ms", 60001 },
		{ "1h30m", 5400000 },
		{ "2d", 172800000 },
		{ "90s500ms", 90500 },
		{ "007s", 7000 },
		{ "999999999d", 86399999913600000 },
	};
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(clock_parse_duration(cases[i].text, &ms), 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
what_is_no_duration_is_refused(void **state)
{
	static const char *const texts[] = { "", "s", "5", "5 s", " 5s", "5s ",
		"-5s", "+5s", "1.5s", "5S", "5x", "5sm", "1h30", "0x5s", "5us",
		"1e3s", "9999999999s", "99999999999999999999s" };
	int64_t ms = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (clock_parse_duration(texts[i], &ms) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(ms, 42);
	}
}

static void
a_duration_longer_than_64_bits_is_refused(void **state)
{
	char text[200 * 10 + 1] = "";
	int64_t ms = 42;
	size_t i;

	(void)state;
	for (i = 0; i < 200; i++)
		memcpy(text + i * 10, "999999999d", 10);
	assert_int_equal(clock_parse_duration(text, &ms), -1);
	assert_int_equal(ms, 42);
}

static void
sleeping_takes_the_time_it_says(void **state)
{
	int64_t wall_ms = clock_wall_ms(), before = clock_monotonic_ms();

	(void)state;
	clock_sleep_ms(30);
	clock_sleep_ms(0);
	assert_in_range(clock_monotonic_ms() - before, 29, 5000);
	assert_true(clock_wall_ms() > wall_ms);
	assert_true(clock_wall_s() - wall_ms / 1000 < 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_in_utc_to_the_millisecond),
		cmocka_unit_test(any_time_at_all_can_be_written),
		cmocka_unit_test(times_are_read_in_any_zone_and_fraction),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(what_is_written_can_be_read_back),
		cmocka_unit_test(durations_are_sums_of_units),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(a_duration_longer_than_64_bits_is_refused),
		cmocka_unit_test(sleeping_takes_the_time_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
