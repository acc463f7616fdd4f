#include "agent/plan.h"

#include "agent/agent.h"
#include "agent/plan-private.h"
#include "agent/project.h"
#include "agent/version.h"
#include "jobs/protocol.h"
#include "json/fields.h"

#include <stdlib.h>
#include <string.h>

int
plan_files(struct run *run, const struct compose_files *after)
{
	struct compose_files *copy = NULL;

	if (after != NULL) {
		copy = arena_alloc(&run->arena, sizeof *copy);
		*copy = *after;
	}
	run->plan->after = copy;
	run->plan->deletes = after == NULL;
	return 0;
}

int
plan_containers(struct run *run, const struct plan_containers *containers)
{
	struct plan_containers *noted = &run->plan->containers;
	enum plan_verb verb = noted->verb;

	if (containers->verb == PLAN_NOTHING && verb != PLAN_NOTHING)
		return 0;
	*noted = *containers;
	return 0;
}

static bool
is_listed(const char *const *list, const char *name)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

bool
plan_concerns(const struct plan *plan, const char *service)
{
	return plan->containers.services == NULL ||
	       is_listed(plan->containers.services, service);
}

bool
plan_pulls(const struct plan *plan, const char *service)
{
	if (plan->containers.verb != PLAN_UP || !plan_concerns(plan, service))
		return false;
	if (plan->containers.flags & UP_FRESH_PULL)
		return true;
	return plan->containers.pull != NULL &&
	       is_listed(plan->containers.pull, service);
}

/* Where a document cannot run, its project's name is all that is wanted. */
static void
read_document(
    struct run *run, struct plan *plan, const struct compose_files *files)
{
	struct document *parsed;
	struct error ignored;

	plan->project = run->subject;
	if (compose_check(run->agent->compose, run->subject, files->compose,
		files->compose_length, files->environment, &run->arena,
		&plan->document, &ignored) < 0)
		plan->document = NULL;
	if (plan->document != NULL)
		plan->project =
		    compose_project_name(plan->document, run->subject);
	else if (document_parse(files->compose, files->compose_length,
		     &run->arena, &parsed, &ignored) == 0)
		plan->project = compose_project_name(parsed, run->subject);
}

static int
read_files(struct run *run, struct plan *plan, struct error *err)
{
	struct error failure;

	if (compose_read(run->agent->compose, run->subject, &run->arena,
		&plan->before, &failure) < 0) {
		if (failure.kind != ERR_NOT_FOUND || plan->after == NULL) {
			*err = failure;
			return -1;
		}
		plan->before = (struct compose_files){ .compose = NULL };
	}
	read_document(
	    run, plan, plan->after != NULL ? plan->after : &plan->before);
	return 0;
}

/* Compose has to be where the files are: not for what is not there yet. */
static int
read_hashes(struct run *run, struct plan *plan, struct error *err)
{
	auto_buffer struct buffer hashes = BUFFER(JOB_OUTPUT_MAXIMUM);

	if (plan->document == NULL || plan->count == 0 ||
	    plan->before.compose == NULL ||
	    (plan->containers.verb != PLAN_UP &&
		plan->containers.verb != PLAN_NOTHING))
		return 0;
	if (project_hashes(run, plan->project, plan->after, &hashes, err) < 0)
		return -1;
	plan->hashes = arena_strdup(&run->arena, buffer_string(&hashes));
	return 0;
}

static int
look_at_world(struct run *run, struct plan *plan, struct error *err)
{
	struct docker_container_filter filter = { 0 };

	if (read_files(run, plan, err) < 0)
		return -1;
	filter.project = plan->project;
	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&plan->list, &plan->count, err) < 0 ||
	    read_hashes(run, plan, err) < 0)
		return -1;
	return plan_list_services(run, plan, err);
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* What is asked, whatever the order in which it is written. */
static void
seal_json(struct buffer *sealed, struct json_object *value, struct arena *arena)
{
	size_t count, i = 0;
	const char **names;

	if (!json_object_is_type(value, json_type_object)) {
		seal_add(sealed, json_object_to_json_string_ext(
				     value, JSON_C_TO_STRING_PLAIN));
		return;
	}
	count = (size_t)json_object_object_length(value);
	names = arena_array(arena, count + 1, sizeof *names);
	json_object_object_foreach(value, name, member)
	{
		(void)member;
		names[i++] = name;
	}
	if (count > 0)
		qsort(names, count, sizeof *names, compare_names);
	for (i = 0; i < count; i++) {
		seal_add(sealed, names[i]);
		seal_json(sealed, json_member(value, names[i]), arena);
	}
	seal_add(sealed, NULL);
}

