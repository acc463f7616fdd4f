/*
 * Templates on record: what the agent read from its sources, for everybody to
 * answer from.
 */
#ifndef STORE_TEMPLATES_H
#define STORE_TEMPLATES_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Of several with one id that of the last source counts. */
struct template
{
	const char *id;     /* "ghost", "infra/redis" */
	const char *source; /* "builtin", or the name of another one */
	const char *name, *category;
	const char *type; /* "", "infrastructure", … */
	int64_t priority;
	const char *metadata; /* JSON: all of metadata.yml, checked */
	const char *content;  /* text of docker-compose.yml */
};

/* Those that count, the highest priority first, then by name. */
int template_list(struct store *store, struct arena *arena,
    struct template **out, size_t *out_count, struct error *err);

/* ERR_NOT_FOUND TEMPLATE_NOT_FOUND. */
int template_get(struct store *store, const char *id, struct arena *arena,
    struct template *out, struct error *err);

/*
 * Replaces all of one source; rank is its place among the sources. Sets
 * *changed if that made a difference. In a transaction of the caller's.
 */
int template_replace(struct store *store, const char *source, int64_t rank,
    const struct template *templates, size_t count, bool *changed,
    struct error *err);
/* What a source that cannot be read now had stays, at its place. */
int template_rank(struct store *store, const char *source, int64_t rank,
    bool *changed, struct error *err);
/* Forgets all of sources that are not among these. */
int template_retain_sources(struct store *store, const char *const *sources,
    size_t count, bool *changed, struct error *err);

#endif
