/*
 * Why a container does not do what it should: how it ended, how often it was
 * started again, what its health check said. From GET /containers/{id}/json
 * (https://docs.docker.com/engine/api/, ContainerInspect), through the agent's
 * gate as well.
 */
#ifndef DOCKER_DIAGNOSIS_H
#define DOCKER_DIAGNOSIS_H

#include "docker/docker.h"

#include <stdbool.h>
#include <stdint.h>

/* Of what a health check printed, the end is kept. */
#define HEALTH_OUTPUT_MAXIMUM 4096

struct docker_diagnosis {
	const char *id;    /* 64 hex */
	const char *name;  /* without the leading slash */
	const char *state; /* created, running, restarting, exited, dead, … */
	bool running;
	int exit_code; /* of the last run, 0 while the first goes on */
	bool oom_killed;
	const char *error; /* why the Engine could not start it, or "" */
	int restart_count; /* by its restart policy */
	const char *restart_policy; /* no, always, unless-stopped, on-failure */
	int64_t started_at, finished_at; /* Unix seconds, 0: never */
	const char *health; /* starting, healthy, unhealthy, or "": no check */
	int failing_streak; /* checks that failed in a row */
	int health_exit_code;      /* of the newest check */
	const char *health_output; /* of the newest check, UTF-8, or "" */
};

/* Everything is in the arena. ERR_NOT_FOUND CONTAINER_NOT_FOUND. */
int docker_container_diagnose(struct docker *docker, const char *id,
    struct arena *arena, struct docker_diagnosis *out, struct error *err);

/*
 * {container_id, container_name, state, exit_code, oom_killed, error,
 * restart_count, restart_policy, started_at, finished_at, health,
 * failing_streak, health_exit_code, health_output} for clients; what is not
 * known is null. The caller owns it.
 */
struct json_object *docker_diagnosis_render(
    const struct docker_diagnosis *diagnosis, struct arena *arena);

#endif
