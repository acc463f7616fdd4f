/* Templates of several sources on record. */
#include "store/templates.h"

#include "store/store.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
	struct template *list;
	size_t count;
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

static struct template row(const char *id, const char *name, int64_t priority)
{
	return (struct template){ .id = id,
		.name = name,
		.category = "basic",
		.type = "",
		.priority = priority,
		.metadata = "{}",
		.content = name };
}

/* Whether it made a difference. */
static bool
replace(struct fixture *f, const char *source, int64_t rank,
    const struct template *rows, size_t count)
{
	bool changed = false;

	assert_int_equal(template_replace(f->store, source, rank, rows, count,
			     &changed, &f->err),
	    0);
	return changed;
}

static void
read_list(struct fixture *f)
{
	assert_int_equal(
	    template_list(f->store, &f->arena, &f->list, &f->count, &f->err),
	    0);
}

static void
they_are_listed_by_priority_then_name(void **state)
{
	const struct template rows[] = { row("a", "zebra", 1),
		row("b", "Ape", 1), row("c", "bee", 1), row("d", "ant", 9) };
	struct fixture *f = *state;

	assert_true(replace(f, "builtin", 0, rows, 4));
	read_list(f);
	assert_int_equal(f->count, 4);
	assert_string_equal(f->list[0].id, "d");
	assert_string_equal(f->list[1].id, "b");
	assert_string_equal(f->list[2].id, "c");
	assert_string_equal(f->list[3].id, "a");
	assert_string_equal(f->list[3].source, "builtin");
}

static void
the_same_again_makes_no_difference(void **state)
{
	struct template rows[] = { row("a", "one", 1), row("b", "two", 1) };
	struct fixture *f = *state;

	assert_true(replace(f, "builtin", 0, rows, 2));
	assert_false(replace(f, "builtin", 0, rows, 2));
	rows[1].content = "other";
	assert_true(replace(f, "builtin", 0, rows, 2));
	assert_true(replace(f, "builtin", 1, rows, 2));
	assert_true(replace(f, "builtin", 1, rows, 1));
	read_list(f);
	assert_int_equal(f->count, 1);
}

static void
of_one_id_the_last_source_counts(void **state)
{
	const struct template mine = row("a", "mine", 1);
	const struct template other = row("a", "other", 1);
	struct fixture *f = *state;
	struct template found;
	bool changed = false;

	replace(f, "builtin", 0, &mine, 1);
	replace(f, "other", 1, &other, 1);
	read_list(f);
	assert_int_equal(f->count, 1);
	assert_string_equal(f->list[0].name, "other");
	assert_int_equal(
	    template_rank(f->store, "builtin", 2, &changed, &f->err), 0);
	assert_true(changed);
	assert_int_equal(
	    template_get(f->store, "a", &f->arena, &found, &f->err), 0);
	assert_string_equal(found.name, "mine");
	replace(f, "builtin", 2, NULL, 0);
	assert_int_equal(
	    template_get(f->store, "a", &f->arena, &found, &f->err), 0);
	assert_string_equal(found.name, "other");
}

static void
sources_that_are_gone_are_forgotten(void **state)
{
	static const char *const kept[] = { "builtin" };
	const struct template rows[] = { row("a", "one", 1),
		row("b", "two", 1) };
	struct fixture *f = *state;
	bool changed = false;

	replace(f, "builtin", 0, &rows[0], 1);
	replace(f, "gone", 1, &rows[1], 1);
	assert_int_equal(
	    template_retain_sources(f->store, kept, 1, &changed, &f->err), 0);
	assert_true(changed);
	read_list(f);
	assert_int_equal(f->count, 1);
	changed = false;
	assert_int_equal(
	    template_retain_sources(f->store, kept, 1, &changed, &f->err), 0);
	assert_false(changed);
}

static void
what_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;
	struct template found;

	assert_int_equal(
	    template_get(f->store, "a", &f->arena, &found, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_string_equal(f->err.code, "TEMPLATE_NOT_FOUND");
}

#define TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_listed_by_priority_then_name),
		TEST(the_same_again_makes_no_difference),
		TEST(of_one_id_the_last_source_counts),
		TEST(sources_that_are_gone_are_forgotten),
		TEST(what_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
