/*
 * Time: the monotonic clock for waiting and leases, the wall clock for what
 * is shown and for tokens.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/arena.h"

#include <stdint.h>

/* Never goes back; the same for all processes of this boot. */
int64_t clock_monotonic_ms(void);

/* Since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);
int64_t clock_wall_s(void);

#define CLOCK_TEXT_SIZE 80

/* RFC 3339 in UTC, to the millisecond: 2026-01-31T23:59:59.123Z. */
const char *clock_format_ms(int64_t wall_ms, char text[CLOCK_TEXT_SIZE]);
/* The same in the arena. */
char *clock_text_ms(struct arena *arena, int64_t wall_ms);

/*
 * Reads RFC 3339 with any zone and fraction. Returns 0, or -1 when the text
 * is something else.
 */
int clock_parse(const char *text, int64_t *out_wall_ms);

/*
 * Reads a duration as configuration files and Docker write it: a sum of whole
 * numbers with the units ms, s, m, h, d, such as "1h30m". Returns 0, or -1.
 */
int clock_parse_duration(const char *text, int64_t *out_ms);

void clock_sleep_ms(int64_t duration_ms);

#endif
