#include "agent/deploys.h"

#include "agent/agent.h"
#include "agent/cleanup.h"
#include "agent/deployment.h"
#include "agent/mirror.h"
#include "agent/project.h"
#include "agent/updates.h"
#include "base/log.h"
#include "compose/lifecycle-arguments.h"
#include "docker/reference.h"
#include "jobs/protocol.h"

#include <string.h>

/* Services whose image comes from a registry, NULL-ended. */
static const char *const *
list_pullable(
    const struct document *document, bool only_latest, struct arena *arena)
{
	const struct compose_service *services;
	const char **out;
	size_t count, i, kept = 0;

	services = document_services(document, &count);
	out = arena_array(arena, count + 1, sizeof *out);
	for (i = 0; i < count; i++)
		if (services[i].image[0] != '\0' && !services[i].has_build &&
		    (!only_latest ||
			docker_reference_is_latest(services[i].image, arena)))
			out[kept++] = services[i].name;
	return out;
}

static void
refresh_images(struct run *run)
{
	struct error err;

	if (run->plan != NULL)
		return;
	if (mirror_refresh_images(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the images", &err);
}

static const char **
add_repository(const char **at, const char *image, struct arena *arena)
{
	struct docker_reference parts;
	struct error ignored;

	if (docker_reference_parse(image, arena, &parts, &ignored) == 0)
		*at++ = arena_printf(arena, "%s/%s", parts.host, parts.path);
	return at;
}

/* Where the services' images are from; Compose names one that it builds. */
static const char *const *
list_repositories(const struct deployment *loaded, struct arena *arena)
{
	const struct compose_service *services;
	const char **out, **at;
	size_t count, i;

	services = document_services(loaded->document, &count);
	at = out = arena_array(arena, 2 * count + 1, sizeof *out);
	for (i = 0; i < count; i++) {
		const struct compose_service *service = &services[i];

		if (service->image[0] != '\0') {
			at = add_repository(at, service->image, arena);
			continue;
		}
		at = add_repository(at,
		    arena_printf(
			arena, "%s-%s", loaded->project, service->name),
		    arena);
		at = add_repository(at,
		    arena_printf(
			arena, "%s_%s", loaded->project, service->name),
		    arena);
	}
	return out;
}

static int
clean_up(struct run *run, const struct deployment *loaded, bool all,
    bool dry_run, struct json_object *out, struct error *err)
{
	struct image_cleanup cleanup = {
		.all = all,
		.dry_run = dry_run,
		.repositories = list_repositories(loaded, &run->arena),
	};
	int failed = cleanup_images(run, &cleanup, out, err);

	if (!dry_run)
		refresh_images(run);
	return failed;
}

/*
 * Nobody asked for it by itself: what still has a name stays. So does what
 * was deployed, whatever becomes of the old images.
 */
static void
clean_up_afterwards(
    struct run *run, const struct deployment *loaded, bool wanted)
{
	auto_json struct json_object *outcome = json_object_new_object();
	struct error err;

	if (wanted && clean_up(run, loaded, false, false, outcome, &err) < 0) {
		log_error(LOG_WARNING, "cannot clean up after a deploy", &err);
		json_put_text(run->result, "cleanup_error", error_public(&err));
	}
	json_put_integer(
	    run->result, "cleanup_removed", json_int(outcome, "count", 0));
	json_put_integer(
	    run->result, "cleanup_freed", json_int(outcome, "freed_bytes", 0));
}

/* What programs have said since from. */
static void
put_output(struct run *run, const char *name, size_t from)
{
	const char *text = buffer_string(&run->output);

	json_put_text(
	    run->result, name, from < run->output.length ? text + from : "");
}

static int
pull(struct run *run, const struct deployment *loaded,
    const char *const *services, struct error *err)
{
	int failed = project_pull(run, loaded->project, services, err);

	/* What was fetched before it failed may have replaced a tag. */
	refresh_images(run);
	return failed;
}

static int
pull_deployment(struct run *run, struct error *err)
{
	struct images_pull_arguments arguments = { 0 };
	struct deployment loaded;

	if (run_decode(run, images_pull_argument_fields, &arguments, err) < 0 ||
	    deployment_load_runnable(run, &loaded, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	if (pull(run, &loaded,
		list_pullable(
		    loaded.document, arguments.only_latest, &run->arena),
		err) < 0)
		return -1;
	if (run->plan != NULL)
		return 0;
	clean_up_afterwards(run, &loaded, arguments.cleanup);
	return 0;
}

static unsigned int
flags_of(const char *action)
{
	if (strcmp(action, "rebuild") == 0)
		return UP_BUILD | UP_FORCE_RECREATE;
	return strcmp(action, "restart") == 0 ? UP_FORCE_RECREATE : 0;
}

/* Zero is no time at all, not what is configured. */
static void
set_times(struct update *update, int64_t settle_s, int64_t timeout_s)
{
	if (settle_s >= 0)
		update->settle_ms = settle_s > 0 ? settle_s * 1000 : 1;
	update->timeout_ms = timeout_s * 1000;
}

static int
roll_out(struct run *run, const struct deploy_arguments *arguments,
    const char *const *planned_pull, struct error *err)
{
	struct update update = {
		.apply = true,
		.reason =
		    arena_printf(&run->arena, "deploy: %s", arguments->action),
		.flags = flags_of(arguments->action),
		.pull = planned_pull,
	};
	size_t from = run->output.length;
	int failed;

	set_times(
	    &update, arguments->settle_seconds, arguments->timeout_seconds);
	failed = update_apply(run, &update, err);
	put_output(run, "deploy_output", from);
	return failed;
}

static int
deploy_deployment(struct run *run, struct error *err)
{
	struct deploy_arguments arguments;
	struct deployment loaded;
	const char *const *pullable;
	int failed;

	if (deploy_arguments_decode(
		run->arguments, &run->arena, &arguments, err) < 0 ||
	    deployment_load_runnable(run, &loaded, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_text(run->result, "action", arguments.action);
	json_put_text(run->result, "deploy_output", "");
	pullable =
	    list_pullable(loaded.document, arguments.only_latest, &run->arena);
	/* Pulled here and not by the update, so that clients are told of the
	 * two apart. */
	if (run->plan != NULL)
		return roll_out(
		    run, &arguments, arguments.pull ? pullable : NULL, err);
	failed = arguments.pull && pull(run, &loaded, pullable, err) < 0;
	json_put_boolean(run->result, "pulled", arguments.pull && !failed);
	put_output(run, "pull_output", 0);
	if (failed || roll_out(run, &arguments, NULL, err) < 0)
		return -1;
	clean_up_afterwards(run, &loaded, arguments.cleanup);
	return 0;
}

static int
rebuild_deployment(struct run *run, struct error *err)
{
	struct rebuild_arguments arguments = REBUILD_ARGUMENTS;
	struct update update = { .apply = true, .reason = "rebuild" };
	int failed;

	if (run_decode(run, rebuild_argument_fields, &arguments, err) < 0)
		return -1;
	set_times(&update, arguments.settle_seconds, arguments.timeout_seconds);
	update.flags = UP_BUILD | UP_FORCE_RECREATE |
		       (arguments.no_cache ? UP_NO_CACHE : 0) |
		       (arguments.fresh_pull ? UP_FRESH_PULL : 0);
	failed = update_apply(run, &update, err);
	refresh_images(run);
	return failed;
}

/* As clients of a deployment's clean-up know them: one tag, and bytes. */
static struct json_object *
describe_removed(struct json_object *removed)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < json_object_array_length(removed); i++) {
		struct json_object *image =
		    json_object_array_get_idx(removed, i);
		struct json_object *tags = json_member(image, "tags");
		struct json_object *object = json_object_new_object();

		json_put_text(object, "id", json_text(image, "id"));
		json_put_text(object, "tag",
		    json_object_array_length(tags) > 0
			? json_object_get_string(
			      json_object_array_get_idx(tags, 0))
			: "");
		json_put_integer(object, "bytes", json_int(image, "size", 0));
		json_object_array_add(list, object);
	}
	return list;
}

static int
clean_up_deployment(struct run *run, struct error *err)
{
	auto_json struct json_object *outcome = json_object_new_object();
	struct images_cleanup_arguments arguments = { 0 };
	struct deployment loaded;
	int failed;

	if (run_decode(run, images_cleanup_argument_fields, &arguments, err) <
		0 ||
	    deployment_load_runnable(run, &loaded, err) < 0)
		return -1;
	failed = clean_up(run, &loaded, true, arguments.dry_run, outcome, err);
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put(run->result, "removed",
	    describe_removed(json_member(outcome, "removed")));
	json_put_integer(
	    run->result, "freed_bytes", json_int(outcome, "freed_bytes", 0));
	json_put_integer(
	    run->result, "images_kept", json_int(outcome, "kept", 0));
	json_put_boolean(run->result, "dry_run", arguments.dry_run);
	return failed;
}

const struct job_kind deploy_jobs[] = {
	{ JOB_REBUILD, compose_name_is_valid, rebuild_deployment,
	    .plannable = true },
	{ JOB_DEPLOY, compose_name_is_valid, deploy_deployment,
	    .plannable = true },
	{ JOB_PULL, compose_name_is_valid, pull_deployment, LANE_PULLS,
	    .plannable = true },
	{ JOB_CLEANUP, compose_name_is_valid, clean_up_deployment },
	{ 0 },
};
