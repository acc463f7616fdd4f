#include "agent/going-back.h"

#include "agent/agent.h"
#include "agent/cause.h"
#include "agent/deployment.h"
#include "agent/project.h"
#include "agent/revision-images.h"
#include "agent/revisions.h"
#include "agent/settling.h"
#include "base/clock.h"
#include "base/log.h"
#include "settings/settings.h"
#include "store/store.h"

#include <string.h>

#define DOCKER_WAIT_MS 120000
#define DOCKER_POLL_MS 200
#define UP_TRIES 3
#define UP_PAUSE_MS 1000

int
going_back_files(struct compose *compose, struct store *store,
    const struct revision *revision, const char *filename, struct error *err)
{
	struct compose_files files = revision_files(revision);

	files.filename = filename;
	if (compose_replace(compose, revision->deployment, &files, err) < 0 ||
	    store_begin(store, err) < 0)
		return -1;
	if (store_revision_make_current(
		store, revision->deployment, revision->number, err) < 0 ||
	    store_update_phase(store, revision->deployment, UPDATE_BACK, err) <
		0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static bool
is_running(
    const struct docker_container *containers, size_t count, const char *id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(containers[i].id, id) == 0)
			return strcmp(containers[i].state, "running") == 0;
	return false;
}

/*
 * All that ran still runs, and there is nothing else: the new version never
 * got as far as its containers. Then a full disk, say, cannot keep us from
 * being back.
 */
static bool
is_as_before(
    struct run *run, const struct going_back *back, const char *project)
{
	struct docker_container_filter filter = { .project = project };
	struct docker_container *containers;
	struct error ignored;
	size_t count, i;

	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&containers, &count, &ignored) < 0 ||
	    count != back->count)
		return false;
	for (i = 0; i < count; i++)
		if (strcmp(back->containers[i].state, "running") != 0 ||
		    !is_running(containers, count, back->containers[i].id))
			return false;
	return count > 0;
}

static int
bring_up_once(struct run *run, const struct going_back *back,
    const struct deployment *deployment, struct json_object **cause,
    struct error *err)
{
	struct settling settling = {
		.project = deployment->project,
		.document = deployment->document,
		.before = back->containers,
		.before_count = back->count,
		.lenient = true,
		.since_ms = clock_monotonic_ms(),
		.settle_ms = back->settle_ms,
		.timeout_ms = back->timeout_ms,
	};

	if (revision_images_restore(run, back->revision->images, err) < 0 ||
	    (!is_as_before(run, back, deployment->project) &&
		project_up(run, deployment->project, 0, err) < 0)) {
		*cause = settling_explain(run, &settling, err);
		return -1;
	}
	return settling_wait(run, &settling, cause, err);
}

static bool
may_help_to_try_again(struct run *run, const struct error *err)
{
	return err->kind != ERR_STORAGE_FULL && !atomic_load(run->cancel) &&
	       strcmp(error_code(err), "NOT_HEALTHY_IN_TIME") != 0;
}

/*
 * What a Compose that was broken off had asked the Engine for may still come
 * to be: a container that seems to run is being stopped, another one gets a
 * name or a port that the old version needs.
 */
static int
bring_up(struct run *run, const struct going_back *back,
    const struct deployment *deployment, struct json_object **cause,
    struct error *err)
{
	int tries;

	for (tries = 1; bring_up_once(run, back, deployment, cause, err) < 0;
	     tries++) {
		if (tries == UP_TRIES || !may_help_to_try_again(run, err))
			return -1;
		json_object_put(TAKE(*cause));
		clock_sleep_ms(UP_PAUSE_MS);
	}
	return 0;
}

/* As they were, though made anew where the failed version changed them. */
static int
leave_stopped(struct run *run, const struct going_back *back,
    const struct deployment *deployment, struct error *err)
{
	if (project_stop_containers(run, deployment->project, err) < 0 ||
	    revision_images_restore(run, back->revision->images, err) < 0 ||
	    project_clear_leftovers(run->agent, deployment->project, err) < 0)
		return -1;
	return project_create(run, deployment->project, err);
}

static int
put_back(struct run *run, const struct going_back *back,
    struct json_object **cause, struct error *err)
{
	struct deployment deployment;

