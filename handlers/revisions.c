/* /deployments/:name/revisions: what the files were, and going back to it. */
#include "store/revisions.h"

#include "app.h"
#include "base/clock.h"
#include "base/diff.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "compose/update-arguments.h"
#include "handlers/deployments.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/mirror.h"

#include <stdlib.h>
#include <string.h>

#define DIFF_MAXIMUM ((size_t)8 * 1024 * 1024)

static const char *
time_text(struct arena *arena, int64_t at_ms)
{
	return at_ms > 0 ? clock_text_ms(arena, at_ms) : NULL;
}

static struct json_object *
render_revision(const struct revision *revision, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_put_integer(object, "number", revision->number);
	json_put_text(object, "state", revision_state_name(revision->state));
	json_put_boolean(object, "current", revision->is_current);
	json_put_text(object, "actor", revision->actor);
	json_put_text(object, "reason", revision->reason);
	json_put_text(object, "job_id", revision->job_id);
	json_put_text(
	    object, "created_at", time_text(arena, revision->created_at_ms));
	json_put_text(
	    object, "applied_at", time_text(arena, revision->applied_at_ms));
	json_put(object, "restores",
	    revision->restores > 0 ? json_object_new_int64(revision->restores)
				   : NULL);
	json_put(object, "images",
	    rendering_array(
		revision->images != NULL ? revision->images : "[]"));
	return object;
}

static int
list_revisions(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "revisions" };
	struct mirror_deployment deployment;
	struct revision *revisions;
	int64_t limit, offset, total;
	size_t count, i;

	if (deployment_find(request, &deployment, err) < 0 ||
	    request_query_integer(request, "limit", 100, 1, 1000, &limit, err) <
		0 ||
	    request_query_integer(
		request, "offset", 0, 0, 999999999, &offset, err) < 0 ||
	    store_revision_list(request->store, deployment.name, limit, offset,
		request->arena, &revisions, &count, &total, err) < 0)
		return -1;
	payload.data = json_object_new_array();
	for (i = 0; i < count; i++)
		json_object_array_add(payload.data,
		    render_revision(&revisions[i], request->arena));
	payload.extras = json_object_new_object();
	if (request->app->settings->api.envelope != ENVELOPE_DATA)
		json_put(
		    payload.extras, "items", json_object_get(payload.data));
	json_put_integer(payload.extras, "total", total);
	json_put_integer(payload.extras, "limit", limit);
	json_put_integer(payload.extras, "offset", offset);
	return reply_payload(request, reply, 200, &payload);
}

/* No value is in it; one that cannot be read has nothing in it. */
static const char *
mask_environment(const char *text, const char *before, struct arena *arena)
{
	const char *masked =
	    compose_environment_mask(text, before, " (changed)", arena);

	return masked != NULL || text == NULL ? masked : "";
}

static int
make_diff(const struct revision *old, const struct revision *new,
    struct arena *arena, struct buffer *out, struct error *err)
{
	static const struct revision none;

	if (old == NULL)
		old = &none;
	if (diff_unified(new->filename, old->compose, new->compose, out, err) <
		0 ||
	    diff_unified(
		"service.yml", old->metadata, new->metadata, out, err) < 0)
		return -1;
	return diff_unified(".env.flatrun",
	    mask_environment(old->environment, NULL, arena),
	    mask_environment(new->environment, old->environment, arena), out,
	    err);
}

static int
add_diff(struct request *request, const struct revision *revision,
    struct json_object *object, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(DIFF_MAXIMUM);
	struct revision before;
	bool found;

	if (store_revision_before(request->store, revision->deployment,
		revision->number, request->arena, &before, &found, err) < 0 ||
	    make_diff(found ? &before : NULL, revision, request->arena, &text,
		err) < 0)
		return -1;
	json_put(object, "previous",
	    found ? json_object_new_int64(before.number) : NULL);
	json_put_text(object, "diff", buffer_string(&text));
	return 0;
}

/* null for one that is missing, or was never YAML. */
static struct json_object *
render_metadata(const char *text)
{
	struct json_object *metadata = NULL;
	struct error ignored;

	if (text == NULL ||
	    metadata_parse(text, strlen(text), &metadata, &ignored) < 0)
		return NULL;
	return metadata;
}

static int
read_number(const struct request *request, int64_t *out, struct error *err)
{
	const char *text = request_parameter(request, "number");
	size_t length = strspn(text, "0123456789");

	*out = 0;
	if (length > 0 && length < 10 && text[length] == '\0')
		*out = strtol(text, NULL, 10);
	return *out > 0 ? 0
			: error_field(err, "number", NULL,
			      "the revision must be a number from 1");
}

static int
get_revision(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .key = "revision" };
	struct mirror_deployment deployment;
	struct revision revision;
	int64_t number;

	if (deployment_find(request, &deployment, err) < 0 ||
	    read_number(request, &number, err) < 0 ||
	    store_revision_get(request->store, deployment.name, number,
		request->arena, &revision, err) < 0)
		return -1;
	payload.data = render_revision(&revision, request->arena);
	json_put_text(payload.data, "compose_filename", revision.filename);
	json_put_text(payload.data, "compose_content", revision.compose);
	json_put(payload.data, "metadata", render_metadata(revision.metadata));
	if (add_diff(request, &revision, payload.data, err) < 0) {
		json_object_put(payload.data);
		return -1;
	}
	return reply_payload(request, reply, 200, &payload);
}

static int
roll_back(struct request *request, struct reply *reply, struct error *err)
{
	struct rollback_arguments input = ROLLBACK_ARGUMENTS;
	struct change change = { .kind = JOB_ROLLBACK,
		.status = 200,
		.message = "Deployment rolled back",
		.output_name = "output" };
	struct revision revision;
	const char *name;

	if (change_subject(request, &name, err) < 0 ||
	    request_decode(request, &input, err) < 0)
		return -1;
	if (input.revision > 0 &&
	    store_revision_get(request->store, name, input.revision,
		request->arena, &revision, err) < 0)
		return -1;
	change.arguments =
	    fields_select(rollback_argument_fields, request->json);
	json_object_object_del(change.arguments, "resume");
	return deployment_change(request, reply, &change, err);
}

const struct route revision_routes[] = {
	{ "GET", "/deployments/:name/revisions", ROLE_VIEWER, list_revisions },
	{ "GET", "/deployments/:name/revisions/:number", ROLE_VIEWER,
	    get_revision },
	{ "POST", "/deployments/:name/rollback", ROLE_OPERATOR, roll_back,
	    .body = rollback_argument_fields },
	{ 0 },
};
