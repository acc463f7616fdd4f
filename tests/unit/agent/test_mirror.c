/* What events make old, and the mirror against an Engine of the test's own. */
#include "agent/agent.h"
#include "agent/mirror-work.h"
#include "agent/mirror.h"
#include "agent/server.h"
#include "base/clock.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/docker/engine.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(call) assert_int_equal(call, 0)
#define WAIT_MS 5000
#define ID_A "a000000000000000000000000000000000000000000000000000000000000000"
#define ID_B "b000000000000000000000000000000000000000000000000000000000000000"

/* Nobody waits for the next heartbeat here. */
void
server_wake(struct server *server)
{
	(void)server;
}

/* What has to be asked again. */

static struct mirror_work
work_of(
    const char *type, const char *action, const char *id, const char *container)
{
	struct docker_event event = { .type = type,
		.action = action,
		.id = id,
		.name = "",
		.container = container,
		.project = "" };
	struct mirror_work work = { 0 };

	mirror_work_of_event(&work, &event);
	return work;
}

/* "images", "a+b" for two containers, or "". */
static const char *
words_of(const struct mirror_work *work)
{
	static const char *const names[] = { "images ", "volumes ", "networks ",
		"containers " };
	static char words[4096];
	size_t i, length = 0;

	words[0] = '\0';
	for (i = 0; i < MIRROR_KINDS; i++)
		if (work->all[i])
			length += (size_t)snprintf(words + length,
			    sizeof words - length, "%s", names[i]);
	for (i = 0; i < work->count; i++)
		length += (size_t)snprintf(
		    words + length, sizeof words - length, "%s ", work->ids[i]);
	if (length > 0)
		words[length - 1] = '\0';
	return words;
}

static void
events_make_old_what_they_name_and_no_more(void **state)
{
	static const struct {
		const char *type, *action, *id, *container, *expected;
	} cases[] = {
		{ "container", "start", "c1", "", "c1" },
		{ "container", "health_status: healthy", "c1", "", "c1" },
		{ "container", "destroy", "c1", "", "c1" },
		{ "container", "exec_create: sh -c true", "c1", "", "" },
		{ "container", "exec_die", "c1", "", "" },
		{ "container", "top", "c1", "", "" },
		{ "container", "attach", "c1", "", "" },
		{ "container", "resize", "c1", "", "" },
		{ "container", "prune", "", "", "containers" },
		{ "container", "start", "../x", "", "containers" },
		{ "image", "pull", "a:1", "", "images" },
		{ "image", "tag", "a:1", "", "images" },
		{ "image", "delete", "sha256:1", "", "images" },
		{ "image", "prune", "", "", "images" },
		{ "image", "push", "a:1", "", "" },
		{ "image", "save", "a:1", "", "" },
		{ "volume", "create", "v", "", "volumes" },
		{ "volume", "destroy", "v", "", "volumes" },
		{ "volume", "prune", "", "", "volumes" },
		{ "volume", "mount", "v", "c1", "" },
		{ "volume", "unmount", "v", "c1", "" },
		{ "network", "create", "n", "", "networks" },
		{ "network", "destroy", "n", "", "networks" },
		{ "network", "connect", "n", "c1", "c1" },
		{ "network", "disconnect", "n", "c1", "c1" },
		{ "network", "disconnect", "n", "", "containers" },
		{ "daemon", "reload", "d", "", "" },
		{ "", "", "", "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mirror_work work = work_of(cases[i].type,
		    cases[i].action, cases[i].id, cases[i].container);

		assert_string_equal(words_of(&work), cases[i].expected);
		assert_int_equal(
		    mirror_work_is_empty(&work), cases[i].expected[0] == '\0');
	}
}

static void
work_is_added_up_without_repeating_it(void **state)
{
	struct mirror_work work = work_of("container", "start", "c1", "");
	struct mirror_work other = work_of("container", "start", "c2", "");
	struct mirror_work images = work_of("image", "pull", "x", "");
	const char *ids[MIRROR_WORK_MAXIMUM + 1];

	(void)state;
	mirror_work_add(&work, &other);
	other = work_of("container", "die", "c1", "");
	mirror_work_add(&work, &other);
	assert_string_equal(words_of(&work), "c1 c2");
	mirror_work_ids(&work, ids);
	assert_string_equal(ids[1], "c2");
	assert_null(ids[2]);
	mirror_work_add(&work, &images);
	assert_string_equal(words_of(&work), "images c1 c2");
	assert_false(mirror_work_is_everything(&work));
	mirror_work_add(&work, &mirror_work_everything);
	assert_true(mirror_work_is_everything(&work));
}

