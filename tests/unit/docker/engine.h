/*
 * An Engine for tests: a server on a Unix socket that gives canned answers,
 * broken ones too. One thread a connection.
 */
#ifndef TESTS_DOCKER_ENGINE_H
#define TESTS_DOCKER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct engine;

enum engine_after {
	ENGINE_KEEP,  /* wait for the next request */
	ENGINE_CLOSE, /* end the connection */
	ENGINE_HOLD,  /* say nothing more until the client goes */
};

struct engine_answer {
	const char *request; /* what the request begins with: "GET /v1.41/x" */
	const char *bytes;   /* the whole answer, copied */
	size_t length;       /* 0: of the text */
	int delay_ms;        /* before the first byte */
	size_t chop;         /* bytes a write; 0: all */
	size_t repeat;       /* times the bytes are sent; 0: once */
	enum engine_after after;
};

/* Answers /_ping as version 1.41 until told otherwise. */
struct engine *engine_start(void);
/* Ends its connections and removes the socket. */
void engine_stop(struct engine *engine);
/* Removes the socket, so that nobody can connect any more. */
void engine_hide(struct engine *engine);
const char *engine_path(struct engine *engine);

/* The newest answer that fits a request is given. */
void engine_answers(struct engine *engine, const struct engine_answer *answer);
/* The same for a status and a text of JSON, with its length. */
void engine_answers_json(struct engine *engine, const char *request,
    const char *status, const char *body);

/* The newest request, head and body, but for /_ping; until the next one. */
const char *engine_request(struct engine *engine);
int engine_connections(struct engine *engine); /* ever */
int engine_open_connections(struct engine *engine);
size_t engine_sent_bytes(struct engine *engine);
/* Waits up to two seconds until there are at most count. */
bool engine_wait_open(struct engine *engine, int count);

#endif
