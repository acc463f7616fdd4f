#include "agent/deployments.h"

#include "agent/agent.h"
#include "agent/directories.h"
#include "agent/mirror.h"
#include "agent/project.h"
#include "base/log.h"
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
	const char *compose_content;
	struct compose_variable *env_vars;
	size_t env_vars_count;
	struct json_object *metadata;
	bool auto_start;
};

static const struct field variable_fields[] = {
	RENAMED_FIELD(struct compose_variable, name, "key", REQUIRED,
	    compose_variable_name_is_valid, "a variable name",
	    "INVALID_ENVIRONMENT"),
	STRING_FIELD(struct compose_variable, value, OPTIONAL, NULL, NULL),
	{ 0 },
};

static const struct field create_fields[] = {
	TEXT_FIELD(struct create_arguments, compose_content, REQUIRED,
	    COMPOSE_TEXT_MAXIMUM),
	LIST_FIELD(struct create_arguments, env_vars, OPTIONAL,
	    struct compose_variable, variable_fields),
	OBJECT_FIELD(struct create_arguments, metadata, OPTIONAL),
	BOOL_FIELD(struct create_arguments, auto_start, OPTIONAL),
	{ 0 },
};

static int
decode(
    struct run *run, const struct field *fields, void *out, struct error *err)
{
	return fields_decode(fields, run->arguments, &run->arena, out, err);
}

/* The files of the job's deployment, and its project's name. */
struct loaded {
	struct compose_files files;
	struct document *document; /* NULL when it cannot run */
	const char *project;
};

/* The project whose containers they are, although the files cannot run. */
static const char *
project_of_files(struct run *run, const struct compose_files *files)
{
	struct document *document;
	struct error ignored;

	return document_parse(files->compose, files->compose_length,
		   &run->arena, &document, &ignored) < 0
		   ? run->subject
		   : compose_project_name(document, run->subject);
}

/* Reads the deployment; *err then also says why its document cannot run. */
static int
load(struct run *run, struct loaded *out, struct error *err)
{
	struct compose *compose = run->agent->compose;

	memset(out, 0, sizeof *out);
	if (compose_read(compose, run->subject, &run->arena, &out->files, err) <
	    0)
		return -1;
	out->project = run->subject;
	if (compose_check(compose, run->subject, out->files.compose,
		out->files.compose_length, out->files.environment, &run->arena,
		&out->document, err) < 0) {
		out->document = NULL;
		out->project = project_of_files(run, &out->files);
		return 0;
	}
	out->project = compose_project_name(out->document, run->subject);
	return 0;
}

static int
load_runnable(struct run *run, struct loaded *out, struct error *err)
{
	if (load(run, out, err) < 0)
		return -1;
	return out->document != NULL ? 0 : -1;
}

