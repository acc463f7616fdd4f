/*
 * Asks containers from outside whether they serve: a GET over HTTP, or only a
 * connection, to an address of the container's own.
 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_TIMEOUT_MS 5000
/* Of what is answered so much is searched for the text. */
#define PROBE_ANSWER_MAXIMUM ((size_t)64 * 1024)

enum probe_type { PROBE_HTTP, PROBE_TCP };

struct probe {
	enum probe_type type;
	const char *address; /* IPv4 of the container */
	int port;
	const char *path;    /* "/…"; HTTP only, as all that follows */
	const char *host;    /* the Host header; NULL: the address */
	const int *statuses; /* that are good; none: 200 to 399 */
	size_t status_count;
	const char *contains; /* text that the answer must have; NULL */
	int64_t timeout_ms;   /* 0: PROBE_TIMEOUT_MS */
};

struct probe_result {
	bool passed;
	int status; /* of HTTP, 0: there was no answer */
	int64_t duration_ms;
	char reason[160]; /* why it did not pass, a sentence; else "" */
};

/*
 * Runs them, up to 64 at the same time, and waits for all; redirects are not
 * followed. When *cancel becomes true those that still run have not passed;
 * it may be NULL. Any thread.
 */
void probe_run(const struct probe *probes, size_t count,
    struct probe_result *results, const atomic_bool *cancel);

#endif
