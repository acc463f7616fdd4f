/* The keeper of health, with a store and a server of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/health.h"
#include "agent/mirror.h"
#include "base/clock.h"
#include "settings/settings.h"
#include "store/checks.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PATIENCE_MS 20000

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct agent agent;
	struct store *store;
	struct health *health;
	int listener, port;
	pthread_t server;
	atomic_bool good; /* what the server answers */
	atomic_int asked;
	struct error err;
};

/* There is no Docker here. */
bool
mirror_docker_is_up(const struct mirror *mirror)
{
	(void)mirror;
	return true;
}

static void *
serve(void *context)
{
	struct fixture *f = context;
	char request[1024];
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		const char *answer =
		    atomic_load(&f->good)
			? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
			: "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";

		if (recv(fd, request, sizeof request, 0) > 0)
			send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		atomic_fetch_add(&f->asked, 1);
		close(fd);
	}
	return NULL;
}

static int
start_server(struct fixture *f)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(f->listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(f->listener, 16) < 0 ||
	    getsockname(f->listener, (struct sockaddr *)&address, &size) < 0)
		return -1;
	f->port = ntohs(address.sin_port);
	return pthread_create(&f->server, NULL, serve, f);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "database");
	f->settings.database_directory =
	    arena_strdup(&f->arena, scratch_path(&f->scratch, "database"));
	f->settings.check_interval_ms = 1000;
	f->agent.settings = &f->settings;
	f->good = true;
	assert_int_equal(store_open(f->settings.database_directory, STORE_AGENT,
			     &f->store, &f->err),
	    0);
	*state = f;
	return start_server(f);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->health != NULL) {
		atomic_store(&f->agent.stopping, true);
		health_stop(f->health);
	}
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->server, NULL);
	close(f->listener);
	store_close(f->store);
	scratch_remove(&f->scratch);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static void
put_deployment(struct fixture *f, const char *type)
{
	struct mirror_deployment deployment = { .name = "blog",
		.path = "/d",
		.filename = "docker-compose.yml",
		.project = "blog",
		.type = "",
		.compose = "services: {}",
		.services = "[]",
		.metadata = arena_printf(&f->arena,
		    "{\"healthcheck\":{\"type\":\"%s\",\"path\":\"/\","
		    "\"service\":\"web\",\"port\":%d}}",
		    type, f->port),
		.problem = "" };
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_deployment_put(f->store, &deployment, &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
}

static void
put_container(struct fixture *f, const char *id, const char *state)
{
	struct mirror_container container = { .id = id,
		.name = id,
		.image = "i",
		.image_id = "sha256:1",
		.state = state,
		.status = "",
		.health = "",
		.project = "blog",
		.service = "web",
		.ports = "[]",
		.networks = "[{\"name\":\"n\",\"ipv4\":\"127.0.0.1/16\"}]",
		.labels = "{}",
		.mounts = "[]" };
	bool changed = false;

	assert_int_equal(store_begin(f->store, &f->err), 0);
	assert_int_equal(
	    mirror_container_put(f->store, &container, &changed, &f->err), 0);
	assert_int_equal(mirror_commit(f->store, changed, &f->err), 0);
}

static void
start(struct fixture *f)
{
	assert_int_equal(health_start(&f->agent, &f->health, &f->err), 0);
}

/* "" when nobody has been asked; it is in the fixture's arena. */
static const char *
status_now(struct fixture *f, struct check_record *out)
{
	bool found;

	assert_int_equal(
	    store_check_find(f->store, "blog", &f->arena, out, &found, &f->err),
	    0);
	return found ? out->status : "";
}

static struct check_record
await_status(struct fixture *f, const char *status)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct check_record record = { 0 };

	while (strcmp(status_now(f, &record), status) != 0) {
		if (clock_monotonic_ms() > until_ms)
			fail_msg("it did not become '%s'", status);
		clock_sleep_ms(20);
	}
	return record;
}

static const char *
deployments_health(struct fixture *f)
{
	struct mirror_deployment deployment;

	assert_int_equal(mirror_deployment_get(
			     f->store, "blog", &f->arena, &deployment, &f->err),
	    0);
	return deployment.health;
}

static void
who_answers_is_healthy_until_it_fails_three_times(void **state)
{
	struct fixture *f = *state;
	struct check_record record;

	put_deployment(f, "http");
	put_container(f, ID_A, "running");
	start(f);
	record = await_status(f, "healthy");
	assert_string_equal(record.container_id, ID_A);
	assert_int_equal(record.http_status, 200);
	assert_string_equal(deployments_health(f), "healthy");

	atomic_store(&f->good, false);
	atomic_store(&f->asked, 0);
	record = await_status(f, "unhealthy");
	assert_true(atomic_load(&f->asked) >= 3);
	assert_string_equal(record.reason, "GET / answered 500");
	assert_string_equal(deployments_health(f), "unhealthy");

	atomic_store(&f->good, true);
	await_status(f, "healthy");
}

static void
who_was_just_started_is_given_time(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->good, false);
	put_deployment(f, "http");
	put_container(f, ID_A, "running");
	start(f);
	await_status(f, "starting");
	while (atomic_load(&f->asked) < 5)
		clock_sleep_ms(20);
	await_status(f, "starting");
	assert_string_equal(deployments_health(f), "starting");
	atomic_store(&f->good, true);
	await_status(f, "healthy");
}

static void
who_stops_or_is_asked_no_more_is_forgotten(void **state)
{
	struct fixture *f = *state;

	put_deployment(f, "http");
	put_container(f, ID_A, "running");
	start(f);
	await_status(f, "healthy");
	put_container(f, ID_A, "exited");
	await_status(f, "");
	assert_string_equal(deployments_health(f), "none");
	put_container(f, ID_A, "running");
	await_status(f, "healthy");
	put_deployment(f, "exec");
	await_status(f, "");
	assert_string_equal(deployments_health(f), "none");
}

static void
what_was_known_before_a_restart_is_no_news(void **state)
{
	struct fixture *f = *state;
	struct check_record before = { .deployment = "blog",
		.container_id = ID_A,
		.status = "healthy",
		.reason = "",
		.checked_at_ms = 1000,
		.changed_at_ms = 1000 };
	struct check_record record;

	put_deployment(f, "http");
	put_container(f, ID_A, "running");
	assert_int_equal(store_check_put(f->store, &before, &f->err), 0);
	start(f);
	do
		record = await_status(f, "healthy");
	while (record.checked_at_ms == 1000);
	assert_int_equal(record.changed_at_ms, 1000);
}

static void
another_container_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct check_record record;

	put_deployment(f, "tcp");
	put_container(f, ID_A, "running");
	start(f);
	await_status(f, "healthy");
	put_container(f, ID_A, "exited");
	put_container(f, ID_B, "running");
	do
		record = await_status(f, "healthy");
	while (strcmp(record.container_id, ID_B) != 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_answers_is_healthy_until_it_fails_three_times),
		TEST(who_was_just_started_is_given_time),
		TEST(who_stops_or_is_asked_no_more_is_forgotten),
		TEST(what_was_known_before_a_restart_is_no_news),
		TEST(another_container_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
