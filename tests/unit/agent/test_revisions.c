/* What is started becomes a revision that was healthy, once it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/revisions.h"
#include "base/clock.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES "[{\"service\": \"app\", \"image_id\": \"sha256:1\"}]"

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct mirror_container container;
	struct error err;
};

static void
put_deployment(struct fixture *f)
{
	const struct mirror_deployment deployment = { .name = "blog",
		.path = "/d",
		.filename = "docker-compose.yml",
		.project = "blog",
		.type = "",
		.compose = "",
		.services = "[]",
		.metadata = "{}",
		.problem = "",
		.version = "" };
	struct revision revision = { .deployment = "blog",
		.filename = "docker-compose.yml",
		.compose = "",
		.images = IMAGES,
		.actor = "x",
		.job_id = "j" };
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_deployment_put(f->store, &deployment, &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
	assert_int_equal(store_revision_add(f->store, &revision, &f->err), 0);
	assert_int_equal(
	    store_revision_make_current(f->store, "blog", 1, &f->err), 0);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	if (store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err) < 0)
		return -1;
	f->container = (struct mirror_container){ .id = "c",
		.name = "blog",
		.image = "x",
		.image_id = "sha256:1",
		.state = "running",
		.status = "Up",
		.health = "",
		.created_at = clock_wall_s() - 60,
		.project = "blog",
		.service = "app",
		.ports = "[]",
		.networks = "[]",
		.labels = "{}",
		.mounts = "[]" };
	put_deployment(f);
	return 0;
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

/* What the revision is with the container as it is in the fixture. */
static enum revision_state
judge(struct fixture *f)
{
	struct revision revision;
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_container_put(f->store, &f->container, &changed, &f->err),
	    0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
	revisions_promote(f->store);
	assert_int_equal(store_revision_get(f->store, "blog", 1, &f->arena,
			     &revision, &f->err),
	    0);
	return revision.state;
}

static void
what_runs_for_a_while_was_healthy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge(f), REVISION_APPLIED);
}

static void
what_is_not_known_to_be_well_is_not_judged(void **state)
{
	struct fixture *f = *state;

	f->container.health = "starting";
	assert_int_equal(judge(f), REVISION_SAVED);
	f->container.health = "unhealthy";
	assert_int_equal(judge(f), REVISION_SAVED);
	f->container.health = "";
	f->container.state = "restarting";
	assert_int_equal(judge(f), REVISION_SAVED);
	f->container.state = "running";
	f->container.image_id = "sha256:2";
	assert_int_equal(judge(f), REVISION_SAVED);
	f->container.image_id = "sha256:1";
	f->container.created_at = clock_wall_s();
	assert_int_equal(judge(f), REVISION_SAVED);
	f->container.created_at -= 60;
	f->container.health = "healthy";
	assert_int_equal(judge(f), REVISION_APPLIED);
}

static void
what_has_no_containers_is_not_judged(void **state)
{
	struct fixture *f = *state;
	struct revision revision;

	revisions_promote(f->store);
	assert_int_equal(store_revision_get(f->store, "blog", 1, &f->arena,
			     &revision, &f->err),
	    0);
	assert_int_equal(revision.state, REVISION_SAVED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_runs_for_a_while_was_healthy),
		TEST(what_is_not_known_to_be_well_is_not_judged),
		TEST(what_has_no_containers_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
