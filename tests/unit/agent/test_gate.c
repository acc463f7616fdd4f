#include "agent/gate.h"

#include "agent/gate-private.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/docker.h"
#include "tests/unit/docker/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKER_ID 65534
#define LINKS_MAXIMUM 600
#define STAMP "2026-01-31T23:59:59.123456789Z"
#define END " HTTP/1.1\r\nHost: docker\r\n\r\n"

struct fixture {
	struct engine *engine;
	struct gate *gate;
	char directory[32], path[64];
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	snprintf(f->directory, sizeof f->directory, "/tmp/gate-XXXXXX");
	if (mkdtemp(f->directory) == NULL)
		return -1;
	chmod(f->directory, 0755);
	snprintf(f->path, sizeof f->path, "%s/engine.sock", f->directory);
	f->engine = engine_start();
	if (gate_start(f->path, engine_path(f->engine), LINKS_MAXIMUM,
		WORKER_ID, getegid(), &f->gate, &f->err) < 0)
		return -1;
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	gate_stop(f->gate);
	engine_stop(f->engine);
	if (rmdir(f->directory) < 0)
		return -1; /* the socket is still there */
	free(f);
	return 0;
}

static int
connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
send_bytes(int fd, const char *bytes, size_t length)
{
	assert_int_equal(
	    send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* Reads until the gate closes; false when it takes over ten seconds. */
static bool
read_all(int fd, struct buffer *out)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	char chunk[4096];
	ssize_t got;

	for (;;) {
		if (poll(&polled, 1, 10000) <= 0)
			return false;
		/* What we sent too much resets the connection at its end. */
		if ((got = recv(fd, chunk, sizeof chunk, 0)) <= 0)
			return got == 0 || errno == ECONNRESET;
		buffer_append(out, chunk, (size_t)got);
	}
}

/* The whole answer to the bytes, in the arena. */
static const char *
ask_bytes(struct fixture *f, const char *bytes, size_t length)
{
	static char answer[256 * 1024];
	auto_buffer struct buffer text = BUFFER(sizeof answer - 1);
	auto_fd int fd = connect_to(f->path);

	assert_true(fd >= 0);
	send_bytes(fd, bytes, length);
	assert_true(read_all(fd, &text));
	memcpy(answer, buffer_string(&text), text.length + 1);
	return answer;
}

static const char *
ask(struct fixture *f, const char *text)
{
	return ask_bytes(f, text, strlen(text));
}

static void
assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("'%.100s' does not begin with '%s'", text, beginning);
}

static void
what_is_on_the_list_is_written_anew(void **state)
{
	static const char *const targets[] = {
		"/_ping",
		"/v1.44/containers/blog-web-1/logs",
		"/v1.44/containers/json/logs?stdout=1",
		"/v1.44/containers/a/logs?stdout=1&stderr=true&timestamps=1&"
		"follow=0&tail=100&since=1700000000.123456789&until=1800000000",
		"/v1.44/containers/a/logs?tail=all&follow=false",
		"/v1.41/containers/a_B.c-9/json",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		auto_buffer struct buffer head = BUFFER(8192);
		auto_buffer struct buffer out = BUFFER(8192);
		auto_buffer struct buffer expected = BUFFER(8192);
		struct gate_request request;
		bool inspects = i == 5;

		buffer_printf(&head,
		    "GET %s HTTP/1.1\r\nhost: x\r\nUser-Agent: secret\r\n"
		    "Accept: */*\r\nConnection: Keep-Alive\r\n"
		    "Content-Length: 0\r\n\r\n",
		    targets[i]);
		assert_int_equal(
		    gate_request_read(head.bytes, head.length, &request), 0);
		gate_request_write(&request, &out);
		buffer_printf(&expected,
		    "GET %s HTTP/%s\r\nHost: docker\r\n%s\r\n", targets[i],
		    inspects ? "1.0" : "1.1",
		    inspects ? "" : "Connection: close\r\n");
		assert_string_equal(out.bytes, expected.bytes);
		gate_request_clear(&request);
	}
}

