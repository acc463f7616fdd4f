#include "agent/mirror.h"

#include "agent/agent.h"
#include "agent/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIRTY_MAXIMUM 32
#define COALESCE_MS 20
#define AGAIN_MS 300
#define RETRY_MS 500
#define PING_INTERVAL_MS 2000
#define PING_TIMEOUT_MS 2000
#define ID_SIZE 65

struct mirror {
	struct agent *agent;
	pthread_t follower, refresher;
	pthread_mutex_t refreshing; /* from asking Docker to having stored */
	atomic_bool docker_up;
	_Atomic int64_t docker_generation;
	int64_t pinged_at_ms;    /* the follower's */
	int64_t last_event_at_s; /* the follower's; 0: none yet */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t woken;
	bool all_dirty;
	size_t dirty_count;
	char dirty[DIRTY_MAXIMUM][ID_SIZE];
};

static void
mark_all(struct mirror *mirror)
{
	pthread_mutex_lock(&mirror->lock);
	mirror->all_dirty = true;
	pthread_cond_signal(&mirror->woken);
	pthread_mutex_unlock(&mirror->lock);
}

static void
mark(struct mirror *mirror, const char *id)
{
	size_t i;

	if (strlen(id) >= ID_SIZE)
		return;
	pthread_mutex_lock(&mirror->lock);
	for (i = 0; i < mirror->dirty_count; i++)
		if (strcmp(mirror->dirty[i], id) == 0)
			break;
	if (i == DIRTY_MAXIMUM)
		mirror->all_dirty = true;
	else if (i == mirror->dirty_count)
		snprintf(
		    mirror->dirty[mirror->dirty_count++], ID_SIZE, "%s", id);
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

/* Rows from Docker's answer. */

static const char *
format_ports(const struct docker_container *container, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < container->port_count; i++) {
		const struct docker_port *port = &container->ports[i];
		bool is_ipv6 = strchr(port->address, ':') != NULL;

		if (port->public_port == 0)
			continue;
		json_object_array_add(
		    list, json_object_new_string(arena_printf(arena,
			      is_ipv6 ? "[%s]:%d->%d/%s" : "%s:%d->%d/%s",
			      port->address, port->public_port,
			      port->private_port, port->protocol)));
	}
	return arena_strdup(arena, json_serialize(list, NULL));
}

static const char *
format_networks(const struct docker_container *container, struct arena *arena)
{
	auto_json struct json_object *object = json_object_new_object();
	size_t i;

	for (i = 0; i < container->network_count; i++)
		json_put_text(object, container->networks[i].network,
		    container->networks[i].ipv4);
	return arena_strdup(arena, json_serialize(object, NULL));
}

static struct mirror_container
row_of(const struct docker_container *container, struct arena *arena)
{
	return (struct mirror_container){
		.id = container->id,
		.name = container->name,
		.image = container->image,
		.image_id = container->image_id,
		.state = container->state,
		.status = container->status,
		.health = container->health,
		.created_at = container->created_at,
		.project = container->project,
		.service = container->service,
		.ports = format_ports(container, arena),
		.networks = format_networks(container, arena),
		.labels = container->labels
			      ? arena_strdup(arena,
				    json_serialize(container->labels, NULL))
			      : "{}",
	};
}

static int
put_all(struct store *store, const struct docker_container *containers,
    size_t count, struct arena *arena, const char **ids, bool *changed,
    struct error *err)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct mirror_container row = row_of(&containers[i], arena);

		ids[i] = row.id;
		if (mirror_container_put(store, &row, changed, err) < 0)
			return -1;
	}
	return 0;
}

/* Those asked for by id that Docker no longer has. */
static int
delete_missing(struct store *store, const char *const *asked,
    const char *const *ids, size_t count, bool *changed, struct error *err)
{
	size_t i;

	for (; *asked != NULL; asked++) {
		for (i = 0; i < count; i++)
			if (strcmp(ids[i], *asked) == 0)
				break;
		if (i == count &&
		    mirror_container_delete(store, *asked, changed, err) < 0)
			return -1;
	}
	return 0;
}

