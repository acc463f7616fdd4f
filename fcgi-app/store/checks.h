/*
 * What the checks of the deployments' service.yml said. The schema's triggers
 * make the health of a deployment of it and of Docker's own checks.
 */
#ifndef STORE_CHECKS_H
#define STORE_CHECKS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct check_record {
	const char *deployment;
	const char *container_id; /* 64 hex: who was asked */
	const char *status;       /* starting, healthy, unhealthy */
	const char *reason;       /* a sentence, or "" */
	int http_status;          /* 0: no answer */
	int64_t duration_ms;
	int64_t checked_at_ms; /* Unix milliseconds */
	int64_t changed_at_ms; /* when the status became what it is */
};

/* Within a transaction that ends with mirror_commit(). */
int store_check_put(
    struct store *store, const struct check_record *record, struct error *err);
int store_check_delete(
    struct store *store, const char *deployment, struct error *err);

/* By deployment. */
int store_check_list(struct store *store, struct arena *arena,
    struct check_record **out, size_t *out_count, struct error *err);
int store_check_find(struct store *store, const char *deployment,
    struct arena *arena, struct check_record *out, bool *out_found,
    struct error *err);

#endif
