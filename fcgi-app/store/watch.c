#include "store/watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/events.h"
#include "store/store-private.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define INTERVAL_MS 40
#define RETRY_MS 500

struct store_watch {
	char *directory;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed, happened, needed;
	pthread_t thread;
	bool started, ending;
	size_t waiting;
	uint64_t version, wakes;
	int64_t newest; /* number of an event; 0: not known */
};

struct store_watch *
store_watch_new(const char *directory)
{
	struct store_watch *watch = xcalloc(1, sizeof *watch);
	pthread_condattr_t monotonic;

	watch->directory = xstrdup(directory);
	pthread_mutex_init(&watch->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->changed, &monotonic);
	pthread_cond_init(&watch->happened, &monotonic);
	pthread_cond_init(&watch->needed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return watch;
}

void
store_watch_free(struct store_watch *watch)
{
	if (watch == NULL)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->ending = true;
	pthread_cond_broadcast(&watch->needed);
	pthread_mutex_unlock(&watch->lock);
	if (watch->started)
		pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->needed);
	pthread_cond_destroy(&watch->happened);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch->directory);
	free(watch);
}

/* Changes when another connection has committed. */
static int
read_data_version(struct store *store, int64_t *out)
{
	sqlite3_stmt *statement;
	struct error ignored;
	bool row;

	if (store_prepare(store, "PRAGMA data_version", &statement, &ignored) <
		0 ||
	    store_step(store, statement, &row, &ignored) < 0 || !row)
		return -1;
	*out = sqlite3_column_int64(statement, 0);
	store_finish(statement);
	return 0;
}

/*
 * Whether there may be something new. A database that was put in the place of
 * another is one, and so is each try at one that cannot be read: who waits
 * finds out for himself.
 */
static bool
look(struct store_watch *watch, struct store **store, int64_t *known)
{
	struct error ignored;
	int64_t version;

	if (*store != NULL && store_has_moved(*store))
		store_close(TAKE(*store));
	if (*store == NULL) {
		*known = -1;
		if (store_open(
			watch->directory, STORE_READER, store, &ignored) < 0) {
			*store = NULL;
			clock_sleep_ms(RETRY_MS);
			return true;
		}
	}
	if (read_data_version(*store, &version) < 0) {
		store_close(TAKE(*store));
		return true;
	}
	if (version == *known)
		return false;
	*known = version;
	return true;
}

/* Sleeps while nobody waits; false at the end. */
static bool
is_needed(struct store_watch *watch)
{
	bool ending;

	pthread_mutex_lock(&watch->lock);
	while (watch->waiting == 0 && !watch->ending)
		pthread_cond_wait(&watch->needed, &watch->lock);
	ending = watch->ending;
	pthread_mutex_unlock(&watch->lock);
	return !ending;
}

/* A newest event that cannot be read is one: who waits finds out. */
static void
tell(struct store_watch *watch, struct store *store)
{
	int64_t oldest, newest;
	struct error ignored;

	if (store == NULL ||
	    store_event_range(store, &oldest, &newest, &ignored) < 0) {
		store_watch_wake(watch);
		return;
	}
	pthread_mutex_lock(&watch->lock);
	watch->version++;
	pthread_cond_broadcast(&watch->changed);
	if (watch->newest != newest)
		pthread_cond_broadcast(&watch->happened);
	watch->newest = newest;
	pthread_mutex_unlock(&watch->lock);
}

static void *
run_watch(void *context)
{
	struct store_watch *watch = context;
	struct store *store = NULL;
	int64_t known = -1;

	while (is_needed(watch)) {
		if (look(watch, &store, &known))
			tell(watch, store);
		clock_sleep_ms(INTERVAL_MS);
	}
	store_close(store);
	return NULL;
}

uint64_t
store_watch_version(struct store_watch *watch)
{
	uint64_t version;

	pthread_mutex_lock(&watch->lock);
	version = watch->version;
	pthread_mutex_unlock(&watch->lock);
	return version;
}

/* lock is held. Without the thread a wait just takes its time. */
static void
begin_waiting(struct store_watch *watch)
{
	if (!watch->started)
		watch->started =
		    pthread_create(&watch->thread, NULL, run_watch, watch) == 0;
	if (watch->waiting++ == 0)
		pthread_cond_signal(&watch->needed);
}

static struct timespec
time_after(int64_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

void
store_watch_wait(struct store_watch *watch, uint64_t seen, int64_t timeout_ms)
{
	struct timespec until = time_after(timeout_ms);

	pthread_mutex_lock(&watch->lock);
	begin_waiting(watch);
	while (watch->version == seen && pthread_cond_timedwait(&watch->changed,
					     &watch->lock, &until) == 0)
		;
	watch->waiting--;
	pthread_mutex_unlock(&watch->lock);
}

void
store_watch_wait_event(
    struct store_watch *watch, int64_t after, int64_t timeout_ms)
{
	struct timespec until = time_after(timeout_ms);
	uint64_t wakes;

	pthread_mutex_lock(&watch->lock);
	begin_waiting(watch);
	wakes = watch->wakes;
	while (
	    watch->newest <= after && watch->wakes == wakes &&
	    pthread_cond_timedwait(&watch->happened, &watch->lock, &until) == 0)
		;
	watch->waiting--;
	pthread_mutex_unlock(&watch->lock);
}

void
store_watch_wake(struct store_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->version++;
	watch->wakes++;
	pthread_cond_broadcast(&watch->changed);
	pthread_cond_broadcast(&watch->happened);
	pthread_mutex_unlock(&watch->lock);
}
