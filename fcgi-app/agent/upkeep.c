#include "agent/upkeep.h"

#include "agent/agent.h"
#include "agent/revisions.h"
#include "agent/uploads.h"
#include "base/clock.h"
#include "base/log.h"
#include "settings/settings.h"
#include "store/events.h"
#include "store/jobs.h"
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 500
#define CHECKPOINT_MS 60000
#define TIDY_MS 3600000
#define DAY_S 86400

struct upkeep {
	struct agent *agent;
	pthread_t thread;
	int64_t checkpoint_at_ms, tidy_at_ms; /* monotonic */
};

static void
tidy(struct agent *agent, struct store *store)
{
	const struct settings *settings = agent->settings;
	int64_t jobs_before_ms =
	    clock_wall_ms() -
	    settings->job_retention_days * DAY_S * INT64_C(1000);
	struct error err;

	if (store_jobs_prune(store, jobs_before_ms, &err) < 0)
		log_error(LOG_WARNING, "cannot forget old jobs", &err);
	if (compose_empty_trash(
		agent->compose, settings->trash_days * DAY_S, &err) < 0)
		log_error(LOG_WARNING, "cannot empty the trash", &err);
}

/* The agent ends, and does not start again on what is damaged. */
static void
note_damage(struct agent *agent, const struct error *err)
{
	if (strcmp(err->code, "STATE_CORRUPT") == 0)
		atomic_store(&agent->state_lost, true);
}

static void
do_due(struct upkeep *upkeep, struct store *store)
{
	int64_t now = clock_monotonic_ms();
	struct error err;

	if (now >= upkeep->checkpoint_at_ms) {
		upkeep->checkpoint_at_ms = now + CHECKPOINT_MS;
		uploads_tidy(upkeep->agent);
		if (store_checkpoint(store, &err) < 0) {
			log_error(LOG_WARNING, "cannot checkpoint", &err);
			note_damage(upkeep->agent, &err);
		}
		if (store_events_prune(store, &err) < 0)
			log_error(
			    LOG_WARNING, "cannot forget old events", &err);
		revisions_promote(store);
	}
	if (now >= upkeep->tidy_at_ms) {
		upkeep->tidy_at_ms = now + TIDY_MS;
		tidy(upkeep->agent, store);
		if (store_quick_check(store, &err) < 0) {
			log_error(LOG_ERROR, "cannot check the state", &err);
			note_damage(upkeep->agent, &err);
		}
	}
}

static void *
run_upkeep(void *context)
{
	struct upkeep *upkeep = context;
	struct agent *agent = upkeep->agent;
	auto_store struct store *store = NULL;
	struct error err;

	while (!atomic_load(&agent->stopping)) {
		if (store == NULL &&
		    store_open(agent->settings->database_directory, STORE_JOBS,
			&store, &err) < 0)
			store = NULL;
		if (store != NULL)
			do_due(upkeep, store);
		clock_sleep_ms(TICK_MS);
	}
	return NULL;
}

int
upkeep_start(struct agent *agent, struct upkeep **out, struct error *err)
{
	struct upkeep *upkeep = xcalloc(1, sizeof *upkeep);

	*out = upkeep;
	upkeep->agent = agent;
	upkeep->checkpoint_at_ms = clock_monotonic_ms() + CHECKPOINT_MS;
	upkeep->tidy_at_ms = clock_monotonic_ms() + CHECKPOINT_MS;
	if (pthread_create(&upkeep->thread, NULL, run_upkeep, upkeep) != 0)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
	return 0;
}

void
upkeep_stop(struct upkeep *upkeep)
{
	pthread_join(upkeep->thread, NULL);
	free(upkeep);
}
