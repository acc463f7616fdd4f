/*
 * What the internet sends, by the first byte: a request target, JSON, a
 * token, a frame between worker and agent. What is accepted must be what its
 * header says, and every refusal must be fit for an answer.
 */

#include "base/arena.h"
#include "base/utf8.h"
#include "http/request.h"
#include "http/token.h"
#include "jobs/protocol.h"
#include "json/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check_error(const struct error *err)
{
	require(err->message[0] != '\0');
	require(utf8_is_valid(err->message, strlen(err->message)));
	require(utf8_is_valid(err->field, strlen(err->field)));
}

/* Text that may go into a header, a log line or an Engine's path. */
static void
check_text(const char *text)
{
	require(utf8_is_valid(text, strlen(text)));
	for (; *text != '\0'; text++)
		require((unsigned char)*text >= 0x20 && *text != 0x7F);
}

static void
try_target(const char *text, struct arena *arena)
{
	struct request request = { .arena = arena, .prefer = text };
	struct error err;
	int64_t wait_ms;
	size_t i;

	wait_ms = request_wait_ms(&request, 1000);
	require(wait_ms >= 0 && wait_ms <= 600000);
	require(strlen(request_id_choose(arena, text)) <= 64);
	if (request_parse_uri(&request, text, &err) < 0) {
		check_error(&err);
		return;
	}
	require(request.segment_count <= SEGMENT_MAXIMUM);
	require(request.query_count <= QUERY_MAXIMUM);
	for (i = 0; i < request.segment_count; i++)
		check_text(request.segments[i]);
	for (i = 0; i < request.query_count; i++) {
		check_text(request.query[i].name);
		check_text(request.query[i].value);
	}
}

/* What was accepted is written as JSON that says the same. */
static void
try_json(const char *text, size_t length)
{
	auto_json struct json_object *object = NULL;
	auto_json struct json_object *again = NULL;
	const char *written;
	struct error err;

	if (json_parse(text, length, &object, &err) < 0) {
		check_error(&err);
		return;
	}
	written = json_serialize(object, &length);
	require(json_parse(written, length, &again, &err) == 0);
	require(json_object_equal(object, again));
}

static void
try_token(const char *text, struct arena *arena)
{
	static const struct token_key key = {
		.bytes =
		    (const unsigned char *)"0123456789abcdef0123456789abcdef",
		.length = 32
	};
	struct token_claims claims;
	struct error err;

	if (token_verify(&key, text, NOW, arena, &claims, &err) < 0) {
		require(err.kind == ERR_UNAUTHENTICATED);
		return;
	}
	require(claims.key_id != NULL && claims.username != NULL);
	require(claims.expires_at > NOW - TOKEN_LEEWAY_S);
	require(claims.issued_at <= NOW + TOKEN_LEEWAY_S);
}

static void
try_frames(const char *text, size_t length)
{
	auto_buffer struct buffer received = BUFFER(1 << 20);
	struct error err;

	buffer_append(&received, text, length);
	for (;;) {
		auto_json struct json_object *frame = NULL;
		size_t before = received.length;

		if (frame_take(&received, &frame, &err) < 0) {
			check_error(&err);
			return;
		}
		if (frame == NULL) {
			require(received.length == before);
			return;
		}
		require(received.length < before);
		error_from_json(frame, &err);
		require(error_code(&err)[0] != '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text;

	if (size == 0)
		return 0;
	text = arena_strndup(&arena, (const char *)data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		try_target(text, &arena);
		break;
	case 1:
		try_json((const char *)data + 1, size - 1);
		break;
	case 2:
		try_token(text, &arena);
		break;
	default:
		try_frames((const char *)data + 1, size - 1);
	}
	return 0;
}