static const char *const refused_heads[] = {
	/* methods, versions, forms of the target */
	"POST /v1.41/containers/a/start" END,
	"HEAD /_ping" END,
	"get /_ping" END,
	"DELETE /v1.41/containers/a" END,
	"GET  /_ping" END,
	"GET /_ping HTTP/1.0\r\n\r\n",
	"GET /_ping HTTP/2\r\n\r\n",
	"GET /_ping\r\n\r\n",
	"GET http://docker/_ping" END,
	"GET *" END,
	"GET _ping" END,
	"GET //_ping" END,
	"GET /_ping/" END,
	"GET /_ping?" END,
	"GET /_ping?a=b" END,
	"GET /%5Fping" END,
	"GET /_ping#a" END,
	/* paths */
	"GET /containers/a/logs" END,
	"GET /v1.41/containers" END,
	"GET /v1.41/containers/" END,
	"GET /v1.41/containers//json" END,
	"GET /v1.41//containers/a/logs" END,
	"GET /v1.41/containers/a/logs/" END,
	"GET /v1.41/containers/../json" END,
	"GET /v1.41/containers/a/../../images/json" END,
	"GET /v1.41/containers/a%2Fb/json" END,
	"GET /v1.41/containers/a\\b/json" END,
	"GET /v1.41/containers/-a/json" END,
	"GET /v1.41/containers/a/exec" END,
	"GET /v1.41/containers/a/archive?path=/etc/shadow" END,
	"GET /v1.41/containers/a/export" END,
	"GET /v1.41/containers/a/attach/ws" END,
	"GET /v1.41/containers/a/top" END,
	"GET /v1.41/images/json" END,
	"GET /v1.41/info" END,
	"GET /v1.41/events" END,
	"GET /v1.4/containers/a/logs" END,
	"GET /v1.411/containers/a/logs" END,
	"GET /v11.41/containers/a/logs" END,
	"GET /vx.41/containers/a/logs" END,
	"GET /v1.41/_ping" END,
	/* queries */
	"GET /v1.41/containers/a/logs?size=1" END,
	"GET /v1.41/containers/a/logs?stdout" END,
	"GET /v1.41/containers/a/logs?stdout=" END,
	"GET /v1.41/containers/a/logs?stdout=2" END,
	"GET /v1.41/containers/a/logs?stdout=1&stdout=1" END,
	"GET /v1.41/containers/a/logs?stdout=1&" END,
	"GET /v1.41/containers/a/logs?&stdout=1" END,
	"GET /v1.41/containers/a/logs?t%61il=1" END,
	"GET /v1.41/containers/a/logs?stdout=1;tail=1" END,
	"GET /v1.41/containers/a/logs?tail=1234567890" END,
	"GET /v1.41/containers/a/json?size=1" END,
	"GET /v1.41/containers/a/logs?details=1" END,
	"GET /v1.41/containers/a/logs?tail=-1" END,
	"GET /v1.41/containers/a/logs?tail=ALL" END,
	"GET /v1.41/containers/a/logs?since=1." END,
	"GET /v1.41/containers/a/logs?since=.1" END,
	"GET /v1.41/containers/a/logs?since=1.1234567890" END,
	"GET /v1.41/containers/a/logs?since=1h" END,
	"GET /v1.41/containers/a/logs?follow=yes" END,
	/* what lists and statistics are made of: the store has those */
	"GET /v1.41/containers/json" END,
	"GET /v1.41/containers/json/" END,
	"GET /v1.41/containers/json?all=1" END,
	"GET /v1.41/containers/a/stats" END,
	"GET /v1.41/containers/a/stats?stream=0&one-shot=1" END,
	/* headers, bodies, second requests */
	"GET /_ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nContent-Length: 0, 1\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nContent-Length: 0\r\n\r\nx",
	"GET /_ping HTTP/1.1\r\nUpgrade: tcp\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nConnection: Upgrade\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nX-Registry-Auth: x\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost : x\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost: x\ny\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost: x\ry\r\n\r\n",
	"GET /_ping HTTP/1.1\r\nHost: \xC3\xA9\r\n\r\n",
	"GET /_ping HTTP/1.1\n\n",
	"GET /_ping HTTP/1.1\r\n\r\nGET /_ping HTTP/1.1\r\n\r\n",
	"\r\n\r\nGET /_ping HTTP/1.1\r\n\r\n",
	"\r\n\r\n",
	"\x16\x03\x01\r\n\r\n",
};

