/*
 * UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

bool utf8_is_valid(const char *bytes, size_t length);

/* Length of the valid character that bytes begin with, or 0. */
size_t utf8_character_length(const char *bytes, size_t length);

/* Appends bytes with each invalid one replaced by U+FFFD. */
int utf8_append_repaired(
    struct buffer *buffer, const char *bytes, size_t length);

/*
 * Appends a text for people, on one line: repaired, with a space for each
 * control byte, cut between two characters after maximum_bytes of text.
 */
int utf8_append_printable(
    struct buffer *buffer, const char *text, size_t maximum_bytes);

#endif