static void
too_many_containers_are_all_of_them(void **state)
{
	struct mirror_work work = { 0 };
	char id[16];
	int i;

	(void)state;
	for (i = 0; i < MIRROR_WORK_MAXIMUM; i++) {
		snprintf(id, sizeof id, "c%d", i);
		mirror_work_container(&work, id);
	}
	assert_false(work.all[MIRROR_CONTAINERS]);
	mirror_work_container(&work, "c3");
	assert_false(work.all[MIRROR_CONTAINERS]);
	mirror_work_container(&work, "one-more");
	assert_true(work.all[MIRROR_CONTAINERS]);
	assert_int_equal(work.count, MIRROR_WORK_MAXIMUM);
}

/* The mirror. */

struct fixture {
	struct scratch scratch;
	struct engine *engine;
	struct settings settings;
	struct agent agent;
	struct mirror *mirror;
	struct store *store;
	struct arena arena;
	struct error err;
};

static void
answer(struct fixture *f, const char *path, const char *body)
{
	engine_answers_json(f->engine,
	    arena_printf(&f->arena, "GET /v1.41/%s", path), "200 OK", body);
}

/* An Engine that tells nothing until the test says what. */
static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	*state = f;
	scratch_make(&f->scratch);
	f->engine = engine_start();
	answer(f, "containers/json", "[]");
	answer(f, "images/json", "[]");
	answer(f, "volumes", "{\"Volumes\":null}");
	answer(f, "networks", "[]");
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /v1.41/events",
			   .bytes = "HTTP/1.1 200 OK\r\n\r\n",
			   .after = ENGINE_HOLD });
	f->settings.database_directory = f->scratch.path;
	f->settings.resync_interval_ms = 600000;
	f->agent.settings = &f->settings;
	OK(store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err));
	return docker_open(engine_path(f->engine), &f->agent.docker, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->agent.stopping, true);
	if (f->mirror != NULL)
		mirror_stop(f->mirror);
	docker_close(f->agent.docker);
	engine_stop(f->engine);
	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
start(struct fixture *f)
{
	OK(mirror_start(&f->agent, &f->mirror, &f->err));
}

/* After the head of the answer come the events, then nothing more. */
static void
tell_events(struct fixture *f, const char *events, int delay_ms)
{
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /v1.41/events",
			   .bytes = arena_printf(
			       &f->arena, "HTTP/1.1 200 OK\r\n\r\n%s", events),
			   .delay_ms = delay_ms,
			   .after = ENGINE_HOLD });
}

static bool
is_up(struct fixture *f)
{
	return mirror_docker_is_up(f->mirror);
}

/* The names of all there is, by kind. */
static const char *
contents(struct fixture *f)
{
	struct mirror_container *containers;
	struct mirror_image *images;
	struct mirror_volume *volumes;
	struct mirror_network *networks;
	size_t counts[4];

	OK(mirror_container_list(
	    f->store, NULL, &f->arena, &containers, &counts[0], &f->err));
	OK(mirror_image_list(
	    f->store, &f->arena, &images, &counts[1], &f->err));
	OK(mirror_volume_list(
	    f->store, &f->arena, &volumes, &counts[2], &f->err));
	OK(mirror_network_list(
	    f->store, &f->arena, &networks, &counts[3], &f->err));
	return arena_printf(&f->arena, "%s %s %s %s",
	    counts[0] ? containers[0].name : "-",
	    counts[1] ? images[0].id : "-", counts[2] ? volumes[0].name : "-",
	    counts[3] ? networks[0].name : "-");
}

static void
wait_for(struct fixture *f, const char *expected)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MS;

	while (strcmp(contents(f), expected) != 0 &&
	       clock_monotonic_ms() < until_ms)
		clock_sleep_ms(5);
	assert_string_equal(contents(f), expected);
}

