#include "agent/updates.h"

#include "agent/agent.h"
#include "agent/cause.h"
#include "agent/deployment.h"
#include "agent/going-back.h"
#include "agent/plan.h"
#include "agent/ports.h"
#include "agent/project.h"
#include "agent/revision-images.h"
#include "agent/revisions.h"
#include "agent/settling.h"
#include "base/clock.h"
#include "base/log.h"
#include "compose/metadata.h"
#include "settings/settings.h"
#include "store/revisions.h"
#include "store/store.h"
#include "store/updates.h"

#include <string.h>

/* One change under way; all of it is in the run's arena. */
struct change {
	struct run *run;
	const struct update *options;
	struct deployment before;
	struct compose_files after;
	struct document *document; /* of after, as the next two */
	const char *project;
	struct revision next;
	struct revision disk; /* what was there */
	struct revision back; /* what is gone back to: that, as a rule */
	struct docker_container *containers; /* as they were */
	size_t count;
	enum update_before state;
	bool disk_ran; /* what ran was what is on the disk */
	bool touched;  /* containers may not be what they were */
	struct json_object *cause;
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
follow_services(struct change *change, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const struct compose_service *primary =
	    document_primary_service(change->document);
	struct json_object *networking;
	const char *service, *before = change->after.metadata;
	struct error ignored;

	if (before == NULL || primary == NULL ||
	    metadata_parse(before, strlen(before), &metadata, &ignored) < 0)
		return 0;
	networking = json_member(metadata, "networking");
	service = json_text(networking, "service");
	if (service == NULL || has_service(change->document, service))
		return 0;
	json_put_text(networking, "service", primary->name);
	if (primary->container_port > 0)
		json_put_integer(
		    networking, "container_port", primary->container_port);
	if (metadata_format(metadata, &text, err) < 0)
		return -1;
	change->after.metadata =
	    arena_strdup(&change->run->arena, buffer_string(&text));
	return 0;
}

static const char *
choose(const char *new_text, const char *old_text)
{
	return new_text != NULL ? new_text : old_text;
}

/* What the files are to say, and that it can run. */
static int
prepare_texts(struct change *change, struct error *err)
{
	const struct update *options = change->options;
	const struct revision *exact = options->revision;
	struct compose_files *after = &change->after;
	struct run *run = change->run;

	*after = change->before.files;
	if (exact != NULL) {
		*after = revision_files(exact);
		after->filename = change->before.files.filename;
	} else {
		after->compose = choose(options->compose, after->compose);
		after->environment =
		    choose(options->environment, after->environment);
		after->metadata = choose(options->metadata, after->metadata);
	}
	after->compose_length = strlen(after->compose);
	if (compose_check(run->agent->compose, run->subject, after->compose,
		after->compose_length, after->environment, &run->arena,
		&change->document, err) < 0)
		return -1;
	if (options->probe.service != NULL &&
	    !has_service(change->document, options->probe.service))
		return error_field(err, "probe.service", "SERVICE_NOT_FOUND",
		    "there is no service '%s' to probe",
		    options->probe.service);
	change->project = compose_project_name(change->document, run->subject);
	return exact != NULL || options->metadata != NULL
		   ? 0
		   : follow_services(change, err);
}

static int
load(struct change *change, struct error *err)
{
	struct run *run = change->run;

	if (run->result == NULL)
		run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	if (deployment_load(run, &change->before, err) < 0 ||
	    prepare_texts(change, err) < 0)
		return -1;
	change->next = (struct revision){
		.deployment = run->subject,
		.filename = change->after.filename,
		.compose = change->after.compose,
		.metadata = change->after.metadata,
		.environment = change->after.environment,
		.actor = run->actor,
		.reason = change->options->reason,
		.job_id = run->id,
		.restores = change->options->revision != NULL
				? change->options->revision->number
				: 0,
	};
	return revision_of_disk(run, &change->before.files, &change->disk, err);
}

static enum update_before
state_of(const struct docker_container *containers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].state, "running") == 0 ||
		    strcmp(containers[i].state, "restarting") == 0 ||
		    strcmp(containers[i].state, "paused") == 0)
			return BEFORE_RUNNING;
	return count > 0 ? BEFORE_STOPPED : BEFORE_ABSENT;
}

