#include "agent/recovery.h"

#include "agent/agent.h"
#include "agent/executor.h"
#include "agent/going-back.h"
#include "agent/project.h"
#include "base/log.h"
#include "base/process.h"
#include "jobs/protocol.h"
#include "store/jobs.h"
#include "store/revisions.h"
#include "store/store.h"
#include "store/updates.h"

#include <string.h>

/*
 * Compose may have been killed between two steps of recreating a container.
 * With Docker down this is done before the next start of the project.
 */
static void
clear_leftovers(struct agent *agent, const struct job *job)
{
	struct error err;

	if (project_clear_leftovers(agent, job->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot clear leftovers", &err);
	/* The subjects of other jobs are no deployments. */
	if (compose_name_is_valid(job->subject) &&
	    compose_clear_temporary(agent->compose, job->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot remove staged files", &err);
}

/* The new revision did not come to be; where files were all, that is all. */
static int
judge(
    struct store *store, const struct update_record *record, struct error *err)
{
	if (store_begin(store, err) < 0)
		return -1;
	if (store_revision_judge(store, record->deployment, record->revision,
		REVISION_FAILED, NULL, err) < 0 ||
	    (record->phase == UPDATE_FILES &&
		store_update_remove(store, record->deployment, err) < 0)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static bool
is_one_of(const char *text, const char *one, const char *other)
{
	return text == NULL ? one == NULL || other == NULL
			    : (one != NULL && strcmp(text, one) == 0) ||
				  (other != NULL && strcmp(text, other) == 0);
}

/* false: somebody wrote them by hand since, who knew what for. */
static bool
is_of_update(const struct compose_files *files, const struct revision *old,
    const struct revision *new)
{
	return is_one_of(files->compose, old->compose, new->compose) &&
	       is_one_of(files->metadata, old->metadata, new->metadata) &&
	       is_one_of(
		   files->environment, old->environment, new->environment);
}

/* *obsolete: the deployment, or what it was, is gone or somebody else's. */
static int
load_update(struct agent *agent, struct store *store,
    const struct update_record *record, struct arena *arena,
    struct compose_files *files, struct revision *back, bool *obsolete,
    struct error *err)
{
	struct revision next;
	struct error failure;

	if (compose_read(agent->compose, record->deployment, arena, files,
		&failure) < 0 ||
	    store_revision_get(store, record->deployment, record->back, arena,
		back, &failure) < 0 ||
	    store_revision_get(store, record->deployment, record->revision,
		arena, &next, &failure) < 0) {
		*obsolete = failure.kind == ERR_NOT_FOUND;
		*err = failure;
		return *obsolete ? 0 : -1;
	}
	*obsolete = !is_of_update(files, back, &next);
	return 0;
}

static int
put_files_back(struct agent *agent, struct store *store,
    const struct update_record *record, struct arena *arena, struct error *err)
{
	struct compose_files files;
	struct revision back;
	bool obsolete;

	if (load_update(
		agent, store, record, arena, &files, &back, &obsolete, err) < 0)
		return -1;
	if (obsolete) {
		log_event(LOG_WARNING, "its files are others by now",
		    LOG_TEXT("deployment", record->deployment));
		return store_update_remove(store, record->deployment, err);
	}
	if (going_back_files(
		agent->compose, store, &back, files.filename, err) < 0)
		return -1;
	return judge(store, record, err);
}

/* One that cannot be put back keeps no other from it, nor the agent. */
static int
put_all_files_back(struct agent *agent, struct store *store,
    struct arena *arena, struct error *err)
{
	struct update_record *records;
	struct error failure;
	size_t count, i;

	if (store_update_list(store, arena, &records, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		log_event(LOG_WARNING, "an update was interrupted",
		    LOG_TEXT("deployment", records[i].deployment),
		    LOG_NUMBER("revision", records[i].revision),
		    LOG_NUMBER("back", records[i].back));
		if (put_files_back(agent, store, &records[i], arena, &failure) <
		    0)
			log_error(
			    LOG_ERROR, "cannot take an update back", &failure);
	}
	return 0;
}

static void
resume(struct agent *agent, struct store *store,
    const struct update_record *record)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json_object *arguments = json_object_new_object();
	struct submission submission = { .kind = JOB_ROLLBACK,
		.subject = record->deployment,
		.actor = "agent",
		.request_id = record->job_id,
		.arguments = arguments };
	const char *id;
	struct error err;

	json_put_boolean(arguments, "resume", true);
	if (executor_submit(
		agent->executor, store, &submission, &arena, &id, &err) < 0)
		log_error(LOG_ERROR, "cannot resume an update", &err);
}

void
recovery_resume(struct agent *agent, struct store *store)
{
	auto_arena struct arena arena = { 0 };
	struct update_record *records;
	struct error err;
	size_t count, i;

	if (store_update_list(store, &arena, &records, &count, &err) < 0) {
		log_error(LOG_ERROR, "cannot resume updates", &err);
		return;
	}
	for (i = 0; i < count; i++)
		resume(agent, store, &records[i]);
}

int
recovery_run(struct agent *agent, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct job *jobs;
	size_t count, i;
	int killed = process_kill_marked(agent->mark);

	if (killed > 0)
		log_event(LOG_WARNING, "killed children of an earlier agent",
		    LOG_NUMBER("count", killed));
	if (store_jobs_interrupt(store, &arena, &jobs, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		log_event(LOG_WARNING, "a job was interrupted",
		    LOG_TEXT("job_id", jobs[i].id),
		    LOG_TEXT("kind", jobs[i].kind),
		    LOG_TEXT("subject", jobs[i].subject));
		clear_leftovers(agent, &jobs[i]);
	}
	if (put_all_files_back(agent, store, &arena, err) < 0)
		return -1;
	return compose_clear_staging(agent->compose, err);
}
