#include "agent/recovery.h"

#include "agent/agent.h"
#include "agent/project.h"
#include "base/log.h"
#include "base/process.h"
#include "store/jobs.h"

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
	return compose_clear_staging(agent->compose, err);
}