#define REFUSED_COUNT (sizeof refused_heads / sizeof refused_heads[0])

static void
whatever_else_is_refused(void **state)
{
	struct gate_request request;
	size_t i;

	(void)state;
	for (i = 0; i < REFUSED_COUNT; i++) {
		const char *head = refused_heads[i];

		if (gate_request_read(head, strlen(head), &request) == 0)
			fail_msg("'%s' is accepted", head);
		gate_request_clear(&request);
	}
	/* A NUL does not hide what follows. */
	assert_int_equal(
	    gate_request_read("GET /_ping HTTP/1.1\r\n\r\n\0x",
		sizeof "GET /_ping HTTP/1.1\r\n\r\n\0x" - 1, &request),
	    -1);
	gate_request_clear(&request);
}

static void
every_refusal_is_403_and_never_reaches_the_engine(void **state)
{
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < REFUSED_COUNT; i++) {
		const char *answer;

		/* Without an empty line it waits; another test's. */
		if (strstr(refused_heads[i], "\r\n\r\n") == NULL)
			continue;
		answer = ask(f, refused_heads[i]);
		assert_begins(answer, "HTTP/1.1 403 Forbidden\r\n");
		assert_non_null(strstr(answer, "\r\n\r\n{\"message\":\""));
	}
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
a_head_over_8_kib_is_refused(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer head = BUFFER(65536);

	buffer_text(&head, "GET /_ping HTTP/1.1\r\nUser-Agent: ");
	while (head.length < 40000)
		buffer_char(&head, 'x');
	assert_begins(ask_bytes(f, head.bytes, head.length), "HTTP/1.1 403 ");
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
a_head_that_does_not_come_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	int64_t started = clock_monotonic_ms();

	assert_string_equal(ask(f, "GET /_ping HTTP/1.1\r\n"), "");
	assert_in_range(clock_monotonic_ms() - started, 4500, 7000);
}

static void
a_head_may_come_byte_by_byte(void **state)
{
	static const char head[] = "GET /_ping" END;
	struct fixture *f = *state;
	auto_buffer struct buffer answer = BUFFER(8192);
	auto_fd int fd = connect_to(f->path);
	size_t i;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /_ping",
		.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
		.after = ENGINE_CLOSE });
	for (i = 0; i < sizeof head - 1; i++) {
		send_bytes(fd, head + i, 1);
		clock_sleep_ms(1);
	}
	assert_true(read_all(fd, &answer));
	assert_begins(buffer_string(&answer), "HTTP/1.1 200 OK\r\n");
}

static void
an_answer_is_relayed_as_it_is(void **state)
{
	struct fixture *f = *state;

	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = "GET /v1.41/containers/a/logs?stdout=1 HTTP/1.1\r\n"
			   "Host: docker\r\nConnection: close\r\n\r\n",
		.bytes = "HTTP/1.1 200 OK\r\nX: y\r\n\r\n[1,2]",
		.chop = 1,
		.after = ENGINE_CLOSE });
	assert_string_equal(ask(f, "GET /v1.41/containers/a/logs?stdout=1" END),
	    "HTTP/1.1 200 OK\r\nX: y\r\n\r\n[1,2]");
}

