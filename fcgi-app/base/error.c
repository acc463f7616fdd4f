#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *code;
} kinds[] = {
	[ERR_INTERNAL] = { "internal", "INTERNAL" },
	[ERR_INVALID] = { "invalid", "INVALID_REQUEST" },
	[ERR_UNAUTHENTICATED] = { "unauthenticated", "UNAUTHORIZED" },
	[ERR_FORBIDDEN] = { "forbidden", "FORBIDDEN" },
	[ERR_NOT_FOUND] = { "not_found", "NOT_FOUND" },
	[ERR_METHOD] = { "method", "METHOD_NOT_ALLOWED" },
	[ERR_CONFLICT] = { "conflict", "CONFLICT" },
	[ERR_PRECONDITION] = { "precondition", "PRECONDITION_FAILED" },
	[ERR_TOO_LARGE] = { "too_large", "PAYLOAD_TOO_LARGE" },
	[ERR_MEDIA_TYPE] = { "media_type", "UNSUPPORTED_MEDIA_TYPE" },
	[ERR_UNPROCESSABLE] = { "unprocessable", "UNPROCESSABLE" },
	[ERR_RATE_LIMITED] = { "rate_limited", "RATE_LIMITED" },
	[ERR_UPSTREAM] = { "upstream", "UPSTREAM_ERROR" },
	[ERR_UNAVAILABLE] = { "unavailable", "UNAVAILABLE" },
	[ERR_TIMEOUT] = { "timeout", "TIMEOUT" },
	[ERR_STORAGE_FULL] = { "storage_full", "STORAGE_FULL" },
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/*
 * A text that was cut, here or by a precision in its format, may end within a
 * character; JSON has no place for the rest of it.
 */
static void
replace_invalid(char *text)
{
	size_t left = strlen(text), size;

	for (; left > 0; text += size, left -= size) {
		size = utf8_character_length(text, left);
		if (size > 0)
			continue;
		*text = '?';
		size = 1;
	}
}

static void
fill(struct error *err, enum error_kind kind, const char *code,
    const char *field, const char *format, va_list arguments)
{
	memset(err, 0, sizeof *err);
	err->kind = kind;
	snprintf(err->code, sizeof err->code, "%s", code ? code : "");
	snprintf(err->field, sizeof err->field, "%s", field);
	vsnprintf(err->message, sizeof err->message, format, arguments);
	replace_invalid(err->field);
	replace_invalid(err->message);
}

void
error_fill(struct error *err, enum error_kind kind, const char *code,
    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(err, kind, code, "", format, arguments);
	va_end(arguments);
}

void
error_fill_field(struct error *err, const char *field, const char *code,
    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(err, ERR_INVALID, code, field, format, arguments);
	va_end(arguments);
}

void
error_fill_errno(struct error *err, const char *format, ...)
{
	int number = errno;
	enum error_kind kind = ERR_INTERNAL;
	char reason[128];
	va_list arguments;

	if (number == ENOSPC || number == EDQUOT)
		kind = ERR_STORAGE_FULL;
	else if (number == EMFILE || number == ENFILE || number == ENOMEM ||
		 number == EAGAIN)
		kind = ERR_UNAVAILABLE;
	va_start(arguments, format);
	fill(err, kind, NULL, "", format, arguments);
	va_end(arguments);
	snprintf(err->detail, sizeof err->detail, "%s",
	    strerror_r(number, reason, sizeof reason));
}

void
error_add_context(struct error *err, const char *format, ...)
{
	char before[sizeof err->message];
	char joined[sizeof err->message + sizeof before + 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(before, sizeof before, format, arguments);
	va_end(arguments);
	snprintf(joined, sizeof joined, "%s: %s", before, err->message);
	snprintf(err->message, sizeof err->message, "%.*s",
	    (int)sizeof err->message - 1, joined);
	replace_invalid(err->message);
}

void
error_add_detail(struct error *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(err->detail, sizeof err->detail, format, arguments);
	va_end(arguments);
	replace_invalid(err->detail);
}

const char *
error_code(const struct error *err)
{
	return err->code[0] ? err->code : kinds[err->kind].code;
}

const char *
error_public(const struct error *err)
{
	return strcmp(error_code(err), kinds[ERR_INTERNAL].code) == 0
		   ? "internal error"
		   : err->message;
}

const char *
error_kind_name(enum error_kind kind)
{
	return kinds[kind].name;
}

enum error_kind
error_kind_parse(const char *name)
{
	size_t i;

	for (i = 0; i < KIND_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (enum error_kind)i;
	return ERR_INTERNAL;
}
