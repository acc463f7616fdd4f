#include "agent/services.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/mirror.h"
#include "agent/project.h"
#include "base/log.h"
#include "compose/lifecycle-arguments.h"
#include "jobs/protocol.h"

#include <string.h>

/* The service that the job is about, as the files have it. */
struct target {
	struct deployment loaded;
	const char *project, *service;
	unsigned int flags;
};

static bool
is_in_document(const struct deployment *loaded, const char *name)
{
	const struct compose_service *services;
	size_t count, i;

	if (loaded->document == NULL)
		return false;
	services = document_services(loaded->document, &count);
	for (i = 0; i < count; i++)
		if (strcmp(services[i].name, name) == 0)
			return true;
	return false;
}

/*
 * A service that the file has no more may still have containers; they can be
 * stopped, and nothing else.
 */
static int
find_service(struct run *run, const struct target *target, struct error *err)
{
	bool exists;

	if (is_in_document(&target->loaded, target->service))
		return 0;
	if (project_service_exists(
		run, target->project, target->service, &exists, err) < 0)
		return -1;
	return exists ? 0
		      : error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
			    "there is no service '%s'", target->service);
}

/* *why is the reason if the document cannot run. */
static int
load_target(
    struct run *run, struct target *out, struct error *why, struct error *err)
{
	struct service_arguments arguments = { 0 };

	memset(out, 0, sizeof *out);
	if (run_decode(run, service_argument_fields, &arguments, err) < 0)
		return -1;
	if (arguments.service == NULL)
		return error_field(err, "service", NULL, "service is required");
	if (deployment_load(run, &out->loaded, why) < 0) {
		*err = *why;
		return -1;
	}
	out->project = out->loaded.project;
	out->service = arguments.service;
	out->flags = (arguments.force_recreate ? UP_FORCE_RECREATE : 0) |
		     (arguments.no_cache ? UP_NO_CACHE : 0) |
		     (arguments.fresh_pull ? UP_FRESH_PULL : 0);
	run->result = json_object_new_object();
	json_put_text(run->result, "service", out->service);
	return find_service(run, out, err);
}

static int
load_runnable(struct run *run, struct target *out, struct error *err)
{
	struct error why;

	if (load_target(run, out, &why, err) < 0)
		return -1;
	if (out->loaded.document == NULL) {
		*err = why;
		return -1;
	}
	return is_in_document(&out->loaded, out->service)
		   ? 0
		   : error_set(err, ERR_CONFLICT, "SERVICE_REMOVED",
			 "the Compose file has no service '%s' any more: it "
			 "can only be stopped",
			 out->service);
}

static void
refresh(struct run *run, const struct target *target, bool images)
{
	struct error err;

	if (run->plan != NULL)
		return;
	deployment_refresh(run, target->project);
	if (images &&
	    mirror_refresh_images(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the images", &err);
}

static int
start_service(struct run *run, struct error *err)
{
	struct target target;
	int failed;

	if (load_runnable(run, &target, err) < 0)
		return -1;
	failed = project_service_up(
	    run, target.project, target.service, target.flags, err);
	refresh(run, &target, target.flags != 0);
	return failed;
}

static int
stop_service(struct run *run, struct error *err)
{
	struct target target;
	struct error why;
	int failed;

	if (load_target(run, &target, &why, err) < 0)
		return -1;
	failed =
	    is_in_document(&target.loaded, target.service)
		? project_service_stop(run, target.project, target.service, err)
		: project_service_stop_containers(
		      run, target.project, target.service, err);
	refresh(run, &target, false);
	return failed;
}

/* Restarts what is there. Options mean a new start instead. */
static int
restart_service(struct run *run, struct error *err)
{
	struct target target;
	bool exists;
	int failed;

	if (load_runnable(run, &target, err) < 0 ||
	    project_service_exists(
		run, target.project, target.service, &exists, err) < 0)
		return -1;
	failed = exists && target.flags == 0
		     ? project_service_restart(
			   run, target.project, target.service, err)
		     : project_service_up(run, target.project, target.service,
			   target.flags, err);
	refresh(run, &target, target.flags != 0);
	return failed;
}

static int
rebuild_service(struct run *run, struct error *err)
{
	struct target target;
	int failed;

	if (load_runnable(run, &target, err) < 0)
		return -1;
	failed = project_service_up(run, target.project, target.service,
	    target.flags | UP_BUILD | UP_FORCE_RECREATE, err);
	refresh(run, &target, true);
	return failed;
}

static int
pull_service(struct run *run, struct error *err)
{
	const char **services = arena_array(&run->arena, 2, sizeof *services);
	struct target target;
	int failed;

	if (load_runnable(run, &target, err) < 0)
		return -1;
	services[0] = target.service;
	services[1] = NULL;
	failed = project_pull(run, target.project, services, err);
	refresh(run, &target, true);
	return failed;
}

const struct job_kind service_jobs[] = {
	{ JOB_SERVICE_START, compose_name_is_valid, start_service,
	    .plannable = true },
	{ JOB_SERVICE_STOP, compose_name_is_valid, stop_service,
	    .plannable = true },
	{ JOB_SERVICE_RESTART, compose_name_is_valid, restart_service,
	    .plannable = true },
	{ JOB_SERVICE_REBUILD, compose_name_is_valid, rebuild_service,
	    .plannable = true },
	{ JOB_SERVICE_PULL, compose_name_is_valid, pull_service, LANE_PULLS },
	{ 0 },
};
