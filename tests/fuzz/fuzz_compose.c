/*
 * Compose documents and metadata. Whatever the text: no crash, and what is
 * accepted is written out so that it reads, checks and is written the same
 * again; names put into a text add container names and nothing else.
 */
#include "base/cleanup.h"
#include "compose/document.h"
#include "compose/metadata.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAXIMUM ((size_t)16 * 1024 * 1024)

static const struct compose_variable variables[] = {
	{ "A", "value" },
	{ "B", "" },
	{ "C", "${A} $$ \"'\n: - #" },
};

static int
read_document(const char *text, size_t length, size_t variable_count,
    struct arena *arena, struct document **out)
{
	struct error err = { .code = "" };

	if (document_parse(text, length, arena, out, &err) == 0 &&
	    document_interpolate(*out, variables, variable_count, &err) == 0 &&
	    document_check(*out, NULL, &err) == 0)
		return 0;
	if (err.code[0] == '\0' || err.message[0] == '\0')
		abort();
	return -1;
}

static void
write_document(const struct document *document, struct buffer *out)
{
	struct error err;

	if (document_normalise(document, out, &err) < 0)
		abort();
}

static void
name_containers(const struct document *document, size_t length)
{
	auto_arena struct arena arena = { 0 };
	auto_buffer struct buffer text = BUFFER(OUTPUT_MAXIMUM);
	struct document *named;
	struct error err;
	size_t before, after;

	if (document_name_containers(document, "blog", &text, &err) < 0)
		abort();
	if (text.length == length || text.length > COMPOSE_TEXT_MAXIMUM)
		return;
	if (document_parse(
		buffer_string(&text), text.length, &arena, &named, &err) < 0) {
		/* Only a limit may be in the way. */
		if (strstr(err.message, "10000 values") == NULL)
			abort();
		return;
	}
	document_services(document, &before);
	document_services(named, &after);
	if (before != after)
		abort();
}

/* Ports are ports, and the same in the text that Compose is given. */
static void
compare_ports(const struct document *document, const struct document *again)
{
	const struct compose_host_port *ports, *same;
	size_t count, same_count, i;

	ports = document_host_ports(document, &count);
	same = document_host_ports(again, &same_count);
	if (count != same_count)
		abort();
	for (i = 0; i < count; i++)
		if (ports[i].port < 1 || ports[i].port > 65535 ||
		    ports[i].port != same[i].port ||
		    strcmp(ports[i].address, same[i].address) != 0)
			abort();
}

static void
try_metadata(const char *text, size_t length)
{
	auto_json struct json_object *before = NULL, *after = NULL;
	auto_buffer struct buffer yaml = BUFFER(OUTPUT_MAXIMUM);
	struct error err;

	if (metadata_parse(text, length, &before, &err) < 0)
		return;
	metadata_check(before, &err);
	if (metadata_format(before, &yaml, &err) < 0)
		abort();
	if (yaml.length > COMPOSE_TEXT_MAXIMUM)
		return;
	if (metadata_parse(buffer_string(&yaml), yaml.length, &after, &err) <
		0 ||
	    strcmp(json_serialize(before, NULL), json_serialize(after, NULL)) !=
		0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	auto_buffer struct buffer once = BUFFER(OUTPUT_MAXIMUM);
	auto_buffer struct buffer twice = BUFFER(OUTPUT_MAXIMUM);
	const char *text = (const char *)data;
	struct document *document, *again;

	try_metadata(text, size);
	if (read_document(text, size, sizeof variables / sizeof variables[0],
		&arena, &document) < 0)
		return 0;
	name_containers(document, size);
	write_document(document, &once);
	if (once.length > COMPOSE_TEXT_MAXIMUM)
		return 0;
	if (read_document(
		buffer_string(&once), once.length, 0, &arena, &again) < 0)
		abort();
	compare_ports(document, again);
	write_document(again, &twice);
	if (strcmp(buffer_string(&once), buffer_string(&twice)) != 0)
		abort();
	return 0;
}
