#include "agent/settling.h"

#include "agent/agent.h"
#include "agent/cause.h"
#include "agent/probe.h"
#include "base/clock.h"
#include "docker/diagnosis.h"

#include <string.h>

#define POLL_MS 150
#define ONEOFF_LABEL "com.docker.compose.oneoff"

enum verdict { FINE, NOT_YET, BROKEN };

/* What was seen of a container so far. */
struct watch {
	const char *id;
	int restarts; /* when it was seen last, and at first */
	int base;
	int64_t running_since_ms; /* monotonic; 0: it was not running */
	bool had_ended;
};

struct observation {
	struct run *run;
	const struct settling *settling;
	struct watch *watches;
	size_t count, allocated;
};

/* The container that is looked at, and what is wrong with it. */
struct finding {
	enum verdict verdict;
	const struct docker_container *container;
	struct docker_diagnosis diagnosis;
	struct error why;
};

static const struct docker_container *
find_before(const struct settling *settling, const char *id)
{
	size_t i;

	for (i = 0; i < settling->before_count; i++)
		if (strcmp(settling->before[i].id, id) == 0)
			return &settling->before[i];
	return NULL;
}

static bool
runs(const struct docker_container *container)
{
	return strcmp(container->state, "running") == 0;
}

static bool
is_ill(const struct docker_container *container)
{
	return strcmp(container->health, "unhealthy") == 0;
}

static bool
is_well(const struct docker_container *container)
{
	return runs(container) && !is_ill(container);
}

/* It was there before, and is no worse than it was. */
static bool
is_untouched(
    const struct settling *settling, const struct docker_container *container)
{
	const struct docker_container *before =
	    find_before(settling, container->id);

	return before != NULL && (!is_well(before) || is_well(container)) &&
	       (!runs(before) || runs(container));
}

/* The service had containers, and none of them was well. */
static bool
was_broken(const struct settling *settling, const char *service)
{
	bool found = false;
	size_t i;

	for (i = 0; i < settling->before_count; i++) {
		if (strcmp(settling->before[i].service, service) != 0)
			continue;
		if (is_well(&settling->before[i]))
			return false;
		found = true;
	}
	return found;
}

/* One of the document's services, and not what `compose run` made. */
static bool
counts(
    const struct settling *settling, const struct docker_container *container)
{
	const struct compose_service *services;
	const char *oneoff = json_text(container->labels, ONEOFF_LABEL);
	size_t count, i;

	if (oneoff != NULL && strcmp(oneoff, "True") == 0)
		return false;
	services = document_services(settling->document, &count);
	for (i = 0; i < count; i++)
		if (strcmp(services[i].name, container->service) == 0)
			return true;
	return false;
}

static struct watch *
watch_of(
    struct observation *observation, const struct docker_diagnosis *diagnosis)
{
	struct arena *arena = &observation->run->arena;
	struct watch *watch;
	size_t i;

	for (i = 0; i < observation->count; i++)
		if (strcmp(observation->watches[i].id, diagnosis->id) == 0)
			return &observation->watches[i];
	observation->watches = arena_grow(arena, observation->watches,
	    observation->count, &observation->allocated, sizeof *watch);
	watch = &observation->watches[observation->count++];
	*watch = (struct watch){ .id = arena_strdup(arena, diagnosis->id) };
	/* One that is new has no restarts but those that count. */
	if (find_before(observation->settling, watch->id) != NULL)
		watch->base = diagnosis->restart_count;
	watch->restarts = diagnosis->restart_count;
	return watch;
}

/* Since when, with a second for what the Engine rounds off. */
static int64_t
running_since(const struct observation *observation,
    const struct docker_diagnosis *diagnosis)
{
	int64_t now = clock_monotonic_ms();
	int64_t since =
	    now - (clock_wall_ms() - (diagnosis->started_at + 1) * 1000);

	if (since > now)
		return now;
	/* Never before the update, whatever the wall clock did. */
	return since > observation->settling->since_ms
		   ? since
		   : observation->settling->since_ms;
}

static int
say(struct finding *finding, enum verdict verdict, const char *code,
    const char *what)
{
	finding->verdict = verdict;
	return error_set(&finding->why, ERR_UPSTREAM, code, "service '%s' %s",
	    finding->container->service, what);
}

static int
say_ended(struct finding *finding, enum verdict verdict)
{
	const struct docker_diagnosis *diagnosis = &finding->diagnosis;

	if (diagnosis->oom_killed)
		return say(finding, verdict, "OOM_KILLED",
		    "was killed since it used more memory than it may");
	if (diagnosis->error != NULL && diagnosis->error[0] != '\0')
		return say(finding, verdict, "CONTAINER_EXITED",
		    "could not be started");
	finding->verdict = verdict;
	return error_set(&finding->why, ERR_UPSTREAM, "CONTAINER_EXITED",
	    "service '%s' ended with status %d", finding->container->service,
	    diagnosis->exit_code);
}

static bool
is_done(const struct docker_diagnosis *diagnosis)
{
	return diagnosis->exit_code == 0 &&
	       (strcmp(diagnosis->restart_policy, "always") != 0 &&
		   strcmp(diagnosis->restart_policy, "unless-stopped") != 0);
}