static void
wait_until_up(struct fixture *f, bool up)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MS;

	while (is_up(f) != up && clock_monotonic_ms() < until_ms)
		clock_sleep_ms(5);
	assert_int_equal(is_up(f), up);
}

static void
everything_is_there_before_docker_counts_as_up(void **state)
{
	struct fixture *f = *state;

	answer(f, "containers/json",
	    "[{\"Id\":\"" ID_A "\",\"Names\":[\"/c\"]},{\"Names\":[\"/x\"]}]");
	answer(f, "images/json", "[{\"Id\":\"sha256:1\"}]");
	answer(f, "volumes", "{\"Volumes\":[{\"Name\":\"v\"}]}");
	answer(f, "networks", "[{\"Id\":\"n1\",\"Name\":\"n\"}]");
	start(f);
	wait_until_up(f, true);
	assert_string_equal(contents(f), "c sha256:1 v n");
}

static void
without_a_list_of_containers_docker_is_not_up(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "GET /v1.41/containers/json",
	    "500 Internal Server Error", "{\"message\":\"broken\"}");
	start(f);
	clock_sleep_ms(300);
	assert_false(is_up(f));
	answer(
	    f, "containers/json", "[{\"Id\":\"" ID_A "\",\"Names\":[\"/c\"]}]");
	wait_until_up(f, true);
	assert_string_equal(contents(f), "c - - -");
}

/* A broken plugin for volumes does not make the rest unknown. */
static void
without_another_list_docker_is_up_and_it_is_tried_again(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "GET /v1.41/volumes",
	    "500 Internal Server Error", "{\"message\":\"broken\"}");
	start(f);
	wait_until_up(f, true);
	answer(f, "volumes", "{\"Volumes\":[{\"Name\":\"v\"}]}");
	wait_for(f, "- - v -");
}

static void
an_event_brings_what_is_of_its_kind(void **state)
{
	struct fixture *f = *state;

	tell_events(f,
	    "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"x\"}}"
	    "{\"Type\":\"volume\",\"Action\":\"create\",\"Actor\":{\"ID\":"
	    "\"v\"}}",
	    400);
	start(f);
	wait_until_up(f, true);
	answer(f, "images/json", "[{\"Id\":\"sha256:1\"}]");
	answer(f, "volumes", "{\"Volumes\":[{\"Name\":\"v\"}]}");
	/* Nobody told of these: they are not asked for. */
	answer(
	    f, "containers/json", "[{\"Id\":\"" ID_A "\",\"Names\":[\"/c\"]}]");
	answer(f, "networks", "[{\"Id\":\"n1\",\"Name\":\"n\"}]");
	wait_for(f, "- sha256:1 v -");
	clock_sleep_ms(800);
	assert_string_equal(contents(f), "- sha256:1 v -");
}

/* The Engine tells of an event before its own list shows it. */
static void
what_comes_late_into_the_list_is_seen(void **state)
{
	struct fixture *f = *state;

	tell_events(f,
	    "{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":"
	    "\"n1\"}}",
	    200);
	start(f);
	wait_until_up(f, true);
	clock_sleep_ms(350);
	answer(f, "networks", "[{\"Id\":\"n1\",\"Name\":\"n\"}]");
	wait_for(f, "- - - n");
}

/* It is busy with the container: its list follows when that is done. */
static void
what_the_engine_is_busy_with_is_asked_for_until_it_is_done(void **state)
{
	struct fixture *f = *state;

	tell_events(f,
	    "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":"
	    "\"" ID_A "\"}}",
	    100);
	answer(f, "containers/json",
	    "[{\"Id\":\"" ID_A "\",\"Names\":[\"/runs\"]}]");
	engine_answers(
	    f->engine, &(struct engine_answer){
			   .request = "GET /v1.41/containers/" ID_A "/json",
			   .bytes = "HTTP/1.1 200 OK\r\n",
			   .after = ENGINE_HOLD });
	start(f);
	wait_until_up(f, true);
	clock_sleep_ms(1200);
	assert_string_equal(contents(f), "runs - - -");
	answer(f, "containers/json",
	    "[{\"Id\":\"" ID_A "\",\"Names\":[\"/ended\"]}]");
	answer(f, "containers/" ID_A "/json", "{}");
	wait_for(f, "ended - - -");
	assert_true(is_up(f));
}

