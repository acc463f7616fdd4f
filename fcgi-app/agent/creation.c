#include "agent/creation.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/project.h"
#include "agent/proxy-network.h"
#include "agent/revisions.h"
#include "base/log.h"
#include "settings/settings.h"
#include "store/templates.h"
#include "templates/templates.h"

#include <string.h>

static int
find_template(
    struct run *run, const char *id, struct template *out, struct error *err)
{
	if (template_get(run->store, id, &run->arena, out, err) == 0)
		return 0;
	return err->kind == ERR_NOT_FOUND
		   ? error_field(err, "template_id", "TEMPLATE_NOT_FOUND",
			 "template '%.64s' not found", id)
		   : -1;
}

int
creation_use_template(
    struct run *run, struct creation *creation, struct error *err)
{
	struct template_place place = { run->subject,
		run->agent->settings->proxy_network };
	struct template template;

	if (creation->template_id == NULL || *creation->template_id == '\0')
		return 0;
	if (find_template(run, creation->template_id, &template, err) < 0 ||
	    template_environment(&template, &place, creation->variables,
		creation->variable_count, &run->arena, &creation->variables,
		&creation->variable_count, err) < 0 ||
	    template_files(&template, &place, creation->variables,
		creation->variable_count, &run->arena, &creation->files,
		&creation->file_count, err) < 0)
		return -1;
	return json_parse_trusted(template.metadata, strlen(template.metadata),
	    &creation->template_metadata, err);
}

void
creation_clear(struct creation *creation)
{
	json_object_put(TAKE(creation->template_metadata));
}

static void
put_missing(
    struct json_object *object, const char *name, struct json_object *value)
{
	if (value != NULL && json_member(object, name) == NULL)
		json_put(object, name, json_object_get(value));
}

/*
 * The default says "/" over HTTP; a template knows better what answers. Of
 * what is no web service none is left, so that Docker's alone counts.
 */
static void
replace_default(struct json_object *template, struct json_object *metadata)
{
	struct json_object *healthcheck = json_member(template, "healthcheck");

	if (healthcheck != NULL)
		json_put(metadata, "healthcheck", json_object_get(healthcheck));
	else if (strcmp(json_text(template, "type"), TEMPLATE_INFRASTRUCTURE) ==
		 0)
		json_object_object_del(metadata, "healthcheck");
	put_missing(json_member(metadata, "networking"), "container_port",
	    json_member(template, "container_port"));
}

void
creation_complete_metadata(const struct creation *creation,
    struct json_object *metadata, bool is_default)
{
	struct json_object *template = creation->template_metadata;

	if (template == NULL)
		return;
	json_put_text(metadata, "template", creation->template_id);
	put_missing(
	    metadata, "quick_actions", json_member(template, "quick_actions"));
	if (is_default)
		replace_default(template, metadata);
}

void
creation_finish(struct run *run, const char *project, bool start)
{
	struct deployment loaded;
	struct error failure;
	bool started = false;

	revision_note_create(run);
	if (run->result == NULL)
		run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	proxy_network_ensure(run);
	if (start) {
		started = project_up(run, project, 0, &failure) == 0;
		if (!started)
			log_error(LOG_WARNING, "a new deployment did not start",
			    &failure);
	}
	json_put_text(run->result, "start_error",
	    start && !started ? error_public(&failure) : "");
	if (start)
		json_put_text(run->result, "start_error_code",
		    started ? "" : error_code(&failure));
	if (started && deployment_load(run, &loaded, &failure) == 0)
		revision_note_start(run, &loaded);
	json_put_boolean(run->result, "auto_started", started);
	json_put(run->result, "proxy_result", NULL);
	deployment_refresh(run, project);
}