/* Once may be the moment before its next start. */
static void
judge_ended(struct finding *finding, struct watch *watch)
{
	const struct docker_diagnosis *diagnosis = &finding->diagnosis;
	bool restarts = strcmp(diagnosis->restart_policy, "no") != 0 &&
			diagnosis->restart_policy[0] != '\0';

	if (is_done(diagnosis)) {
		finding->verdict = FINE;
		return;
	}
	say_ended(finding, restarts && !watch->had_ended ? NOT_YET : BROKEN);
	watch->had_ended = true;
}

static void
judge_running(const struct observation *observation, struct finding *finding,
    struct watch *watch)
{
	const struct docker_diagnosis *diagnosis = &finding->diagnosis;

	if (watch->running_since_ms == 0)
		watch->running_since_ms = running_since(observation, diagnosis);
	watch->had_ended = false;
	if (strcmp(diagnosis->health, "unhealthy") == 0)
		say(finding, BROKEN, "CONTAINER_UNHEALTHY", "is unhealthy");
	else if (strcmp(diagnosis->health, "starting") == 0)
		say(finding, NOT_YET, "NOT_HEALTHY_IN_TIME",
		    "was not healthy in time");
	else if (strcmp(diagnosis->health, "healthy") != 0 &&
		 clock_monotonic_ms() - watch->running_since_ms <
		     observation->settling->settle_ms)
		say(finding, NOT_YET, "NOT_HEALTHY_IN_TIME",
		    "did not run for long enough");
	else
		finding->verdict = FINE;
}

static void
judge_diagnosed(struct observation *observation, struct finding *finding)
{
	const struct docker_diagnosis *diagnosis = &finding->diagnosis;
	struct watch *watch = watch_of(observation, diagnosis);

	if (diagnosis->restart_count != watch->restarts) {
		watch->restarts = diagnosis->restart_count;
		watch->running_since_ms = 0;
	}
	if (watch->restarts - watch->base > RESTARTS_TOLERATED) {
		say_ended(finding, BROKEN);
		if (!diagnosis->oom_killed)
			say(finding, BROKEN, "CONTAINER_RESTARTING",
			    "ends again and again");
	} else if (strcmp(diagnosis->state, "running") == 0) {
		judge_running(observation, finding, watch);
	} else if (strcmp(diagnosis->state, "exited") == 0 ||
		   strcmp(diagnosis->state, "dead") == 0) {
		judge_ended(finding, watch);
	} else {
		watch->running_since_ms = 0;
		say_ended(finding, NOT_YET);
		if (strcmp(diagnosis->state, "restarting") != 0)
			say(finding, NOT_YET, "NOT_HEALTHY_IN_TIME",
			    "does not run");
	}
}

/* -1: Docker does not say. */
static int
judge(struct observation *observation, struct finding *finding,
    struct arena *arena, struct error *err)
{
	const struct docker_container *container = finding->container;

	finding->verdict = FINE;
	if (!counts(observation->settling, container) ||
	    is_untouched(observation->settling, container) ||
	    (observation->settling->lenient &&
		was_broken(observation->settling, container->service)) ||
	    (runs(container) && strcmp(container->health, "healthy") == 0))
		return 0;
	if (docker_container_diagnose(observation->run->agent->docker,
		container->id, arena, &finding->diagnosis, err) < 0) {
		/* It went meanwhile: the next list tells more. */
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		memset(&finding->diagnosis, 0, sizeof finding->diagnosis);
		finding->diagnosis.id = container->id;
		finding->diagnosis.name = container->name;
		finding->diagnosis.health = "";
		say(finding, NOT_YET, "NOT_HEALTHY_IN_TIME", "is gone");
		return 0;
	}
	judge_diagnosed(observation, finding);
	return 0;
}

/* The worst there is of all the containers. */
static int
look(struct observation *observation, struct arena *arena,
    struct docker_container **containers, size_t *count, struct finding *worst,
    struct error *err)
{
	struct docker_container_filter filter = {
		.project = observation->settling->project
	};
	size_t i;

	memset(worst, 0, sizeof *worst);
	if (docker_container_list(observation->run->agent->docker, &filter,
		arena, containers, count, err) < 0)
		return -1;
	for (i = 0; i < *count && worst->verdict != BROKEN; i++) {
		struct finding finding = { .container = &(*containers)[i] };

		if (judge(observation, &finding, arena, err) < 0)
			return -1;
		if (finding.verdict > worst->verdict)
			*worst = finding;
	}
	return 0;
}

static const struct docker_container *
find_probed(const struct settling *settling,
    const struct docker_container *containers, size_t count)
{
	const struct compose_service *primary =
	    document_primary_service(settling->document);
	const char *service = settling->probe.service != NULL
				  ? settling->probe.service
				  : (primary != NULL ? primary->name : "");
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].service, service) == 0 &&
		    runs(&containers[i]))
			return &containers[i];
	return NULL;
}

