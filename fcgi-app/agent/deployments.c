#include "agent/deployments.h"

#include "agent/agent.h"
#include "agent/creation.h"
#include "agent/deployment.h"
#include "agent/plan.h"
#include "agent/project.h"
#include "agent/revisions.h"
#include "base/log.h"
#include "compose/lifecycle-arguments.h"
#include "compose/metadata.h"
#include "jobs/protocol.h"
#include "proxy/proxy.h"
#include "settings/settings.h"
#include "store/revisions.h"
#include "json/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct create_arguments {
	const char *compose_content, *template_id;
	struct compose_variable *env_vars;
	size_t env_vars_count;
	struct json_object *metadata;
	bool auto_start;
};

static const struct field create_fields[] = {
	TEXT_FIELD(struct create_arguments, compose_content, REQUIRED,
	    COMPOSE_TEXT_MAXIMUM),
	STRING_FIELD(
	    struct create_arguments, template_id, OPTIONAL, NULL, NULL),
	LIST_FIELD(struct create_arguments, env_vars, OPTIONAL,
	    struct compose_variable, compose_variable_fields),
	OBJECT_FIELD(struct create_arguments, metadata, OPTIONAL),
	BOOL_FIELD(struct create_arguments, auto_start, OPTIONAL),
	{ 0 },
};

/* The text to store: named containers, in whatever way the text came. */
static int
check_new_document(struct run *run, const struct create_arguments *arguments,
    const char *environment, struct buffer *text, struct document **document,
    struct error *err)
{
	const char *content = arguments->compose_content;

	if (compose_check(run->agent->compose, run->subject, content,
		strlen(content), environment, &run->arena, document, err) < 0)
		return -1;
	return document_name_containers(*document, run->subject, text, err);
}

/* NULL when there is none; with the template's part of it. */
static int
format_environment(struct run *run, const struct create_arguments *arguments,
    struct creation *creation, struct buffer *text, const char **out,
    struct error *err)
{
	size_t i;

	for (i = 0; i < arguments->env_vars_count; i++)
		if (arguments->env_vars[i].value == NULL)
			arguments->env_vars[i].value = "";
	*creation = (struct creation){ .template_id = arguments->template_id,
		.variables = arguments->env_vars,
		.variable_count = arguments->env_vars_count };
	if (creation_use_template(run, creation, err) < 0)
		return -1;
	*out = NULL;
	if (creation->variable_count == 0)
		return 0;
	if (compose_environment_format(
		creation->variables, creation->variable_count, text, err) < 0)
		return -1;
	*out = buffer_string(text);
	return 0;
}

static int
format_metadata(struct run *run, const struct create_arguments *arguments,
    const struct creation *creation, const struct document *document,
    struct buffer *text, struct error *err)
{
	auto_json struct json_object *stored = NULL;

	if (arguments->metadata != NULL &&
	    metadata_check(arguments->metadata, err) < 0)
		return -1;
	stored = arguments->metadata != NULL
		     ? json_object_get(arguments->metadata)
		     : metadata_default(run->subject, document);
	creation_complete_metadata(
	    creation, stored, arguments->metadata == NULL);
	return metadata_format(stored, text, err);
}

static int
plan_create(struct run *run, const char *text, const char *metadata,
    const char *environment, struct error *err)
{
	struct compose_files there;
	struct error failure;
	const struct compose_files after = {
		.filename = "docker-compose.yml",
		.compose = arena_strdup(&run->arena, text),
		.compose_length = strlen(text),
		.metadata = arena_strdup(&run->arena, metadata),
		.environment = arena_strdup(&run->arena, environment),
	};

	if (compose_read(run->agent->compose, run->subject, &run->arena, &there,
		&failure) == 0)
		return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
		    "deployment '%s' exists already", run->subject);
	return plan_files(run, &after);
}