static int
store_answer(struct store *store, const struct docker_container_filter *filter,
    const struct docker_container *containers, size_t count,
    struct arena *arena, struct error *err)
{
	const char **ids = arena_array(arena, count, sizeof *ids);
	bool changed = false;
	int failed;

	if (store_begin(store, err) < 0)
		return -1;
	failed = put_all(store, containers, count, arena, ids, &changed, err);
	if (!failed)
		failed = filter->ids != NULL
			     ? delete_missing(store, filter->ids, ids, count,
				   &changed, err)
			     : mirror_containers_retain(store, filter->project,
				   ids, count, &changed, err);
	if (failed) {
		store_rollback(store);
		return -1;
	}
	return mirror_commit(store, changed, err);
}

/* One at a time: an older answer must not be stored over a newer one. */
static int
refresh(struct mirror *mirror, struct store *store,
    const struct docker_container_filter *filter, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct docker_container *containers;
	size_t count;
	int failed;

	pthread_mutex_lock(&mirror->refreshing);
	failed = docker_container_list(
	    mirror->agent->docker, filter, &arena, &containers, &count, err);
	if (!failed)
		failed =
		    store_answer(store, filter, containers, count, &arena, err);
	pthread_mutex_unlock(&mirror->refreshing);
	return failed;
}

int
mirror_refresh_project(struct mirror *mirror, struct store *store,
    const char *project, struct error *err)
{
	struct docker_container_filter filter = { .project = project };

	return refresh(mirror, store, &filter, err);
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
	while (!mirror->all_dirty && mirror->dirty_count == 0 &&
	       !atomic_load(&mirror->agent->stopping))
		if (pthread_cond_timedwait(
			&mirror->woken, &mirror->lock, &until) != 0)
			break;
}

struct work {
	bool all;
	size_t count;
	char ids[DIRTY_MAXIMUM][ID_SIZE];
};

/* Takes what is dirty; false when nothing was for wait_ms. */
static bool
take_work(struct mirror *mirror, int64_t wait_ms, struct work *out)
{
	bool dirty;

	pthread_mutex_lock(&mirror->lock);
	wait_for_work(mirror, wait_ms);
	if (mirror->dirty_count > 0 && !mirror->all_dirty) {
		/* Events come in bursts. */
		pthread_mutex_unlock(&mirror->lock);
		clock_sleep_ms(COALESCE_MS);
		pthread_mutex_lock(&mirror->lock);
	}
	dirty = mirror->all_dirty || mirror->dirty_count > 0;
	out->all = mirror->all_dirty;
	out->count = mirror->dirty_count;
	memcpy(out->ids, mirror->dirty, sizeof out->ids);
	mirror->all_dirty = false;
	mirror->dirty_count = 0;
	pthread_mutex_unlock(&mirror->lock);
	return dirty;
}

static void
add_work(struct work *to, const struct work *from)
{
	size_t i, k;

	to->all |= from->all;
	for (i = 0; i < from->count; i++) {
		for (k = 0; k < to->count; k++)
			if (strcmp(to->ids[k], from->ids[i]) == 0)
				break;
		if (k == DIRTY_MAXIMUM)
			to->all = true;
		else if (k == to->count)
			memcpy(to->ids[to->count++], from->ids[i], ID_SIZE);
	}
}

static void
do_work(struct mirror *mirror, struct store *store, const struct work *work)
{
	const char *ids[DIRTY_MAXIMUM + 1] = { NULL };
	struct docker_container_filter filter = { 0 };
	struct error err;
	size_t i;

	if (!work->all) {
		for (i = 0; i < work->count; i++)
			ids[i] = work->ids[i];
		filter.ids = ids;
	}
	if (refresh(mirror, store, &filter, &err) == 0)
		return;
	if (mirror_docker_is_up(mirror))
		log_error(LOG_WARNING, "cannot refresh the mirror", &err);
	mark_all(mirror);
	clock_sleep_ms(RETRY_MS);
}

