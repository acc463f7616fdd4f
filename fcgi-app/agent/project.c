#include "agent/project.h"

#include "agent/agent.h"
#include "agent/logins.h"
#include "agent/plan.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/mirror.h"

#include <stdio.h>
#include <string.h>

#define LEFTOVER_PREFIX 13 /* twelve digits and '_' */
#define COMPOSE_WORDS_MAXIMUM 32

/* The output so far is on record while the job runs. */
static void
on_output(void *context)
{
	run_store_output(context);
}

static int
run_program(struct run *run, struct compose_run *options,
    const char *const *arguments, struct error *err)
{
	int failed;

	if (logins_write(run, &options->docker_config, err) < 0)
		return -1;
	failed = compose_run(
	    run->agent->compose, run->subject, options, arguments, err);
	if (options->docker_config != NULL)
		logins_remove(run);
	return failed;
}

static int
run_compose_on(struct run *run, const char *project,
    const struct compose_files *candidate, struct buffer *output,
    const char *const *arguments, struct error *err)
{
	struct compose_program program;
	struct compose_run options = {
		.program = &program,
		.docker_socket = run->agent->settings->docker_socket,
		.mark = run->agent->mark,
		.project = project,
		.candidate = candidate,
		.timeout_ms = run->agent->settings->default_timeout_ms,
		.cancel = run->cancel,
		.output = output,
		.on_output = on_output,
		.context = run,
	};

	/* Whatever a body forgot: nothing is changed by a plan. */
	if (run->plan != NULL && strcmp(arguments[0], "config") != 0)
		return error_set(err, ERR_INTERNAL, NULL,
		    "a plan would have changed something");
	if (agent_compose_program(run->agent, &program, err) < 0)
		return -1;
	return run_program(run, &options, arguments, err);
}

static int
run_compose(struct run *run, const char *project, struct buffer *output,
    const char *const *arguments, struct error *err)
{
	return run_compose_on(run, project, NULL, output, arguments, err);
}

#define COMPOSE(run, project, err, ...)               \
	run_compose((run), (project), &(run)->output, \
	    (const char *const[]){ __VA_ARGS__, NULL }, (err))

int
project_compose(struct run *run, const char *project,
    const char *const *arguments, struct error *err)
{
	return run_compose(run, project, &run->output, arguments, err);
}

static int
list_containers(struct agent *agent, const char *project, struct arena *arena,
    struct docker_container **out, size_t *count, struct error *err)
{
	struct docker_container_filter filter = { .project = project };

	return docker_container_list(
	    agent->docker, &filter, arena, out, count, err);
}

static const struct docker_container *
find_by_name(
    const struct docker_container *containers, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].name, name) == 0)
			return &containers[i];
	return NULL;
}

static bool
is_leftover(const char *name)
{
	return strspn(name, "0123456789abcdef") == LEFTOVER_PREFIX - 1 &&
	       name[LEFTOVER_PREFIX - 1] == '_' &&
	       name[LEFTOVER_PREFIX] != '\0';
}

int
project_clear_leftovers(
    struct agent *agent, const char *project, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct docker_container *containers;
	size_t count, i;
	int failed = 0;

	if (list_containers(agent, project, &arena, &containers, &count, err) <
	    0)
		return -1;
	for (i = 0; i < count && !failed; i++) {
		const char *name = containers[i].name;

		if (!is_leftover(name))
			continue;
		/* It is all that is left of the service: it keeps serving. */
		failed =
		    find_by_name(containers, count, name + LEFTOVER_PREFIX) ==
			    NULL
			? docker_container_rename(agent->docker,
			      containers[i].id, name + LEFTOVER_PREFIX, err)
			: docker_container_remove(agent->docker,
			      containers[i].id, true, false, err);
	}
	return failed;
}

/* The arguments of a Compose run, one by one. */
struct words {
	const char *list[COMPOSE_WORDS_MAXIMUM + 1];
	size_t count;
};

static void
add_word(struct words *words, const char *word)
{
	if (words->count < COMPOSE_WORDS_MAXIMUM)
		words->list[words->count++] = word;
}

static int
pull_all(struct run *run, const char *project,
    const struct compose_files *candidate, struct error *err)
{
	struct words words = { .list = { "pull" }, .count = 1 };
	struct compose_program program;

	if (agent_compose_program(run->agent, &program, err) < 0)
		return -1;
	/* Version 1 has no `up --pull`, and pulls only what has an image. */
	if (program.major >= 2)
		add_word(&words, "--ignore-buildable");
	return run_compose_on(
	    run, project, candidate, &run->output, words.list, err);
}

/* A run of Compose has room for so many names. */
static int
pull_services(struct run *run, const char *project,
    const struct compose_files *candidate, const char *const *services,
    struct error *err)
{
	while (*services != NULL) {
		struct words words = { .list = { "pull" }, .count = 1 };

		while (*services != NULL && words.count < COMPOSE_WORDS_MAXIMUM)
			add_word(&words, *services++);
		if (run_compose_on(run, project, candidate, &run->output,
			words.list, err) < 0)
			return -1;
	}
	return 0;
}

static int
build(struct run *run, const char *project,
    const struct compose_files *candidate, bool no_cache, struct error *err)
{
	struct words words = { .list = { "build" }, .count = 1 };

	if (no_cache)
		add_word(&words, "--no-cache");
	return run_compose_on(
	    run, project, candidate, &run->output, words.list, err);
}

int
project_prepare(struct run *run, const char *project,
    const struct compose_files *candidate, unsigned int flags,
    const char *const *services, struct error *err)
{
	if ((flags & UP_FRESH_PULL) &&
	    pull_all(run, project, candidate, err) < 0)
		return -1;
	if (services != NULL &&
	    pull_services(run, project, candidate, services, err) < 0)
		return -1;
	return flags & (UP_NO_CACHE | UP_BUILD)
		   ? build(run, project, candidate, flags & UP_NO_CACHE, err)
		   : 0;
}

