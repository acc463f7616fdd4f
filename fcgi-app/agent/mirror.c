#include "agent/mirror.h"

#include "agent/agent.h"
#include "agent/mirror-rows.h"
#include "agent/mirror-work.h"
#include "agent/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COALESCE_MS 20
#define AGAIN_MS 300
#define RETRY_MS 500
#define SETTLE_MAXIMUM 100 /* containers of a project */
#define SETTLE_TIMEOUT_MS 5000
#define UNSETTLED_ROUNDS_MAXIMUM 20
#define LATE_RESYNC_MS 5000
#define PING_INTERVAL_MS 2000
#define PING_TIMEOUT_MS 2000

struct mirror {
	struct agent *agent;
	pthread_t follower, refresher;
	/* Of each kind: from asking Docker to having stored. */
	pthread_mutex_t refreshing[MIRROR_KINDS];
	atomic_bool docker_answers; /* the follower's word */
	atomic_bool docker_up;      /* it answers, and all was stored */
	_Atomic int64_t docker_generation;
	int64_t pinged_at_ms; /* the follower's */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t woken;
	struct mirror_work dirty;
};

static void
mark(struct mirror *mirror, const struct mirror_work *work)
{
	if (mirror_work_is_empty(work))
		return;
	pthread_mutex_lock(&mirror->lock);
	mirror_work_add(&mirror->dirty, work);
	pthread_cond_signal(&mirror->woken);
	pthread_mutex_unlock(&mirror->lock);
}

static void
set_docker_up(struct mirror *mirror, bool up)
{
	if (atomic_exchange(&mirror->docker_up, up) == up)
		return;
	atomic_fetch_add(&mirror->docker_generation, 1);
	/* The next heartbeat tells it, and it comes now. */
	server_wake(mirror->agent->server);
	log_message(up ? LOG_INFO : LOG_WARNING,
	    up ? "Docker answers" : "Docker does not answer");
}

bool
mirror_docker_is_up(const struct mirror *mirror)
{
	return atomic_load(&mirror->docker_up);
}

int64_t
mirror_docker_generation(const struct mirror *mirror)
{
	return atomic_load(&mirror->docker_generation);
}

/* Asking Docker and storing what it says. */

static int
ask_containers(struct mirror *mirror, struct store *store,
    const struct docker_container_filter *filter, struct arena *arena,
    struct error *err)
{
	struct docker_container *containers;
	size_t count;

	return docker_container_list(mirror->agent->docker, filter, arena,
		   &containers, &count, err) < 0
		   ? -1
		   : mirror_rows_containers(
			 store, filter, containers, count, arena, err);
}

static int
ask_images(struct mirror *mirror, struct store *store, struct arena *arena,
    struct error *err)
{
	struct docker_image *images;
	size_t count;

	return docker_image_list(
		   mirror->agent->docker, arena, &images, &count, err) < 0
		   ? -1
		   : mirror_rows_images(store, images, count, arena, err);
}

static int
ask_volumes(struct mirror *mirror, struct store *store, struct arena *arena,
    struct error *err)
{
	struct docker_volume *volumes;
	size_t count;

	return docker_volume_list(
		   mirror->agent->docker, arena, &volumes, &count, err) < 0
		   ? -1
		   : mirror_rows_volumes(store, volumes, count, arena, err);
}

static int
ask_networks(struct mirror *mirror, struct store *store, struct arena *arena,
    struct error *err)
{
	struct docker_network *networks;
	size_t count;

	return docker_network_list(mirror->agent->docker, NULL, arena,
		   &networks, &count, err) < 0
		   ? -1
		   : mirror_rows_networks(store, networks, count, arena, err);
}

/* filter: of containers. */
static int
refresh(struct mirror *mirror, struct store *store, enum mirror_kind kind,
    const struct docker_container_filter *filter, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	int failed = -1;

	pthread_mutex_lock(&mirror->refreshing[kind]);
	switch (kind) {
	case MIRROR_CONTAINERS:
		failed = ask_containers(mirror, store, filter, &arena, err);
		break;
	case MIRROR_IMAGES:
		failed = ask_images(mirror, store, &arena, err);
		break;
	case MIRROR_VOLUMES:
		failed = ask_volumes(mirror, store, &arena, err);
		break;
	case MIRROR_NETWORKS:
		failed = ask_networks(mirror, store, &arena, err);
		break;
	case MIRROR_KINDS:
		break;
	}
	pthread_mutex_unlock(&mirror->refreshing[kind]);
	return failed;
}

