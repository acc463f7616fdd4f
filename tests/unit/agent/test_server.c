/* The agent's socket, with the workers' own client on the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/executor.h"
#include "agent/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "jobs/jobs.h"
#include "settings/settings.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define WORKER_UID 64001
#define WORKER_GID 64002
#define NOBODY_UID 64003
#define PLACES 512 /* for clients */

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct agent agent;
	struct server *server;
	struct store *serving; /* of the server's thread */
	pthread_t thread;
	bool serves;
	struct store *store;
	struct jobs *jobs;
	struct error err;
};

static atomic_bool hold, deaf;
static atomic_int ticks, ended;

static bool
is_short(const char *subject)
{
	return *subject != '\0' && strlen(subject) < 20;
}

static int
run_echo(struct run *run, struct error *err)
{
	(void)err;
	while (atomic_load(&hold) && !atomic_load(run->cancel))
		clock_sleep_ms(5);
	buffer_append(&run->output, "a\0b\xFFz", 5);
	run->result = json_object_get(run->arguments);
	atomic_fetch_add(&ended, 1);
	return 0;
}

static int
run_fail(struct run *run, struct error *err)
{
	(void)run;
	return error_field(err, "image", "INVALID_IMAGE", "no such image");
}

static const struct job_kind kinds[] = {
	{ "test.echo", is_short, run_echo },
	{ "test.fail", is_short, run_fail },
	{ 0 },
};
static const struct job_kind *const tables[] = { kinds, NULL };

static void
tell_server(void *context, const char *job_id)
{
	struct fixture *f = context;

	if (!atomic_load(&deaf))
		server_job_finished(f->server, job_id);
}

static void
count_tick(void *context)
{
	(void)context;
	atomic_fetch_add(&ticks, 1);
}

static void *
serve(void *context)
{
	struct fixture *f = context;

	server_run(f->server, f->serving, count_tick, f);
	return NULL;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	*state = f;
	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "agent");
	f->settings.database_directory = f->scratch.path;
	f->settings.run_directory = f->scratch.path;
	f->settings.job_parallel = 4;
	f->agent.settings = &f->settings;
	f->agent.worker_uid = geteuid() == 0 ? WORKER_UID : geteuid();
	f->agent.worker_gid = geteuid() == 0 ? WORKER_GID : getegid();
	atomic_store(&hold, false);
	atomic_store(&deaf, false);
	atomic_store(&ticks, 0);
	atomic_store(&ended, 0);
	if (store_open(f->scratch.path, STORE_AGENT, &f->serving, &f->err) <
		0 ||
	    store_open(f->scratch.path, STORE_READER, &f->store, &f->err) < 0 ||
	    server_open(&f->agent, &f->server, &f->err) < 0)
		return -1;
	f->agent.executor = executor_new(&f->agent, tables, tell_server, f);
	f->jobs = jobs_open(f->scratch.path, 64);
	f->serves = true;
	return pthread_create(&f->thread, NULL, serve, f);
}