static int
compare_ids(const void *left, const void *right)
{
	const struct docker_container *a = left, *b = right;

	return strcmp(a->id, b->id);
}

static void
seal_plan(struct run *run, struct plan *plan, const struct job_kind *kind,
    char out[SEAL_TEXT_SIZE])
{
	auto_buffer struct buffer sealed = BUFFER(SEAL_MAXIMUM);
	char version[SEAL_TEXT_SIZE] = "";
	size_t i;

	if (plan->before.compose != NULL)
		version_of_files(run->agent, &plan->before, version);
	seal_add(&sealed, "plan");
	seal_add(&sealed, kind->name);
	seal_add(&sealed, run->subject);
	seal_json(&sealed, run->arguments, &run->arena);
	seal_add(&sealed, version);
	seal_add(&sealed, plan->project);
	if (plan->count > 0)
		qsort(plan->list, plan->count, sizeof *plan->list, compare_ids);
	for (i = 0; i < plan->count; i++) {
		seal_add(&sealed, plan->list[i].id);
		seal_add(&sealed, plan->list[i].image_id);
		seal_add(&sealed, plan->list[i].state);
	}
	for (i = 0; i < plan->service_count; i++) {
		seal_add(&sealed, plan->services[i].name);
		seal_add(&sealed, plan->services[i].image);
		seal_add(&sealed, plan->services[i].image_id);
	}
	seal_finish(&run->agent->seal_key, &sealed, out);
}

/* Runs the body without effect, and compares what it wants with the world. */
static int
make_plan(struct run *run, const struct job_kind *kind, struct plan *plan,
    struct error *err)
{
	int failed;

	run->plan = plan;
	failed = kind->body(run, err);
	json_object_put(TAKE(run->result));
	if (!failed)
		failed = look_at_world(run, plan, err);
	run->plan = NULL;
	return failed;
}

int
plan_verify(struct run *run, const struct job_kind *kind, const char *plan_id,
    struct error *err)
{
	struct plan plan = { .deletes = false };
	char id[SEAL_TEXT_SIZE];

	if (!kind->plannable)
		return error_field(err, "plan_id", "PLAN_NOT_SUPPORTED",
		    "there are no plans of this change");
	if (make_plan(run, kind, &plan, err) < 0)
		return -1;
	seal_plan(run, &plan, kind, id);
	if (strcmp(id, plan_id) == 0)
		return 0;
	return error_set(err, ERR_PRECONDITION, "PLAN_OUTDATED",
	    "this is not what was planned, or deployment '%s' has changed "
	    "since",
	    run->subject);
}

struct plan_arguments {
	const char *kind;
	struct json_object *arguments;
};

static const struct field plan_fields[] = {
	STRING_FIELD(struct plan_arguments, kind, REQUIRED, NULL, NULL),
	OBJECT_FIELD(struct plan_arguments, arguments, REQUIRED),
	{ 0 },
};

static int
find_change(struct run *run, const char *name, const struct job_kind **out,
    struct error *err)
{
	*out = executor_find_kind(run->agent->executor, name);
	if (*out == NULL || !(*out)->plannable)
		return error_field(err, "plan", "PLAN_NOT_SUPPORTED",
		    "there are no plans of this change");
	return 0;
}

static int
plan_change(struct run *run, struct error *err)
{
	struct json_object *given = run->arguments, *rendered;
	struct plan_arguments arguments = { 0 };
	struct plan plan = { .deletes = false };
	const struct job_kind *kind;
	char id[SEAL_TEXT_SIZE];
	int failed;

	if (run_decode(run, plan_fields, &arguments, err) < 0 ||
	    find_change(run, arguments.kind, &kind, err) < 0)
		return -1;
	run->arguments = arguments.arguments;
	failed = make_plan(run, kind, &plan, err);
	if (!failed) {
		failed = plan_render(
		    run, &plan, strchr(kind->name, '.') + 1, &rendered, err);
		seal_plan(run, &plan, kind, id);
	}
	run->arguments = given;
	if (failed)
		return -1;
	json_put_text(rendered, "plan_id", id);
	run->result = json_object_new_object();
	json_put(run->result, "plan", rendered);
	return 0;
}

const struct job_kind plan_jobs[] = {
	{ JOB_PLAN, compose_name_is_valid, plan_change },
	{ 0 },
};
