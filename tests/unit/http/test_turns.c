/* Which threads of a pool wait: a few, those that worked last. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/turns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define THREADS 6
#define IDLE_MS 100

struct player {
	struct turns *turns;
	pthread_t thread;
	atomic_int took, idled;
	atomic_bool go; /* lets it pass its turn */
};

static atomic_int waiting, most_waiting;
static atomic_bool ended;

static void
on_idle(void *context)
{
	struct player *player = context;

	atomic_fetch_add(&player->idled, 1);
}

static void *
play(void *context)
{
	struct player *player = context;

	while (!atomic_load(&ended)) {
		int now, most;

		turns_take(player->turns, on_idle, player);
		now = atomic_fetch_add(&waiting, 1) + 1;
		most = atomic_load(&most_waiting);
		while (now > most && !atomic_load(&ended) &&
		       !atomic_compare_exchange_weak(&most_waiting, &most, now))
			;
		atomic_fetch_add(&player->took, 1);
		while (!atomic_exchange(&player->go, false) &&
		       !atomic_load(&ended))
			clock_sleep_ms(1);
		atomic_fetch_sub(&waiting, 1);
		turns_pass(player->turns);
	}
	return NULL;
}

static void
start(struct turns *turns, struct player *players)
{
	int i;

	atomic_store(&ended, false);
	atomic_store(&waiting, 0);
	atomic_store(&most_waiting, 0);
	for (i = 0; i < THREADS; i++) {
		players[i].turns = turns;
		assert_int_equal(
		    pthread_create(&players[i].thread, NULL, play, &players[i]),
		    0);
	}
}

static void
finish(struct turns *turns, struct player *players)
{
	int i;

	atomic_store(&ended, true);
	turns_end(turns);
	for (i = 0; i < THREADS; i++)
		pthread_join(players[i].thread, NULL);
	turns_free(turns);
}

static void
never_more_than_a_few_wait_and_always_that_many(void **state)
{
	struct player players[THREADS] = { 0 };
	struct turns *turns = turns_new(2, 60000);
	int round, i;

	(void)state;
	start(turns, players);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < THREADS; i++)
			atomic_store(&players[i].go, true);
		clock_sleep_ms(1);
	}
	for (i = 0; i < THREADS; i++)
		atomic_store(&players[i].go, false);
	clock_sleep_ms(50);
	assert_int_equal(atomic_load(&most_waiting), 2);
	assert_int_equal(atomic_load(&waiting), 2);
	finish(turns, players);
}

static void
those_that_rest_are_told_once(void **state)
{
	struct player players[THREADS] = { 0 };
	struct turns *turns = turns_new(2, IDLE_MS);
	int idle = 0, i;

	(void)state;
	start(turns, players);
	clock_sleep_ms(4 * IDLE_MS);
	for (i = 0; i < THREADS; i++) {
		assert_true(atomic_load(&players[i].idled) <= 1);
		idle += atomic_load(&players[i].idled);
	}
	assert_int_equal(idle, THREADS - 2);
	finish(turns, players);
}

static void
a_light_load_is_served_by_those_that_worked_last(void **state)
{
	struct player players[THREADS] = { 0 };
	struct turns *turns = turns_new(1, 60000);
	int workers = 0, round, i;

	(void)state;
	start(turns, players);
	clock_sleep_ms(50);
	/* One request at a time: who has the turn works and rests again. */
	for (round = 0; round < 20; round++) {
		for (i = 0; i < THREADS; i++)
			atomic_store(&players[i].go, true);
		clock_sleep_ms(2);
	}
	for (i = 0; i < THREADS; i++)
		workers += atomic_load(&players[i].took) > 1;
	assert_in_range(workers, 1, 3);
	finish(turns, players);
}

static void
ending_calls_all(void **state)
{
	struct player players[THREADS] = { 0 };
	struct turns *turns = turns_new(1, 60000);
	int64_t started_ms = clock_monotonic_ms();

	(void)state;
	start(turns, players);
	clock_sleep_ms(20);
	finish(turns, players);
	assert_true(clock_monotonic_ms() - started_ms < 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    never_more_than_a_few_wait_and_always_that_many),
		cmocka_unit_test(those_that_rest_are_told_once),
		cmocka_unit_test(
		    a_light_load_is_served_by_those_that_worked_last),
		cmocka_unit_test(ending_calls_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
