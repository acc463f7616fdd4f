#include "agent/health.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "agent/probe.h"
#include "base/clock.h"
#include "base/log.h"
#include "compose/healthcheck.h"
#include "settings/settings.h"
#include "store/checks.h"
#include "store/mirror.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 500
#define HASTE_MS 2000 /* between checks while it is not certain */
#define START_GRACE_MS 60000
#define FAILURES_ALLOWED 2 /* in a row */

enum verdict { STARTING, HEALTHY, UNHEALTHY };
static const char *const verdict_names[] = { "starting", "healthy",
	"unhealthy" };

/* A deployment that is asked. */
struct target {
	struct target *next;
	char name[64];
	char container_id[65];
	enum verdict verdict;
	int failures;                     /* in a row */
	int64_t due_at_ms, started_at_ms; /* monotonic */
	int64_t changed_at_ms;            /* Unix */
	bool seen;                        /* in the newest look */
	struct healthcheck check;
	const char *address;
};

struct health {
	struct agent *agent;
	pthread_t thread;
	struct target *first;
	size_t count;
	struct arena texts; /* that the targets' checks point to */
	int64_t generation;
	bool loaded; /* what an earlier agent found out */
};

static struct target *
find_target(const struct health *health, const char *name)
{
	struct target *target;

	for (target = health->first; target != NULL; target = target->next)
		if (strcmp(target->name, name) == 0)
			return target;
	return NULL;
}

static struct target *
add_target(struct health *health, const char *name)
{
	struct target *target = xcalloc(1, sizeof *target);

	snprintf(target->name, sizeof target->name, "%s", name);
	target->next = health->first;
	health->first = target;
	health->count++;
	return target;
}

/* Another container than before has everything before it. */
static void
begin_anew(struct target *target, const char *container_id)
{
	int64_t now_ms = clock_monotonic_ms();

	snprintf(target->container_id, sizeof target->container_id, "%s",
	    container_id);
	target->verdict = STARTING;
	target->failures = 0;
	target->due_at_ms = target->started_at_ms = now_ms;
	target->changed_at_ms = clock_wall_ms();
}

/* After a restart of the agent nothing is news. */
static int
load_earlier(struct health *health, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct check_record *records;
	size_t count, i;

	if (health->loaded)
		return 0;
	if (store_check_list(store, &arena, &records, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		struct target *target =
		    add_target(health, records[i].deployment);

		begin_anew(target, records[i].container_id);
		target->changed_at_ms = records[i].changed_at_ms;
		if (strcmp(records[i].status, "healthy") == 0)
			target->verdict = HEALTHY;
		else if (strcmp(records[i].status, "unhealthy") == 0)
			target->verdict = UNHEALTHY;
	}
	health->loaded = true;
	return 0;
}

static const char *
keep_text(struct arena *arena, const char *text)
{
	return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* The first address of the container, without prefix length; NULL: none. */
static const char *
find_address(const struct mirror_container *container, struct arena *arena)
{
	auto_json struct json_object *networks = NULL;
	struct error ignored;
	const char *ipv4;
	size_t i;

	if (json_parse_trusted(container->networks, strlen(container->networks),
		&networks, &ignored) < 0)
		return NULL;
	for (i = 0; i < json_object_array_length(networks); i++) {
		ipv4 =
		    json_text(json_object_array_get_idx(networks, i), "ipv4");
		if (ipv4 != NULL && *ipv4 != '\0')
			return arena_strndup(arena, ipv4, strcspn(ipv4, "/"));
	}
	return NULL;
}

static const struct mirror_container *
find_running(const struct mirror_container *containers, size_t count,
    const char *service)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].service, service) == 0 &&
		    strcmp(containers[i].state, "running") == 0)
			return &containers[i];
	return NULL;
}

