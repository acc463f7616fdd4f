/* The mirror: rows, the generation that moves with them, and samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/mirror.h"
#include "store/samples.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	if (store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err) < 0)
		return -1;
	store_close(f->store);
	return store_open(f->scratch.path, STORE_MIRROR, &f->store, &f->err);
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

#define OK(call) assert_int_equal(call, 0)

static int64_t
generation(struct fixture *f)
{
	int64_t value;

	OK(mirror_generation(f->store, &value, &f->err));
	return value;
}

static const struct mirror_container some_container = {
	.id = "1111",
	.name = "blog-web-1",
	.image = "nginx:1",
	.image_id = "sha256:1",
	.state = "running",
	.status = "Up 1 minute",
	.health = "healthy",
	.created_at = 1700000000,
	.project = "blog",
	.service = "web",
	.ports = "[\"0.0.0.0:80->80/tcp\"]",
	.networks = "[{\"name\":\"blog_default\",\"network_id\":\"aaaa1\","
		    "\"ipv4\":\"172.18.0.2/16\",\"mac_address\":\"02:42\","
		    "\"attached\":true}]",
	.labels = "{\"a\":\"b\"}",
	.mounts = "[{\"type\":\"volume\",\"name\":\"blog_data\"}]",
};

static const struct mirror_deployment some_deployment = {
	.name = "blog",
	.path = "/srv/blog",
	.filename = "docker-compose.yml",
	.project = "blog",
	.type = "",
	.compose = "services: {}\n",
	.services = "[]",
	.metadata = "{}",
	.problem = "",
	.modified_at_ms = 1700000000123,
};

/* Puts it in a transaction of its own; whether the generation moved. */
static bool
put_container(struct fixture *f, const struct mirror_container *container)
{
	int64_t before = generation(f);
	bool changed = false;

	OK(store_begin(f->store, &f->err));
	OK(mirror_container_put(f->store, container, &changed, &f->err));
	OK(mirror_commit(f->store, changed, &f->err));
	assert_int_equal(generation(f), before + changed);
	return changed;
}

static bool
put_deployment(struct fixture *f, const struct mirror_deployment *deployment)
{
	int64_t before = generation(f);
	bool changed = false;

	OK(store_begin(f->store, &f->err));
	OK(mirror_deployment_put(f->store, deployment, &changed, &f->err));
	OK(mirror_commit(f->store, changed, &f->err));
	assert_int_equal(generation(f), before + changed);
	return changed;
}

static void
the_generation_moves_with_each_member_of_a_container(void **state)
{
	struct fixture *f = *state;
	struct mirror_container container = some_container;
	const char **members[] = { &container.name, &container.image,
		&container.image_id, &container.state, &container.status,
		&container.health, &container.project, &container.service,
		&container.ports, &container.networks, &container.labels,
		&container.mounts };
	size_t i;

	assert_true(put_container(f, &container));
	assert_false(put_container(f, &container));
	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		*members[i] = "other";
		assert_true(put_container(f, &container));
		assert_false(put_container(f, &container));
		*members[i] = "";
		assert_true(put_container(f, &container));
	}
	container.created_at++;
	assert_true(put_container(f, &container));
	assert_false(put_container(f, &container));
}

static void
the_generation_moves_with_each_member_of_a_deployment(void **state)
{
	struct fixture *f = *state;
	struct mirror_deployment deployment = some_deployment;
	const char **members[] = { &deployment.path, &deployment.filename,
		&deployment.project, &deployment.type, &deployment.compose,
		&deployment.services, &deployment.metadata,
		&deployment.problem };
	size_t i;

	assert_true(put_deployment(f, &deployment));
	assert_false(put_deployment(f, &deployment));
	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		*members[i] = "other";
		assert_true(put_deployment(f, &deployment));
		assert_false(put_deployment(f, &deployment));
	}
	deployment.modified_at_ms++;
	assert_true(put_deployment(f, &deployment));
	assert_false(put_deployment(f, &deployment));
}

static void
deleting_moves_the_generation_if_something_was_there(void **state)
{
	struct fixture *f = *state;
	bool changed = false;

	put_container(f, &some_container);
	put_deployment(f, &some_deployment);
	OK(store_begin(f->store, &f->err));
	OK(mirror_container_delete(f->store, "2222", &changed, &f->err));
	OK(mirror_deployment_delete(f->store, "shop", &changed, &f->err));
	assert_false(changed);
	OK(mirror_container_delete(f->store, "1111", &changed, &f->err));
	assert_true(changed);
	changed = false;
	OK(mirror_deployment_delete(f->store, "blog", &changed, &f->err));
	assert_true(changed);
	/* What was gathered is not lost by a call that changes nothing. */
	OK(mirror_deployment_delete(f->store, "blog", &changed, &f->err));
	assert_true(changed);
	OK(mirror_commit(f->store, changed, &f->err));
}