static void
an_inspection_keeps_its_secrets(void **state)
{
	struct fixture *f = *state;
	const char *answer;

	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = "GET /v1.41/containers/c/json HTTP/1.0\r\n",
		.bytes =
		    "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"
		    "\r\n{\"Id\":\"abc\",\"Name\":\"/c\",\"Args\":[\"pw\"],"
		    "\"State\":{\"Status\":\"running\",\"Running\":true,"
		    "\"ExitCode\":3,\"Pid\":77,\"OOMKilled\":true,\"Health\":"
		    "{\"Status\":\"unhealthy\",\"FailingStreak\":2,\"Log\":["
		    "{\"ExitCode\":0,\"Output\":\"pw\"},"
		    "{\"ExitCode\":7,\"Output\":\"no\"}]}},"
		    "\"RestartCount\":4,"
		    "\"Config\":{\"Env\":[\"PASSWORD=pw\"],\"Tty\":true},"
		    "\"HostConfig\":{\"Binds\":[\"/pw:/pw\"],\"Memory\":10,"
		    "\"NanoCpus\":500000000,\"RestartPolicy\":{\"Name\":"
		    "\"always\",\"MaximumRetryCount\":0},"
		    "\"LogConfig\":{\"Config\":{\"token\":\"pw\"}}}}",
		.chop = 3,
		.after = ENGINE_CLOSE });
	answer = ask(f, "GET /v1.41/containers/c/json" END);
	assert_begins(answer, "HTTP/1.1 200 OK\r\n");
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4,
	    "{\"Id\":\"abc\",\"Name\":\"/c\",\"Config\":{\"Tty\":true},"
	    "\"RestartCount\":4,"
	    "\"State\":{\"Status\":\"running\",\"Running\":true,"
	    "\"OOMKilled\":true,\"ExitCode\":3,\"Error\":null,"
	    "\"StartedAt\":null,\"FinishedAt\":null,"
	    "\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":2,"
	    "\"Log\":[{\"ExitCode\":7,\"Output\":\"no\"}]}},"
	    "\"HostConfig\":{\"Memory\":10,"
	    "\"MemorySwap\":0,\"NanoCpus\":500000000,\"CpuQuota\":0,"
	    "\"CpuPeriod\":0,\"CpuShares\":0,"
	    "\"RestartPolicy\":{\"Name\":\"always\"}}}");
}

static void
an_inspection_that_fails_says_nothing_of_the_engines(void **state)
{
	static const struct {
		const char *answer, *status;
	} cases[] = {
		{ "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"pw\"}", "404" },
		{ "HTTP/1.0 500 Error\r\n\r\n{\"message\":\"pw\"}", "502" },
		{ "HTTP/1.0 200 OK\r\n\r\n{\"Id\":\"pw", "502" },
		{ "HTTP/1.0 200 OK\r\n\r\n[\"pw\"]", "502" },
		{ "HTTP/1.0 200 OK\r\n\r\n", "502" },
		{ "HTTP/1.0 2", "502" },
		{ "pw", "502" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *answer;

		engine_answers(
		    f->engine, &(struct engine_answer){
				   .request = "GET /v1.41/containers/c/json",
				   .bytes = cases[i].answer,
				   .after = ENGINE_CLOSE });
		answer = ask(f, "GET /v1.41/containers/c/json" END);
		assert_begins(answer, "HTTP/1.1 ");
		assert_memory_equal(answer + 9, cases[i].status, 3);
		assert_null(strstr(answer, "pw"));
	}
}

static void
an_inspection_without_an_end_is_given_up(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer bytes = BUFFER(200000);

	buffer_text(&bytes, "HTTP/1.0 200 OK\r\n\r\n");
	while (bytes.length < 100000)
		buffer_char(&bytes, ' ');
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/json",
		.bytes = bytes.bytes,
		.repeat = 100 });
	assert_begins(
	    ask(f, "GET /v1.41/containers/c/json" END), "HTTP/1.1 502 ");
	assert_true(engine_wait_open(f->engine, 0));
}

static void
without_an_engine_it_says_so(void **state)
{
	struct fixture *f = *state;
	const char *answer;

	engine_hide(f->engine);
	answer = ask(f, "GET /_ping" END);
	assert_begins(answer, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_non_null(strstr(answer, "{\"message\":\""));
}

static void
an_engine_that_closes_without_an_answer_is_told(void **state)
{
	struct fixture *f = *state;

	assert_begins(
	    ask(f, "GET /v1.41/containers/a/logs" END), "HTTP/1.1 502 ");
}

static void
the_engine_is_let_go_when_the_client_leaves(void **state)
{
	struct fixture *f = *state;
	char byte;
	int fd = connect_to(f->path);
	int64_t left;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/logs",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n",
		.after = ENGINE_HOLD });
	send_bytes(fd, "GET /v1.41/containers/c/logs?follow=1" END,
	    strlen("GET /v1.41/containers/c/logs?follow=1" END));
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_int_equal(engine_open_connections(f->engine), 1);
	left = clock_monotonic_ms();
	close(fd);
	assert_true(engine_wait_open(f->engine, 0));
	assert_true(clock_monotonic_ms() - left < 300);
}

