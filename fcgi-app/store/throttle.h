/*
 * Failed logins by client address, shared by all workers: ten in a minute
 * close the door for that address until the minute has passed.
 */
#ifndef STORE_THROTTLE_H
#define STORE_THROTTLE_H

#include "base/error.h"

struct store;

#define THROTTLE_FAILURES 10
#define THROTTLE_WINDOW_MS 60000

/* ERR_RATE_LIMITED, with retry_after_s, when the address has to wait. */
int store_throttle_check(
    struct store *store, const char *address, struct error *err);

/* Notes one failure and forgets those that no longer count. */
int store_throttle_note(
    struct store *store, const char *address, struct error *err);

#endif
