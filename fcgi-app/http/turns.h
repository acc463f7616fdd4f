/*
 * Which threads of a pool wait on the socket: a few, those that worked last.
 *
 * The kernel would wake all of them in turn, so that each soon holds the
 * memory of a request and a connection to the store. Here a light load is
 * served by a few threads, and those that rest for a while give theirs back.
 *
 * Callable from any thread.
 */
#ifndef HTTP_TURNS_H
#define HTTP_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct turns;

/* At most at_once threads wait at a time; one that rested for idle_ms is
 * told so. The caller ends it with turns_free() when no thread uses it. */
struct turns *turns_new(unsigned int at_once, int64_t idle_ms);
void turns_free(struct turns *turns);

/*
 * Returns when it is this thread's turn to wait on the socket, or after
 * turns_end(). on_idle is called once, in this thread, if it rests long.
 */
void turns_take(
    struct turns *turns, void (*on_idle)(void *context), void *context);
/* This thread no longer waits: another takes the turn. false: none rests, and
 * fewer wait than may. */
bool turns_pass(struct turns *turns);

/* From now on turns_take() returns at once, also where it waits. */
void turns_end(struct turns *turns);

#endif
