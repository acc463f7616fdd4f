/* Who has a port: containers of the Engine's list, and programs of the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/ports.h"
#include "docker/docker.h"
#include "tests/unit/docker/engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
	struct engine *engine;
	struct agent agent;
	struct arena arena;
	int listener, port; /* a program of the host */
	struct error err;
};

static int
listen_somewhere(const char *address, int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &at.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	*state = f;
	f->engine = engine_start();
	f->listener = listen_somewhere("127.0.0.1", &f->port);
	return docker_open(engine_path(f->engine), &f->agent.docker, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	docker_close(f->agent.docker);
	engine_stop(f->engine);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

/* One container of the project that publishes the port. */
static void
list_container(
    struct fixture *f, const char *project, const char *address, int port)
{
	engine_answers_json(f->engine, "GET /v1.41/containers/json", "200 OK",
	    arena_printf(&f->arena,
		"[{\"Id\": \"%064d\", \"Names\": [\"/holder\"], "
		"\"State\": \"running\", \"Labels\": "
		"{\"com.docker.compose.project\": \"%s\"}, \"Ports\": "
		"[{\"IP\": \"%s\", \"PublicPort\": %d, \"PrivatePort\": 80, "
		"\"Type\": \"tcp\"}]}]",
		1, project, address, port));
}

/* The error of wanting a port in the project "mine"; "" for none. */
static const char *
check(struct fixture *f, const char *port)
{
	const char *text = arena_printf(
	    &f->arena, "services: {app: {image: x, ports: ['%s:80']}}", port);
	struct document *document;

	assert_int_equal(
	    document_parse(text, strlen(text), &f->arena, &document, &f->err),
	    0);
	assert_int_equal(document_interpolate(document, NULL, 0, &f->err), 0);
	if (ports_check(&f->agent, document, "mine", &f->err) == 0)
		return "";
	assert_string_equal(f->err.code, "PORT_IN_USE");
	return f->err.message;
}

static const char *
number(struct fixture *f, const char *address, int port)
{
	return arena_printf(&f->arena, "%s%d", address, port);
}

static void
a_program_of_the_host_has_its_port(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(
	    f->engine, "GET /v1.41/containers/json", "200 OK", "[]");
	assert_non_null(
	    strstr(check(f, number(f, "127.0.0.1:", f->port)), "program"));
	assert_non_null(strstr(check(f, number(f, "", f->port)), "program"));
	assert_string_equal(check(f, number(f, "127.0.0.2:", f->port)), "");
	/* Another protocol has ports of its own. */
	assert_string_equal(
	    check(f, arena_printf(&f->arena, "127.0.0.1:%d",
			 f->port == 65535 ? 1024 : f->port + 1)),
	    "");
	close(f->listener);
	f->listener = -1;
	assert_string_equal(check(f, number(f, "127.0.0.1:", f->port)), "");
}

static void
a_container_of_another_project_has_its_port(void **state)
{
	struct fixture *f = *state;

	list_container(f, "other", "0.0.0.0", 1);
	assert_non_null(strstr(check(f, "1"), "'holder'"));
	assert_non_null(strstr(check(f, "127.0.0.1:1"), "'holder'"));
	list_container(f, "other", "127.0.0.1", 1);
	assert_non_null(strstr(check(f, "1"), "'holder'"));
	assert_non_null(strstr(check(f, "127.0.0.1:1"), "'holder'"));
}

static void
what_the_project_itself_has_is_its_own(void **state)
{
	struct fixture *f = *state;

	list_container(f, "mine", "127.0.0.1", f->port);
	assert_string_equal(check(f, number(f, "127.0.0.1:", f->port)), "");
	assert_string_equal(check(f, number(f, "", f->port)), "");
}

static void
a_document_without_ports_asks_nobody(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "services: {app: {image: x}}";
	struct document *document;

	assert_int_equal(
	    document_parse(text, strlen(text), &f->arena, &document, &f->err),
	    0);
	assert_int_equal(ports_check(&f->agent, document, "mine", &f->err), 0);
	assert_int_equal(engine_connections(f->engine), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_program_of_the_host_has_its_port),
		TEST(a_container_of_another_project_has_its_port),
		TEST(what_the_project_itself_has_is_its_own),
		TEST(a_document_without_ports_asks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
