/*
 * The newest statistics of each running container, as the agent sampled them.
 */
#ifndef STORE_SAMPLES_H
#define STORE_SAMPLES_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct store;

struct sample {
	const char *container_id;
	/* When listed: the container's. */
	const char *name, *service, *project;
	int64_t sampled_at_ms;
	double cpu_percent;                 /* 100 is one CPU */
	int64_t memory_usage, memory_limit; /* bytes */
	int64_t network_rx, network_tx, block_read, block_write; /* bytes */
	int64_t pids;
};

int store_sample_put(
    struct store *store, const struct sample *sample, struct error *err);
/* Forgets samples of containers that are gone or no longer run. */
int store_samples_prune(struct store *store, struct error *err);
/* Of the running containers, by service and name; project NULL: of all. */
int store_sample_list(struct store *store, const char *project,
    struct arena *arena, struct sample **out, size_t *out_count,
    struct error *err);
/* Fills the numbers of one container; without a sample *out stays as it is. */
int store_sample_find(struct store *store, const char *container_id,
    struct sample *out, struct error *err);

#endif