/* Those of a project have all been stopped or started just now. */
static void
settle_project(struct mirror *mirror, const char *project)
{
	struct docker_container_filter filter = { .project = project };
	auto_arena struct arena arena = { 0 };
	struct docker_container *containers;
	bool settled[SETTLE_MAXIMUM];
	const char *ids[SETTLE_MAXIMUM];
	struct error ignored;
	size_t count, i;

	if (docker_container_list(mirror->agent->docker, &filter, &arena,
		&containers, &count, &ignored) < 0)
		return;
	for (i = 0; i < count && i < SETTLE_MAXIMUM; i++)
		ids[i] = containers[i].id;
	docker_containers_settle(
	    mirror->agent->docker, ids, i, SETTLE_TIMEOUT_MS, settled);
}

int
mirror_refresh_project(struct mirror *mirror, struct store *store,
    const char *project, struct error *err)
{
	struct docker_container_filter filter = { .project = project };

	settle_project(mirror, project);
	return refresh(mirror, store, MIRROR_CONTAINERS, &filter, err);
}

int
mirror_refresh_container(struct mirror *mirror, struct store *store,
    const char *id, struct error *err)
{
	const char *const ids[] = { id, NULL };
	struct docker_container_filter filter = { .ids = ids };
	bool settled;

	docker_containers_settle(
	    mirror->agent->docker, ids, 1, SETTLE_TIMEOUT_MS, &settled);
	return refresh(mirror, store, MIRROR_CONTAINERS, &filter, err);
}

int
mirror_refresh_images(
    struct mirror *mirror, struct store *store, struct error *err)
{
	return refresh(mirror, store, MIRROR_IMAGES, NULL, err);
}

int
mirror_refresh_volumes(
    struct mirror *mirror, struct store *store, struct error *err)
{
	return refresh(mirror, store, MIRROR_VOLUMES, NULL, err);
}

int
mirror_refresh_networks(
    struct mirror *mirror, struct store *store, struct error *err)
{
	return refresh(mirror, store, MIRROR_NETWORKS, NULL, err);
}

/* The refresher: waits until something is dirty and asks for it. */

static void
wait_for_work(struct mirror *mirror, int64_t wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (mirror_work_is_empty(&mirror->dirty) &&
	       !atomic_load(&mirror->agent->stopping))
		if (pthread_cond_timedwait(
			&mirror->woken, &mirror->lock, &until) != 0)
			break;
}

/* Takes what is dirty, which may be nothing after wait_ms. */
static void
take_work(struct mirror *mirror, int64_t wait_ms, struct mirror_work *out)
{
	pthread_mutex_lock(&mirror->lock);
	wait_for_work(mirror, wait_ms);
	if (!mirror_work_is_empty(&mirror->dirty) &&
	    !mirror_work_is_everything(&mirror->dirty)) {
		/* Events come in bursts. */
		pthread_mutex_unlock(&mirror->lock);
		clock_sleep_ms(COALESCE_MS);
		pthread_mutex_lock(&mirror->lock);
	}
	*out = mirror->dirty;
	memset(&mirror->dirty, 0, sizeof mirror->dirty);
	pthread_mutex_unlock(&mirror->lock);
}

/* Does the part of the work that is of this kind. */
static int
do_kind(struct mirror *mirror, struct store *store,
    const struct mirror_work *work, enum mirror_kind kind, struct error *err)
{
	const char *ids[MIRROR_WORK_MAXIMUM + 1];
	struct docker_container_filter filter = { 0 };

	if (!work->all[kind]) {
		if (kind != MIRROR_CONTAINERS || work->count == 0)
			return 0;
		mirror_work_ids(work, ids);
		filter.ids = ids;
	}
	return refresh(mirror, store, kind, &filter, err);
}

/*
 * What failed is dirty again after a while. Whether the containers are fresh:
 * that is what counts as an answer of Docker.
 */
static bool
do_work(
    struct mirror *mirror, struct store *store, const struct mirror_work *work)
{
	struct mirror_work failed = { 0 };
	struct error err;
	int kind;

