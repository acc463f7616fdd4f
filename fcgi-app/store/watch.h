/*
 * Tells the threads of one process that something was written to the store:
 * what streams wait for.
 *
 * SQLite says cheaply whether another connection has committed (PRAGMA
 * data_version); one thread asks, and only while somebody waits. Callable from
 * any thread.
 */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include "base/error.h"

#include <stdint.h>

struct store_watch;

/* directory as for store_open(); it is copied, and opened when needed. */
struct store_watch *store_watch_new(const char *directory);
/* When nobody waits any more; NULL is accepted. */
void store_watch_free(struct store_watch *watch);

/* To be taken before reading what store_watch_wait() then waits to change. */
uint64_t store_watch_version(struct store_watch *watch);

/*
 * Returns when the version is no longer the seen one, after at most timeout_ms,
 * or after store_watch_wake().
 */
void store_watch_wait(
    struct store_watch *watch, uint64_t seen, int64_t timeout_ms);

/*
 * The same for events (store/events.h): returns when there is one with a higher
 * number than after. A commit without an event wakes nobody here.
 */
void store_watch_wait_event(
    struct store_watch *watch, int64_t after, int64_t timeout_ms);

/* Everybody who waits goes on. */
void store_watch_wake(struct store_watch *watch);

#endif