/* What an update that was interrupted began with is what counts. */
static int
inherit_state(struct change *change, struct error *err)
{
	struct run *run = change->run;
	struct update_record record;
	bool found;

	if (store_update_find(run->store, run->subject, &run->arena, &record,
		&found, err) < 0)
		return -1;
	if (found && record.before > change->state)
		change->state = record.before;
	return 0;
}

static int
look_at_containers(struct change *change, struct error *err)
{
	struct run *run = change->run;
	struct docker_container_filter filter = { .project =
						      change->before.project };

	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&change->containers, &change->count, err) < 0)
		return -1;
	change->state = state_of(change->containers, change->count);
	return inherit_state(change, err);
}

/*
 * What is on the disk may never have run: it was only saved, or written by
 * hand. Then the newest that did run is what has to run again.
 */
static int
choose_back(struct change *change, struct error *err)
{
	struct run *run = change->run;
	int64_t before =
	    change->disk.number > 0 ? change->disk.number : INT64_MAX;
	bool found = true;

	change->back = change->disk;
	if (change->state != BEFORE_RUNNING)
		return 0;
	change->disk_ran = change->disk.images != NULL ||
			   !project_differs(run, change->before.project);
	/* Somebody may have pulled or built since it was recorded. */
	if (change->disk_ran)
		change->disk.images = change->back.images =
		    revision_images_describe(run, change->before.document,
			change->containers, change->count);
	while (!change->disk_ran && found) {
		struct revision older;

		if (store_revision_before(run->store, run->subject, before,
			&run->arena, &older, &found, err) < 0)
			return -1;
		if (found && older.state == REVISION_APPLIED) {
			change->back = older;
			break;
		}
		before = found ? older.number : before;
	}
	return 0;
}

/* Slow things that can fail, before anything is touched. */
static int
prepare_world(struct change *change, struct error *err)
{
	const struct update *options = change->options;
	struct run *run = change->run;
	const char *const *missing;

	if (revision_images_missing(run, change->document, &missing, err) < 0 ||
	    project_prepare(run, change->project, &change->after,
		options->flags, missing, err) < 0 ||
	    project_prepare(run, change->project, &change->after, 0,
		options->pull, err) < 0)
		return -1;
	return ports_check(
	    run->agent, change->document, change->before.project, err);
}

static void
note_phase(struct run *run, const char *phase)
{
	struct json_object *progress = json_object_new_object();

	json_put_text(progress, "phase", phase);
	run_progress(run, progress, true);
}

/* What was on the disk, with what ran of it. */
static int
record_disk(struct change *change, struct error *err)
{
	struct run *run = change->run;
	bool is_fine = change->disk_ran &&
		       settling_looks_fine(change->containers, change->count);

	if (revision_keep_disk(run, &change->disk, err) < 0)
		return -1;
	if (change->back.number == 0)
		change->back.number = change->disk.number;
	if (!change->disk_ran)
		return 0;
	return store_revision_judge(run->store, run->subject,
	    change->disk.number,
	    is_fine ? REVISION_APPLIED : change->disk.state,
	    change->disk.images, err);
}

static int
record_all(struct change *change, struct error *err)
{
	struct update_record record = {
		.deployment = change->run->subject,
		.job_id = change->run->id,
		.phase =
		    change->options->apply ? UPDATE_CONTAINERS : UPDATE_FILES,
		.before = change->state,
	};

	if (record_disk(change, err) < 0 ||
	    store_revision_add(change->run->store, &change->next, err) < 0)
		return -1;
	record.revision = change->next.number;
	record.back = change->back.number;
	return store_update_put(change->run->store, &record, err);
}