	for (kind = 0; kind < MIRROR_KINDS; kind++) {
		if (do_kind(mirror, store, work, kind, &err) == 0)
			continue;
		if (mirror_docker_is_up(mirror))
			log_error(
			    LOG_WARNING, "cannot refresh the mirror", &err);
		failed.all[kind] = true;
	}
	if (mirror_work_is_empty(&failed))
		return true;
	mark(mirror,
	    failed.all[MIRROR_CONTAINERS] ? &mirror_work_everything : &failed);
	clock_sleep_ms(RETRY_MS);
	return !failed.all[MIRROR_CONTAINERS];
}

/* What the refresher has to do besides what is dirty now. */
struct rounds {
	struct mirror_work again, later;
	int64_t again_at_ms;           /* monotonic */
	int64_t resync_at_ms;          /* monotonic */
	unsigned int unsettled_rounds; /* in a row */
};

static int64_t
next_due_ms(const struct rounds *rounds)
{
	if (!mirror_work_is_empty(&rounds->again) &&
	    rounds->again_at_ms < rounds->resync_at_ms)
		return rounds->again_at_ms;
	return rounds->resync_at_ms;
}

/* Of the containers, those that the Engine is not done with. */
static void
find_unsettled(struct mirror *mirror, const struct mirror_work *work,
    struct mirror_work *out)
{
	const char *ids[MIRROR_WORK_MAXIMUM + 1];
	bool settled[MIRROR_WORK_MAXIMUM];
	size_t i;

	if (work->count == 0)
		return;
	mirror_work_ids(work, ids);
	docker_containers_settle(
	    mirror->agent->docker, ids, work->count, AGAIN_MS, settled);
	for (i = 0; i < work->count; i++)
		if (!settled[i])
			mirror_work_container(out, ids[i]);
}

static void
resync_before(struct rounds *rounds, int64_t at_ms)
{
	if (at_ms < rounds->resync_at_ms)
		rounds->resync_at_ms = at_ms;
}

/*
 * Adds what is due for its second time, and makes what comes after it the
 * next: also what the Engine is still busy with. A container that it is busy
 * with for long, and those of which so many changed at once that they were not
 * kept apart, are left to a look at everything.
 */
static void
add_again(
    struct mirror *mirror, struct rounds *rounds, struct mirror_work *work)
{
	struct mirror_work unsettled = { 0 };

	find_unsettled(mirror, &rounds->again, &unsettled);
	mirror_work_add(work, &rounds->again);
	if (work->all[MIRROR_CONTAINERS])
		resync_before(rounds, clock_monotonic_ms() + LATE_RESYNC_MS);
	rounds->again = rounds->later;
	rounds->again_at_ms = clock_monotonic_ms() + AGAIN_MS;
	memset(&rounds->later, 0, sizeof rounds->later);
	if (mirror_work_is_empty(&unsettled)) {
		rounds->unsettled_rounds = 0;
	} else if (++rounds->unsettled_rounds < UNSETTLED_ROUNDS_MAXIMUM) {
		mirror_work_add(&rounds->again, &unsettled);
	} else {
		rounds->unsettled_rounds = 0;
		resync_before(rounds, clock_monotonic_ms() + LATE_RESYNC_MS);
	}
}

/*
 * The Engine tells of an event before its own list shows it: what an event
 * named is asked for a second time, at least AGAIN_MS later and at most twice
 * that, whatever comes in between.
 */
static void
plan_again(
    struct mirror *mirror, struct rounds *rounds, struct mirror_work *work)
{
	struct mirror_work fresh = *work;

	/* The events since shortly before a look at everything will come. */
	if (mirror_work_is_everything(work))
		return;
	if (!mirror_work_is_empty(&rounds->again) &&
	    clock_monotonic_ms() >= rounds->again_at_ms)
		add_again(mirror, rounds, work);
	if (mirror_work_is_empty(&rounds->again)) {
		rounds->again = fresh;
		rounds->again_at_ms = clock_monotonic_ms() + AGAIN_MS;
	} else {
		mirror_work_add(&rounds->later, &fresh);
	}
}

static void
run_round(struct mirror *mirror, struct store *store, struct rounds *rounds)
{
	int64_t interval_ms = mirror->agent->settings->resync_interval_ms;
	int64_t wait_ms = next_due_ms(rounds) - clock_monotonic_ms();
	struct mirror_work work;

	take_work(mirror, wait_ms > 0 ? wait_ms : 0, &work);
	plan_again(mirror, rounds, &work);
	/* Events that never end do not put it off. */
	if (clock_monotonic_ms() >= rounds->resync_at_ms)
		work = mirror_work_everything;
	if (mirror_work_is_everything(&work))
		rounds->resync_at_ms = clock_monotonic_ms() + interval_ms;
	if (atomic_load(&mirror->agent->stopping))
		return;
	if (do_work(mirror, store, &work) && mirror_work_is_everything(&work) &&
	    atomic_load(&mirror->docker_answers))
		set_docker_up(mirror, true);
	/* A thousand rows leave megabytes behind. */
	if (work.all[MIRROR_CONTAINERS])
		memory_return();
}