/* What has to live until the next look. */
static void
keep_check(struct health *health, struct target *target,
    const struct healthcheck *check, const char *address)
{
	struct arena *texts = &health->texts;

	target->check = *check;
	target->check.service = NULL;
	target->check.path = keep_text(texts, check->path);
	target->check.host = keep_text(texts, check->host);
	target->check.contains = keep_text(texts, check->contains);
	target->address = keep_text(texts, address);
	target->seen = true;
}

static int
look_at_deployment(struct health *health, struct store *store,
    const struct mirror_deployment *deployment, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json_object *metadata = NULL;
	struct mirror_container *containers;
	const struct mirror_container *container;
	struct healthcheck check;
	struct target *target;
	const char *address;
	size_t count;

	if (json_parse_trusted(deployment->metadata,
		strlen(deployment->metadata), &metadata, err) < 0)
		return 0;
	if (!healthcheck_read(
		metadata, health->agent->settings->check_interval_ms, &check))
		return 0;
	if (mirror_container_list(store, deployment->project, &arena,
		&containers, &count, err) < 0)
		return -1;
	container = find_running(containers, count, check.service);
	address = container != NULL ? find_address(container, &arena) : NULL;
	if (address == NULL)
		return 0;
	target = find_target(health, deployment->name);
	if (target == NULL)
		target = add_target(health, deployment->name);
	if (strcmp(target->container_id, container->id) != 0)
		begin_anew(target, container->id);
	keep_check(health, target, &check, address);
	return 0;
}

/* Those that stopped, are gone or have no check any more are forgotten. */
static int
drop_unseen(struct health *health, struct store *store, struct error *err)
{
	struct target **at = &health->first, *target;

	while ((target = *at) != NULL) {
		if (target->seen) {
			at = &target->next;
			continue;
		}
		if (store_check_delete(store, target->name, err) < 0)
			return -1;
		*at = target->next;
		health->count--;
		free(target);
	}
	return 0;
}

static bool
any_unseen(const struct health *health)
{
	const struct target *target;

	for (target = health->first; target != NULL; target = target->next)
		if (!target->seen)
			return true;
	return false;
}

/* Who is to be asked what, by the mirror as it is now. */
static int
look(struct health *health, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct mirror_deployment *deployments;
	struct target *target;
	size_t count, i;

	if (load_earlier(health, store, err) < 0)
		return -1;
	arena_clear(&health->texts);
	for (target = health->first; target != NULL; target = target->next)
		target->seen = false;
	if (mirror_deployment_list(store, &arena, &deployments, &count, err) <
	    0)
		return -1;
	for (i = 0; i < count; i++)
		if (look_at_deployment(health, store, &deployments[i], err) < 0)
			return -1;
	if (!any_unseen(health))
		return 0;
	if (store_begin(store, err) < 0)
		return -1;
	if (drop_unseen(health, store, err) < 0) {
		store_rollback(store);
		return -1;
	}
	return mirror_commit(store, true, err);
}

static int64_t
sooner(const struct target *target)
{
	return target->check.interval_ms < HASTE_MS ? target->check.interval_ms
						    : HASTE_MS;
}

static enum verdict
judge_check(struct target *target, bool passed, int64_t now_ms)
{
	target->failures = passed ? 0 : target->failures + 1;
	if (passed)
		return HEALTHY;
	if (target->failures <= FAILURES_ALLOWED ||
	    (target->verdict == STARTING &&
		now_ms - target->started_at_ms < START_GRACE_MS))
		return target->verdict;
	return UNHEALTHY;
}

/* true: the verdict is another one now. */
static bool
take_result(struct target *target, const struct probe_result *result)
{
	int64_t now_ms = clock_monotonic_ms();
	enum verdict before = target->verdict;

	target->verdict = judge_check(target, result->passed, now_ms);
	target->due_at_ms =
	    now_ms + (result->passed || target->verdict == UNHEALTHY
			     ? target->check.interval_ms
			     : sooner(target));
	if (target->verdict == before)
		return false;
	target->changed_at_ms = clock_wall_ms();
	log_event(target->verdict == UNHEALTHY ? LOG_WARNING : LOG_INFO,
	    "health", LOG_TEXT("deployment", target->name),
	    LOG_TEXT("status", verdict_names[target->verdict]),
	    LOG_TEXT("reason", result->passed ? NULL : result->reason));
	return true;
}