/* The mirror after a change; what fails here is repeated by the keepers. */
static void
refresh(struct run *run, const char *project)
{
	struct error err;

	if (directories_refresh(run->agent, run->store, run->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a deployment", &err);
	if (mirror_refresh_project(
		run->agent->mirror, run->store, project, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a project", &err);
}

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

static int
write_new_deployment(struct run *run, const struct create_arguments *arguments,
    const char **out_project, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(2 * COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer metadata = BUFFER(COMPOSE_TEXT_MAXIMUM);
	auto_json struct json_object *stored = NULL;
	const char *environment_text = NULL;
	struct document *document;
	size_t i;

	for (i = 0; i < arguments->env_vars_count; i++)
		if (arguments->env_vars[i].value == NULL)
			arguments->env_vars[i].value = "";
	if (arguments->env_vars_count > 0) {
		if (compose_environment_format(arguments->env_vars,
			arguments->env_vars_count, &environment, err) < 0)
			return -1;
		environment_text = buffer_string(&environment);
	}
	if (check_new_document(
		run, arguments, environment_text, &text, &document, err) < 0)
		return -1;
	if (arguments->metadata != NULL &&
	    metadata_check(arguments->metadata, err) < 0)
		return -1;
	stored = arguments->metadata != NULL
		     ? json_object_get(arguments->metadata)
		     : metadata_default(run->subject, document);
	if (metadata_format(stored, &metadata, err) < 0)
		return -1;
	*out_project = compose_project_name(document, run->subject);
	return compose_create(run->agent->compose, run->subject, text.bytes,
	    text.length, buffer_string(&metadata), environment_text, err);
}

/*
 * A start that fails leaves the deployment, stopped: the client is told and
 * can correct it, start it or delete it.
 */
static int
create_deployment(struct run *run, struct error *err)
{
	struct create_arguments arguments = { 0 };
	struct error failure;
	const char *project;
	bool started = false;

	if (decode(run, create_fields, &arguments, err) < 0 ||
	    write_new_deployment(run, &arguments, &project, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	if (arguments.auto_start) {
		started = project_up(run, project, 0, &failure) == 0;
		if (!started)
			log_error(LOG_WARNING, "a new deployment did not start",
			    &failure);
		json_put_text(run->result, "start_error",
		    started ? "" : error_public(&failure));
		json_put_text(run->result, "start_error_code",
		    started ? "" : error_code(&failure));
	} else {
		json_put_text(run->result, "start_error", "");
	}
	json_put_boolean(run->result, "auto_started", started);
	json_put(run->result, "proxy_result", NULL);
	refresh(run, project);
	return 0;
}

struct start_arguments {
	bool force_recreate, no_cache, fresh_pull;
};

static const struct field start_fields[] = {
	BOOL_FIELD(struct start_arguments, force_recreate, OPTIONAL),
	BOOL_FIELD(struct start_arguments, no_cache, OPTIONAL),
	BOOL_FIELD(struct start_arguments, fresh_pull, OPTIONAL),
	{ 0 },
};

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
	struct loaded loaded;
	int failed;

	if (decode(run, start_fields, &arguments, err) < 0 ||
	    load_runnable(run, &loaded, err) < 0)
		return -1;
	failed = project_up(run, loaded.project, up_flags(&arguments), err);
	refresh(run, loaded.project);
	return failed;
}

/*
 * Files that cannot run, or a disk that has no room for the checked document,
 * are no reason to keep containers: they are found by their labels then.
 */
static int
by_files_or_labels(struct run *run, const struct loaded *loaded,
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
	struct loaded loaded;
	int failed;

	if (load(run, &loaded, err) < 0)
		return -1;
	failed = by_files_or_labels(
	    run, &loaded, project_stop, project_stop_containers, err);
	refresh(run, loaded.project);
	return failed;
}

/* Restarts what is there; networks stay. Options mean a new start instead. */
static int
restart_deployment(struct run *run, struct error *err)
{
	struct start_arguments arguments = { 0 };
	struct loaded loaded;
	unsigned int flags;
	bool exists;
	int failed;

	if (decode(run, start_fields, &arguments, err) < 0 ||
	    load_runnable(run, &loaded, err) < 0 ||
	    project_has_containers(run, loaded.project, &exists, err) < 0)
		return -1;
	flags = up_flags(&arguments);
	failed = flags == 0 && exists
		     ? project_restart(run, loaded.project, err)
		     : project_up(run, loaded.project, flags, err);
	refresh(run, loaded.project);
	return failed;
}

struct update_arguments {
	const char *compose_content;
	bool apply;
};

static const struct field update_fields[] = {
	TEXT_FIELD(struct update_arguments, compose_content, REQUIRED,
	    COMPOSE_TEXT_MAXIMUM),
	BOOL_FIELD(struct update_arguments, apply, OPTIONAL),
	{ 0 },
};

static bool
has_service(const struct document *document, const char *name)
{
	const struct compose_service *services;
	size_t count, i;

	services = document_services(document, &count);
	for (i = 0; i < count; i++)
		if (strcmp(services[i].name, name) == 0)
			return true;
	return false;
}

/*
 * service.yml names the service that answers for the deployment: when the new
 * document has no such service, its primary one takes the place. Otherwise
 * the file, which people write by hand too, is left alone.
 */
static int
follow_services(struct run *run, const struct loaded *before,
    const struct document *document, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const struct compose_service *primary =
	    document_primary_service(document);
	struct json_object *networking;
	const char *service;
	struct error ignored;

	if (before->files.metadata == NULL || primary == NULL ||
	    metadata_parse(before->files.metadata,
		strlen(before->files.metadata), &metadata, &ignored) < 0)
		return 0;
	networking = json_member(metadata, "networking");
	service = json_text(networking, "service");
	if (service == NULL || has_service(document, service))
		return 0;
	json_put_text(networking, "service", primary->name);
	if (primary->container_port > 0)
		json_put_integer(
		    networking, "container_port", primary->container_port);
	if (metadata_format(metadata, &text, err) < 0)
		return -1;
	return compose_write(run->agent->compose, run->subject, "service.yml",
	    text.bytes, text.length, 0644, err);
}

/* The files as they were become a revision before the new one is written. */
static int
write_update(struct run *run, const struct loaded *before,
    const struct update_arguments *arguments, struct document **document,
    int64_t *revision_number, struct error *err)
{
	const char *content = arguments->compose_content;
	struct revision revision = {
		.deployment = run->subject,
		.filename = before->files.filename,
		.compose = before->files.compose,
		.metadata = before->files.metadata,
		.environment = before->files.environment,
		.actor = run->actor,
		.job_id = run->id,
	};

	if (compose_check(run->agent->compose, run->subject, content,
		strlen(content), before->files.environment, &run->arena,
		document, err) < 0 ||
	    store_revision_add(run->store, &revision, revision_number, err) <
		0 ||
	    compose_write(run->agent->compose, run->subject,
		before->files.filename, content, strlen(content), 0644,
		err) < 0)
		return -1;
	return follow_services(run, before, *document, err);
}

static int
update_deployment(struct run *run, struct error *err)
{
	struct update_arguments arguments = { 0 };
	struct loaded before;
	struct document *document;
	const char *project;
	int64_t revision;
	bool needs_apply = false;
	int failed = 0;

	if (decode(run, update_fields, &arguments, err) < 0 ||
	    load(run, &before, err) < 0 ||
	    write_update(run, &before, &arguments, &document, &revision, err) <
		0)
		return -1;
	project = compose_project_name(document, run->subject);
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_integer(run->result, "revision", revision);
	if (arguments.apply)
		failed = project_up(run, project, 0, err);
	refresh(run, project);
	if (!arguments.apply || failed)
		needs_apply = project_differs(run, project);
	json_put_boolean(run->result, "needs_apply", needs_apply);
	json_put_boolean(run->result, "applied", arguments.apply && !failed);
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
	struct loaded loaded;
	bool removed = false, failed;

	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put(run->result, "deleted_items", items);
	if (decode(run, delete_fields, &arguments, err) < 0 ||
	    load(run, &loaded, err) < 0)
		return -1;
	if (by_files_or_labels(run, &loaded, project_down,
		project_remove_containers, err) < 0) {
		refresh(run, loaded.project);
		return -1;
	}
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
	refresh(run, loaded.project);
	return failed ? -1 : 0;
}

const struct job_kind deployment_jobs[] = {
	{ JOB_CREATE, compose_name_is_valid, create_deployment },
	{ JOB_UPDATE, compose_name_is_valid, update_deployment },
	{ JOB_START, compose_name_is_valid, start_deployment },
	{ JOB_STOP, compose_name_is_valid, stop_deployment },
	{ JOB_RESTART, compose_name_is_valid, restart_deployment },
	{ JOB_DELETE, compose_name_is_valid, delete_deployment },
	{ 0 },
};