static void
what_was_put_comes_back(void **state)
{
	struct fixture *f = *state;
	struct mirror_container *containers;
	struct mirror_deployment *deployments, deployment;
	size_t count;

	put_container(f, &some_container);
	put_deployment(f, &some_deployment);
	OK(mirror_container_list(
	    f->store, "blog", &f->arena, &containers, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(containers[0].id, "1111");
	assert_string_equal(containers[0].name, "blog-web-1");
	assert_string_equal(containers[0].image, "nginx:1");
	assert_string_equal(containers[0].image_id, "sha256:1");
	assert_string_equal(containers[0].state, "running");
	assert_string_equal(containers[0].status, "Up 1 minute");
	assert_string_equal(containers[0].health, "healthy");
	assert_int_equal(containers[0].created_at, 1700000000);
	assert_string_equal(containers[0].project, "blog");
	assert_string_equal(containers[0].service, "web");
	assert_string_equal(containers[0].ports, some_container.ports);
	assert_string_equal(containers[0].networks, some_container.networks);
	assert_string_equal(containers[0].labels, some_container.labels);

	OK(mirror_deployment_list(
	    f->store, &f->arena, &deployments, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(deployments[0].name, "blog");
	assert_string_equal(deployments[0].path, "/srv/blog");
	assert_null(deployments[0].compose);
	assert_int_equal(deployments[0].modified_at_ms, 1700000000123);
	OK(mirror_deployment_get(
	    f->store, "blog", &f->arena, &deployment, &f->err));
	assert_string_equal(deployment.compose, "services: {}\n");
	assert_string_equal(deployment.filename, "docker-compose.yml");
	assert_int_equal(mirror_deployment_get(
			     f->store, "shop", &f->arena, &deployment, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
}

static void
put_named(struct fixture *f, const char *id, const char *name,
    const char *project, const char *service)
{
	struct mirror_container container = some_container;

	container.id = id;
	container.name = name;
	container.project = project;
	container.service = service;
	put_container(f, &container);
}

/* The ids of the containers, of the project or all, one after another. */
static const char *
list_ids(struct fixture *f, const char *project)
{
	struct mirror_container *containers;
	const char *ids = "";
	size_t count, i;

	OK(mirror_container_list(
	    f->store, project, &f->arena, &containers, &count, &f->err));
	for (i = 0; i < count; i++)
		ids = arena_printf(
		    &f->arena, "%s%s%s", ids, i ? " " : "", containers[i].id);
	return ids;
}

static bool
retain(struct fixture *f, const char *project, const char *const *ids,
    size_t count)
{
	bool changed = false;

	OK(store_begin(f->store, &f->err));
	OK(mirror_containers_retain(
	    f->store, project, ids, count, &changed, &f->err));
	OK(mirror_commit(f->store, changed, &f->err));
	return changed;
}

static void
containers_are_listed_by_name_and_by_project(void **state)
{
	struct fixture *f = *state;

	put_named(f, "1", "c", "blog", "web");
	put_named(f, "2", "a", "shop", "web");
	put_named(f, "3", "b", "blog", "db");
	put_named(f, "4", "d", "", "");
	assert_string_equal(list_ids(f, NULL), "2 3 1 4");
	assert_string_equal(list_ids(f, "blog"), "3 1");
	assert_string_equal(list_ids(f, "blo"), "");
	assert_string_equal(list_ids(f, "%"), "");
}

static void
retaining_deletes_the_others_of_the_project_alone(void **state)
{
	static const char *const one[] = { "1" };
	static const char *const some[] = { "2", "4", "9", "4" };
	struct fixture *f = *state;

	put_named(f, "1", "a", "blog", "web");
	put_named(f, "2", "b", "blog", "web");
	put_named(f, "3", "c", "shop", "web");
	put_named(f, "4", "d", "", "");
	assert_true(retain(f, "blog", one, 1));
	assert_string_equal(list_ids(f, NULL), "1 3 4");
	assert_false(retain(f, "blog", one, 1));
	put_named(f, "2", "b", "blog", "web");
	assert_true(retain(f, NULL, some, 4));
	assert_string_equal(list_ids(f, NULL), "2 4");
	assert_true(retain(f, "blog", NULL, 0));
	assert_string_equal(list_ids(f, NULL), "4");
	assert_true(retain(f, NULL, NULL, 0));
	assert_string_equal(list_ids(f, NULL), "");
	assert_false(retain(f, NULL, NULL, 0));
}

static void
a_reader_sees_one_state_until_it_ends(void **state)
{
	struct fixture *f = *state;
	struct store *reader = NULL, *writer = f->store;
	int64_t before, after;

	put_named(f, "1", "a", "blog", "web");
	OK(store_open(f->scratch.path, STORE_READER, &reader, &f->err));
	OK(mirror_read(reader, &f->err));
	OK(mirror_generation(reader, &before, &f->err));
	put_named(f, "2", "b", "blog", "web");
	f->store = reader;
	assert_string_equal(list_ids(f, NULL), "1");
	OK(mirror_generation(reader, &after, &f->err));
	assert_int_equal(after, before);
	mirror_read_end(reader);
	assert_string_equal(list_ids(f, NULL), "1 2");
	OK(mirror_generation(reader, &after, &f->err));
	assert_int_equal(after, before + 1);
	f->store = writer;
	store_close(reader);
}

static void
a_transaction_that_is_rolled_back_moves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t before = generation(f);
	bool changed = false;

	OK(store_begin(f->store, &f->err));
	OK(mirror_container_put(f->store, &some_container, &changed, &f->err));
	store_rollback(f->store);
	assert_string_equal(list_ids(f, NULL), "");
	assert_int_equal(generation(f), before);
}

static void
samples_are_of_running_containers_and_the_newest(void **state)
{
	struct fixture *f = *state;
	struct mirror_container container = some_container;
	struct sample sample = { .container_id = "1111",
		.sampled_at_ms = 1,
		.cpu_percent = 150.5,
		.memory_usage = INT64_MAX,
		.memory_limit = 2,
		.network_rx = 3,
		.network_tx = 4,
		.block_read = 5,
		.block_write = 6,
		.pids = 7 },
		      *samples;
	size_t count;

	put_container(f, &container);
	OK(store_sample_put(f->store, &sample, &f->err));
	sample.sampled_at_ms = 2;
	OK(store_sample_put(f->store, &sample, &f->err));
	sample.container_id = "unknown";
	OK(store_sample_put(f->store, &sample, &f->err));
	OK(store_sample_list(
	    f->store, "blog", &f->arena, &samples, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(samples[0].container_id, "1111");
	assert_string_equal(samples[0].name, "blog-web-1");
	assert_string_equal(samples[0].service, "web");
	assert_int_equal(samples[0].sampled_at_ms, 2);
	assert_true(samples[0].cpu_percent == 150.5);
	assert_int_equal(samples[0].memory_usage, INT64_MAX);
	assert_int_equal(samples[0].memory_limit, 2);
	assert_int_equal(samples[0].network_rx, 3);
	assert_int_equal(samples[0].network_tx, 4);
	assert_int_equal(samples[0].block_read, 5);
	assert_int_equal(samples[0].block_write, 6);
	assert_int_equal(samples[0].pids, 7);
	OK(store_sample_list(
	    f->store, "shop", &f->arena, &samples, &count, &f->err));
	assert_int_equal(count, 0);

	/* A container that stopped has none, and gets none from before. */
	container.state = "exited";
	put_container(f, &container);
	OK(store_sample_list(
	    f->store, "blog", &f->arena, &samples, &count, &f->err));
	assert_int_equal(count, 0);
	OK(store_samples_prune(f->store, &f->err));
	container.state = "running";
	put_container(f, &container);
	OK(store_sample_list(
	    f->store, "blog", &f->arena, &samples, &count, &f->err));
	assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_generation_moves_with_each_member_of_a_container),
		TEST(the_generation_moves_with_each_member_of_a_deployment),
		TEST(deleting_moves_the_generation_if_something_was_there),
		TEST(what_was_put_comes_back),
		TEST(containers_are_listed_by_name_and_by_project),
		TEST(retaining_deletes_the_others_of_the_project_alone),
		TEST(a_reader_sees_one_state_until_it_ends),
		TEST(a_transaction_that_is_rolled_back_moves_nothing),
		TEST(samples_are_of_running_containers_and_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
