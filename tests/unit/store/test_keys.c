/* API keys, and what happens to who guesses them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/throttle.h"
#include "tests/unit/scratch.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
	char text[KEY_TEXT_SIZE];
	struct api_key key;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	return store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
create(struct fixture *f, const char *name, enum role role)
{
	assert_int_equal(store_key_create(f->store, name, role, f->text,
			     &f->arena, &f->key, &f->err),
	    0);
}

static bool
is_found(struct fixture *f, const char *text)
{
	struct api_key key;
	bool found;

	assert_int_equal(
	    store_key_find(f->store, text, &f->arena, &key, &found, &f->err),
	    0);
	return found;
}

/* Runs SQL on a connection of its own. */
static void
execute(struct fixture *f, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open(scratch_path(&f->scratch, "flatrun.db"), &db),
	    SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static void
a_key_is_43_random_characters_behind_its_mark(void **state)
{
	struct fixture *f = *state;
	char first[KEY_TEXT_SIZE];

	create(f, "CI \xC3\xA4", ROLE_OPERATOR);
	assert_int_equal(strlen(f->text), 46);
	assert_memory_equal(f->text, "fr_", 3);
	assert_int_equal(
	    strspn(f->text + 3,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_"),
	    43);
	assert_int_equal(strlen(f->key.id), 12);
	assert_string_equal(f->key.name, "CI \xC3\xA4");
	assert_int_equal(f->key.role, ROLE_OPERATOR);
	assert_int_equal(strlen(f->key.prefix), 15);
	assert_memory_equal(f->key.prefix, f->text, 12);
	memcpy(first, f->text, sizeof first);
	create(f, "CI \xC3\xA4", ROLE_OPERATOR);
	assert_string_not_equal(first, f->text);
}

static void
the_database_does_not_hold_the_key(void **state)
{
	static const char *const files[] = { "flatrun.db", "flatrun.db-wal" };
	struct fixture *f = *state;
	size_t i, hits = 0;

	create(f, "ci", ROLE_ADMIN);
	for (i = 0; i < 2; i++) {
		char *text = scratch_read(&f->scratch, files[i]);
		FILE *file = fopen(scratch_path(&f->scratch, files[i]), "rbe");
		long size;

		assert_non_null(text);
		fseek(file, 0, SEEK_END);
		size = ftell(file);
		fclose(file);
		assert_null(
		    memmem(text, (size_t)size, f->text, strlen(f->text)));
		/* The part after the prefix that is shown. */
		assert_null(memmem(
		    text, (size_t)size, f->text + 12, strlen(f->text) - 12));
		hits += memmem(text, (size_t)size, f->key.prefix, 15) != NULL;
		free(text);
	}
	assert_true(hits > 0);
}

static void
only_the_whole_key_is_the_key(void **state)
{
	struct fixture *f = *state;
	char other[KEY_TEXT_SIZE + 8];
	size_t length;

	create(f, "ci", ROLE_ADMIN);
	assert_true(is_found(f, f->text));
	for (length = 0; length < strlen(f->text); length++) {
		snprintf(other, sizeof other, "%.*s", (int)length, f->text);
		assert_false(is_found(f, other));
	}
	snprintf(other, sizeof other, "%sx", f->text);
	assert_false(is_found(f, other));
	snprintf(other, sizeof other, " %s", f->text);
	assert_false(is_found(f, other));
	snprintf(other, sizeof other, "%s\n", f->text);
	assert_false(is_found(f, other));
	snprintf(other, sizeof other, "%s", f->text);
	other[45] = other[45] == 'A' ? 'B' : 'A';
	assert_false(is_found(f, other));
	other[0] = 'F';
	assert_false(is_found(f, other));
	assert_false(is_found(f, f->key.id));
	assert_false(is_found(f, f->key.prefix));
	assert_false(is_found(f, "' OR 1=1 --"));
	assert_false(is_found(f, "%"));
}

static void
each_of_many_keys_is_found_as_itself(void **state)
{
	struct fixture *f = *state;
	char texts[20][KEY_TEXT_SIZE];
	const char *ids[20];
	struct api_key key;
	bool found;
	size_t i;

	for (i = 0; i < 20; i++) {
		create(f, "ci", i % 2 ? ROLE_VIEWER : ROLE_ADMIN);
		memcpy(texts[i], f->text, KEY_TEXT_SIZE);
		ids[i] = f->key.id;
	}
	for (i = 0; i < 20; i++) {
		assert_int_equal(store_key_find(f->store, texts[i], &f->arena,
				     &key, &found, &f->err),
		    0);
		assert_true(found);
		assert_string_equal(key.id, ids[i]);
		assert_int_equal(key.role, i % 2 ? ROLE_VIEWER : ROLE_ADMIN);
		assert_int_equal(store_key_find_id(f->store, ids[i], &f->arena,
				     &key, &found, &f->err),
		    0);
		assert_true(found);
		assert_string_equal(key.id, ids[i]);
	}
}

static void
a_revoked_key_is_no_key(void **state)
{
	struct fixture *f = *state;
	struct api_key key, *keys;
	size_t count;
	bool found;

	create(f, "ci", ROLE_ADMIN);
	assert_int_equal(store_key_revoke(f->store, f->key.id, &f->err), 0);
	assert_int_equal(store_key_revoke(f->store, f->key.id, &f->err), 0);
	assert_false(is_found(f, f->text));
	assert_int_equal(store_key_find_id(f->store, f->key.id, &f->arena, &key,
			     &found, &f->err),
	    0);
	assert_false(found);
	assert_int_equal(
	    store_key_list(f->store, &f->arena, &keys, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_in_range(clock_wall_s() - keys[0].revoked_at, 0, 60);

	assert_int_equal(
	    store_key_revoke(f->store, "000000000000", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_string_equal(f->err.code, "KEY_NOT_FOUND");
	assert_int_equal(store_key_revoke(f->store, "%", &f->err), -1);
}

static void
keys_are_listed_the_newest_first(void **state)
{
	struct fixture *f = *state;
	struct api_key *keys;
	size_t count;

	assert_int_equal(
	    store_key_list(f->store, &f->arena, &keys, &count, &f->err), 0);
	assert_int_equal(count, 0);
	create(f, "old", ROLE_VIEWER);
	execute(f, "UPDATE api_keys SET created_at = created_at - 10");
	create(f, "new", ROLE_ADMIN);
	assert_int_equal(
	    store_key_list(f->store, &f->arena, &keys, &count, &f->err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(keys[0].name, "new");
	assert_int_equal(keys[0].role, ROLE_ADMIN);
	assert_string_equal(keys[1].name, "old");
	assert_int_equal(keys[1].last_used_at, 0);
	assert_int_equal(keys[1].revoked_at, 0);
}

static int64_t
last_used_at(struct fixture *f)
{
	struct api_key key;
	bool found;

	assert_int_equal(store_key_find_id(f->store, f->key.id, &f->arena, &key,
			     &found, &f->err),
	    0);
	assert_true(found);
	return key.last_used_at;
}

static void
use_is_noted_once_a_minute(void **state)
{
	struct fixture *f = *state;
	int64_t noted;

	create(f, "ci", ROLE_ADMIN);
	assert_int_equal(last_used_at(f), 0);
	assert_int_equal(store_key_touch(f->store, f->key.id, &f->err), 0);
	noted = last_used_at(f);
	assert_in_range(clock_wall_s() - noted, 0, 60);
	execute(f, "UPDATE api_keys SET last_used_at = last_used_at - 50");
	assert_int_equal(store_key_touch(f->store, f->key.id, &f->err), 0);
	assert_int_equal(last_used_at(f), noted - 50);
	execute(f, "UPDATE api_keys SET last_used_at = last_used_at - 20");
	assert_int_equal(store_key_touch(f->store, f->key.id, &f->err), 0);
	assert_true(last_used_at(f) >= noted);
	assert_int_equal(store_key_touch(f->store, "nobody", &f->err), 0);
}

static void
names_of_keys_are_short_and_printable(void **state)
{
	static const char *const refused[] = { "", "a\nb", "a\tb", "\x7F",
		"\xFF", "\xC0\xAF", "a\x1B[31m" };
	struct fixture *f = *state;
	char name[66] = "";
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(key_name_is_valid(refused[i]));
		assert_int_equal(
		    store_key_create(f->store, refused[i], ROLE_ADMIN, f->text,
			&f->arena, &f->key, &f->err),
		    -1);
		assert_string_equal(f->err.code, "INVALID_NAME");
		assert_string_equal(f->err.field, "name");
	}
	memset(name, 'n', 64);
	assert_true(key_name_is_valid(name));
	name[64] = 'n';
	assert_false(key_name_is_valid(name));
	assert_true(key_name_is_valid("'; DROP TABLE api_keys; --"));
	create(f, "'; DROP TABLE api_keys; --", ROLE_ADMIN);
	assert_true(is_found(f, f->text));
}

static void
roles_have_names(void **state)
{
	enum role role = ROLE_PUBLIC;

	(void)state;
	assert_int_equal(role_parse("admin", &role), 0);
	assert_int_equal(role, ROLE_ADMIN);
	assert_int_equal(role_parse("operator", &role), 0);
	assert_int_equal(role, ROLE_OPERATOR);
	assert_int_equal(role_parse("viewer", &role), 0);
	assert_int_equal(role, ROLE_VIEWER);
	/* Nobody is given nothing, or more than there is. */
	assert_int_equal(role_parse("public", &role), -1);
	assert_int_equal(role_parse("root", &role), -1);
	assert_int_equal(role_parse("Admin", &role), -1);
	assert_int_equal(role_parse("", &role), -1);
	assert_string_equal(role_name(ROLE_OPERATOR), "operator");
	assert_true(ROLE_PUBLIC < ROLE_VIEWER && ROLE_VIEWER < ROLE_OPERATOR &&
		    ROLE_OPERATOR < ROLE_ADMIN);
}

static void
fail_times(struct fixture *f, const char *address, int times)
{
	while (times-- > 0)
		assert_int_equal(
		    store_throttle_note(f->store, address, &f->err), 0);
}

static void
ten_failures_in_a_minute_close_the_door_for_that_address(void **state)
{
	struct fixture *f = *state;

	fail_times(f, "192.0.2.1", 9);
	assert_int_equal(
	    store_throttle_check(f->store, "192.0.2.1", &f->err), 0);
	fail_times(f, "192.0.2.1", 1);
	assert_int_equal(
	    store_throttle_check(f->store, "192.0.2.1", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_RATE_LIMITED);
	assert_string_equal(error_code(&f->err), "RATE_LIMITED");
	assert_in_range(f->err.retry_after_s, 50, 61);
	/* The holder of the right key on another address comes in. */
	assert_int_equal(
	    store_throttle_check(f->store, "192.0.2.10", &f->err), 0);
	assert_int_equal(store_throttle_check(f->store, "", &f->err), 0);
}

static void
the_door_opens_when_the_minute_has_passed(void **state)
{
	struct fixture *f = *state;

	fail_times(f, "::1", 10);
	execute(f, "UPDATE login_failures SET "
		   "failed_at_ms = failed_at_ms - 55000");
	assert_int_equal(store_throttle_check(f->store, "::1", &f->err), -1);
	assert_in_range(f->err.retry_after_s, 1, 6);
	execute(f, "UPDATE login_failures SET "
		   "failed_at_ms = failed_at_ms - 5001");
	assert_int_equal(store_throttle_check(f->store, "::1", &f->err), 0);
}

static void
a_clock_that_was_set_back_closes_no_door(void **state)
{
	struct fixture *f = *state;

	fail_times(f, "::1", 20);
	execute(f, "UPDATE login_failures SET "
		   "failed_at_ms = failed_at_ms + 86400000");
	assert_int_equal(store_throttle_check(f->store, "::1", &f->err), 0);
	fail_times(f, "::1", 9);
	assert_int_equal(store_throttle_check(f->store, "::1", &f->err), 0);
}

static int
count_row(void *context, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	*(long *)context = strtol(values[0], NULL, 10);
	return 0;
}

static void
failures_that_count_no_longer_are_forgotten(void **state)
{
	struct fixture *f = *state;
	long count = 0;
	sqlite3 *db;

	fail_times(f, "192.0.2.1", 30);
	execute(f, "UPDATE login_failures SET "
		   "failed_at_ms = failed_at_ms - 61000");
	fail_times(f, "192.0.2.2", 1);
	assert_int_equal(
	    sqlite3_open(scratch_path(&f->scratch, "flatrun.db"), &db),
	    SQLITE_OK);
	sqlite3_exec(
	    db, "SELECT count(*) FROM login_failures", count_row, &count, NULL);
	sqlite3_close(db);
	assert_int_equal(count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_43_random_characters_behind_its_mark),
		TEST(the_database_does_not_hold_the_key),
		TEST(only_the_whole_key_is_the_key),
		TEST(each_of_many_keys_is_found_as_itself),
		TEST(a_revoked_key_is_no_key),
		TEST(keys_are_listed_the_newest_first),
		TEST(use_is_noted_once_a_minute),
		TEST(names_of_keys_are_short_and_printable),
		cmocka_unit_test(roles_have_names),
		TEST(ten_failures_in_a_minute_close_the_door_for_that_address),
		TEST(the_door_opens_when_the_minute_has_passed),
		TEST(a_clock_that_was_set_back_closes_no_door),
		TEST(failures_that_count_no_longer_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