static void
a_byte_after_the_request_ends_it(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer answer = BUFFER(8192);
	auto_fd int fd = connect_to(f->path);
	char byte;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/logs",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n",
		.after = ENGINE_HOLD });
	send_bytes(fd, "GET /v1.41/containers/c/logs?follow=1" END,
	    strlen("GET /v1.41/containers/c/logs?follow=1" END));
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	send_bytes(fd, "x", 1);
	assert_true(read_all(fd, &answer));
	assert_true(engine_wait_open(f->engine, 0));
}

static void
a_slow_reader_slows_the_engine_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer bytes = BUFFER(2 * 1024 * 1024);
	auto_buffer struct buffer answer = BUFFER(64U * 1024 * 1024);
	auto_fd int fd = connect_to(f->path);
	size_t i, line = 0;

	while (bytes.length < 1024 * 1024)
		buffer_printf(&bytes, "%07zu\n", line++);
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/logs",
		.bytes = bytes.bytes,
		.repeat = 20,
		.after = ENGINE_CLOSE });
	send_bytes(fd, "GET /v1.41/containers/c/logs" END,
	    strlen("GET /v1.41/containers/c/logs" END));
	clock_sleep_ms(500);
	assert_in_range(engine_sent_bytes(f->engine), 1, 2 * 1024 * 1024);
	assert_true(read_all(fd, &answer));
	assert_int_equal(answer.length, 20 * bytes.length);
	for (i = 0; i < 20; i++)
		assert_memory_equal(
		    answer.bytes + i * bytes.length, bytes.bytes, bytes.length);
}

static void
the_socket_is_for_its_group_only(void **state)
{
	struct fixture *f = *state;
	struct stat found;

	assert_int_equal(lstat(f->path, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 07777, 0660);
	assert_int_equal(found.st_gid, getegid());
}

/* Whether a process of that user gets an answer. */
static bool
may_ask(struct fixture *f, uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char answer[4];
		int fd;

		alarm(5);
		if (setresuid(uid, uid, uid) < 0)
			_exit(2);
		if ((fd = connect_to(f->path)) < 0)
			_exit(1);
		send(
		    fd, "GET /none" END, strlen("GET /none" END), MSG_NOSIGNAL);
		_exit(recv(fd, answer, 4, 0) == 4 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
	return WEXITSTATUS(status) == 0;
}

static void
only_root_and_the_workers_user_are_served(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	/* The mode would refuse them first; who they are counts as well. */
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_true(may_ask(f, 0));
	assert_true(may_ask(f, WORKER_ID));
	assert_false(may_ask(f, WORKER_ID - 1));
}

static void
the_connection_after_the_last_is_told_so(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit = { 4096, 4096 };
	int fds[LINKS_MAXIMUM];
	size_t i;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		skip();
	for (i = 0; i < LINKS_MAXIMUM; i++) {
		fds[i] = connect_to(f->path);
		assert_true(fds[i] >= 0);
	}
	assert_begins(ask(f, "GET /_ping" END), "HTTP/1.1 503 ");
	for (i = 0; i < LINKS_MAXIMUM; i++)
		close(fds[i]);
	clock_sleep_ms(100);
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /_ping",
			   .bytes = "HTTP/1.1 200 OK\r\n\r\n",
			   .after = ENGINE_CLOSE });
	assert_begins(ask(f, "GET /_ping" END), "HTTP/1.1 200 ");
}

static void
no_descriptor_is_left_behind(void **state)
{
	struct fixture *f = *state;
	int before, after, i;

	engine_answers_json(
	    f->engine, "GET /v1.41/containers/a/logs", "200 OK", "[]");
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/a/logs",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n[]",
		.after = ENGINE_CLOSE });
	before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	for (i = 0; i < 200; i++) {
		assert_begins(ask(f, "GET /v1.41/containers/a/logs" END),
		    "HTTP/1.1 200 ");
		assert_begins(ask(f, "GET /none" END), "HTTP/1.1 403 ");
	}
	assert_true(engine_wait_open(f->engine, 0));
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_true(after <= before + 4);
}

