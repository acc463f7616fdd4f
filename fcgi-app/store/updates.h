/*
 * Updates under way: on record from before the first file is written until
 * the deployment is the new version or the old one again. What an agent that
 * was killed leaves here, its successor puts right. The agent alone.
 */
#ifndef STORE_UPDATES_H
#define STORE_UPDATES_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum update_phase {
	UPDATE_FILES,      /* files alone are changed */
	UPDATE_CONTAINERS, /* then containers, too */
	UPDATE_BACK,       /* the old files are there, its containers not yet */
};

/* What the containers were before. */
enum update_before { BEFORE_ABSENT, BEFORE_STOPPED, BEFORE_RUNNING };

struct update_record {
	const char *deployment;
	const char *job_id;
	int64_t revision; /* the new one */
	int64_t back;     /* the one to go back to */
	enum update_phase phase;
	enum update_before before;
};

/* Takes the place of any that the deployment has. */
int store_update_put(
    struct store *store, const struct update_record *record, struct error *err);
int store_update_phase(struct store *store, const char *deployment,
    enum update_phase phase, struct error *err);
int store_update_remove(
    struct store *store, const char *deployment, struct error *err);

int store_update_find(struct store *store, const char *deployment,
    struct arena *arena, struct update_record *out, bool *found,
    struct error *err);
int store_update_list(struct store *store, struct arena *arena,
    struct update_record **out, size_t *out_count, struct error *err);

#endif
