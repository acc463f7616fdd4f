#include "http/turns.h"

#include "base/arena.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A thread that rests, on its own stack. */
struct resting {
	struct resting *below;
	pthread_cond_t called;
	bool has_turn;
};

struct turns {
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	unsigned int at_once, waiting;
	int64_t idle_ms;
	struct resting *top; /* the one that began to rest last */
	bool ended;
};

struct turns *
turns_new(unsigned int at_once, int64_t idle_ms)
{
	struct turns *turns = xcalloc(1, sizeof *turns);

	pthread_mutex_init(&turns->lock, NULL);
	pthread_condattr_init(&turns->monotonic);
	pthread_condattr_setclock(&turns->monotonic, CLOCK_MONOTONIC);
	turns->at_once = at_once;
	turns->idle_ms = idle_ms;
	return turns;
}

void
turns_free(struct turns *turns)
{
	if (turns == NULL)
		return;
	pthread_condattr_destroy(&turns->monotonic);
	pthread_mutex_destroy(&turns->lock);
	free(turns);
}

/* Waits until called or idle; false when idle. The lock is held. */
static bool
rest(struct turns *turns, struct resting *resting)
{
	int64_t until_ms = clock_monotonic_ms() + turns->idle_ms;
	struct timespec until = { .tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000 };

	while (!resting->has_turn)
		if (pthread_cond_timedwait(
			&resting->called, &turns->lock, &until) != 0)
			return resting->has_turn;
	return true;
}

static void
rest_until_called(struct turns *turns, struct resting *resting,
    void (*on_idle)(void *context), void *context)
{
	if (rest(turns, resting))
		return;
	/* It may be called meanwhile: then it has its turn right after. */
	pthread_mutex_unlock(&turns->lock);
	on_idle(context);
	pthread_mutex_lock(&turns->lock);
	while (!resting->has_turn)
		pthread_cond_wait(&resting->called, &turns->lock);
}

void
turns_take(struct turns *turns, void (*on_idle)(void *context), void *context)
{
	struct resting resting = { 0 };

	pthread_mutex_lock(&turns->lock);
	if (turns->ended || turns->waiting < turns->at_once) {
		turns->waiting++;
	} else {
		pthread_cond_init(&resting.called, &turns->monotonic);
		resting.below = turns->top;
		turns->top = &resting;
		rest_until_called(turns, &resting, on_idle, context);
		pthread_cond_destroy(&resting.called);
	}
	pthread_mutex_unlock(&turns->lock);
}

/* Gives a turn to the thread that began to rest last. The lock is held. */
static void
call_top(struct turns *turns)
{
	struct resting *top = turns->top;

	turns->top = top->below;
	turns->waiting++;
	top->has_turn = true;
	pthread_cond_signal(&top->called);
}

bool
turns_pass(struct turns *turns)
{
	bool taken;

	pthread_mutex_lock(&turns->lock);
	turns->waiting--;
	if (turns->top != NULL && turns->waiting < turns->at_once)
		call_top(turns);
	taken = turns->waiting >= turns->at_once;
	pthread_mutex_unlock(&turns->lock);
	return taken;
}

void
turns_end(struct turns *turns)
{
	pthread_mutex_lock(&turns->lock);
	turns->ended = true;
	while (turns->top != NULL)
		call_top(turns);
	pthread_mutex_unlock(&turns->lock);
}
