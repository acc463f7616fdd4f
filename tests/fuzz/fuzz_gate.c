/*
 * The gate's request heads. What is accepted must come out as one request of
 * the list, and be accepted again as it came out.
 */
#include "agent/gate-private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
check_target(const char *target)
{
	require(target[0] == '/');
	require(strstr(target, "/.") == NULL && strstr(target, "//") == NULL);
	require(strpbrk(target, " \r\n#;\\") == NULL);
	if (strcmp(target, "/_ping") != 0) {
		require(strncmp(target, "/v", 2) == 0);
		require(strncmp(target + 6, "/containers/", 12) == 0);
	}
}

static void
check_again(const struct gate_request *first)
{
	auto_buffer struct buffer head = BUFFER(2 * GATE_HEAD_MAXIMUM);
	struct gate_request second;

	buffer_printf(&head, "GET %s HTTP/1.1\r\n\r\n", first->target.bytes);
	if (head.length <= GATE_HEAD_MAXIMUM) {
		require(
		    gate_request_read(head.bytes, head.length, &second) == 0);
		require(second.kind == first->kind);
		require(strcmp(second.target.bytes, first->target.bytes) == 0);
		gate_request_clear(&second);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_buffer struct buffer out = BUFFER(2 * GATE_HEAD_MAXIMUM);
	auto_buffer struct buffer answer = BUFFER(GATE_ANSWER_MAXIMUM);
	struct gate_request request;
	const char *end;

	if (gate_request_read((const char *)bytes, size, &request) == 0) {
		check_target(request.target.bytes);
		check_again(&request);
		require(gate_request_write(&request, &out) == 0);
		end = strstr(out.bytes, "\r\n\r\n");
		require(end != NULL && end[4] == '\0');
	}
	gate_request_clear(&request);
	gate_answer_inspection((const char *)bytes, size, &answer);
	require(strncmp(buffer_string(&answer), "HTTP/1.1 ", 9) == 0);
	return 0;
}
