#include "agent/conditions.h"

#include "agent/agent.h"
#include "agent/plan.h"
#include "agent/version.h"
#include "compose/compose.h"

#include <string.h>

/* Whether the version is in the list, or the list is "*". */
static bool
has_version(struct json_object *list, const char *version)
{
	size_t i, count = json_object_array_length(list);

	for (i = 0; i < count; i++) {
		const char *one =
		    json_object_get_string(json_object_array_get_idx(list, i));

		if (one != NULL &&
		    (strcmp(one, "*") == 0 || strcmp(one, version) == 0))
			return true;
	}
	return false;
}

/* version NULL: there is no deployment. */
static int
fail(struct run *run, const char *version, struct error *err)
{
	if (version == NULL)
		return error_set(err, ERR_PRECONDITION, NULL,
		    "deployment '%s' does not exist", run->subject);
	if (run->result == NULL)
		run->result = json_object_new_object();
	json_put_text(run->result, "version", version);
	return error_set(err, ERR_PRECONDITION, NULL,
	    "deployment '%s' is of another version", run->subject);
}

static int
check_versions(struct run *run, struct json_object *match,
    struct json_object *none, struct error *err)
{
	char text[SEAL_TEXT_SIZE];
	struct compose_files files;
	const char *version = NULL;

	if (compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) == 0) {
		version_of_files(run->agent, &files, text);
		version = text;
	} else if (err->kind != ERR_NOT_FOUND) {
		return -1;
	}
	if (match != NULL && (version == NULL || !has_version(match, version)))
		return fail(run, version, err);
	if (none != NULL && version != NULL && has_version(none, version))
		return fail(run, version, err);
	return 0;
}

static int
read_list(struct json_object *conditions, const char *name,
    struct json_object **out, struct error *err)
{
	*out = json_member(conditions, name);
	if (*out != NULL && !json_object_is_type(*out, json_type_array))
		return error_field(err, name, NULL, "%s is no list", name);
	return 0;
}

int
conditions_check(
    struct run *run, const struct job_kind *kind, struct error *err)
{
	struct json_object *match, *none;
	const char *plan_id;

	if (run->conditions == NULL)
		return 0;
	if (strncmp(kind->name, "deployment.", 11) != 0)
		return error_set(err, ERR_INVALID, NULL,
		    "only deployments have preconditions");
	if (read_list(run->conditions, "if_match", &match, err) < 0 ||
	    read_list(run->conditions, "if_none_match", &none, err) < 0)
		return -1;
	if ((match != NULL || none != NULL) &&
	    check_versions(run, match, none, err) < 0)
		return -1;
	plan_id = json_text(run->conditions, "plan_id");
	return plan_id != NULL ? plan_verify(run, kind, plan_id, err) : 0;
}