static void
stop_serving(struct fixture *f)
{
	if (!f->serves)
		return;
	atomic_store(&f->agent.stopping, true);
	server_wake(f->server);
	pthread_join(f->thread, NULL);
	f->serves = false;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	atomic_store(&hold, false);
	stop_serving(f);
	executor_stop(f->agent.executor);
	server_close(f->server);
	jobs_close(f->jobs);
	store_close(f->store);
	store_close(f->serving);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static int
change(struct fixture *f, const char *kind, const char *subject,
    struct json_object *arguments, int64_t wait_ms, struct job *out)
{
	struct job_request request = { .kind = kind,
		.subject = subject,
		.actor = "key:0123456789ab",
		.request_id = "request-1",
		.arguments = arguments };

	memset(&f->err, 0, sizeof f->err);
	return jobs_run(
	    f->jobs, f->store, &request, wait_ms, &f->arena, out, &f->err);
}

static void
a_change_is_on_record_when_its_client_is_told(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *arguments = json_object_new_object();
	struct job job;

	json_put_text(arguments, "compose", "text\n\xC3\xA4");
	assert_int_equal(
	    change(f, "test.echo", "blog", arguments, PATIENCE_MS, &job), 0);
	assert_int_equal(job.status, JOB_SUCCEEDED);
	assert_string_equal(job.kind, "test.echo");
	assert_string_equal(job.subject, "blog");
	assert_string_equal(job.actor, "key:0123456789ab");
	assert_string_equal(job.request_id, "request-1");
	assert_string_equal(job.result, "{\"compose\":\"text\\n\xC3\xA4\"}");
	/* Whatever a program wrote is text, and all of it is there. */
	assert_string_equal(job.output, "a?b\xEF\xBF\xBDz");

	assert_int_equal(
	    change(f, "test.fail", "blog", NULL, PATIENCE_MS, &job), 0);
	assert_int_equal(job.status, JOB_FAILED);
	assert_int_equal(job.error.kind, ERR_INVALID);
	assert_string_equal(job.error.code, "INVALID_IMAGE");
	assert_string_equal(job.error.field, "image");
}

static void
what_cannot_be_done_is_refused_with_its_reason(void **state)
{
	struct fixture *f = *state;
	struct job job, other;

	assert_int_equal(
	    change(f, "test.other", "blog", NULL, PATIENCE_MS, &job), -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_int_equal(change(f, "test.echo", "a name that is too long", NULL,
			     PATIENCE_MS, &job),
	    -1);
	assert_string_equal(f->err.code, "INVALID_NAME");
	assert_string_equal(f->err.field, "name");

	atomic_store(&hold, true);
	assert_int_equal(change(f, "test.echo", "blog", NULL, 0, &job), 0);
	assert_true(job.status < JOB_SUCCEEDED);
	assert_int_equal(
	    change(f, "test.fail", "blog", NULL, PATIENCE_MS, &other), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.code, "TEST_BUSY");
	assert_string_equal(f->err.related, job.id);
	assert_int_equal(
	    change(f, "test.fail", "shop", NULL, PATIENCE_MS, &other), 0);
	assert_int_equal(other.status, JOB_FAILED);
}

struct client {
	struct fixture *f;
	int number, wrong;
};

static void
run_numbered(
    struct client *client, struct store *store, struct arena *arena, int number)
{
	auto_json struct json_object *arguments = json_object_new_object();
	const char *expected = arena_printf(arena, "{\"n\":%d}", number);
	struct job_request request = { .kind = "test.echo",
		.subject = arena_printf(arena, "s%d", client->number),
		.actor = "x",
		.request_id = "r",
		.arguments = arguments };
	struct error err;
	struct job job;

	json_put_integer(arguments, "n", number);
	if (jobs_run(client->f->jobs, store, &request, PATIENCE_MS, arena, &job,
		&err) < 0 ||
	    job.status != JOB_SUCCEEDED || strcmp(job.result, expected) != 0)
		client->wrong++;
}

static void *
run_client(void *context)
{
	struct client *client = context;
	auto_arena struct arena arena = { 0 };
	auto_store struct store *store = NULL;
	struct error err;
	int i;

	client->wrong =
	    store_open(client->f->scratch.path, STORE_READER, &store, &err) < 0;
	for (i = 0; i < 5 && store != NULL; i++)
		run_numbered(client, store, &arena, client->number * 10 + i);
	return NULL;
}

static void
many_clients_each_get_the_end_of_their_own_job(void **state)
{
	struct client clients[20];
	pthread_t threads[20];
	int i;

	for (i = 0; i < 20; i++) {
		clients[i] = (struct client){ .f = *state, .number = i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run_client, &clients[i]),
		    0);
	}
	for (i = 0; i < 20; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(clients[i].wrong, 0);
	}
}

static void
a_job_under_way_can_be_waited_for_by_anybody(void **state)
{
	struct fixture *f = *state;
	int64_t before_ms;
	struct job job;

	atomic_store(&hold, true);
	assert_int_equal(change(f, "test.echo", "blog", NULL, 0, &job), 0);
	before_ms = clock_monotonic_ms();
	assert_int_equal(jobs_wait(f->jobs, job.id, 200, &f->err), 0);
	assert_in_range(clock_monotonic_ms() - before_ms, 190, 10000);
	atomic_store(&hold, false);
	assert_int_equal(jobs_wait(f->jobs, job.id, PATIENCE_MS, &f->err), 0);
	assert_int_equal(
	    store_job_get(f->store, job.id, &f->arena, &job, &f->err), 0);
	assert_int_equal(job.status, JOB_SUCCEEDED);
	/* One that is over, or never was, is not waited for. */
	before_ms = clock_monotonic_ms();
	assert_int_equal(jobs_wait(f->jobs, job.id, PATIENCE_MS, &f->err), 0);
	assert_int_equal(
	    jobs_wait(f->jobs, "00000000000000000001", PATIENCE_MS, &f->err),
	    0);
	assert_true(clock_monotonic_ms() - before_ms < 10000);
}

struct waiter {
	struct fixture *f;
	int result;
	struct error err;
};

static void *
wait_for_change(void *context)
{
	struct waiter *waiter = context;
	struct job_request request = { .kind = "test.echo",
		.subject = "blog",
		.actor = "x",
		.request_id = "r" };
	auto_arena struct arena arena = { 0 };
	auto_store struct store *store = NULL;
	struct job job;

	waiter->result = store_open(
	    waiter->f->scratch.path, STORE_READER, &store, &waiter->err);
	if (waiter->result == 0)
		waiter->result = jobs_run(waiter->f->jobs, store, &request,
		    PATIENCE_MS, &arena, &job, &waiter->err);
	return NULL;
}

static struct job
await_active(struct fixture *f, const char *subject)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	bool found = false;
	struct job job = { 0 };

	while (!found && clock_monotonic_ms() < until_ms) {
		assert_int_equal(store_job_active(f->store, "test", subject,
				     &f->arena, &job, &found, &f->err),
		    0);
		clock_sleep_ms(5);
	}
	assert_true(found);
	return job;
}

