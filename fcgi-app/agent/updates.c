#include "agent/updates.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/project.h"
#include "compose/metadata.h"
#include "jobs/protocol.h"
#include "store/revisions.h"
#include "json/fields.h"

#include <string.h>

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
follow_services(struct run *run, const struct deployment *before,
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
write_update(struct run *run, const struct deployment *before,
    const struct update *update, struct document **document,
    int64_t *revision_number, struct error *err)
{
	const char *content =
	    update->compose != NULL ? update->compose : before->files.compose;
	const char *environment = update->environment != NULL
				      ? update->environment
				      : before->files.environment;
	struct compose *compose = run->agent->compose;
	struct revision revision = {
		.deployment = run->subject,
		.filename = before->files.filename,
		.compose = before->files.compose,
		.metadata = before->files.metadata,
		.environment = before->files.environment,
		.actor = run->actor,
		.job_id = run->id,
	};

	if (compose_check(compose, run->subject, content, strlen(content),
		environment, &run->arena, document, err) < 0 ||
	    store_revision_add(run->store, &revision, revision_number, err) < 0)
		return -1;
	if (update->environment != NULL &&
	    compose_write(compose, run->subject, ".env.flatrun", environment,
		strlen(environment), 0600, err) < 0)
		return -1;
	if (update->compose != NULL &&
	    compose_write(compose, run->subject, before->files.filename,
		content, strlen(content), 0644, err) < 0)
		return -1;
	return update->metadata == NULL
		   ? follow_services(run, before, *document, err)
		   : compose_write(compose, run->subject, "service.yml",
			 update->metadata, strlen(update->metadata), 0644, err);
}

int
update_apply(struct run *run, const struct update *update, struct error *err)
{
	struct deployment before;
	struct document *document;
	const char *project;
	int64_t revision;
	bool needs_apply = false;
	int failed = 0;

	if (deployment_load(run, &before, err) < 0 ||
	    write_update(run, &before, update, &document, &revision, err) < 0)
		return -1;
	project = compose_project_name(document, run->subject);
	if (run->result == NULL)
		run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_integer(run->result, "revision", revision);
	if (update->apply)
		failed = project_up(run, project, update->flags, err);
	deployment_refresh(run, project);
	if (!update->apply || failed)
		needs_apply = project_differs(run, project);
	json_put_boolean(run->result, "needs_apply", needs_apply);
	json_put_boolean(run->result, "applied", update->apply && !failed);
	return failed;
}

static int
update_deployment(struct run *run, struct error *err)
{
	struct update_arguments arguments = { 0 };
	struct update update = { 0 };

	if (run_decode(run, update_fields, &arguments, err) < 0)
		return -1;
	update.compose = arguments.compose_content;
	update.apply = arguments.apply;
	return update_apply(run, &update, err);
}

const struct job_kind update_jobs[] = {
	{ JOB_UPDATE, compose_name_is_valid, update_deployment },
	{ 0 },
};