static int
put_result(struct store *store, const struct target *target,
    const struct probe_result *result, struct error *err)
{
	struct check_record record = {
		.deployment = target->name,
		.container_id = target->container_id,
		.status = verdict_names[target->verdict],
		.reason = result->reason,
		.http_status = result->status,
		.duration_ms = result->duration_ms,
		.checked_at_ms = clock_wall_ms(),
		.changed_at_ms = target->changed_at_ms,
	};

	return store_check_put(store, &record, err);
}

static struct probe
probe_of(const struct target *target)
{
	return (struct probe){
		.type = target->check.is_tcp ? PROBE_TCP : PROBE_HTTP,
		.address = target->address,
		.port = target->check.port,
		.path = target->check.path,
		.host = target->check.host,
		.statuses = target->check.statuses,
		.status_count = target->check.status_count,
		.contains = target->check.contains,
	};
}

/* Nothing is written while they are asked; then all at once. */
static int
check_due(struct health *health, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct target **due =
	    arena_array(&arena, health->count, sizeof(struct target *));
	struct probe *probes =
	    arena_array(&arena, health->count, sizeof *probes);
	struct probe_result *results =
	    arena_array(&arena, health->count, sizeof *results);
	int64_t now_ms = clock_monotonic_ms();
	struct target *target;
	bool changed = false;
	size_t count = 0, i;

	for (target = health->first; target != NULL; target = target->next) {
		if (target->due_at_ms > now_ms)
			continue;
		probes[count] = probe_of(target);
		due[count++] = target;
	}
	if (count == 0)
		return 0;
	probe_run(probes, count, results, &health->agent->stopping);
	if (atomic_load(&health->agent->stopping))
		return 0;
	for (i = 0; i < count; i++)
		changed |= take_result(due[i], &results[i]);
	if (store_begin(store, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (put_result(store, due[i], &results[i], err) < 0) {
			store_rollback(store);
			return -1;
		}
	return mirror_commit(store, changed, err);
}

static int
keep(struct health *health, struct store *store, struct error *err)
{
	int64_t generation;

	if (mirror_generation(store, &generation, err) < 0)
		return -1;
	if (generation != health->generation) {
		if (look(health, store, err) < 0)
			return -1;
		health->generation = generation;
	}
	return check_due(health, store, err);
}

static void *
run_health(void *context)
{
	struct health *health = context;
	struct agent *agent = health->agent;
	auto_store struct store *store = NULL;
	struct error err;

	while (!atomic_load(&agent->stopping)) {
		clock_sleep_ms(TICK_MS);
		if (!mirror_docker_is_up(agent->mirror))
			continue;
		if (store == NULL &&
		    store_open(agent->settings->database_directory,
			STORE_MIRROR, &store, &err) < 0)
			continue;
		if (keep(health, store, &err) < 0)
			log_error(LOG_WARNING,
			    "cannot check the health of "
			    "deployments",
			    &err);
	}
	return NULL;
}

int
health_start(struct agent *agent, struct health **out, struct error *err)
{
	struct health *health = xcalloc(1, sizeof *health);

	*out = health;
	health->agent = agent;
	health->generation = -1;
	if (pthread_create(&health->thread, NULL, run_health, health) != 0)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
	return 0;
}

void
health_stop(struct health *health)
{
	struct target *target;

	pthread_join(health->thread, NULL);
	while ((target = health->first) != NULL) {
		health->first = target->next;
		free(target);
	}
	arena_clear(&health->texts);
	free(health);
}
