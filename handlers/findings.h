/*
 * What is wrong with a container, by how it ended, what its health check said
 * and how often it was started again: one problem each, with a code for
 * programs and a sentence for people.
 */
#ifndef HANDLERS_FINDINGS_H
#define HANDLERS_FINDINGS_H

#include "docker/diagnosis.h"
#include "json/json.h"

#include <stdint.h>

/*
 * Adds {severity, code, service, container, message, hint} to the array of
 * problems. severity is "error", "warning" or "info"; service, container and
 * hint may be NULL.
 */
struct finding {
	const char *severity, *code;
	const char *service, *container;
	const char *message, *hint;
};
void finding_add(struct json_object *problems, const struct finding *finding);

/*
 * The problems of one container of the service: OUT_OF_MEMORY, START_FAILED,
 * PORT_IN_USE, RESTART_LOOP, CRASHED, STOPPED, PAUSED, NOT_STARTED, UNHEALTHY,
 * STARTING; none for one that is well, or has done its work. now_s: Unix.
 */
void findings_of_container(const struct docker_diagnosis *diagnosis,
    const char *service, int64_t now_s, struct arena *arena,
    struct json_object *problems);

#endif
