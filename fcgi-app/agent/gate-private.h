/* The gate's grammar and its own answers, apart from its sockets. */
#ifndef AGENT_GATE_PRIVATE_H
#define AGENT_GATE_PRIVATE_H

#include "base/buffer.h"

#include <stddef.h>

#define GATE_HEAD_MAXIMUM (8U * 1024)
#define GATE_ANSWER_MAXIMUM (16U * 1024)

enum gate_kind {
	GATE_PING,
	GATE_INSPECT,
	GATE_LOGS,
};

struct gate_request {
	enum gate_kind kind;
	struct buffer target; /* made of the checked parts */
};

/*
 * Reads a whole request head, to its empty line and not further. Returns 0,
 * or -1 for anything that is not on the gate's list. End it with
 * gate_request_clear() in both cases.
 */
int gate_request_read(
    const char *head, size_t length, struct gate_request *out);
void gate_request_clear(struct gate_request *request);

/* Appends the head for the Engine. */
int gate_request_write(const struct gate_request *request, struct buffer *out);

/* Appends a whole answer: {"message": …}. */
void gate_answer_message(
    int status, const char *reason, const char *message, struct buffer *out);

/*
 * Appends the answer to an inspection, made from the Engine's whole answer:
 * reduced when it is 200, else without the Engine's words.
 */
void gate_answer_inspection(
    const char *answer, size_t length, struct buffer *out);

#endif
