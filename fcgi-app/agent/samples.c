#include "agent/samples.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/samples.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000

/* What is remembered of a container between two samples. */
struct source {
	char id[65];
	bool seen;         /* in this round */
	int64_t due_at_ms; /* monotonic */
	int64_t sampled_at_ms;
	bool has_counters;
	uint64_t cpu_total_ns, system_cpu_ns;
	struct sample sample; /* the newest; container_id points at id */
};

struct samples {
	struct agent *agent;
	pthread_t thread;
	struct source **sources;
	size_t count, allocated;
};

static struct source *
find_source(const struct samples *samples, const char *id)
{
	size_t i;

	for (i = 0; i < samples->count; i++)
		if (strcmp(samples->sources[i]->id, id) == 0)
			return samples->sources[i];
	return NULL;
}

static struct source *
add_source(struct samples *samples, const char *id)
{
	struct source *source = xcalloc(1, sizeof *source);

	if (samples->count == samples->allocated) {
		samples->allocated =
		    samples->allocated ? samples->allocated * 2 : 16;
		samples->sources = xrealloc(samples->sources,
		    samples->allocated * sizeof(struct source *));
	}
	snprintf(source->id, sizeof source->id, "%s", id);
	samples->sources[samples->count++] = source;
	return source;
}

static void
drop_unseen(struct samples *samples)
{
	size_t i;

	for (i = samples->count; i-- > 0;) {
		if (samples->sources[i]->seen)
			continue;
		free(samples->sources[i]);
		samples->sources[i] = samples->sources[--samples->count];
	}
}

/* As `docker stats` counts: 100 is one CPU. */
static double
cpu_percent(const struct source *source, const struct docker_stats *stats)
{
	if (!source->has_counters ||
	    stats->cpu_total_ns <= source->cpu_total_ns ||
	    stats->system_cpu_ns <= source->system_cpu_ns)
		return 0;
	return (double)(stats->cpu_total_ns - source->cpu_total_ns) /
	       (double)(stats->system_cpu_ns - source->system_cpu_ns) *
	       stats->online_cpus * 100;
}

static int64_t
bounded(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void
take_sample(struct source *source, const struct docker_stats *stats,
    int64_t now_ms, int64_t interval_ms)
{
	source->due_at_ms = now_ms + interval_ms;
	/* It may be gone by now: the mirror will know. */
	if (!stats->is_known)
		return;
	source->sample = (struct sample){
		.container_id = source->id,
		.sampled_at_ms = clock_wall_ms(),
		.cpu_percent = cpu_percent(source, stats),
		.memory_usage = bounded(stats->memory_usage),
		.memory_limit = bounded(stats->memory_limit),
		.network_rx = bounded(stats->network_rx),
		.network_tx = bounded(stats->network_tx),
		.block_read = bounded(stats->block_read),
		.block_write = bounded(stats->block_write),
		.pids = bounded(stats->pids),
	};
	/* The first tells no CPU yet. */
	if (!source->has_counters)
		source->due_at_ms = now_ms + TICK_MS;
	source->cpu_total_ns = stats->cpu_total_ns;
	source->system_cpu_ns = stats->system_cpu_ns;
	source->has_counters = true;
	source->sampled_at_ms = now_ms;
}

/* Which containers run is what the mirror says. */
static int
find_running(struct samples *samples, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct mirror_container *containers;
	struct source *source;
	size_t count, i;

	if (mirror_container_list(
		store, NULL, &arena, &containers, &count, err) < 0)
		return -1;
	for (i = 0; i < samples->count; i++)
		samples->sources[i]->seen = false;
	for (i = 0; i < count; i++) {
		if (strcmp(containers[i].state, "running") != 0)
			continue;
		source = find_source(samples, containers[i].id);
		if (source == NULL)
			source = add_source(samples, containers[i].id);
		source->seen = true;
	}
	drop_unseen(samples);
	return 0;
}

/* Those that are due, all in one question; the number of samples. */
static size_t
ask_docker(struct samples *samples, int64_t now_ms)
{
	auto_arena struct arena arena = { 0 };
	int64_t interval_ms = samples->agent->settings->sample_interval_ms;
	struct source **due =
	    arena_array(&arena, samples->count, sizeof(struct source *));
	const char **ids =
	    arena_array(&arena, samples->count, sizeof(const char *));
	struct docker_stats *stats =
	    arena_array(&arena, samples->count, sizeof *stats);
	size_t count = 0, taken = 0, i;
	struct error ignored;

	for (i = 0; i < samples->count; i++) {
		if (samples->sources[i]->due_at_ms > now_ms)
			continue;
		due[count] = samples->sources[i];
		ids[count++] = samples->sources[i]->id;
	}
	memset(stats, 0, samples->count * sizeof *stats);
	/* What was read before something failed is good. */
	docker_stats_read(samples->agent->docker, ids, count, stats, &ignored);
	for (i = 0; i < count; i++) {
		take_sample(due[i], &stats[i], now_ms, interval_ms);
		taken += stats[i].is_known;
	}
	return taken;
}

/* Docker is asked first, so that the store is not held meanwhile. */
static int
sample_due(struct samples *samples, struct store *store, struct error *err)
{
	int64_t now_ms = clock_monotonic_ms();
	int failed = 0;
	size_t i;

	if (samples->count == 0 || ask_docker(samples, now_ms) == 0)
		return 0;
	if (store_begin(store, err) < 0)
		return -1;
	for (i = 0; i < samples->count && !failed; i++)
		if (samples->sources[i]->sampled_at_ms == now_ms)
			failed = store_sample_put(
			    store, &samples->sources[i]->sample, err);
	if (failed || store_samples_prune(store, err) < 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static int
look(struct samples *samples, struct store *store, int64_t *seen_generation,
    struct error *err)
{
	int64_t generation;

	if (mirror_generation(store, &generation, err) < 0)
		return -1;
	if (generation != *seen_generation) {
		if (find_running(samples, store, err) < 0)
			return -1;
		*seen_generation = generation;
	}
	return sample_due(samples, store, err);
}

static void *
run_samples(void *context)
{
	struct samples *samples = context;
	struct agent *agent = samples->agent;
	auto_store struct store *store = NULL;
	int64_t generation = -1;
	struct error err;

	while (!atomic_load(&agent->stopping)) {
		clock_sleep_ms(TICK_MS);
		if (!mirror_docker_is_up(agent->mirror))
			continue;
		if (store == NULL &&
		    store_open(agent->settings->database_directory,
			STORE_MIRROR, &store, &err) < 0)
			continue;
		if (look(samples, store, &generation, &err) < 0)
			log_error(LOG_WARNING, "cannot store samples", &err);
	}
	return NULL;
}

int
samples_start(struct agent *agent, struct samples **out, struct error *err)
{
	struct samples *samples = xcalloc(1, sizeof *samples);

	*out = samples;
	samples->agent = agent;
	if (pthread_create(&samples->thread, NULL, run_samples, samples) != 0)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
	return 0;
}

void
samples_stop(struct samples *samples)
{
	pthread_join(samples->thread, NULL);
	while (samples->count > 0)
		free(samples->sources[--samples->count]);
	free(samples->sources);
	free(samples);
}