static void
a_connection_concerns_one_container(void **state)
{
	struct fixture *f = *state;

	tell_events(f,
	    "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":"
	    "\"n1\",\"Attributes\":{\"container\":\"" ID_B "\"}}}",
	    300);
	answer(f, "containers/json",
	    "[{\"Id\":\"" ID_A "\",\"Names\":[\"/stays\"]},"
	    "{\"Id\":\"" ID_B "\",\"Names\":[\"/goes\"]}]");
	start(f);
	wait_until_up(f, true);
	assert_string_equal(contents(f), "goes - - -");
	answer(f, "containers/json", "[]");
	wait_for(f, "stays - - -");
	assert_non_null(strstr(engine_request(f->engine), ID_B));
	assert_null(strstr(engine_request(f->engine), ID_A));
}

static void
a_refresh_shows_at_once_what_it_was_asked_for(void **state)
{
	struct fixture *f = *state;

	start(f);
	wait_until_up(f, true);
	answer(
	    f, "containers/json", "[{\"Id\":\"" ID_A "\",\"Names\":[\"/c\"]}]");
	OK(mirror_refresh_container(f->mirror, f->store, ID_A, &f->err));
	assert_string_equal(contents(f), "c - - -");
	answer(f, "containers/json", "[]");
	OK(mirror_refresh_container(f->mirror, f->store, ID_A, &f->err));
	assert_string_equal(contents(f), "- - - -");
	answer(f, "images/json", "[{\"Id\":\"sha256:1\"}]");
	OK(mirror_refresh_images(f->mirror, f->store, &f->err));
	assert_string_equal(contents(f), "- sha256:1 - -");
	answer(f, "volumes", "{\"Volumes\":[{\"Name\":\"v\"}]}");
	OK(mirror_refresh_volumes(f->mirror, f->store, &f->err));
	answer(f, "networks", "[{\"Id\":\"n1\",\"Name\":\"n\"}]");
	OK(mirror_refresh_networks(f->mirror, f->store, &f->err));
	assert_string_equal(contents(f), "- sha256:1 v n");
}

static void
a_refresh_that_fails_leaves_the_rows(void **state)
{
	struct fixture *f = *state;

	answer(f, "images/json", "[{\"Id\":\"sha256:1\"}]");
	start(f);
	wait_until_up(f, true);
	engine_answers_json(f->engine, "GET /v1.41/images/json",
	    "500 Internal Server Error", "{\"message\":\"broken\"}");
	assert_int_equal(
	    mirror_refresh_images(f->mirror, f->store, &f->err), -1);
	assert_string_equal(f->err.code, "DOCKER_ERROR");
	assert_string_equal(contents(f), "- sha256:1 - -");
}

static void
docker_that_goes_away_is_noticed(void **state)
{
	struct fixture *f = *state;
	int64_t generation;

	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /v1.41/events",
			   .bytes = "HTTP/1.1 200 OK\r\n\r\n",
			   .delay_ms = 300,
			   .after = ENGINE_CLOSE });
	start(f);
	wait_until_up(f, true);
	generation = mirror_docker_generation(f->mirror);
	engine_answers_json(f->engine, "GET /_ping",
	    "500 Internal Server Error", "{\"message\":\"broken\"}");
	wait_until_up(f, false);
	assert_true(mirror_docker_generation(f->mirror) > generation);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_make_old_what_they_name_and_no_more),
		cmocka_unit_test(work_is_added_up_without_repeating_it),
		cmocka_unit_test(too_many_containers_are_all_of_them),
		TEST(everything_is_there_before_docker_counts_as_up),
		TEST(without_a_list_of_containers_docker_is_not_up),
		TEST(without_another_list_docker_is_up_and_it_is_tried_again),
		TEST(an_event_brings_what_is_of_its_kind),
		TEST(what_comes_late_into_the_list_is_seen),
		TEST(
		    what_the_engine_is_busy_with_is_asked_for_until_it_is_done),
		TEST(a_connection_concerns_one_container),
		TEST(a_refresh_shows_at_once_what_it_was_asked_for),
		TEST(a_refresh_that_fails_leaves_the_rows),
		TEST(docker_that_goes_away_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