static void *
run_refresher(void *context)
{
	struct mirror *mirror = context;
	struct store *store = NULL;
	struct rounds rounds = { 0 };
	struct error err;

	while (!atomic_load(&mirror->agent->stopping)) {
		if (store == NULL &&
		    store_open(mirror->agent->settings->database_directory,
			STORE_MIRROR, &store, &err) < 0) {
			log_error(LOG_ERROR, "cannot open the store", &err);
			clock_sleep_ms(RETRY_MS);
			continue;
		}
		run_round(mirror, store, &rounds);
	}
	store_close(store);
	return NULL;
}

/* The follower: reads events and marks what they name. */

static bool
on_event(void *context, const struct docker_event *event)
{
	struct mirror *mirror = context;
	struct mirror_work work = { 0 };

	mirror_work_of_event(&work, event);
	mark(mirror, &work);
	return !atomic_load(&mirror->agent->stopping);
}

/* A hung Engine keeps its connections open: only a question tells. */
static bool
on_idle(void *context)
{
	struct mirror *mirror = context;
	int64_t now = clock_monotonic_ms();
	struct error err;

	if (atomic_load(&mirror->agent->stopping))
		return false;
	if (now - mirror->pinged_at_ms < PING_INTERVAL_MS)
		return true;
	mirror->pinged_at_ms = now;
	return docker_ping(mirror->agent->docker, PING_TIMEOUT_MS, &err) == 0;
}

static void *
run_follower(void *context)
{
	struct mirror *mirror = context;
	struct agent *agent = mirror->agent;
	struct error err;
	int64_t since_s;

	while (!atomic_load(&agent->stopping)) {
		/* From before the full list: no event falls in between, and
		 * none that the list does not show yet. */
		since_s = clock_wall_s() - 1;
		if (docker_ping(agent->docker, PING_TIMEOUT_MS, &err) == 0) {
			mirror->pinged_at_ms = clock_monotonic_ms();
			atomic_store(&mirror->docker_answers, true);
			mark(mirror, &mirror_work_everything);
			if (docker_events_follow(agent->docker, since_s,
				on_event, on_idle, mirror, &err) < 0)
				log_error(LOG_WARNING, "the event stream ended",
				    &err);
		}
		if (atomic_load(&agent->stopping))
			break;
		if (docker_ping(agent->docker, PING_TIMEOUT_MS, &err) < 0) {
			atomic_store(&mirror->docker_answers, false);
			set_docker_up(mirror, false);
		}
		clock_sleep_ms(RETRY_MS);
	}
	return NULL;
}

int
mirror_start(struct agent *agent, struct mirror **out, struct error *err)
{
	struct mirror *mirror = xcalloc(1, sizeof *mirror);
	pthread_condattr_t monotonic;
	int kind;

	mirror->agent = agent;
	atomic_store(&mirror->docker_generation, clock_wall_ms());
	for (kind = 0; kind < MIRROR_KINDS; kind++)
		pthread_mutex_init(&mirror->refreshing[kind], NULL);
	pthread_mutex_init(&mirror->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&mirror->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*out = mirror;
	if (pthread_create(&mirror->refresher, NULL, run_refresher, mirror) !=
		0 ||
	    pthread_create(&mirror->follower, NULL, run_follower, mirror) != 0)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
	return 0;
}

void
mirror_stop(struct mirror *mirror)
{
	int kind;

	pthread_mutex_lock(&mirror->lock);
	pthread_cond_broadcast(&mirror->woken);
	pthread_mutex_unlock(&mirror->lock);
	pthread_join(mirror->follower, NULL);
	pthread_join(mirror->refresher, NULL);
	pthread_cond_destroy(&mirror->woken);
	pthread_mutex_destroy(&mirror->lock);
	for (kind = 0; kind < MIRROR_KINDS; kind++)
		pthread_mutex_destroy(&mirror->refreshing[kind]);
	free(mirror);
}
