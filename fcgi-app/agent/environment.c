#include "agent/environment.h"

#include "agent/agent.h"
#include "agent/updates.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "jobs/protocol.h"
#include "json/fields.h"

#include <string.h>

struct environment_arguments {
	struct compose_variable *env_vars;
	size_t env_vars_count;
	bool apply;
};

static const struct field environment_fields[] = {
	LIST_FIELD(struct environment_arguments, env_vars, OPTIONAL,
	    struct compose_variable, compose_variable_fields),
	BOOL_FIELD(struct environment_arguments, apply, OPTIONAL),
	{ 0 },
};

/* The value that counts of several with that name; NULL: none. */
static const char *
stored_value(
    const struct compose_variable *variables, size_t count, const char *name)
{
	const char *value = NULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(variables[i].name, name) == 0)
			value = variables[i].value;
	return value;
}

/* Puts the values back that the client was shown masks of. */
static int
unmask(struct environment_arguments *arguments,
    const struct compose_variable *stored, size_t count, struct error *err)
{
	size_t i;

	for (i = 0; i < arguments->env_vars_count; i++) {
		struct compose_variable *variable = &arguments->env_vars[i];
		const char *value;

		if (variable->value == NULL)
			variable->value = "";
		if (strcmp(variable->value, COMPOSE_SECRET_MASK) != 0)
			continue;
		value = stored_value(stored, count, variable->name);
		if (value == NULL)
			return error_field(err, "env_vars",
			    "INVALID_ENVIRONMENT",
			    "the value of '%.128s' is a mask, and there is "
			    "none behind it",
			    variable->name);
		variable->value = value;
	}
	return 0;
}

static int
change_environment(struct run *run, struct error *err)
{
	struct environment_arguments arguments = { 0 };
	struct update update = { .reason = "environment changed" };
	struct compose_variable *stored = NULL;
	struct compose_files files;
	struct error unreadable;
	const char *text;
	size_t count = 0;

	if (run_decode(run, environment_fields, &arguments, err) < 0 ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) < 0)
		return -1;
	/* What cannot be read as one gives way. */
	text = files.environment != NULL ? files.environment : "";
	if (compose_environment_parse(
		text, &run->arena, &stored, &count, &unreadable) < 0)
		text = "";
	if (unmask(&arguments, stored, count, err) < 0 ||
	    compose_environment_edit(text, arguments.env_vars,
		arguments.env_vars_count, &run->arena, &update.environment,
		err) < 0)
		return -1;
	update.apply = arguments.apply;
	return update_apply(run, &update, err);
}

struct metadata_arguments {
	struct json_object *metadata;
};

static const struct field metadata_fields[] = {
	OBJECT_FIELD(struct metadata_arguments, metadata, REQUIRED),
	{ 0 },
};

/* What service.yml says, or would if there were one. */
static struct json_object *
read_metadata(struct run *run, const struct compose_files *files)
{
	struct json_object *metadata = NULL;
	struct document *document = NULL;
	struct error unreadable;

	if (files->metadata != NULL &&
	    metadata_parse(files->metadata, strlen(files->metadata), &metadata,
		&unreadable) == 0)
		return metadata;
	if (document_parse(files->compose, files->compose_length, &run->arena,
		&document, &unreadable) < 0)
		document = NULL;
	return metadata_default(run->subject, document);
}

static void
replace_members(struct json_object *metadata, struct json_object *changes)
{
	json_object_object_foreach(changes, name, value)
	{
		if (value == NULL)
			json_object_object_del(metadata, name);
		else
			json_put(metadata, name, json_object_get(value));
	}
}

static int
change_metadata(struct run *run, struct error *err)
{
	struct metadata_arguments arguments = { 0 };
	struct update update = { .reason = "metadata changed" };
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct compose_files files;

	if (run_decode(run, metadata_fields, &arguments, err) < 0 ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) < 0)
		return -1;
	metadata = read_metadata(run, &files);
	replace_members(metadata, arguments.metadata);
	if (metadata_check(metadata, err) < 0 ||
	    metadata_format(metadata, &text, err) < 0)
		return -1;
	update.metadata = arena_strdup(&run->arena, buffer_string(&text));
	if (update_apply(run, &update, err) < 0)
		return -1;
	if (run->plan == NULL)
		json_put(run->result, "proxy_result", NULL);
	return 0;
}

const struct job_kind environment_jobs[] = {
	{ JOB_ENVIRONMENT, compose_name_is_valid, change_environment,
	    .plannable = true },
	{ JOB_METADATA, compose_name_is_valid, change_metadata,
	    .plannable = true },
	{ 0 },
};
