/*
 * Log lines: one JSON object per line on standard error, written with one
 * write(2), control bytes escaped and invalid UTF-8 replaced. Never log
 * bodies, tokens, keys or passwords.
 *
 *	log_event(LOG_INFO, "request", LOG_TEXT("route", route),
 *	    LOG_NUMBER("status", status));
 *
 * {"time":"…","level":"info","message":"request","route":"…","status":200}
 *
 * Callable from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *name;
	const char *text; /* NULL: number counts */
	int64_t number;
};

/* A text of NULL leaves the member out. */
#define LOG_TEXT(name_, text_)                                          \
	(struct log_field)                                              \
	{                                                               \
		.name = (text_) != NULL ? (name_) : "", .text = (text_) \
	}
#define LOG_NUMBER(name_, number_)                            \
	(struct log_field)                                    \
	{                                                     \
		.name = (name_), .number = (int64_t)(number_) \
	}

/* Lines below the level are not written; the default is LOG_INFO. */
void log_set_level(enum log_level level);
/* "debug", "info", "warning"/"warn" or "error"; returns -1 for another. */
int log_level_parse(const char *name, enum log_level *out);

void log_fields(enum log_level level, const char *message,
    const struct log_field *fields, size_t count);
#define log_event(level, message, ...)                          \
	log_fields((level), (message),                          \
	    (const struct log_field[]){ __VA_ARGS__ },          \
	    sizeof((const struct log_field[]){ __VA_ARGS__ }) / \
		sizeof(struct log_field))

#define log_message(level, message) log_fields((level), (message), NULL, 0)

/* message with the error's code, message and detail. */
void log_error(
    enum log_level level, const char *message, const struct error *err);

#endif
