#include "agent/revisions.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/revision-images.h"
#include "agent/settling.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/mirror.h"
#include "store/store.h"

#include <string.h>

#define FOUND_REASON "found on disk"
#define STARTED_S 30 /* what runs that long has settled */

static bool
is_same_text(const char *left, const char *right)
{
	return left == right ||
	       (left != NULL && right != NULL && strcmp(left, right) == 0);
}

bool
revision_has_files(
    const struct revision *revision, const struct compose_files *files)
{
	return is_same_text(revision->compose, files->compose) &&
	       is_same_text(revision->metadata, files->metadata) &&
	       is_same_text(revision->environment, files->environment);
}

struct compose_files
revision_files(const struct revision *revision)
{
	return (struct compose_files){
		.filename = revision->filename,
		.compose = revision->compose,
		.compose_length = strlen(revision->compose),
		.metadata = revision->metadata,
		.environment = revision->environment,
	};
}

static struct revision
make_revision(
    struct run *run, const struct compose_files *files, const char *reason)
{
	return (struct revision){
		.deployment = run->subject,
		.filename = files->filename,
		.compose = files->compose,
		.metadata = files->metadata,
		.environment = files->environment,
		.actor = run->actor,
		.reason = reason,
		.job_id = run->id,
	};
}

int
revision_of_disk(struct run *run, const struct compose_files *files,
    struct revision *out, struct error *err)
{
	bool found;

	if (store_revision_current(
		run->store, run->subject, &run->arena, out, &found, err) < 0)
		return -1;
	if (!found || !revision_has_files(out, files))
		*out = make_revision(run, files, FOUND_REASON);
	return 0;
}

int
revision_keep_disk(struct run *run, struct revision *disk, struct error *err)
{
	if (disk->number == 0 && store_revision_add(run->store, disk, err) < 0)
		return -1;
	return store_revision_make_current(
	    run->store, run->subject, disk->number, err);
}

/* The same in a transaction of its own, and judged by what runs now. */
static int
keep(struct run *run, struct revision *disk, enum revision_state state,
    const char *images, struct error *err)
{
	if (store_begin(run->store, err) < 0)
		return -1;
	if (revision_keep_disk(run, disk, err) < 0 ||
	    store_revision_judge(run->store, run->subject, disk->number, state,
		images, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	return store_commit(run->store, err);
}

static int
note_start(
    struct run *run, const struct deployment *deployment, struct error *err)
{
	struct docker_container_filter filter = { .project =
						      deployment->project };
	struct docker_container *containers;
	struct revision disk;
	size_t count;
	bool is_fine;

	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&containers, &count, err) < 0 ||
	    revision_of_disk(run, &deployment->files, &disk, err) < 0)
		return -1;
	is_fine = disk.state == REVISION_APPLIED ||
		  settling_looks_fine(containers, count);
	return keep(run, &disk, is_fine ? REVISION_APPLIED : REVISION_SAVED,
	    revision_images_describe(
		run, deployment->document, containers, count),
	    err);
}

void
revision_note_start(struct run *run, const struct deployment *deployment)
{
	struct error err;

	if (run->plan != NULL)
		return;
	if (note_start(run, deployment, &err) < 0)
		log_error(LOG_WARNING, "cannot record what was started", &err);
}

void
revision_note_create(struct run *run)
{
	struct compose_files files;
	struct revision first;
	struct error err;

	if (compose_read(run->agent->compose, run->subject, &run->arena, &files,
		&err) < 0)
		return;
	first = make_revision(run, &files, "created");
	if (keep(run, &first, REVISION_SAVED, NULL, &err) < 0)
		log_error(LOG_WARNING, "cannot record a new deployment", &err);
}

/* Every service whose image is on record runs it, and is well. */
static bool
runs_well(const struct revision *revision,
    const struct mirror_container *containers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (clock_wall_s() - containers[i].created_at < STARTED_S ||
		    strcmp(containers[i].state, "running") != 0 ||
		    strstr(revision->images, containers[i].image_id) == NULL ||
		    (containers[i].health[0] != '\0' &&
			strcmp(containers[i].health, "healthy") != 0))
			return false;
	return count > 0;
}

static int
promote(struct store *store, const struct revision *revision,
    struct arena *arena, struct error *err)
{
	struct mirror_deployment deployment;
	struct mirror_container *containers;
	size_t count;

	if (mirror_deployment_get(
		store, revision->deployment, arena, &deployment, err) < 0 ||
	    mirror_container_list(
		store, deployment.project, arena, &containers, &count, err) < 0)
		return -1;
	return runs_well(revision, containers, count)
		   ? store_revision_judge(store, revision->deployment,
			 revision->number, REVISION_APPLIED, NULL, err)
		   : 0;
}

void
revisions_promote(struct store *store)
{
	auto_arena struct arena arena = { 0 };
	struct revision *revisions;
	struct error err;
	size_t count, i;

	if (store_revision_unjudged(store, &arena, &revisions, &count, &err) <
	    0) {
		log_error(LOG_WARNING, "cannot judge revisions", &err);
		return;
	}
	for (i = 0; i < count; i++)
		if (promote(store, &revisions[i], &arena, &err) < 0 &&
		    err.kind != ERR_NOT_FOUND)
			log_error(LOG_WARNING, "cannot judge a revision", &err);
}
