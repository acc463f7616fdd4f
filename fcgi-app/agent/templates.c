#include "agent/templates.h"

#include "agent/agent.h"
#include "base/log.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"
#include "templates/fetch.h"
#include "templates/templates.h"

#include <string.h>

/* One pass over all sources. */
struct refresh {
	struct agent *agent;
	struct store *store;
	struct arena arena;
	const atomic_bool *cancel;
	bool remote; /* archives are fetched, too */
	bool changed;
	struct json_object *sources, *problems;
	struct error failure; /* of the first source that cannot be had */
	bool failed;
};

static void
add_problem(struct refresh *refresh, const char *source, const char *id,
    const struct error *err)
{
	struct json_object *problem = json_object_new_object();

	json_put_text(problem, "template", id);
	json_put_text(problem, "source", source);
	json_put_text(problem, "message", error_public(err));
	json_object_array_add(refresh->problems, problem);
	log_event(LOG_WARNING, "a template cannot be used",
	    LOG_TEXT("source", source), LOG_TEXT("template", id),
	    LOG_TEXT("reason", error_public(err)));
}

/*
 * Whoever asks is told which source; the log says where it is. What the source
 * itself is to blame for has a code of its own, all else is out of reach.
 */
static void
add_failure(struct refresh *refresh, const char *source,
    const struct error *err, struct json_object *row)
{
	bool is_own = strcmp(err->code, "INVALID_TEMPLATE") == 0 ||
		      strcmp(err->code, "HOST_NOT_ALLOWED") == 0;
	const char *code = is_own ? err->code : "TEMPLATE_SOURCE_UNAVAILABLE";

	json_put_text(row, "error", error_public(err));
	json_put_text(row, "code", code);
	log_error(LOG_WARNING, "a source of templates cannot be read", err);
	if (refresh->failed)
		return;
	refresh->failed = true;
	error_set(&refresh->failure, is_own ? err->kind : ERR_UPSTREAM, code,
	    "the templates of the source '%s' cannot be read: %s", source,
	    error_public(err));
}

/* The one that is read later would silently win. */
static bool
is_known(const struct template *templates, size_t count, const char *id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(templates[i].id, id) == 0)
			return true;
	return false;
}

static size_t
check_texts(struct refresh *refresh, const char *source,
    const struct template_texts *texts, struct template *out)
{
	size_t i, count = 0;

	for (i = 0; i < texts->count; i++) {
		const struct template_text *text = &texts->texts[i];
		struct error err;

		if (is_known(out, count, text->id)) {
			error_set(&err, ERR_INVALID, "INVALID_TEMPLATE",
			    "there is another template of this id");
			add_problem(refresh, source, text->id, &err);
		} else if (template_check(text, source, refresh->agent->compose,
			       &refresh->arena, &out[count], &err) < 0) {
			add_problem(refresh, source, text->id, &err);
		} else {
			count++;
		}
	}
	return count;
}

static int
store_source(struct refresh *refresh, const char *source, int64_t rank,
    const struct template_texts *texts, struct json_object *row,
    struct error *err)
{
	struct template *templates =
	    arena_array(&refresh->arena, texts->count + 1, sizeof *templates);
	size_t count = check_texts(refresh, source, texts, templates);
	bool changed = false;

	json_put_integer(row, "count", (int64_t)count);
	if (store_begin(refresh->store, err) < 0)
		return -1;
	if (template_replace(refresh->store, source, rank, templates, count,
		&changed, err) < 0) {
		store_rollback(refresh->store);
		return -1;
	}
	return mirror_commit(refresh->store, changed, err);
}

static int
keep_source(struct refresh *refresh, const char *source, int64_t rank,
    struct error *err)
{
	bool changed = false;

	if (store_begin(refresh->store, err) < 0)
		return -1;
	if (template_rank(refresh->store, source, rank, &changed, err) < 0) {
		store_rollback(refresh->store);
		return -1;
	}
	return mirror_commit(refresh->store, changed, err);
}

static int
read_source(struct refresh *refresh,
    const struct settings_template_source *source, struct template_texts *out,
    struct error *err)
{
	struct template_archive archive = { .url = source->url,
		.sha256 = source->sha256,
		.ca = source->ca,
		.cancel = refresh->cancel };