int
project_up(
    struct run *run, const char *project, unsigned int flags, struct error *err)
{
	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){
			     .verb = PLAN_UP, .flags = flags });
	if (project_clear_leftovers(run->agent, project, err) < 0 ||
	    project_prepare(run, project, NULL, flags, NULL, err) < 0)
		return -1;
	return flags & UP_FORCE_RECREATE
		   ? COMPOSE(run, project, err, "up", "-d", "--remove-orphans",
			 "--force-recreate")
		   : COMPOSE(run, project, err, "up", "-d", "--remove-orphans");
}

int
project_create(struct run *run, const char *project, struct error *err)
{
	return COMPOSE(
	    run, project, err, "up", "--no-start", "--remove-orphans");
}

int
project_stop(struct run *run, const char *project, struct error *err)
{
	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_STOP });
	return COMPOSE(run, project, err, "stop");
}

int
project_restart(struct run *run, const char *project, struct error *err)
{
	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_RESTART });
	if (project_clear_leftovers(run->agent, project, err) < 0)
		return -1;
	return COMPOSE(run, project, err, "restart");
}

int
project_down(struct run *run, const char *project, struct error *err)
{
	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_DOWN });
	return COMPOSE(run, project, err, "down", "--remove-orphans");
}

int
project_stop_containers(struct run *run, const char *project, struct error *err)
{
	struct docker_container *containers;
	size_t count, i;

	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_STOP });
	if (list_containers(
		run->agent, project, &run->arena, &containers, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (docker_container_stop(run->agent->docker, containers[i].id,
			-1, run->cancel, err) < 0 &&
		    err->kind != ERR_NOT_FOUND)
			return -1;
	return 0;
}

int
project_remove_containers(
    struct run *run, const char *project, struct error *err)
{
	struct docker *docker = run->agent->docker;
	struct docker_container *containers;
	struct docker_network *networks;
	size_t count, i;

	if (run->plan != NULL)
		return plan_containers(
		    run, &(struct plan_containers){ .verb = PLAN_DOWN });
	if (list_containers(
		run->agent, project, &run->arena, &containers, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (docker_container_remove(
			docker, containers[i].id, true, false, err) < 0 &&
		    err->kind != ERR_NOT_FOUND)
			return -1;
	if (docker_network_list(
		docker, project, &run->arena, &networks, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (docker_network_remove(docker, networks[i].id, err) < 0 &&
		    err->kind != ERR_NOT_FOUND)
			return -1;
	return 0;
}

int
project_has_containers(
    struct run *run, const char *project, bool *out, struct error *err)
{
	struct docker_container *containers;
	size_t count;

	if (list_containers(
		run->agent, project, &run->arena, &containers, &count, err) < 0)
		return -1;
	*out = count > 0;
	return 0;
}

static const char *
label_of(const struct mirror_container *container, const char *name,
    struct arena *arena)
{
	auto_json struct json_object *labels = NULL;
	struct error ignored;
	const char *value;

	if (json_parse_trusted(container->labels, strlen(container->labels),
		&labels, &ignored) < 0)
		return "";
	value = json_text(labels, name);
	return value != NULL ? arena_strdup(arena, value) : "";
}

const char *
project_find_hash(const char *hashes, const char *service, struct arena *arena)
{
	size_t length = strlen(service);

	while (*hashes != '\0') {
		size_t line = strcspn(hashes, "\n");

		if (line > length + 1 && hashes[length] == ' ' &&
		    memcmp(hashes, service, length) == 0)
			return arena_strndup(arena, hashes + length + 1,
			    strcspn(hashes + length + 1, " \r\n"));
		hashes += line + (hashes[line] == '\n');
	}
	return NULL;
}

/* How many lines say "service hash". */
static size_t
count_hashes(const char *hashes)
{
	size_t count = 0;

	while (*hashes != '\0') {
		size_t line = strcspn(hashes, "\n");
		const char *space = memchr(hashes, ' ', line);

		count += space != NULL && (size_t)(hashes + line - space) >= 65;
		hashes += line + (hashes[line] == '\n');
	}
	return count;
}

int
project_hashes(struct run *run, const char *project,
    const struct compose_files *candidate, struct buffer *out,
    struct error *err)
{
	return run_compose_on(run, project, candidate, out,
	    (const char *const[]){ "config", "--hash", "*", NULL }, err);
}

bool
project_differs(struct run *run, const char *project)
{
	static const char hash_label[] = "com.docker.compose.config-hash";
	auto_buffer struct buffer hashes = BUFFER(JOB_OUTPUT_MAXIMUM);
	struct mirror_container *containers;
	const char *services[64];
	size_t count, service_count = 0, i, j;
	struct error err;

	if (mirror_container_list(run->store, project, &run->arena, &containers,
		&count, &err) < 0)
		return true;
	if (count == 0)
		return false;
	if (project_hashes(run, project, NULL, &hashes, &err) < 0)
		return true;
	for (i = 0; i < count; i++) {
		const char *hash = project_find_hash(
		    buffer_string(&hashes), containers[i].service, &run->arena);

		if (hash == NULL ||
		    strcmp(hash,
			label_of(&containers[i], hash_label, &run->arena)) != 0)
			return true;
		for (j = 0; j < service_count; j++)
			if (strcmp(services[j], containers[i].service) == 0)
				break;
		if (j == service_count && j < 64)
			services[service_count++] = containers[i].service;
	}
	return service_count < count_hashes(buffer_string(&hashes));
}
