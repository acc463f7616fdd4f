#include "agent/registries.h"

#include "agent/agent.h"
#include "jobs/protocol.h"
#include "store/credentials.h"
#include "store/mirror.h"
#include "store/store.h"
#include "json/fields.h"

#include <string.h>

struct registry_arguments {
	const char *name, *auth_type, *login_url, *docs_url, *icon;
	struct json_object *url_patterns;
};

#define REGISTRY_TEXT(member, is_valid, expected) \
	STRING_FIELD(                             \
	    struct registry_arguments, member, OPTIONAL, is_valid, expected)

static const struct field registry_fields[] = {
	REGISTRY_TEXT(name, registry_text_is_valid, "a short text"),
	REGISTRY_TEXT(auth_type, registry_auth_is_valid, "basic or token"),
	REGISTRY_TEXT(login_url, registry_text_is_valid, "a short text"),
	REGISTRY_TEXT(docs_url, registry_text_is_valid, "a short text"),
	REGISTRY_TEXT(icon, registry_text_is_valid, "a short text"),
	{ 0 },
};

/* What is not given stays. */
static int
apply_arguments(struct run *run, struct registry_type *type, struct error *err)
{
	struct json_object *patterns =
	    json_member(run->arguments, "url_patterns");
	struct registry_arguments arguments = {
		.name = type->name,
		.auth_type = type->auth_type,
		.login_url = type->login_url,
		.docs_url = type->docs_url,
		.icon = type->icon,
	};

	if (run_decode(run, registry_fields, &arguments, err) < 0)
		return -1;
	if (patterns != NULL) {
		if (registry_patterns_check(patterns, err) < 0)
			return -1;
		type->url_patterns =
		    arena_strdup(&run->arena, json_serialize(patterns, NULL));
	}
	type->name = arguments.name;
	type->auth_type = arguments.auth_type;
	type->login_url = arguments.login_url;
	type->docs_url = arguments.docs_url;
	type->icon = arguments.icon;
	return 0;
}

static int
check_room(struct run *run, struct error *err)
{
	struct registry_type *types;
	size_t count;

	if (registry_type_list(run->store, &run->arena, &types, &count, err) <
	    0)
		return -1;
	return count < REGISTRY_TYPES_MAXIMUM
		   ? 0
		   : error_set(err, ERR_CONFLICT, "CONFLICT",
			 "there are %d registry types already",
			 REGISTRY_TYPES_MAXIMUM);
}

typedef int write_type(
    struct store *store, const struct registry_type *type, struct error *err);

/* Writes in a transaction that gives lists a new ETag, and reads it back. */
static int
write_and_answer(struct run *run, write_type *write,
    const struct registry_type *type, struct error *err)
{
	struct registry_type written;

	if (store_begin(run->store, err) < 0)
		return -1;
	if (write(run->store, type, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	if (mirror_commit(run->store, true, err) < 0 ||
	    registry_type_get(
		run->store, type->slug, &run->arena, &written, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put(run->result, "registry_type", registry_type_to_json(&written));
	return 0;
}

static int
create_registry(struct run *run, struct error *err)
{
	struct registry_type type = { .slug = run->subject,
		.name = run->subject,
		.url_patterns = "[]",
		.auth_type = "basic",
		.login_url = "",
		.docs_url = "",
		.icon = "" };

	if (check_room(run, err) < 0 || apply_arguments(run, &type, err) < 0)
		return -1;
	return write_and_answer(run, registry_type_insert, &type, err);
}

static int
update_registry(struct run *run, struct error *err)
{
	struct registry_type type;

	if (registry_type_get(
		run->store, run->subject, &run->arena, &type, err) < 0 ||
	    apply_arguments(run, &type, err) < 0)
		return -1;
	return write_and_answer(run, registry_type_update, &type, err);
}

/* Who uses it is told with the refusal. */
static int
check_unused(struct run *run, struct error *err)
{
	struct json_object *users = json_object_new_array();
	struct credential *rows;
	size_t count, i;

	run->result = json_object_new_object();
	json_put(run->result, "used_by", users);
	if (credential_list(run->store, &run->arena, &rows, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (strcmp(rows[i].registry_type, run->subject) == 0)
			json_object_array_add(
			    users, json_object_new_string(rows[i].name));
	if (json_object_array_length(users) > 0)
		return error_set(err, ERR_CONFLICT, "IN_USE",
		    "credentials are of this registry type");
	json_object_put(TAKE(run->result));
	return 0;
}

static int
delete_registry(struct run *run, struct error *err)
{
	struct registry_type type;

	if (registry_type_get(
		run->store, run->subject, &run->arena, &type, err) < 0)
		return -1;
	if ((!type.is_builtin && check_unused(run, err) < 0) ||
	    store_begin(run->store, err) < 0)
		return -1;
	if (registry_type_delete(run->store, run->subject, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	return mirror_commit(run->store, true, err);
}

const struct job_kind registry_jobs[] = {
	{ JOB_REGISTRY_CREATE, registry_slug_is_valid, create_registry,
	    LANE_ENGINE, false },
	{ JOB_REGISTRY_UPDATE, registry_slug_is_valid, update_registry,
	    LANE_ENGINE, false },
	{ JOB_REGISTRY_DELETE, registry_slug_is_valid, delete_registry,
	    LANE_ENGINE, false },
	{ 0 },
};
