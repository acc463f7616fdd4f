/*
 * A scan over JSON text that accepts exactly RFC 8259, refuses duplicate
 * names, NUL characters and lone surrogates, and keeps the limits of json.h.
 * Internal to json/.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/error.h"

#include <stddef.h>

int json_scan(const char *text, size_t length, struct error *err);

#endif
