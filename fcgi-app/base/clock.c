#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t
clock_wall_s(void)
{
	return clock_wall_ms() / 1000;
}

const char *
clock_format_ms(int64_t wall_ms, char text[CLOCK_TEXT_SIZE])
{
	int64_t ms = wall_ms % 1000;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	if (gmtime_r(&seconds, &tm) == NULL)
		memset(&tm, 0, sizeof tm);
	snprintf(text, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (int)ms);
	return text;
}

char *
clock_text_ms(struct arena *arena, int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return arena_strdup(arena, clock_format_ms(wall_ms, text));
}

/* Reads exactly count digits. */
static const char *
read_digits(const char *text, int count, int *out)
{
	*out = 0;
	while (count-- > 0) {
		if (*text < '0' || *text > '9')
			return NULL;
		*out = *out * 10 + (*text++ - '0');
	}
	return text;
}

static const char *
read_fraction(const char *text, int64_t *out_ms)
{
	int64_t scale = 100;

	*out_ms = 0;
	if (*text != '.')
		return text;
	if (text[1] < '0' || text[1] > '9')
		return NULL;
	for (text++; *text >= '0' && *text <= '9'; text++) {
		*out_ms += (*text - '0') * scale;
		scale /= 10;
	}
	return text;
}

static const char *
read_zone(const char *text, int *out_minutes)
{
	int hours, minutes, sign = *text == '-' ? -1 : 1;

	*out_minutes = 0;
	if (*text == 'Z' || *text == 'z')
		return text + 1;
	if (*text != '+' && *text != '-')
		return NULL;
	text = read_digits(text + 1, 2, &hours);
	if (text == NULL || *text != ':')
		return NULL;
	text = read_digits(text + 1, 2, &minutes);
	if (text == NULL || hours > 23 || minutes > 59)
		return NULL;
	*out_minutes = sign * (hours * 60 + minutes);
	return text;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

int
clock_parse(const char *text, int64_t *out_wall_ms)
{
	static const char separators[] = "--T::";
	int part[6], zone, i;
	int64_t ms;
	struct tm tm = { 0 };

	for (i = 0; i < 6; i++) {
		text = read_digits(text, i == 0 ? 4 : 2, &part[i]);
		if (text == NULL)
			return -1;
		if (i == 5)
			break;
		if (*text != separators[i] && !(i == 2 && *text == 't'))
			return -1;
		text++;
	}
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 ||
	    part[2] > days_of_month(part[0], part[1]) || part[3] > 23 ||
	    part[4] > 59 || part[5] > 60)
		return -1;
	if ((text = read_fraction(text, &ms)) == NULL ||
	    (text = read_zone(text, &zone)) == NULL || *text != '\0')
		return -1;
	tm.tm_year = part[0] - 1900;
	tm.tm_mon = part[1] - 1;
	tm.tm_mday = part[2];
	tm.tm_hour = part[3];
	tm.tm_min = part[4];
	tm.tm_sec = part[5];
	*out_wall_ms = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000 + ms;
	return 0;
}

int
clock_parse_duration(const char *text, int64_t *out_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 } };
	int64_t total = 0, value;
	size_t i, digits;

	if (*text == '\0')
		return -1;
	while (*text != '\0') {
		value = 0;
		digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 9)
			return -1;
		for (i = 0; i < digits; i++)
			value = value * 10 + (*text++ - '0');
		for (i = 0; i < sizeof units / sizeof units[0]; i++) {
			size_t length = strlen(units[i].unit);

			if (strncmp(text, units[i].unit, length) != 0)
				continue;
			text += length;
			if (__builtin_add_overflow(
				total, value * units[i].ms, &total))
				return -1;
			break;
		}
		if (i == sizeof units / sizeof units[0])
			return -1;
	}
	*out_ms = total;
	return 0;
}

void
clock_sleep_ms(int64_t duration_ms)
{
	struct timespec left = { .tv_sec = duration_ms / 1000,
		.tv_nsec = duration_ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}