static void
a_socket_left_behind_is_replaced_but_no_file(void **state)
{
	struct fixture *f = *state;
	struct gate *gate = NULL;
	char path[80];
	int fd;

	snprintf(path, sizeof path, "%s/other", f->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(gate_start(path, engine_path(f->engine), LINKS_MAXIMUM,
			     WORKER_ID, getegid(), &gate, &f->err),
	    -1);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(gate_start(path, engine_path(f->engine), LINKS_MAXIMUM,
			     WORKER_ID, getegid(), &gate, &f->err),
	    0);
	gate_stop(gate);
	assert_int_equal(access(path, F_OK), -1);
	gate_stop(NULL);
}

static void
stopping_ends_open_streams(void **state)
{
	struct fixture *f = *state;
	struct gate *gate = NULL;
	auto_buffer struct buffer answer = BUFFER(8192);
	char path[80], byte;
	int64_t started;
	int fd;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/logs",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n",
		.after = ENGINE_HOLD });
	snprintf(path, sizeof path, "%s/other", f->directory);
	assert_int_equal(gate_start(path, engine_path(f->engine), LINKS_MAXIMUM,
			     WORKER_ID, getegid(), &gate, &f->err),
	    0);
	fd = connect_to(path);
	send_bytes(fd, "GET /v1.41/containers/c/logs" END,
	    strlen("GET /v1.41/containers/c/logs" END));
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	started = clock_monotonic_ms();
	gate_stop(gate);
	assert_true(clock_monotonic_ms() - started < 200);
	assert_true(read_all(fd, &answer));
	close(fd);
	assert_true(engine_wait_open(f->engine, 0));
}

static bool
keep_line(void *context, const struct docker_log_line *line)
{
	struct buffer *text = context;

	buffer_printf(text, "%s %s ", line->stream, line->timestamp);
	buffer_append(text, line->text, line->length);
	return true;
}

static void
the_docker_client_reads_logs_through_it(void **state)
{
	static const char log[] = "HTTP/1.1 200 OK\r\n\r\n"
				  "\1\0\0\0\0\0\0\x23" STAMP " one\n";
	static const char *const ids[] = { "c" };
	const struct docker_log_options options = { .tail = 5, .since_ms = 1 };
	struct fixture *f = *state;
	auto_buffer struct buffer text = BUFFER(8192);
	struct docker *docker = NULL;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/json",
		.bytes = "HTTP/1.0 200 OK\r\n\r\n{\"Id\":\"c\",\"Config\":"
			 "{\"Tty\":false}}",
		.after = ENGINE_CLOSE });
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/c/logs",
		.bytes = log,
		.length = sizeof log - 1,
		.after = ENGINE_CLOSE });
	assert_int_equal(docker_open(f->path, &docker, &f->err), 0);
	assert_int_equal(docker_logs_read(docker, ids, 1, &options, keep_line,
			     &text, &f->err),
	    0);
	assert_string_equal(text.bytes, "stdout " STAMP " one");
	assert_int_equal(docker_container_start(docker, "c", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	engine_hide(f->engine);
	assert_int_equal(docker_logs_read(docker, ids, 1, &options, keep_line,
			     &text, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(error_code(&f->err), "DOCKER_UNAVAILABLE");
	docker_close(docker);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_on_the_list_is_written_anew),
		cmocka_unit_test(whatever_else_is_refused),
		TEST(every_refusal_is_403_and_never_reaches_the_engine),
		TEST(a_head_over_8_kib_is_refused),
		TEST(a_head_that_does_not_come_is_not_waited_for),
		TEST(a_head_may_come_byte_by_byte),
		TEST(an_answer_is_relayed_as_it_is),
		TEST(an_inspection_keeps_its_secrets),
		TEST(an_inspection_that_fails_says_nothing_of_the_engines),
		TEST(an_inspection_without_an_end_is_given_up),
		TEST(without_an_engine_it_says_so),
		TEST(an_engine_that_closes_without_an_answer_is_told),
		TEST(the_engine_is_let_go_when_the_client_leaves),
		TEST(a_byte_after_the_request_ends_it),
		TEST(a_slow_reader_slows_the_engine_and_loses_nothing),
		TEST(the_socket_is_for_its_group_only),
		TEST(only_root_and_the_workers_user_are_served),
		TEST(the_connection_after_the_last_is_told_so),
		TEST(no_descriptor_is_left_behind),
		TEST(a_socket_left_behind_is_replaced_but_no_file),
		TEST(stopping_ends_open_streams),
		TEST(the_docker_client_reads_logs_through_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
