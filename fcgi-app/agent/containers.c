#include "agent/containers.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "base/log.h"
#include "docker/arguments.h"
#include "jobs/protocol.h"

#include <string.h>

/* What fails here is repeated by the mirror's keepers. */
static void
refresh(struct run *run)
{
	struct error err;

	if (mirror_refresh_container(
		run->agent->mirror, run->store, run->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a container", &err);
}

/* The Engine says with its 500 what is somebody else's port. */
static int
explain_start(struct error *err)
{
	if (err->kind == ERR_UPSTREAM &&
	    (strstr(err->message, "port is already allocated") != NULL ||
		strstr(err->message, "address already in use") != NULL))
		error_set(err, ERR_CONFLICT, "PORT_IN_USE",
		    "a port that the container publishes is in use");
	return -1;
}

static int
start_container(struct run *run, struct error *err)
{
	int failed =
	    docker_container_start(run->agent->docker, run->subject, err);

	refresh(run);
	return failed ? explain_start(err) : 0;
}

static int
stop_container(struct run *run, struct error *err)
{
	struct stop_arguments arguments = { .timeout = -1 };
	int failed;

	if (run_decode(run, stop_argument_fields, &arguments, err) < 0)
		return -1;
	failed = docker_container_stop(run->agent->docker, run->subject,
	    (int)arguments.timeout, run->cancel, err);
	refresh(run);
	return failed;
}

static int
restart_container(struct run *run, struct error *err)
{
	struct stop_arguments arguments = { .timeout = -1 };
	int failed;

	if (run_decode(run, stop_argument_fields, &arguments, err) < 0)
		return -1;
	failed = docker_container_restart(run->agent->docker, run->subject,
	    (int)arguments.timeout, run->cancel, err);
	refresh(run);
	return failed ? explain_start(err) : 0;
}

/* Its anonymous volumes may be gone with it. */
static void
refresh_removed(struct run *run, bool volumes)
{
	struct error err;

	refresh(run);
	if (volumes &&
	    mirror_refresh_volumes(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the volumes", &err);
}

static int
explain_removal(struct error *err)
{
	if (err->kind != ERR_CONFLICT)
		return -1;
	if (strstr(err->message, "already in progress") != NULL)
		return error_set(err, ERR_CONFLICT, "CONTAINER_BUSY",
		    "the container is being removed already");
	return error_set(err, ERR_CONFLICT, "CONTAINER_RUNNING",
	    "the container is running: stop it first, or force its removal");
}

static int
remove_container(struct run *run, struct error *err)
{
	struct remove_arguments arguments = { .force = true };
	int failed;

	if (run_decode(run, remove_argument_fields, &arguments, err) < 0)
		return -1;
	failed = docker_container_remove(run->agent->docker, run->subject,
	    arguments.force, arguments.volumes, err);
	refresh_removed(run, arguments.volumes);
	return failed ? explain_removal(err) : 0;
}

static int
inspect(struct run *run, struct docker_limits *out, struct error *err)
{
	struct docker_inspection inspection;

	if (docker_container_inspect(run->agent->docker, run->subject,
		&run->arena, &inspection, err) < 0)
		return -1;
	*out = inspection.limits;
	return 0;
}

/* The answer has what the container has now, not what was asked for. */
static int
update_container(struct run *run, struct error *err)
{
	struct limit_arguments arguments = LIMIT_ARGUMENTS;
	struct docker_limits limits, wanted;

	if (run_decode(run, limit_argument_fields, &arguments, err) < 0 ||
	    limit_arguments_check(&arguments, err) < 0 ||
	    inspect(run, &limits, err) < 0 ||
	    limit_arguments_apply(&arguments, &limits, &wanted, err) < 0)
		return -1;
	if (docker_container_update(
		run->agent->docker, run->subject, &wanted, err) < 0 ||
	    inspect(run, &limits, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put(run->result, "resources", docker_limits_render(&limits));
	return 0;
}

const struct job_kind container_jobs[] = {
	{ JOB_CONTAINER_START, docker_id_is_whole, start_container, LANE_ENGINE,
	    false },
	{ JOB_CONTAINER_STOP, docker_id_is_whole, stop_container, LANE_ENGINE,
	    false },
	{ JOB_CONTAINER_RESTART, docker_id_is_whole, restart_container,
	    LANE_ENGINE, false },
	{ JOB_CONTAINER_REMOVE, docker_id_is_whole, remove_container,
	    LANE_ENGINE, false },
	{ JOB_CONTAINER_UPDATE, docker_id_is_whole, update_container,
	    LANE_ENGINE, false },
	{ 0 },
};
