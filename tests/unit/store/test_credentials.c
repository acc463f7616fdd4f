/* Credentials and kinds of registries on record. */
#include "store/credentials.h"

#include "store/store.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
	struct credential found;
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

static int
put(struct fixture *f, const char *id, const char *host, bool is_default)
{
	struct credential credential = {
		.id = id,
		.name = id,
		.registry_type = "generic",
		.host = host,
		.username = "me",
		.email = "",
		.is_default = is_default,
		.secret = 1,
	};

	return credential_put(f->store, &credential, &f->err);
}

static const char *
chosen_for(struct fixture *f, const char *host)
{
	bool found;

	assert_int_equal(credential_find_for_host(f->store, host, &f->arena,
			     &f->found, &found, &f->err),
	    0);
	return found ? f->found.id : "";
}

static void
a_host_has_one_default(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(chosen_for(f, "ghcr.io"), "");
	assert_int_equal(put(f, "aaaaaaaaaaaa", "ghcr.io", false), 0);
	assert_int_equal(put(f, "bbbbbbbbbbbb", "ghcr.io", true), 0);
	assert_int_equal(put(f, "cccccccccccc", "quay.io", true), 0);
	assert_string_equal(chosen_for(f, "ghcr.io"), "bbbbbbbbbbbb");
	assert_string_equal(chosen_for(f, "GHCR.io"), "bbbbbbbbbbbb");
	assert_string_equal(chosen_for(f, "quay.io"), "cccccccccccc");
	assert_string_equal(chosen_for(f, "docker.io"), "");
	assert_int_equal(put(f, "aaaaaaaaaaaa", "ghcr.io", true), 0);
	assert_string_equal(chosen_for(f, "ghcr.io"), "aaaaaaaaaaaa");
	assert_int_equal(credential_get(f->store, "bbbbbbbbbbbb", &f->arena,
			     &f->found, &f->err),
	    0);
	assert_false(f->found.is_default);
	assert_string_equal(chosen_for(f, "quay.io"), "cccccccccccc");
}

static void
a_name_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct credential other = { .id = "bbbbbbbbbbbb",
		.name = "aaaaaaaaaaaa",
		.registry_type = "generic",
		.host = "x",
		.username = "me",
		.email = "" };

	assert_int_equal(put(f, "aaaaaaaaaaaa", "ghcr.io", false), 0);
	assert_int_equal(credential_put(f->store, &other, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");
}

static void
what_is_deleted_is_gone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f, "aaaaaaaaaaaa", "ghcr.io", false), 0);
	assert_int_equal(
	    credential_delete(f->store, "aaaaaaaaaaaa", &f->err), 0);
	assert_int_equal(
	    credential_delete(f->store, "aaaaaaaaaaaa", &f->err), -1);
	assert_string_equal(f->err.code, "CREDENTIAL_NOT_FOUND");
	assert_int_equal(credential_get(f->store, "aaaaaaaaaaaa", &f->arena,
			     &f->found, &f->err),
	    -1);
	assert_string_equal(f->err.code, "CREDENTIAL_NOT_FOUND");
}

static void
kinds_of_registries_are_built_in_or_on_record(void **state)
{
	struct fixture *f = *state;
	struct registry_type type = { .slug = "ours",
		.name = "Ours",
		.url_patterns = "[\"registry.example\"]",
		.auth_type = "basic",
		.login_url = "",
		.docs_url = "",
		.icon = "" };
	struct registry_type found, *all;
	size_t before, count;

	assert_int_equal(
	    registry_type_list(f->store, &f->arena, &all, &before, &f->err), 0);
	assert_true(before >= 5);
	assert_true(all[0].is_builtin);
	assert_int_equal(registry_type_insert(f->store, &type, &f->err), 0);
	assert_int_equal(registry_type_insert(f->store, &type, &f->err), -1);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");
	type.name = "Renamed";
	assert_int_equal(registry_type_update(f->store, &type, &f->err), 0);
	assert_int_equal(
	    registry_type_get(f->store, "ours", &f->arena, &found, &f->err), 0);
	assert_string_equal(found.name, "Renamed");
	assert_false(found.is_builtin);
	assert_int_equal(
	    registry_type_list(f->store, &f->arena, &all, &count, &f->err), 0);
	assert_int_equal(count, before + 1);
	assert_int_equal(registry_type_delete(f->store, "ours", &f->err), 0);
	assert_int_equal(registry_type_delete(f->store, "ours", &f->err), -1);
	assert_string_equal(f->err.code, "REGISTRY_NOT_FOUND");
}

static void
built_in_kinds_are_protected(void **state)
{
	struct fixture *f = *state;
	struct registry_type type;

	assert_int_equal(
	    registry_type_get(f->store, "dockerhub", &f->arena, &type, &f->err),
	    0);
	assert_string_equal(type.host, "docker.io");
	assert_int_equal(registry_type_insert(f->store, &type, &f->err), -1);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");
	assert_int_equal(registry_type_update(f->store, &type, &f->err), -1);
	assert_string_equal(f->err.code, "PROTECTED");
	assert_int_equal(
	    registry_type_delete(f->store, "dockerhub", &f->err), -1);
	assert_string_equal(f->err.code, "PROTECTED");
}

static void
slugs_are_told_from_other_texts(void **state)
{
	(void)state;
	assert_true(registry_slug_is_valid("a"));
	assert_true(registry_slug_is_valid("our-registry-2"));
	assert_false(registry_slug_is_valid(""));
	assert_false(registry_slug_is_valid("-a"));
	assert_false(registry_slug_is_valid("a-"));
	assert_false(registry_slug_is_valid("A"));
	assert_false(registry_slug_is_valid("a/b"));
	assert_false(registry_slug_is_valid(".."));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_has_one_default),
		TEST(a_name_is_taken_once),
		TEST(what_is_deleted_is_gone),
		TEST(kinds_of_registries_are_built_in_or_on_record),
		TEST(built_in_kinds_are_protected),
		TEST(slugs_are_told_from_other_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
