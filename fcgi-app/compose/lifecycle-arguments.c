#include "compose/lifecycle-arguments.h"

#include "compose/compose.h"

#include <string.h>

#define SETTLE_MAXIMUM 600
#define TIMEOUT_MAXIMUM 3600

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, text) == 0)
			return true;
	return false;
}

bool
service_action_is_valid(const char *action)
{
	static const char *const actions[] = { "start", "stop", "restart",
		"rebuild", "pull", NULL };

	return is_one_of(action, actions);
}

static bool
deploy_action_is_valid(const char *action)
{
	static const char *const actions[] = { "start", "restart", "rebuild",
		NULL };

	return is_one_of(action, actions);
}

const struct field start_argument_fields[] = {
	BOOL_FIELD(struct start_arguments, force_recreate, OPTIONAL),
	BOOL_FIELD(struct start_arguments, no_cache, OPTIONAL),
	BOOL_FIELD(struct start_arguments, fresh_pull, OPTIONAL),
	{ 0 },
};

#define TIME_FIELDS(type_)                                                 \
	INTEGER_FIELD(type_, settle_seconds, OPTIONAL, 0, SETTLE_MAXIMUM), \
	    INTEGER_FIELD(                                                 \
		type_, timeout_seconds, OPTIONAL, 1, TIMEOUT_MAXIMUM)

const struct field rebuild_argument_fields[] = {
	BOOL_FIELD(struct rebuild_arguments, force_recreate, OPTIONAL),
	BOOL_FIELD(struct rebuild_arguments, no_cache, OPTIONAL),
	BOOL_FIELD(struct rebuild_arguments, fresh_pull, OPTIONAL),
	TIME_FIELDS(struct rebuild_arguments),
	{ 0 },
};

const struct field service_argument_fields[] = {
	CODED_FIELD(struct service_arguments, service, OPTIONAL,
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	STRING_FIELD(struct service_arguments, action, OPTIONAL,
	    service_action_is_valid, "start, stop, restart, rebuild or pull"),
	BOOL_FIELD(struct service_arguments, force_recreate, OPTIONAL),
	BOOL_FIELD(struct service_arguments, no_cache, OPTIONAL),
	BOOL_FIELD(struct service_arguments, fresh_pull, OPTIONAL),
	{ 0 },
};

const struct field deploy_argument_fields[] = {
	STRING_FIELD(struct deploy_arguments, action, OPTIONAL,
	    deploy_action_is_valid, "start, restart or rebuild"),
	BOOL_FIELD(struct deploy_arguments, pull, OPTIONAL),
	BOOL_FIELD(struct deploy_arguments, only_latest, OPTIONAL),
	BOOL_FIELD(struct deploy_arguments, cleanup, OPTIONAL),
	TIME_FIELDS(struct deploy_arguments),
	{ 0 },
};

int
deploy_arguments_decode(struct json_object *object, struct arena *arena,
    struct deploy_arguments *out, struct error *err)
{
	*out = (struct deploy_arguments){
		.action = "restart",
		.pull = true,
		.settle_seconds = -1,
	};
	if (object == NULL) {
		out->cleanup = true;
		return 0;
	}
	if (fields_decode(deploy_argument_fields, object, arena, out, err) < 0)
		return -1;
	if (json_member(object, "cleanup") == NULL)
		out->cleanup = out->pull;
	return 0;
}

const struct field images_pull_argument_fields[] = {
	BOOL_FIELD(struct images_pull_arguments, only_latest, OPTIONAL),
	BOOL_FIELD(struct images_pull_arguments, cleanup, OPTIONAL),
	{ 0 },
};

const struct field images_cleanup_argument_fields[] = {
	BOOL_FIELD(struct images_cleanup_arguments, dry_run, OPTIONAL),
	{ 0 },
};

static bool
action_id_is_valid(const char *text)
{
	return strlen(text) <= ACTION_ID_MAXIMUM;
}

const struct field action_argument_fields[] = {
	STRING_FIELD(struct action_arguments, id, REQUIRED, action_id_is_valid,
	    "at most 128 bytes"),
	{ 0 },
};