static void
an_agent_that_ends_tells_who_waits(void **state)
{
	struct fixture *f = *state;
	struct waiter waiter = { .f = f };
	struct job job, other;
	pthread_t thread;

	atomic_store(&hold, true);
	assert_int_equal(
	    pthread_create(&thread, NULL, wait_for_change, &waiter), 0);
	job = await_active(f, "blog");
	clock_sleep_ms(100);
	stop_serving(f);
	atomic_store(&deaf, true);
	server_close(f->server);
	f->server = NULL;
	pthread_join(thread, NULL);
	assert_int_equal(waiter.result, -1);
	assert_int_equal(waiter.err.kind, ERR_UNAVAILABLE);
	assert_string_equal(waiter.err.code, "JOB_INTERRUPTED");
	assert_string_equal(waiter.err.related, job.id);

	assert_false(scratch_has(&f->scratch, "agent/agent.sock"));
	assert_int_equal(
	    change(f, "test.echo", "shop", NULL, PATIENCE_MS, &other), -1);
	assert_string_equal(f->err.code, "AGENT_UNAVAILABLE");
}

static int
connect_raw(struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.60s",
	    scratch_path(&f->scratch, "agent/agent.sock"));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
assert_still_serves(struct fixture *f)
{
	struct job job;

	assert_int_equal(
	    change(f, "test.echo", "blog", NULL, PATIENCE_MS, &job), 0);
	assert_int_equal(job.status, JOB_SUCCEEDED);
}

