#include "agent/gate-private.h"
#include "base/arena.h"
#include "docker/docker.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAXIMUM 16

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static size_t
count_digits(const char *text)
{
	size_t count = 0;

	while (is_digit(text[count]))
		count++;
	return count;
}

static bool
is_boolean(const char *value)
{
	static const char *const words[] = { "0", "1", "false", "true", NULL };

	return is_one_of(value, words);
}

static bool
is_number(const char *value)
{
	size_t digits = count_digits(value);

	return digits >= 1 && digits <= 9 && value[digits] == '\0';
}

static bool
is_tail(const char *value)
{
	return strcmp(value, "all") == 0 || is_number(value);
}

/* Unix seconds, with up to nanoseconds. */
static bool
is_time(const char *value)
{
	size_t digits = count_digits(value);

	if (digits < 1 || digits > 12)
		return false;
	value += digits;
	if (*value == '\0')
		return true;
	digits = count_digits(value + 1);
	return *value == '.' && digits >= 1 && digits <= 9 &&
	       value[1 + digits] == '\0';
}

static const struct parameter {
	const char *name;
	bool (*is_valid)(const char *value);
	enum gate_kind kind;
} parameters[] = {
	{ "stdout", is_boolean, GATE_LOGS },
	{ "stderr", is_boolean, GATE_LOGS },
	{ "timestamps", is_boolean, GATE_LOGS },
	{ "follow", is_boolean, GATE_LOGS },
	{ "tail", is_tail, GATE_LOGS },
	{ "since", is_time, GATE_LOGS },
	{ "until", is_time, GATE_LOGS },
};

#define PARAMETER_COUNT (sizeof parameters / sizeof parameters[0])

/* The parameter's row, or PARAMETER_COUNT. */
static size_t
find_parameter(enum gate_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < PARAMETER_COUNT; i++)
		if (parameters[i].kind == kind &&
		    strcmp(parameters[i].name, name) == 0)
			break;
	return i;
}

/* query is NULL without '?'; each name once, each value by its grammar. */
static int
read_query(char *query, struct gate_request *out)
{
	unsigned int seen = 0;
	char *pair, *value;
	size_t row;

	while ((pair = strsep(&query, "&")) != NULL) {
		if ((value = strchr(pair, '=')) == NULL)
			return -1;
		*value++ = '\0';
		row = find_parameter(out->kind, pair);
		if (row == PARAMETER_COUNT || (seen & 1U << row) != 0 ||
		    !parameters[row].is_valid(value))
			return -1;
		buffer_printf(&out->target, "%c%s=%s", seen ? '&' : '?',
		    parameters[row].name, value);
		seen |= 1U << row;
	}
	return 0;
}

/* {id}/logs and its like. */
static int
read_container_path(char *path, const char *version, struct gate_request *out)
{
	static const struct {
		const char *name;
		enum gate_kind kind;
	} actions[] = {
		{ "json", GATE_INSPECT },
		{ "logs", GATE_LOGS },
	};
	char *id = strsep(&path, "/");
	size_t i;

	if (path == NULL || !docker_id_is_valid(id))
		return -1;
	for (i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(path, actions[i].name) != 0)
			continue;
		out->kind = actions[i].kind;
		return buffer_printf(&out->target, "/v%s/containers/%s/%s",
		    version, id, actions[i].name);
	}
	return -1;
}

/* N.NN */
static bool
is_version(const char *text)
{
	return strlen(text) == 4 && is_digit(text[0]) && text[1] == '.' &&
	       is_digit(text[2]) && is_digit(text[3]);
}

static int
read_path(char *path, struct gate_request *out)
{
	static const char prefix[] = "containers/";
	const char *version;

	if (strcmp(path, "/_ping") == 0) {
		out->kind = GATE_PING;
		return buffer_text(&out->target, "/_ping");
	}
	if (strncmp(path, "/v", 2) != 0)
		return -1;
	path += 2;
	version = strsep(&path, "/");
	if (path == NULL || !is_version(version) ||
	    strncmp(path, prefix, sizeof prefix - 1) != 0)
		return -1;
	return read_container_path(path + sizeof prefix - 1, version, out);
}

static int
read_request_line(char *line, struct gate_request *out)
{
	char *method = strsep(&line, " ");
	char *target = strsep(&line, " ");
	char *path;

	if (line == NULL || strcmp(method, "GET") != 0 ||
	    strcmp(line, "HTTP/1.1") != 0)
		return -1;
	path = strsep(&target, "?");
	if (read_path(path, out) < 0)
		return -1;
	return read_query(target, out);
}

/* None of them is forwarded; those with a meaning of their own are refused. */
static bool
is_harmless_header(char *line)
{
	char *name = strsep(&line, ":");

	if (line == NULL)
		return false;
	while (*line == ' ')
		line++;
	if (strcasecmp(name, "Content-Length") == 0)
		return strcmp(line, "0") == 0;
	if (strcasecmp(name, "Connection") == 0)
		return strcasecmp(line, "close") == 0 ||
		       strcasecmp(line, "keep-alive") == 0;
	return strcasecmp(name, "Host") == 0 ||
	       strcasecmp(name, "Accept") == 0 ||
	       strcasecmp(name, "User-Agent") == 0;
}

/* Cuts the next line off; NULL when it does not end in CR LF. */
static char *
take_line(char **text)
{
	char *line = *text, *end = strstr(line, "\r\n");

	if (end == NULL)
		return NULL;
	*end = '\0';
	*text = end + 2;
	return line;
}

static int
read_lines(char *text, struct gate_request *out)
{
	char *line = take_line(&text);
	int count;

	if (line == NULL || read_request_line(line, out) < 0)
		return -1;
	for (count = 0; count <= HEADERS_MAXIMUM; count++) {
		if ((line = take_line(&text)) == NULL)
			return -1;
		/* Nothing may follow: no body, no second request. */
		if (line[0] == '\0')
			return text[0] == '\0' ? 0 : -1;
		if (!is_harmless_header(line))
			return -1;
	}
	return -1;
}

/* Printable ASCII and whole line ends. */
static bool
is_plain(const char *head, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if (head[i] == '\r' && i + 1 < length && head[i + 1] == '\n')
			i++;
		else if (head[i] < ' ' || head[i] > '~')
			return false;
	}
	return true;
}

int
gate_request_read(const char *head, size_t length, struct gate_request *out)
{
	auto_arena struct arena arena = { 0 };

	*out = (struct gate_request){ .target = BUFFER(GATE_HEAD_MAXIMUM) };
	if (length > GATE_HEAD_MAXIMUM || !is_plain(head, length))
		return -1;
	if (read_lines(arena_strndup(&arena, head, length), out) < 0)
		return -1;
	return out->target.overflowed ? -1 : 0;
}

void
gate_request_clear(struct gate_request *request)
{
	buffer_clear(&request->target);
}

/*
 * HTTP/1.0 for an inspection, which is read as a whole: its answer comes
 * unchunked and ends with the connection.
 */
int
gate_request_write(const struct gate_request *request, struct buffer *out)
{
	return buffer_printf(out, "GET %s HTTP/%s\r\nHost: docker\r\n%s\r\n",
	    buffer_string(&request->target),
	    request->kind == GATE_INSPECT ? "1.0" : "1.1",
	    request->kind == GATE_INSPECT ? "" : "Connection: close\r\n");
}
