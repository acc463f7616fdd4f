#include "agent/actions.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/exec.h"
#include "compose/lifecycle-arguments.h"
#include "compose/metadata.h"
#include "docker/arguments.h"
#include "docker/docker.h"
#include "jobs/protocol.h"

#include <string.h>

#define WORDS_MAXIMUM 256

static int
fail_unknown(const char *id, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "ACTION_NOT_FOUND",
	    "there is no quick action '%s'", id);
}

/* The action with the id, borrowed from metadata. */
static int
find_action(struct json_object *metadata, const char *id,
    struct json_object **out, struct error *err)
{
	struct json_object *actions = json_member(metadata, "quick_actions");
	size_t i;

	if (!json_object_is_type(actions, json_type_array))
		return fail_unknown(id, err);
	for (i = 0; i < json_object_array_length(actions); i++) {
		const char *found;

		*out = json_object_array_get_idx(actions, i);
		found = json_text(*out, "id");
		if (found != NULL && strcmp(found, id) == 0)
			return 0;
	}
	return fail_unknown(id, err);
}

static int
fail_command(struct error *err)
{
	return error_field(err, "command", "INVALID_METADATA",
	    "the command of the quick action must be a text or a list of "
	    "texts");
}

/* NULL-ended, in the arena. */
static int
read_command(struct json_object *action, struct arena *arena,
    const char *const **out, struct error *err)
{
	struct json_object *command = json_member(action, "command");
	const char **words;
	size_t count, i;

	if (json_object_is_type(command, json_type_string)) {
		words = arena_array(arena, 4, sizeof *words);
		words[0] = "sh";
		words[1] = "-c";
		words[2] = json_object_get_string(command);
		*out = words;
		return words[2][0] != '\0' ? 0 : fail_command(err);
	}
	if (!json_object_is_type(command, json_type_array))
		return fail_command(err);
	count = json_object_array_length(command);
	if (count == 0 || count > WORDS_MAXIMUM)
		return fail_command(err);
	words = arena_array(arena, count + 1, sizeof *words);
	for (i = 0; i < count; i++) {
		struct json_object *word =
		    json_object_array_get_idx(command, i);

		/* Numbers and booleans are what YAML made of words. */
		if (word == NULL ||
		    json_object_is_type(word, json_type_array) ||
		    json_object_is_type(word, json_type_object))
			return fail_command(err);
		words[i] = json_object_get_string(word);
	}
	*out = words;
	return 0;
}

static const char *
choose_service(struct json_object *action, struct json_object *metadata,
    const struct document *document)
{
	const char *choices[] = {
		json_text(action, "service"),
		json_text(metadata, "primary_service"),
		json_text(json_member(metadata, "networking"), "service"),
	};
	const struct compose_service *primary;
	size_t i;

	for (i = 0; i < sizeof choices / sizeof choices[0]; i++)
		if (choices[i] != NULL && choices[i][0] != '\0')
			return choices[i];
	primary = document != NULL ? document_primary_service(document) : NULL;
	return primary != NULL ? primary->name : "";
}

/* A running container of the service. */
static int
find_container(struct run *run, const char *project, const char *service,
    const char **out, struct error *err)
{
	struct docker_container_filter filter = { .project = project };
	struct docker_container *containers;
	size_t count, i;

	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&containers, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (strcmp(containers[i].service, service) == 0 &&
		    strcmp(containers[i].state, "running") == 0) {
			*out = containers[i].id;
			return 0;
		}
	return error_set(err, ERR_CONFLICT, "SERVICE_NOT_RUNNING",
	    "the service '%s' does not run", service);
}

static int64_t
read_timeout(struct json_object *action)
{
	int64_t timeout_s = json_int(action, "timeout", EXEC_TIMEOUT_S);

	if (timeout_s < 1)
		return EXEC_TIMEOUT_S;
	return timeout_s < EXEC_TIMEOUT_MAXIMUM_S ? timeout_s
						  : EXEC_TIMEOUT_MAXIMUM_S;
}

static int
run_command(struct run *run, const struct deployment *loaded,
    struct json_object *metadata, const char *id, struct error *err)
{
	struct json_object *action;
	struct docker_exec exec = { 0 };
	const char *service;

	if (find_action(metadata, id, &action, err) < 0 ||
	    read_command(action, &run->arena, &exec.arguments, err) < 0)
		return -1;
	service = choose_service(action, metadata, loaded->document);
	json_put_text(run->result, "service", service);
	if (find_container(
		run, loaded->project, service, &exec.container, err) < 0)
		return -1;
	return exec_in_container(run, &exec, read_timeout(action), err);
}

static int
run_action(struct run *run, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	struct action_arguments arguments = { 0 };
	struct deployment loaded;
	struct error ignored;
	const char *text;

	if (run_decode(run, action_argument_fields, &arguments, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "action_id", arguments.id);
	if (deployment_load(run, &loaded, &ignored) < 0) {
		*err = ignored;
		return -1;
	}
	text = loaded.files.metadata;
	if (text == NULL)
		return fail_unknown(arguments.id, err);
	return metadata_parse(text, strlen(text), &metadata, err) < 0
		   ? -1
		   : run_command(run, &loaded, metadata, arguments.id, err);
}

/* Several may run at once, but no change of the deployment beside them. */
const struct job_kind action_jobs[] = {
	{ JOB_ACTION, compose_name_is_valid, run_action, LANE_EXEC, true },
	{ 0 },
};
