/* Keyed hashes: the same for the same texts alone, by a key that stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "agent/seal.h"
#include "settings/settings.h"
#include "tests/unit/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
	struct scratch scratch;
	struct settings settings;
	struct seal_key key;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->settings.state_directory = f->scratch.path;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
seal_open_or_fail(struct fixture *f, struct seal_key *out)
{
	if (seal_open(&f->settings, out, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

static void
seal(const struct fixture *f, const char *first, const char *second,
    char out[SEAL_TEXT_SIZE])
{
	auto_buffer struct buffer sealed = BUFFER(SEAL_MAXIMUM);

	seal_add(&sealed, first);
	seal_add(&sealed, second);
	seal_finish(&f->key, &sealed, out);
}

static void
assert_differs(const struct fixture *f, const char *first, const char *second)
{
	char one[SEAL_TEXT_SIZE], other[SEAL_TEXT_SIZE];

	seal(f, "a", "b", one);
	seal(f, first, second, other);
	assert_string_not_equal(one, other);
}

static void
the_key_is_roots_and_stays(void **state)
{
	struct fixture *f = *state;
	struct seal_key again;
	struct stat status;

	seal_open_or_fail(f, &f->key);
	assert_int_equal(
	    stat(scratch_path(&f->scratch, "secrets/seal"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, SEAL_KEY_SIZE);
	seal_open_or_fail(f, &again);
	assert_memory_equal(&again, &f->key, sizeof again);
}

static void
a_damaged_key_is_made_anew(void **state)
{
	struct fixture *f = *state;
	struct seal_key again;

	seal_open_or_fail(f, &f->key);
	scratch_write(&f->scratch, "secrets/seal", "short", 5);
	seal_open_or_fail(f, &again);
	assert_memory_not_equal(&again, &f->key, sizeof again);
	seal_open_or_fail(f, &f->key);
	assert_memory_equal(&again, &f->key, sizeof again);
}

static void
only_the_same_texts_have_the_same_hash(void **state)
{
	struct fixture *f = *state;
	char one[SEAL_TEXT_SIZE], other[SEAL_TEXT_SIZE];

	seal_open_or_fail(f, &f->key);
	seal(f, "a", "b", one);
	seal(f, "a", "b", other);
	assert_string_equal(one, other);
	assert_int_equal(strspn(one, "0123456789abcdef"), SEAL_TEXT_SIZE - 1);
	assert_differs(f, "ab", "");
	assert_differs(f, "", "ab");
	assert_differs(f, "a;1:b", "");
	assert_differs(f, "a", NULL);
	seal(f, "", NULL, one);
	seal(f, NULL, "", other);
	assert_string_not_equal(one, other);
}

static void
another_key_gives_another_hash(void **state)
{
	struct fixture *f = *state;
	char one[SEAL_TEXT_SIZE], other[SEAL_TEXT_SIZE];

	seal_open_or_fail(f, &f->key);
	seal(f, "a", "b", one);
	f->key.bytes[0] ^= 1;
	seal(f, "a", "b", other);
	assert_string_not_equal(one, other);
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		EACH(the_key_is_roots_and_stays),
		EACH(a_damaged_key_is_made_anew),
		EACH(only_the_same_texts_have_the_same_hash),
		EACH(another_key_gives_another_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
