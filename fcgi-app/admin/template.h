/*
 * Text with places to fill: the nginx site.
 *
 * "@name@" is replaced by the value of that name. A line "@if name@" or
 * "@if !name@" begins lines that are left out unless the value is (not)
 * there, "@end@" ends them; they do not nest. A name without a row in the
 * table is an error, and so is an "@if" without an end.
 */
#ifndef ADMIN_TEMPLATE_H
#define ADMIN_TEMPLATE_H

#include "base/buffer.h"
#include "base/error.h"

struct template_value {
	const char *name; /* NULL ends the table */
	const char *text; /* NULL: not there */
};

/* Appends the filled text to out. Errors name the line. */
int template_fill(const char *text, const struct template_value *values,
    struct buffer *out, struct error *err);

#endif
