/*
 * Why an update failed, for clients: {"code", "message", "service",
 * "container", "exit_code", "oom_killed", "restart_count", "health_output",
 * "log_tail"}; what is not known is null.
 */
#ifndef AGENT_CAUSE_H
#define AGENT_CAUSE_H

#include "base/error.h"
#include "docker/diagnosis.h"
#include "json/json.h"

/* Lines and bytes of a container's log that are told. */
#define CAUSE_LOG_LINES 50
#define CAUSE_LOG_MAXIMUM ((size_t)16 * 1024)

/* Of an error alone; the caller owns it. */
struct json_object *cause_of_error(const struct error *err);

/* Fills in what is known of the service's container, with its log's end. */
void cause_add_container(struct json_object *cause, struct docker *docker,
    const char *service, const struct docker_diagnosis *diagnosis);

#endif
