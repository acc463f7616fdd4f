/*
 * What the internet sends, by the first byte: a request target, JSON, a
 * token, a frame between worker and agent.
 */

#include "base/arena.h"
#include "http/request.h"
#include "http/token.h"
#include "jobs/protocol.h"
#include "json/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_json(const char *text, size_t length)
{
	auto_json struct json_object *object = NULL;
	struct error err;

	if (json_parse(text, length, &object, &err) == 0 && object != NULL)
		json_serialize(object, &length);
}

static void
try_frame(const char *text, size_t length)
{
	auto_buffer struct buffer received = BUFFER(1 << 20);
	auto_json struct json_object *frame = NULL;
	struct error err;

	buffer_append(&received, text, length);
	frame_take(&received, &frame, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token_key key = {
		.bytes =
		    (const unsigned char *)"0123456789abcdef0123456789abcdef",
		.length = 32
	};
	auto_arena struct arena arena = { 0 };
	struct request request = { .arena = &arena };
	struct token_claims claims;
	struct error err;
	char *text;

	if (size == 0)
		return 0;
	text = arena_strndup(&arena, (const char *)data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		request_parse_uri(&request, text, &err);
		break;
	case 1:
		try_json(text, size - 1);
		break;
	case 2:
		token_verify(&key, text, 1800000000, &arena, &claims, &err);
		break;
	default:
		try_frame(text, size - 1);
	}
	return 0;
}
