/* What all streams of a process look at together. */
#include "http/lookout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <stdlib.h>

#define PATIENCE_MS 3000

struct fixture {
	struct scratch scratch;
	struct store *store; /* of who changes it */
	struct lookout *lookout;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->lookout = lookout_new(f->scratch.path);
	*state = f;
	return store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	lookout_free(f->lookout);
	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static const char *
create_key(struct fixture *f)
{
	char text[KEY_TEXT_SIZE];
	struct api_key key;

	assert_int_equal(store_key_create(f->store, "one", ROLE_VIEWER, text,
			     &f->arena, &key, &f->err),
	    0);
	return key.id;
}

static void
change_mirror(struct fixture *f)
{
	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, true, &f->err), 0);
}

static void
a_change_of_the_mirror_is_seen_soon(void **state)
{
	struct fixture *f = *state;
	int64_t before = lookout_generation(f->lookout);
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;

	assert_true(before >= 0);
	change_mirror(f);
	while (lookout_generation(f->lookout) == before)
		assert_true(clock_monotonic_ms() < until);
	assert_int_equal(lookout_generation(f->lookout), before + 1);
}

static void
a_key_is_there_until_it_is_revoked(void **state)
{
	struct fixture *f = *state;
	const char *id = create_key(f);
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;

	assert_true(lookout_has_key(f->lookout, id));
	assert_false(lookout_has_key(f->lookout, "nobody"));
	assert_int_equal(store_key_revoke(f->store, id, &f->err), 0);
	while (lookout_has_key(f->lookout, id))
		assert_true(clock_monotonic_ms() < until);
	assert_false(lookout_has_key(f->lookout, id));
}

/* More keys than it remembers: none is taken for another. */
static void
keys_are_told_apart(void **state)
{
	struct fixture *f = *state;
	const char *id = create_key(f);
	int i;

	for (i = 0; i < 200; i++) {
		const char *other = arena_printf(&f->arena, "other-%d", i);

		assert_false(lookout_has_key(f->lookout, other));
		assert_true(lookout_has_key(f->lookout, id));
	}
	assert_false(lookout_has_key(f->lookout,
	    "an id that is much longer than any that the store ever made up"));
}

static void
its_connection_can_be_used(void **state)
{
	struct fixture *f = *state;
	struct store *store = lookout_lock(f->lookout);
	int64_t generation = -1;

	assert_non_null(store);
	assert_int_equal(mirror_generation(store, &generation, &f->err), 0);
	lookout_unlock(f->lookout);
	assert_int_equal(generation, lookout_generation(f->lookout));
}

static void
without_a_database_nothing_is_known(void **state)
{
	struct lookout *lookout = lookout_new("/nonexistent");

	(void)state;
	assert_int_equal(lookout_generation(lookout), -1);
	assert_null(lookout_lock(lookout));
	lookout_unlock(lookout);
	/* Who asks has a key that was good: nobody is thrown out for this. */
	assert_true(lookout_has_key(lookout, "a-key"));
	lookout_free(lookout);
	lookout_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_of_the_mirror_is_seen_soon),
		TEST(a_key_is_there_until_it_is_revoked),
		TEST(keys_are_told_apart),
		TEST(its_connection_can_be_used),
		cmocka_unit_test(without_a_database_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