/* From here on an agent that is killed is not the end of it. */
static int
begin_record(struct change *change, struct error *err)
{
	struct run *run = change->run;

	if (store_begin(run->store, err) < 0)
		return -1;
	if (record_all(change, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	json_put_integer(run->result, "revision", change->next.number);
	return store_commit(run->store, err);
}

/* The end: which revision is on the disk, and what became of the new one. */
static int
end_record(struct change *change, enum revision_state state, const char *images,
    int64_t current, struct error *err)
{
	struct run *run = change->run;

	if (store_begin(run->store, err) < 0)
		return -1;
	if (store_revision_judge(run->store, run->subject, change->next.number,
		state, images, err) < 0 ||
	    store_revision_make_current(
		run->store, run->subject, current, err) < 0 ||
	    store_update_remove(run->store, run->subject, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	return store_commit(run->store, err);
}

static void
tell(struct change *change, const char *outcome, bool needs_apply)
{
	struct json_object *result = change->run->result;

	json_put_text(result, "outcome", outcome);
	json_put_boolean(result, "needs_apply", needs_apply);
	json_put_boolean(result, "applied", strcmp(outcome, "applied") == 0);
	if (change->cause != NULL)
		json_put(result, "cause", TAKE(change->cause));
}

/* Nothing but files, if that: they are as they were. */
static int
take_files_back(
    struct change *change, const struct error *why, struct error *err)
{
	struct run *run = change->run;
	struct error failure;

	if (going_back_files(run->agent->compose, run->store, &change->back,
		change->before.files.filename, &failure) < 0 ||
	    end_record(change, REVISION_FAILED, NULL, change->back.number,
		&failure) < 0)
		log_error(LOG_ERROR, "cannot take a change back", &failure);
	*err = *why;
	return -1;
}

/* The files, all or none of them. */
static int
save(struct change *change, struct error *err)
{
	struct run *run = change->run;
	struct error why;

	change->back = change->disk;
	if (begin_record(change, err) < 0)
		return -1;
	if (compose_replace(
		run->agent->compose, run->subject, &change->after, &why) == 0)
		return end_record(
		    change, REVISION_SAVED, NULL, change->next.number, err);
	return take_files_back(change, &why, err);
}

static int64_t
settle_ms(const struct change *change)
{
	return change->options->settle_ms > 0
		   ? change->options->settle_ms
		   : change->run->agent->settings->deploy.settle_seconds * 1000;
}

/* Never too short for what has to settle. */
static int64_t
timeout_ms(const struct change *change)
{
	int64_t asked =
	    change->options->timeout_ms > 0
		? change->options->timeout_ms
		: change->run->agent->settings->deploy.health_timeout_ms;
	int64_t least = settle_ms(change) + 1000;

	return asked > least ? asked : least;
}

static int
bring_up(struct change *change, struct error *err)
{
	const struct update *options = change->options;
	const struct revision *exact = options->revision;
	struct run *run = change->run;
	struct settling settling = {
		.project = change->project,
		.document = change->document,
		.before = change->containers,
		/* Stopped ones are to run now, each of them. */
		.before_count =
		    change->state == BEFORE_RUNNING ? change->count : 0,
		.since_ms = clock_monotonic_ms(),
		.settle_ms = settle_ms(change),
		.timeout_ms = timeout_ms(change),
		.probe = options->probe,
	};

	if (compose_replace(
		run->agent->compose, run->subject, &change->after, err) < 0)
		return -1;
	change->touched = true;
	if ((exact != NULL &&
		revision_images_restore(run, exact->images, err) < 0) ||
	    project_up(run, change->project, options->flags & UP_FORCE_RECREATE,
		err) < 0) {
		change->cause = settling_explain(run, &settling, err);
		return -1;
	}
	note_phase(run, "waiting");
	return settling_wait(run, &settling, &change->cause, err);
}

/* It runs; without a record of that it would be taken back later. */
static int
conclude(struct change *change, struct error *err)
{
	struct run *run = change->run;
	struct docker_container_filter filter = { .project = change->project };
	struct docker_container *containers;
	size_t count;

	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&containers, &count, err) < 0)
		return -1;
	return end_record(change, REVISION_APPLIED,
	    revision_images_describe(run, change->document, containers, count),
	    change->next.number, err);
}

static int64_t
lesser(int64_t left, int64_t right)
{
	return left < right ? left : right;
}

/*
 * The old version has proved itself before: whatever was asked for the new
 * one, it is waited for as usual.
 */
static int
put_back(struct change *change, struct json_object **cause, struct error *err)
{
	struct run *run = change->run;
	const struct settings *settings = run->agent->settings;
	int64_t settle =
	    lesser(settle_ms(change), settings->deploy.settle_seconds * 1000);
	struct going_back back = {
		.revision = &change->back,
		.project = change->project,
		.before = change->state,
		.containers = change->containers,
		.count = change->count,
		.settle_ms = settle,
		.timeout_ms = settings->deploy.health_timeout_ms + settle,
	};

	if (going_back_files(run->agent->compose, run->store, &change->back,
		change->before.files.filename, err) < 0) {
		*cause = cause_of_error(err);
		return -1;
	}
	return going_back_containers(run, &back, cause, err);
}

/* why is what the new version failed of, and err what becomes of that. */
static int
go_back(struct change *change, const struct error *why, struct error *err)
{
	struct run *run = change->run;
	struct json_object *cause = NULL;
	struct error failure, ignored;
	bool failed;

	if (change->cause == NULL)
		change->cause = cause_of_error(why);
	note_phase(run, "going back");
	failed = put_back(change, &cause, &failure) < 0;
	json_put_integer(run->result, "restored_revision", change->back.number);
	tell(change, failed ? "failed" : "rolled_back", failed);
	if (cause != NULL)
		json_put(run->result, "rollback_cause", cause);
	/* The next agent goes on with it. */
	if (failed && atomic_load(&run->agent->stopping))
		return error_set(err, ERR_UNAVAILABLE, "JOB_INTERRUPTED",
		    "the service stopped while the update was taken back");
	if (end_record(change, REVISION_FAILED, NULL, change->back.number,
		&ignored) < 0)
		log_error(LOG_ERROR, "cannot record a rollback", &ignored);
	if (failed)
		return error_set(err, ERR_UPSTREAM, "ROLLBACK_FAILED",
		    "%s; revision %lld, which was put back, does not run "
		    "either: %s",
		    error_public(why), (long long)change->back.number,
		    error_public(&failure));
	return error_set(err, ERR_UPSTREAM, "ROLLED_BACK",
	    "%s; revision %lld was put back", error_public(why),
	    (long long)change->back.number);
}

static int
refuse(struct change *change, const struct error *why, struct error *err)
{
	change->cause = cause_of_error(why);
	tell(change, "refused", false);
	if (change->next.number > 0)
		return take_files_back(change, why, err);
	*err = *why;
	return -1;
}

static int
apply(struct change *change, struct error *err)
{
	struct run *run = change->run;
	struct error why;

	note_phase(run, "preparing");
	if (look_at_containers(change, &why) < 0 ||
	    choose_back(change, &why) < 0 || prepare_world(change, &why) < 0 ||
	    begin_record(change, &why) < 0)
		return refuse(change, &why, err);
	note_phase(run, "starting");
	if (bring_up(change, &why) == 0 && conclude(change, &why) == 0) {
		tell(change, "applied", false);
		return 0;
	}
	return change->touched ? go_back(change, &why, err)
			       : refuse(change, &why, err);
}

static int
plan(const struct change *change)
{
	const struct update *options = change->options;
	const struct plan_containers containers = {
		.verb = options->apply ? PLAN_UP : PLAN_NOTHING,
		.flags = options->flags,
		.pull = options->pull,
		.images = options->revision != NULL ? options->revision->images
						    : NULL,
	};

	plan_containers(change->run, &containers);
	return plan_files(change->run, &change->after);
}

int
update_apply(struct run *run, const struct update *update, struct error *err)
{
	struct change change = { .run = run, .options = update };
	int failed;

	if (load(&change, err) < 0)
		return -1;
	if (run->plan != NULL)
		return plan(&change);
	failed = update->apply ? apply(&change, err) : save(&change, err);
	deployment_refresh(run, change.project);
	if (strcmp(change.project, change.before.project) != 0)
		deployment_refresh(run, change.before.project);
	if (!failed && !update->apply)
		tell(&change, "saved", project_differs(run, change.project));
	return failed;
}
