/*
 * What changed between two texts, line by line, as `diff -u` shows it: three
 * lines of context, "--- a/NAME" and "+++ b/NAME" before them.
 *
 * The shortest such list is found by Myers' algorithm, in time and memory
 * bounded by DIFF_CHANGES_MAXIMUM: texts that differ in more lines than that
 * are shown as all of the one and all of the other, between what they begin
 * and end with in common.
 */
#ifndef BASE_DIFF_H
#define BASE_DIFF_H

#include "base/buffer.h"
#include "base/error.h"

#define DIFF_CHANGES_MAXIMUM 1000

/*
 * Appends the difference to out; nothing when there is none. NULL is a file
 * that is not there: "/dev/null" takes its name's place. ERR_TOO_LARGE when
 * it does not fit in out's maximum.
 */
int diff_unified(const char *name, const char *old_text, const char *new_text,
    struct buffer *out, struct error *err);

#endif
