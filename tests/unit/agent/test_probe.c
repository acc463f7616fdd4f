#include "agent/probe.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A server that gives every connection one answer, until it is shut. */
struct fixture {
	int listener, port;
	pthread_t thread;
	const char *answer; /* NULL: says nothing */
	char request[512];  /* the newest */
};

static void *
serve(void *context)
{
	struct fixture *f = context;
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		ssize_t got = recv(fd, f->request, sizeof f->request - 1, 0);

		if (got > 0)
			f->request[got] = '\0';
		if (got > 0 && f->answer != NULL)
			send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
		if (f->answer == NULL)
			while (recv(fd, f->request, 1, 0) > 0)
				;
		close(fd);
	}
	return NULL;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(f->listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(f->listener, 16) < 0 ||
	    getsockname(f->listener, (struct sockaddr *)&address, &size) < 0)
		return -1;
	f->port = ntohs(address.sin_port);
	*state = f;
	return pthread_create(&f->thread, NULL, serve, f);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	free(f);
	return 0;
}

static struct probe
http_probe(const struct fixture *f)
{
	return (struct probe){ .type = PROBE_HTTP,
		.address = "127.0.0.1",
		.port = f->port,
		.path = "/health" };
}

static void
a_good_answer_passes(void **state)
{
	struct fixture *f = *state;
	struct probe probe = http_probe(f);
	struct probe_result result;

	f->answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
		    "Content-Length: 0\r\n\r\n";
	probe.host = "blog.example.org";
	probe_run(&probe, 1, &result, NULL);
	assert_true(result.passed);
	assert_int_equal(result.status, 302);
	assert_string_equal(result.reason, "");
	assert_memory_equal(f->request, "GET /health HTTP/1.1\r\n", 22);
	assert_non_null(strstr(f->request, "Host: blog.example.org\r\n"));
}

static void
a_bad_status_does_not(void **state)
{
	struct fixture *f = *state;
	static const int statuses[] = { 418, 503 };
	struct probe probes[] = { http_probe(f), http_probe(f) };
	struct probe_result results[COUNT(probes)];

	f->answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
	probes[1].statuses = statuses;
	probes[1].status_count = COUNT(statuses);
	probe_run(probes, COUNT(probes), results, NULL);
	assert_false(results[0].passed);
	assert_string_equal(results[0].reason, "GET /health answered 503");
	assert_true(results[1].passed);
}

static void
the_answer_may_have_to_hold_a_text(void **state)
{
	struct fixture *f = *state;
	struct probe probes[] = { http_probe(f), http_probe(f) };
	struct probe_result results[COUNT(probes)];

	f->answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall good";
	probes[0].contains = "good";
	probes[1].contains = "better";
	probe_run(probes, COUNT(probes), results, NULL);
	assert_true(results[0].passed);
	assert_false(results[1].passed);
}

static void
who_does_not_listen_or_speak_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct probe probes[] = { http_probe(f), http_probe(f), http_probe(f) };
	struct probe_result results[COUNT(probes)];

	f->answer = "SSH-2.0-OpenSSH\r\n";
	probes[0].port = 1;
	probes[1].port = 1;
	probes[1].type = PROBE_TCP;
	probe_run(probes, COUNT(probes), results, NULL);
	assert_string_equal(results[0].reason, "nothing listens at port 1");
	assert_string_equal(results[1].reason, "nothing listens at port 1");
	assert_false(results[2].passed);
	assert_non_null(strstr(results[2].reason, "does not speak HTTP"));
}

static void
a_connection_may_be_enough(void **state)
{
	struct fixture *f = *state;
	struct probe probe = http_probe(f);
	struct probe_result result;

	probe.type = PROBE_TCP;
	probe_run(&probe, 1, &result, NULL);
	assert_true(result.passed);
}

static void
silence_ends_in_time(void **state)
{
	struct fixture *f = *state;
	struct probe probe = http_probe(f);
	struct probe_result result;
	int64_t started_ms = clock_monotonic_ms();

	probe.timeout_ms = 200;
	probe_run(&probe, 1, &result, NULL);
	assert_false(result.passed);
	assert_non_null(strstr(result.reason, "no answer"));
	assert_true(clock_monotonic_ms() - started_ms < 3000);
}

static void
many_are_asked_at_once(void **state)
{
	struct fixture *f = *state;
	struct probe probes[150];
	struct probe_result results[COUNT(probes)];
	size_t i;

	f->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	for (i = 0; i < COUNT(probes); i++)
		probes[i] = http_probe(f);
	probe_run(probes, COUNT(probes), results, NULL);
	for (i = 0; i < COUNT(probes); i++)
		assert_true(results[i].passed);
}

static void
a_cancelled_one_has_not_passed(void **state)
{
	struct fixture *f = *state;
	struct probe probe = http_probe(f);
	struct probe_result result;
	atomic_bool cancel = true;

	probe_run(&probe, 1, &result, &cancel);
	assert_false(result.passed);
	assert_string_equal(result.reason, "it was not asked");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_answer_passes),
		TEST(a_bad_status_does_not),
		TEST(the_answer_may_have_to_hold_a_text),
		TEST(who_does_not_listen_or_speak_is_told_apart),
		TEST(a_connection_may_be_enough),
		TEST(silence_ends_in_time),
		TEST(many_are_asked_at_once),
		TEST(a_cancelled_one_has_not_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