static int
write_new_deployment(struct run *run, const struct create_arguments *arguments,
    const char **out_project, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(2 * COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer metadata = BUFFER(COMPOSE_TEXT_MAXIMUM);
	auto_creation struct creation creation = { 0 };
	const char *environment_text;
	struct document *document;

	if (format_environment(run, arguments, &creation, &environment,
		&environment_text, err) < 0 ||
	    check_new_document(
		run, arguments, environment_text, &text, &document, err) < 0 ||
	    format_metadata(
		run, arguments, &creation, document, &metadata, err) < 0)
		return -1;
	*out_project = compose_project_name(document, run->subject);
	if (run->plan != NULL)
		return plan_create(run, buffer_string(&text),
		    buffer_string(&metadata), environment_text, err);
	return compose_create(run->agent->compose, run->subject, text.bytes,
	    text.length, buffer_string(&metadata), environment_text,
	    creation.files, creation.file_count, err);
}

static int
create_deployment(struct run *run, struct error *err)
{
	struct create_arguments arguments = { 0 };
	const char *project;

	if (run_decode(run, create_fields, &arguments, err) < 0 ||
	    write_new_deployment(run, &arguments, &project, err) < 0)
		return -1;
	if (run->plan != NULL)
		return arguments.auto_start ? project_up(run, project, 0, err)
					    : 0;
	creation_finish(run, project, arguments.auto_start);
	return 0;
}

static unsigned int
up_flags(const struct start_arguments *arguments)
{
	return (arguments->force_recreate ? UP_FORCE_RECREATE : 0) |
	       (arguments->no_cache ? UP_NO_CACHE : 0) |
	       (arguments->fresh_pull ? UP_FRESH_PULL : 0);
}

static int
start_deployment(struct run *run, struct error *err)
{
	struct start_arguments arguments = { 0 };
	struct deployment loaded;
	int failed;

	if (run_decode(run, start_argument_fields, &arguments, err) < 0 ||
	    deployment_load_runnable(run, &loaded, err) < 0)
		return -1;
	failed = project_up(run, loaded.project, up_flags(&arguments), err);
	if (!failed)
		revision_note_start(run, &loaded);
	deployment_refresh(run, loaded.project);
	return failed;
}

/*
 * Files that cannot run, or a disk that has no room for the checked document,
 * are no reason to keep containers: they are found by their labels then.
 */
static int
by_files_or_labels(struct run *run, const struct deployment *loaded,
    int (*by_files)(struct run *, const char *, struct error *),
    int (*by_labels)(struct run *, const char *, struct error *),
    struct error *err)
{
	if (loaded->document != NULL) {
		if (by_files(run, loaded->project, err) == 0)
			return 0;
		if (err->kind != ERR_STORAGE_FULL)
			return -1;
	}
	return by_labels(run, loaded->project, err);
}

static int
stop_deployment(struct run *run, struct error *err)
{
	struct deployment loaded;
	int failed;

	if (deployment_load(run, &loaded, err) < 0)
		return -1;
	failed = by_files_or_labels(
	    run, &loaded, project_stop, project_stop_containers, err);
	deployment_refresh(run, loaded.project);
	return failed;
}

/* Restarts what is there; networks stay. Options mean a new start instead. */
static int
restart_deployment(struct run *run, struct error *err)
{
	struct start_arguments arguments = { 0 };
	struct deployment loaded;
	unsigned int flags;
	bool exists;
	int failed;

	if (run_decode(run, start_argument_fields, &arguments, err) < 0 ||
	    deployment_load_runnable(run, &loaded, err) < 0 ||
	    project_has_containers(run, loaded.project, &exists, err) < 0)
		return -1;
	flags = up_flags(&arguments);
	failed = flags == 0 && exists
		     ? project_restart(run, loaded.project, err)
		     : project_up(run, loaded.project, flags, err);
	if (!failed && !(flags == 0 && exists))
		revision_note_start(run, &loaded);
	deployment_refresh(run, loaded.project);
	return failed;
}

struct delete_arguments {
	bool delete_vhost;
};

static const struct field delete_fields[] = {
	BOOL_FIELD(struct delete_arguments, delete_vhost, OPTIONAL),
	{ 0 },
};

static int
delete_deployment(struct run *run, struct error *err)
{
	struct delete_arguments arguments = { .delete_vhost = true };
	struct json_object *items = json_object_new_array();
	struct deployment loaded;
	bool removed = false, failed;

	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put(run->result, "deleted_items", items);
	if (run_decode(run, delete_fields, &arguments, err) < 0 ||
	    deployment_load(run, &loaded, err) < 0)
		return -1;
	if (by_files_or_labels(run, &loaded, project_down,
		project_remove_containers, err) < 0) {
		deployment_refresh(run, loaded.project);
		return -1;
	}
	if (run->plan != NULL)
		return plan_files(run, NULL);
	if (arguments.delete_vhost &&
	    proxy_remove_vhost(run->agent->settings->nginx.vhost_directory,
		run->agent->settings->nginx.pid_file, run->subject, &removed,
		err) < 0)
		return -1;
	if (removed)
		json_object_array_add(
		    items, json_object_new_string("virtual_host"));
	failed = compose_trash(run->agent->compose, run->subject, err) < 0 ||
		 store_revisions_forget(run->store, run->subject, err) < 0;
	deployment_refresh(run, loaded.project);
	return failed ? -1 : 0;
}

const struct job_kind deployment_jobs[] = {
	{ JOB_CREATE, compose_name_is_valid, create_deployment,
	    .plannable = true },
	{ JOB_START, compose_name_is_valid, start_deployment,
	    .plannable = true },
	{ JOB_STOP, compose_name_is_valid, stop_deployment, .plannable = true },
	{ JOB_RESTART, compose_name_is_valid, restart_deployment,
	    .plannable = true },
	{ JOB_DELETE, compose_name_is_valid, delete_deployment,
	    .plannable = true },
	{ 0 },
};