/* What the refresher has to do besides what is dirty now. */
struct rounds {
	struct work again;
	int64_t again_at_ms;  /* monotonic; 0: nothing */
	int64_t resync_at_ms; /* monotonic */
};

/*
 * The Engine tells of an event before its own list shows it: what an event
 * named is asked for a second time a little later.
 */
static void
run_round(struct mirror *mirror, struct store *store, struct rounds *rounds)
{
	int64_t interval_ms = mirror->agent->settings->resync_interval_ms;
	int64_t due_at_ms = rounds->resync_at_ms, wait_ms;
	struct work work;

	if (rounds->again_at_ms != 0 && rounds->again_at_ms < due_at_ms)
		due_at_ms = rounds->again_at_ms;
	wait_ms = due_at_ms - clock_monotonic_ms();
	if (take_work(mirror, wait_ms > 0 ? wait_ms : 0, &work)) {
		add_work(&rounds->again, &work);
		rounds->again_at_ms = clock_monotonic_ms() + AGAIN_MS;
	} else if (rounds->again_at_ms != 0 &&
		   clock_monotonic_ms() >= rounds->again_at_ms) {
		work = rounds->again;
		memset(&rounds->again, 0, sizeof rounds->again);
		rounds->again_at_ms = 0;
	} else {
		work = (struct work){ .all = true };
	}
	/* Events that never end do not put it off. */
	work.all |= clock_monotonic_ms() >= rounds->resync_at_ms;
	if (work.all)
		rounds->resync_at_ms = clock_monotonic_ms() + interval_ms;
	if (!atomic_load(&mirror->agent->stopping))
		do_work(mirror, store, &work);
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

	mirror->last_event_at_s = event->time_ms / 1000;
	if (strcmp(event->type, "container") == 0) {
		/* A healthcheck is an exec every few seconds. */
		if (strncmp(event->action, "exec_", 5) != 0 &&
		    strncmp(event->action, "top", 3) != 0)
			mark(mirror, event->id);
	} else if (strcmp(event->type, "network") == 0) {
		if (strcmp(event->action, "connect") == 0 ||
		    strcmp(event->action, "disconnect") == 0)
			mark_all(mirror);
	}
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
		/* From before the full list: no event falls in between. */
		since_s = clock_wall_s();
		if (docker_ping(agent->docker, PING_TIMEOUT_MS, &err) == 0) {
			mirror->pinged_at_ms = clock_monotonic_ms();
			set_docker_up(mirror, true);
			mark_all(mirror);
			if (docker_events_follow(agent->docker, since_s,
				on_event, on_idle, mirror, &err) < 0)
				log_error(LOG_WARNING, "the event stream ended",
				    &err);
		}
		if (atomic_load(&agent->stopping))
			break;
		if (docker_ping(agent->docker, PING_TIMEOUT_MS, &err) < 0)
			set_docker_up(mirror, false);
		clock_sleep_ms(RETRY_MS);
	}
	return NULL;
}

int
mirror_start(struct agent *agent, struct mirror **out, struct error *err)
{
	struct mirror *mirror = xcalloc(1, sizeof *mirror);
	pthread_condattr_t monotonic;

	mirror->agent = agent;
	atomic_store(&mirror->docker_generation, clock_wall_ms());
	pthread_mutex_init(&mirror->refreshing, NULL);
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
	pthread_mutex_lock(&mirror->lock);
	pthread_cond_broadcast(&mirror->woken);
	pthread_mutex_unlock(&mirror->lock);
	pthread_join(mirror->follower, NULL);
	pthread_join(mirror->refresher, NULL);
	pthread_cond_destroy(&mirror->woken);
	pthread_mutex_destroy(&mirror->lock);
	pthread_mutex_destroy(&mirror->refreshing);
	free(mirror);
}
