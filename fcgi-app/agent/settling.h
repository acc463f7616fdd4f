/*
 * Waits until what Compose brought up is healthy, and says what is wrong with
 * it when it does not get there.
 *
 * A service is fine when its health check says so; without one, when it has
 * been running for the time to settle without a restart; or when it has ended
 * with 0 and is not to be started again. A container that was there before
 * and was not made anew only must not have become worse: one that had ended is
 * no reason against a change of others. One that ended otherwise, that is
 * unhealthy or was started again more than RESTARTS_TOLERATED times is broken
 * at once: a database that is not there yet may cost an application its first
 * starts.
 */
#ifndef AGENT_SETTLING_H
#define AGENT_SETTLING_H

#include "agent/executor.h"
#include "compose/document.h"
#include "compose/update-arguments.h"
#include "docker/docker.h"

#define RESTARTS_TOLERATED 2

struct settling {
	const char *project;
	const struct document *document;
	/* As they were before; none: all have to settle. */
	const struct docker_container *before;
	size_t before_count;
	/* Services that were broken before may be so again, made anew or not:
	 * for going back. */
	bool lenient;
	int64_t since_ms;              /* when Compose was started, monotonic */
	int64_t settle_ms, timeout_ms; /* the latter from now on */
	struct probe_arguments probe;  /* path NULL: none */
};

/*
 * -1: *cause, the caller's, is {"code", "message", "service", "exit_code",
 * "oom_killed", "health_output", "log_tail"}, and err says the same in short:
 * CONTAINER_EXITED, CONTAINER_RESTARTING, CONTAINER_UNHEALTHY, OOM_KILLED,
 * NOT_HEALTHY_IN_TIME, PROBE_FAILED, JOB_CANCELLED, or what Docker said.
 */
int settling_wait(struct run *run, const struct settling *settling,
    struct json_object **cause, struct error *err);

/* The same cause for what Compose itself reported: of the service that looks
 * most like it, if one does. */
struct json_object *settling_explain(struct run *run,
    const struct settling *settling, const struct error *failure);

/*
 * Whether all containers of the project that are given run and are not known
 * to be ill, at this moment.
 */
bool settling_looks_fine(
    const struct docker_container *containers, size_t count);

#endif
