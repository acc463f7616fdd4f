#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAXIMUM 8192

static atomic_int threshold = LOG_INFO;

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARNING] = "warning",
	[LOG_ERROR] = "error",
};

void
log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

int
log_level_parse(const char *name, enum log_level *out)
{
	int i;

	if (strcmp(name, "warn") == 0)
		name = "warning";
	for (i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (strcmp(level_names[i], name) != 0)
			continue;
		*out = (enum log_level)i;
		return 0;
	}
	return -1;
}

static void
append_string(struct buffer *line, const char *text)
{
	size_t left = strlen(text);

	buffer_char(line, '"');
	while (left > 0 && line->length < LINE_MAXIMUM / 2) {
		size_t size = utf8_character_length(text, left);
		unsigned char byte = (unsigned char)*text;

		if (size == 0) {
			buffer_text(line, "\\ufffd");
			size = 1;
		} else if (byte < 0x20 || byte == 0x7F) {
			buffer_printf(line, "\\u%04x", byte);
		} else {
			if (byte == '"' || byte == '\\')
				buffer_char(line, '\\');
			buffer_append(line, text, size);
		}
		text += size;
		left -= size;
	}
	buffer_char(line, '"');
}

void
log_fields(enum log_level level, const char *message,
    const struct log_field *fields, size_t count)
{
	auto_buffer struct buffer line = BUFFER(LINE_MAXIMUM);
	char now[CLOCK_TEXT_SIZE];
	ssize_t written;
	size_t i;

	if ((int)level < atomic_load(&threshold))
		return;
	buffer_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":",
	    clock_format_ms(clock_wall_ms(), now), level_names[level]);
	append_string(&line, message);
	for (i = 0; i < count; i++) {
		if (fields[i].name[0] == '\0')
			continue;
		buffer_printf(&line, ",\"%s\":", fields[i].name);
		if (fields[i].text != NULL)
			append_string(&line, fields[i].text);
		else
			buffer_printf(
			    &line, "%lld", (long long)fields[i].number);
	}
	buffer_text(&line, "}\n");
	if (line.overflowed)
		return;
	written = write(STDERR_FILENO, line.bytes, line.length);
	(void)written; /* nowhere left to say that logging failed */
}

void
log_error(enum log_level level, const char *message, const struct error *err)
{
	const char *detail = err->detail[0] ? err->detail : NULL;
	const char *field = err->field[0] ? err->field : NULL;

	log_event(level, message, LOG_TEXT("code", error_code(err)),
	    LOG_TEXT("error", err->message), LOG_TEXT("detail", detail),
	    LOG_TEXT("field", field));
}