static void
assert_dropped(struct fixture *f, const void *bytes, size_t length)
{
	int fd = connect_raw(f);
	char byte;

	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

/* A frame of the text. */
static struct buffer
make_frame(const char *text)
{
	struct buffer bytes = BUFFER(64UL * 1024);
	size_t length = strlen(text);

	buffer_append(&bytes, "\0\0", 2);
	buffer_char(&bytes, (char)(length >> 8));
	buffer_char(&bytes, (char)length);
	buffer_text(&bytes, text);
	return bytes;
}

static void
who_speaks_nonsense_is_dropped_and_nobody_else(void **state)
{
	static const char *const texts[] = { "{", "null", "[]", "{}", "1",
		"\"x\"", "nonsense", "{\"wait\":\"x\"}",
		"{\"wait\":\"../../etc/passwd\"}", "{\"wait\":1}",
		"{\"kind\":\"test.echo\"}",
		"{\"kind\":1,\"subject\":\"a\",\"actor\":\"x\","
		"\"request_id\":\"r\",\"arguments\":{}}",
		"{\"kind\":\"test.echo\",\"subject\":\"a\",\"actor\":\"x\","
		"\"request_id\":\"r\",\"arguments\":[]}",
		"{\"kind\":\"test.echo\",\"subject\":\"a\",\"actor\":null,"
		"\"request_id\":\"r\",\"arguments\":{}}" };
	struct fixture *f = *state;
	size_t i;

	assert_dropped(f, "\0\0\0\0", 4);
	assert_dropped(f, "\xFF\xFF\xFF\xFF", 4);
	assert_dropped(f, "\0\x40\0\1", 4);
	assert_dropped(f, "GET / HTTP/1.1\r\n\r\n", 18);
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct buffer bytes = make_frame(texts[i]);

		assert_dropped(f, bytes.bytes, bytes.length);
		buffer_clear(&bytes);
	}
	assert_still_serves(f);
	assert_int_equal(atomic_load(&ended), 1);
}

static void
a_frame_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	struct buffer bytes = make_frame(
	    "{\"kind\":\"test.echo\",\"subject\":\"slow\","
	    "\"actor\":\"x\",\"request_id\":\"r\",\"arguments\":{}}");
	struct buffer received = BUFFER(4096);
	struct json_object *answer = NULL;
	int fd = connect_raw(f);
	char byte;
	size_t i;

	for (i = 0; i < bytes.length; i++) {
		assert_int_equal(send(fd, bytes.bytes + i, 1, 0), 1);
		if (i % 20 == 0)
			clock_sleep_ms(2);
	}
	while (answer == NULL) {
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		buffer_char(&received, byte);
		assert_int_equal(frame_take(&received, &answer, &f->err), 0);
	}
	assert_true(job_id_is_valid(json_text(answer, "job_id")));
	json_object_put(answer);
	buffer_clear(&received);
	buffer_clear(&bytes);
	close(fd);
}

static void
a_job_goes_on_without_its_client(void **state)
{
	struct fixture *f = *state;
	struct buffer bytes = make_frame(
	    "{\"kind\":\"test.echo\",\"subject\":\"alone\","
	    "\"actor\":\"x\",\"request_id\":\"r\",\"arguments\":{}}");
	struct job_filter filter = { .subject = "alone", .limit = 1 };
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, total;
	int fd = connect_raw(f);
	struct job *jobs;
	size_t count;

	send(fd, bytes.bytes, bytes.length, 0);
	close(fd);
	buffer_clear(&bytes);
	do {
		clock_sleep_ms(10);
		assert_int_equal(store_job_list(f->store, &filter, &f->arena,
				     &jobs, &count, &total, &f->err),
		    0);
	} while ((count == 0 || jobs[0].status != JOB_SUCCEEDED) &&
		 clock_monotonic_ms() < until_ms);
	assert_int_equal(count, 1);
	assert_int_equal(jobs[0].status, JOB_SUCCEEDED);
	assert_still_serves(f);
}

