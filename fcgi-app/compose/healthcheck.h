/*
 * The check that service.yml asks for: whether the deployment answers over
 * HTTP, or takes connections. Who asks is the agent.
 */
#ifndef COMPOSE_HEALTHCHECK_H
#define COMPOSE_HEALTHCHECK_H

#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTHCHECK_STATUSES_MAXIMUM 16

/* Texts are the metadata's. */
struct healthcheck {
	bool is_tcp;
	const char *path;     /* "/…" */
	const char *service;  /* whose container is asked */
	const char *host;     /* for the Host header, or NULL */
	const char *contains; /* text in the answer, or NULL */
	int port;
	int64_t interval_ms;
	int statuses[HEALTHCHECK_STATUSES_MAXIMUM];
	size_t status_count; /* 0: 200 to 399 */
};

/*
 * Reads healthcheck {type, path, interval, service, port, success_statuses,
 * response_contains} and networking {expose, domain, service, container_port}.
 *
 * false: nothing is to be asked. Every default and every form of a client has
 * a healthcheck, also for what does not speak HTTP: it counts for what is
 * exposed as a site, or where its type says http or tcp.
 */
bool healthcheck_read(struct json_object *metadata, int64_t default_interval_ms,
    struct healthcheck *out);

#endif