/* On the host's own network it is where the host is. */
static const char *
address_of(const struct docker_container *container)
{
	size_t i;

	for (i = 0; i < container->network_count; i++)
		if (container->networks[i].ipv4[0] != '\0')
			return container->networks[i].ipv4;
	return "127.0.0.1";
}

static int
first_port(
    const struct settling *settling, const struct docker_container *container)
{
	const struct compose_service *services;
	size_t count, i;

	services = document_services(settling->document, &count);
	for (i = 0; i < count; i++)
		if (strcmp(services[i].name, container->service) == 0 &&
		    services[i].container_port > 0)
			return services[i].container_port;
	return container->port_count > 0 ? container->ports[0].private_port
					 : 80;
}

/* Asks once; the finding is the container that did not answer well. */
static void
ask(struct observation *observation, struct arena *arena,
    const struct docker_container *containers, size_t count,
    struct finding *finding)
{
	const struct settling *settling = observation->settling;
	int status = (int)settling->probe.expect_status;
	struct probe probe = { .type = PROBE_HTTP,
		.path = settling->probe.path,
		.statuses = &status,
		.status_count = status > 0 };
	struct probe_result result = { 0 };
	struct error ignored;

	finding->verdict = FINE;
	if (settling->probe.path == NULL)
		return;
	finding->container = find_probed(settling, containers, count);
	if (finding->container == NULL) {
		finding->verdict = NOT_YET;
		error_set(&finding->why, ERR_UPSTREAM, "PROBE_FAILED",
		    "there is no container to probe");
		return;
	}
	probe.address = address_of(finding->container);
	probe.port = settling->probe.port > 0
			 ? (int)settling->probe.port
			 : first_port(settling, finding->container);
	probe_run(&probe, 1, &result, observation->run->cancel);
	if (result.passed)
		return;
	finding->verdict = NOT_YET;
	error_set(&finding->why, ERR_UPSTREAM, "PROBE_FAILED",
	    "service '%s' did not pass the probe: %s",
	    finding->container->service, result.reason);
	if (docker_container_diagnose(observation->run->agent->docker,
		finding->container->id, arena, &finding->diagnosis,
		&ignored) < 0)
		memset(&finding->diagnosis, 0, sizeof finding->diagnosis);
}

static int
fail(struct observation *observation, const struct finding *finding,
    struct json_object **cause, struct error *err)
{
	*cause = cause_of_error(&finding->why);
	if (finding->container != NULL && finding->diagnosis.id != NULL)
		cause_add_container(*cause, observation->run->agent->docker,
		    finding->container->service, &finding->diagnosis);
	*err = finding->why;
	return -1;
}

static int
fail_plainly(
    const struct error *why, struct json_object **cause, struct error *err)
{
	*cause = cause_of_error(why);
	*err = *why;
	return -1;
}

/* 1: go on looking. */
static int
poll_once(struct observation *observation, bool is_last,
    struct json_object **cause, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct docker_container *containers;
	struct finding worst;
	struct error failure;
	size_t count;

	if (look(observation, &arena, &containers, &count, &worst, &failure) <
	    0)
		return is_last ? fail_plainly(&failure, cause, err) : 1;
	if (worst.verdict == FINE)
		ask(observation, &arena, containers, count, &worst);
	if (worst.verdict == FINE)
		return 0;
	return worst.verdict == BROKEN || is_last
		   ? fail(observation, &worst, cause, err)
		   : 1;
}

int
settling_wait(struct run *run, const struct settling *settling,
    struct json_object **cause, struct error *err)
{
	struct observation observation = {
		.run = run,
		.settling = settling,
	};
	int64_t until_ms = clock_monotonic_ms() + settling->timeout_ms;
	struct error cancelled;
	int result;

	*cause = NULL;
	for (;;) {
		if (atomic_load(run->cancel)) {
			error_set(&cancelled, ERR_CONFLICT, "JOB_CANCELLED",
			    "the job was cancelled");
			return fail_plainly(&cancelled, cause, err);
		}
		result = poll_once(
		    &observation, clock_monotonic_ms() >= until_ms, cause, err);
		if (result <= 0)
			return result;
		clock_sleep_ms(POLL_MS);
	}
}

struct json_object *
settling_explain(struct run *run, const struct settling *settling,
    const struct error *failure)
{
	auto_arena struct arena arena = { 0 };
	struct observation observation = {
		.run = run,
		.settling = settling,
	};
	struct json_object *cause = cause_of_error(failure);
	struct docker_container *containers;
	struct finding worst;
	struct error ignored;
	size_t count;

	if (look(&observation, &arena, &containers, &count, &worst, &ignored) ==
		0 &&
	    worst.verdict == BROKEN)
		cause_add_container(cause, run->agent->docker,
		    worst.container->service, &worst.diagnosis);
	return cause;
}

bool
settling_looks_fine(const struct docker_container *containers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		bool has_ended = strcmp(containers[i].state, "exited") == 0 &&
				 strstr(containers[i].status, "(0)") != NULL;
		bool is_healthy = containers[i].health[0] == '\0' ||
				  strcmp(containers[i].health, "healthy") == 0;

		if (!has_ended && !(runs(&containers[i]) && is_healthy))
			return false;
	}
	return count > 0;
}