	if (deployment_load(run, &deployment, err) < 0)
		return -1;
	if (back->project != NULL &&
	    strcmp(back->project, deployment.project) != 0 &&
	    project_remove_containers(run, back->project, err) < 0)
		return -1;
	if (back->before == BEFORE_ABSENT)
		return project_remove_containers(run, deployment.project, err);
	/* Its files cannot run: say why. */
	if (deployment.document == NULL)
		return deployment_load_runnable(run, &deployment, err);
	return back->before == BEFORE_STOPPED
		   ? leave_stopped(run, back, &deployment, err)
		   : bring_up(run, back, &deployment, cause, err);
}

/* It may be why we go back; or the host, and with it Docker, just started. */
static void
wait_for_docker(struct run *run)
{
	int64_t until_ms = clock_monotonic_ms() + DOCKER_WAIT_MS;
	struct error ignored;

	while (docker_ping(run->agent->docker, 1000, &ignored) < 0 &&
	       clock_monotonic_ms() < until_ms && !atomic_load(run->cancel))
		clock_sleep_ms(DOCKER_POLL_MS);
}

int
going_back_containers(struct run *run, const struct going_back *back,
    struct json_object **cause, struct error *err)
{
	const atomic_bool *cancel = run->cancel;
	int failed;

	*cause = NULL;
	/* That the update is cancelled is why we go back. */
	run->cancel = &run->agent->stopping;
	wait_for_docker(run);
	failed = put_back(run, back, cause, err);
	run->cancel = cancel;
	if (failed && *cause == NULL)
		*cause = cause_of_error(err);
	return failed;
}

/* Nobody waits for it: Docker may be away when it is tried again. */
static bool
may_be_tried_again(const struct error *err)
{
	return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT ||
	       err->kind == ERR_STORAGE_FULL ||
	       strcmp(error_code(err), "JOB_CANCELLED") == 0;
}

static void
tell(struct run *run, const struct update_record *record, bool failed,
    struct json_object *cause)
{
	if (run->result == NULL)
		run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_text(
	    run->result, "outcome", failed ? "failed" : "rolled_back");
	json_put_integer(run->result, "revision", record->revision);
	json_put_integer(run->result, "restored_revision", record->back);
	json_put_boolean(run->result, "applied", false);
	json_put_boolean(run->result, "needs_apply", failed);
	if (cause != NULL)
		json_put(run->result, "cause", cause);
}

static int
resume(struct run *run, const struct update_record *record, struct error *err)
{
	const struct settings *settings = run->agent->settings;
	struct json_object *cause = NULL;
	struct revision revision;
	struct going_back back = {
		.revision = &revision,
		.before = record->before,
		.settle_ms = settings->deploy.settle_seconds * 1000,
		.timeout_ms = settings->deploy.health_timeout_ms,
	};
	struct compose_files files;
	struct error failure, ignored;
	int failed;

	/* The files again, too: there may have been no room for them. */
	if (store_revision_get(run->store, run->subject, record->back,
		&run->arena, &revision, err) < 0 ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) < 0 ||
	    going_back_files(run->agent->compose, run->store, &revision,
		files.filename, err) < 0)
		return -1;
	failed = going_back_containers(run, &back, &cause, &failure);
	tell(run, record, failed, cause);
	if (!failed || !may_be_tried_again(&failure))
		store_update_remove(run->store, run->subject, &ignored);
	if (failed)
		return error_set(err, ERR_UPSTREAM, "ROLLBACK_FAILED",
		    "revision %lld is back, but does not run: %s",
		    (long long)record->back, error_public(&failure));
	return 0;
}

int
going_back_resume(struct run *run, bool *found, struct error *err)
{
	struct update_record record;
	struct deployment deployment;
	struct error ignored;
	int failed;

	if (store_update_find(
		run->store, run->subject, &run->arena, &record, found, err) < 0)
		return -1;
	if (!*found)
		return 0;
	failed = resume(run, &record, err);
	deployment_refresh(run, deployment_load(run, &deployment, &ignored) < 0
				    ? run->subject
				    : deployment.project);
	return failed;
}