	return source->path != NULL
		   ? template_read_directory(
			 source->path, &refresh->arena, out, err)
		   : template_fetch(&archive, &refresh->arena, out, err);
}

/* -1 only for what is wrong with our own state. */
static int
refresh_source(struct refresh *refresh,
    const struct settings_template_source *source, int64_t rank,
    struct error *err)
{
	struct json_object *row = json_object_new_object();
	struct template_texts texts;
	struct error failure;

	json_object_array_add(refresh->sources, row);
	json_put_text(row, "name", source->name);
	if (source->url != NULL && !refresh->remote)
		return keep_source(refresh, source->name, rank, err);
	if (read_source(refresh, source, &texts, &failure) < 0) {
		add_failure(refresh, source->name, &failure, row);
		return keep_source(refresh, source->name, rank, err);
	}
	return store_source(refresh, source->name, rank, &texts, row, err);
}

static int
forget_others(struct refresh *refresh, struct error *err)
{
	const struct settings *settings = refresh->agent->settings;
	size_t count = settings->templates.source_count, i;
	const char **names =
	    arena_array(&refresh->arena, count + 1, sizeof *names);
	bool changed = false;

	for (i = 0; i < count; i++)
		names[i] = settings->templates.sources[i].name;
	names[count] = TEMPLATE_BUILTIN;
	if (store_begin(refresh->store, err) < 0)
		return -1;
	if (template_retain_sources(
		refresh->store, names, count + 1, &changed, err) < 0) {
		store_rollback(refresh->store);
		return -1;
	}
	return mirror_commit(refresh->store, changed, err);
}

static int
refresh_all(struct refresh *refresh, struct error *err)
{
	const struct settings *settings = refresh->agent->settings;
	const struct settings_template_source builtin = {
		.name = TEMPLATE_BUILTIN,
		.path = settings->templates.catalogue,
	};
	size_t i;

	if (refresh_source(refresh, &builtin, 0, err) < 0)
		return -1;
	for (i = 0; i < settings->templates.source_count; i++)
		if (refresh_source(refresh, &settings->templates.sources[i],
			(int64_t)i + 1, err) < 0)
			return -1;
	return forget_others(refresh, err);
}

void
templates_load(struct agent *agent, struct store *store)
{
	struct refresh refresh = { .agent = agent,
		.store = store,
		.sources = json_object_new_array(),
		.problems = json_object_new_array() };
	struct error err;

	if (refresh_all(&refresh, &err) < 0)
		log_error(LOG_WARNING, "cannot store the templates", &err);
	json_object_put(refresh.sources);
	json_object_put(refresh.problems);
	arena_clear(&refresh.arena);
}

/* "builtin, ours": where those come from that count. */
static const char *
source_names(const struct settings *settings, struct arena *arena)
{
	const char *names = TEMPLATE_BUILTIN;
	size_t i;

	for (i = 0; i < settings->templates.source_count; i++)
		names = arena_printf(arena, "%s, %s", names,
		    settings->templates.sources[i].name);
	return names;
}

static int
run_refresh(struct run *run, struct refresh *refresh, struct error *err)
{
	struct template *templates;
	size_t count;

	run->result = json_object_new_object();
	json_put(run->result, "sources", refresh->sources);
	json_put(run->result, "problems", refresh->problems);
	json_put_text(run->result, "source",
	    source_names(run->agent->settings, &refresh->arena));
	if (refresh_all(refresh, err) < 0 ||
	    template_list(
		run->store, &refresh->arena, &templates, &count, err) < 0)
		return -1;
	json_put_integer(run->result, "count", (int64_t)count);
	if (!refresh->failed)
		return 0;
	*err = refresh->failure;
	return -1;
}

static int
refresh_templates(struct run *run, struct error *err)
{
	struct refresh refresh = { .agent = run->agent,
		.store = run->store,
		.cancel = run->cancel,
		.remote = true,
		.sources = json_object_new_array(),
		.problems = json_object_new_array() };
	int failed = run_refresh(run, &refresh, err);

	arena_clear(&refresh.arena);
	return failed;
}

static bool
is_all(const char *subject)
{
	return strcmp(subject, JOB_ALL_SUBJECT) == 0;
}

const struct job_kind template_jobs[] = {
	{ JOB_TEMPLATE_REFRESH, is_all, refresh_templates, LANE_PULLS, false },
	{ 0 },
};