static void
more_clients_than_there_are_places_are_turned_away(void **state)
{
	struct rlimit limit = { .rlim_cur = 2048, .rlim_max = 2048 };
	struct fixture *f = *state;
	size_t before = count_descriptors();
	int fds[PLACES + 50], i, count = PLACES + 50;
	char byte;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		print_message("# only root can try this\n");
		return;
	}
	for (i = 0; i < count; i++)
		assert_true((fds[i] = connect_raw(f)) >= 0);
	for (i = PLACES; i < count; i++)
		assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
	for (i = 0; i < count; i++)
		close(fds[i]);
	assert_still_serves(f);
	/* The threads that run jobs have opened the database meanwhile. */
	before += 20;
	for (i = 0; i < 100 && count_descriptors() > before; i++)
		clock_sleep_ms(20);
	assert_true(count_descriptors() <= before);
}

static void
a_change_that_is_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *arguments = json_object_new_object();
	char *text = calloc(1, 5000001);
	struct job job;

	memset(text, 'x', 3000000);
	json_put_text(arguments, "text", text);
	assert_int_equal(
	    change(f, "test.echo", "large", arguments, PATIENCE_MS, &job), 0);
	assert_int_equal(job.status, JOB_SUCCEEDED);
	assert_true(strlen(job.result) > 3000000);
	memset(text, 'x', 5000000);
	json_put_text(arguments, "text", text);
	assert_int_equal(
	    change(f, "test.echo", "large", arguments, PATIENCE_MS, &job), -1);
	assert_int_equal(f->err.kind, ERR_TOO_LARGE);
	free(text);
	assert_still_serves(f);
}

/* Whether a process of the user and group is served. */
static bool
is_served(struct fixture *f, uid_t uid, gid_t gid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct buffer bytes =
		    make_frame("{\"wait\":\"00000000000000000001\"}");
		char byte;
		int fd;

		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 ||
		    setuid(uid) < 0)
			_exit(3);
		fd = connect_raw(f);
		if (fd < 0)
			_exit(2);
		send(fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
		_exit(recv(fd, &byte, 1, 0) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 3);
	return WEXITSTATUS(status) == 0;
}

static void
only_workers_and_root_are_served(void **state)
{
	struct fixture *f = *state;
	struct stat status;

	assert_int_equal(
	    fstatat(f->scratch.fd, "agent/agent.sock", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(status.st_gid, f->agent.worker_gid);
	if (geteuid() != 0) {
		print_message("# only root can try this\n");
		return;
	}
	assert_int_equal(chmod(f->scratch.path, 0755), 0);
	assert_true(is_served(f, WORKER_UID, WORKER_GID));
	assert_true(is_served(f, 0, 0));
	/* By the mode of the socket, and by who it is even so. */
	assert_false(is_served(f, NOBODY_UID, NOBODY_UID));
	assert_false(is_served(f, NOBODY_UID, WORKER_GID));
}

static void
it_ticks_twice_a_second(void **state)
{
	int before = atomic_load(&ticks);

	(void)state;
	clock_sleep_ms(2200);
	assert_in_range(atomic_load(&ticks) - before, 3, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_on_record_when_its_client_is_told),
		TEST(what_cannot_be_done_is_refused_with_its_reason),
		TEST(many_clients_each_get_the_end_of_their_own_job),
		TEST(a_job_under_way_can_be_waited_for_by_anybody),
		TEST(an_agent_that_ends_tells_who_waits),
		TEST(who_speaks_nonsense_is_dropped_and_nobody_else),
		TEST(a_frame_may_come_byte_by_byte),
		TEST(a_job_goes_on_without_its_client),
		TEST(more_clients_than_there_are_places_are_turned_away),
		TEST(a_change_that_is_too_large_is_refused),
		TEST(only_workers_and_root_are_served),
		TEST(it_ticks_twice_a_second),
	};

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
