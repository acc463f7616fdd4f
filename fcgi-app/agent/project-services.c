/* project.h, for one service of a project. */
#include "agent/agent.h"
#include "agent/plan.h"
#include "agent/project.h"
#include "docker/docker.h"

#include <string.h>

#define WORDS_MAXIMUM 24 /* of one run */

/* The arguments of a Compose run: the options first, then the service. */
static int
run_words(struct run *run, const char *project, const char *const *options,
    const char *service, struct error *err)
{
	const char *words[WORDS_MAXIMUM + 1];
	size_t count = 0;

	for (; *options != NULL && count < WORDS_MAXIMUM - 1; options++)
		if ((*options)[0] != '\0')
			words[count++] = *options;
	words[count++] = service;
	words[count] = NULL;
	return project_compose(run, project, words, err);
}

/* Options that are not wanted are empty. */
#define COMPOSE_SERVICE(run, project, service, err, ...) \
	run_words((run), (project),                      \
	    (const char *const[]){ __VA_ARGS__, NULL }, (service), (err))

static int
read_major(struct run *run, int *out, struct error *err)
{
	struct compose_program program;

	if (agent_compose_program(run->agent, &program, err) < 0)
		return -1;
	*out = program.major;
	return 0;
}

static int
plan_service(struct run *run, const char *service, enum plan_verb verb,
    unsigned int flags)
{
	const char **services = arena_array(&run->arena, 2, sizeof *services);

	services[0] = service;
	services[1] = NULL;
	return plan_containers(
	    run, &(struct plan_containers){
		     .verb = verb, .flags = flags, .services = services });
}

int
project_service_up(struct run *run, const char *project, const char *service,
    unsigned int flags, struct error *err)
{
	const char *const services[] = { service, NULL };

	if (run->plan != NULL)
		return plan_service(run, service, PLAN_UP, flags);
	if (project_clear_leftovers(run->agent, project, err) < 0)
		return -1;
	if ((flags & UP_FRESH_PULL) &&
	    project_pull(run, project, services, err) < 0)
		return -1;
	if ((flags & (UP_NO_CACHE | UP_BUILD)) &&
	    COMPOSE_SERVICE(run, project, service, err, "build",
		flags & UP_NO_CACHE ? "--no-cache" : "") < 0)
		return -1;
	return COMPOSE_SERVICE(run, project, service, err, "up", "-d",
	    "--no-deps", flags & UP_FORCE_RECREATE ? "--force-recreate" : "");
}

int
project_service_stop(struct run *run, const char *project, const char *service,
    struct error *err)
{
	return run->plan != NULL
		   ? plan_service(run, service, PLAN_STOP, 0)
		   : COMPOSE_SERVICE(run, project, service, err, "stop");
}

int
project_service_restart(struct run *run, const char *project,
    const char *service, struct error *err)
{
	int major;

	if (run->plan != NULL)
		return plan_service(run, service, PLAN_RESTART, 0);
	if (project_clear_leftovers(run->agent, project, err) < 0 ||
	    read_major(run, &major, err) < 0)
		return -1;
	/* Version 2 restarts those that depend on it; version 1 does not, and
	 * does not know the option. */
	return COMPOSE_SERVICE(run, project, service, err, "restart",
	    major >= 2 ? "--no-deps" : "");
}

int
project_pull(struct run *run, const char *project, const char *const *services,
    struct error *err)
{
	int major;

	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_UP,
			     .pull = services,
			     .images_only = true });
	if (read_major(run, &major, err) < 0)
		return -1;
	while (*services != NULL) {
		const char *words[WORDS_MAXIMUM + 1] = { "pull" };
		size_t count = 1;

		/* Version 1 looks for itself at what can be built. */
		if (major >= 2)
			words[count++] = "--ignore-buildable";
		while (*services != NULL && count < WORDS_MAXIMUM)
			words[count++] = *services++;
		words[count] = NULL;
		if (project_compose(run, project, words, err) < 0)
			return -1;
	}
	return 0;
}

/* Those of the service first; *count of them. */
static int
list_containers(struct run *run, const char *project, const char *service,
    struct docker_container **out, size_t *count, struct error *err)
{
	struct docker_container_filter filter = { .project = project };
	size_t i, kept = 0;

	if (docker_container_list(
		run->agent->docker, &filter, &run->arena, out, count, err) < 0)
		return -1;
	for (i = 0; i < *count; i++)
		if (strcmp((*out)[i].service, service) == 0)
			(*out)[kept++] = (*out)[i];
	*count = kept;
	return 0;
}

int
project_service_stop_containers(struct run *run, const char *project,
    const char *service, struct error *err)
{
	struct docker_container *containers;
	size_t count, i;

	if (run->plan != NULL)
		return plan_service(run, service, PLAN_STOP, 0);
	if (list_containers(run, project, service, &containers, &count, err) <
	    0)
		return -1;
	for (i = 0; i < count; i++)
		if (docker_container_stop(run->agent->docker, containers[i].id,
			-1, run->cancel, err) < 0 &&
		    err->kind != ERR_NOT_FOUND)
			return -1;
	return 0;
}

int
project_service_exists(struct run *run, const char *project,
    const char *service, bool *out, struct error *err)
{
	struct docker_container *containers;
	size_t count;

	if (list_containers(run, project, service, &containers, &count, err) <
	    0)
		return -1;
	*out = count > 0;
	return 0;
}
