/* The agent's socket for files: asked properly, and by what is no worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/files.h"
#include "agent/uploads.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "jobs/files.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define UPLOAD_MAXIMUM 200000
#define SECRET "a word that nobody guesses"

struct fixture {
	struct scratch scratch;
	struct arena arena;
	struct settings settings;
	struct compose_policy policy;
	struct agent agent;
	struct files *files;
	struct json_object *answer;
	int descriptor;
	struct error err;
};

static void
write_text(struct fixture *f, const char *name, const char *text)
{
	scratch_write(&f->scratch, name, text, strlen(text));
}

static int
set_up(void **state)
{
	static const char *const nothing[] = { NULL };
	struct fixture *f = xcalloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "run");
	scratch_make_directory(&f->scratch, "run/agent");
	scratch_make_directory(&f->scratch, "root");
	scratch_make_directory(&f->scratch, "root/blog");
	scratch_make_directory(&f->scratch, "root/other");
	write_text(
	    f, "root/blog/docker-compose.yml", "services: {app: {image: x}}\n");
	write_text(f, "root/blog/.env.flatrun",
	    "# c\nPORT=80\nDB_PASSWORD=" SECRET "\nPORT=81\n");
	write_text(f, "root/blog/file", "0123456789");
	f->settings.run_directory =
	    arena_strdup(&f->arena, scratch_path(&f->scratch, "run"));
	f->settings.files.upload_max_bytes = UPLOAD_MAXIMUM;
	f->settings.files.archive_max_bytes = 1 << 20;
	f->policy =
	    (struct compose_policy){ .allow = nothing, .bind_paths = nothing };
	f->agent.settings = &f->settings;
	f->agent.worker_uid = getuid();
	f->agent.worker_gid = getgid();
	f->descriptor = -1;
	assert_int_equal(compose_open(scratch_path(&f->scratch, "root"),
			     &f->policy, true, &f->agent.compose, &f->err),
	    0);
	assert_int_equal(files_start(&f->agent, &f->files, &f->err), 0);
	*state = f;
	return 0;
}

static void
forget_answer(struct fixture *f)
{
	json_object_put(f->answer);
	f->answer = NULL;
	cleanup_fd(&f->descriptor);
	f->descriptor = -1;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	forget_answer(f);
	files_stop(f->files);
	compose_close(f->agent.compose);
	assert_false(scratch_has(&f->scratch, "run/agent/files.sock"));
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static int
ask(struct fixture *f, const char *question)
{
	auto_json struct json_object *asked = NULL;
	int result;

	forget_answer(f);
	assert_int_equal(
	    json_parse_trusted(question, strlen(question), &asked, &f->err), 0);
	result = files_ask(f->settings.run_directory, asked, 5000, &f->answer,
	    &f->descriptor, &f->err);
	return result;
}

static void
assert_refused(struct fixture *f, const char *question, const char *code)
{
	assert_int_equal(ask(f, question), -1);
	assert_string_equal(error_code(&f->err), code);
}

static size_t
uploads(struct fixture *f)
{
	return scratch_count(&f->scratch, "root/.flatrun/staging");
}

static void
secrets_are_masked_unless_they_are_asked_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "{\"ask\":\"environment\","
				"\"deployment\":\"blog\"}"),
	    0);
	assert_string_equal(json_serialize(f->answer, NULL),
	    "{\"env_vars\":[{\"key\":\"DB_PASSWORD\",\"value\":\"********\","
	    "\"masked\":true},{\"key\":\"PORT\",\"value\":\"81\","
	    "\"masked\":false}]}");
	assert_int_equal(ask(f, "{\"ask\":\"environment\","
				"\"deployment\":\"blog\",\"reveal\":true}"),
	    0);
	assert_non_null(strstr(json_serialize(f->answer, NULL), SECRET));
}

static void
a_file_is_passed_to_be_read_and_no_more(void **state)
{
	struct fixture *f = *state;
	char text[20] = "";

	assert_int_equal(ask(f, "{\"ask\":\"open\",\"deployment\":\"blog\","
				"\"path\":\"file\"}"),
	    0);
	assert_true(f->descriptor >= 0);
	assert_int_equal(json_int(f->answer, "size", 0), 10);
	assert_int_equal(read(f->descriptor, text, sizeof text), 10);
	assert_string_equal(text, "0123456789");
	assert_int_equal(write(f->descriptor, "x", 1), -1);
	assert_refused(f,
	    "{\"ask\":\"open\",\"deployment\":\"blog\","
	    "\"path\":\".env.flatrun\"}",
	    "FORBIDDEN");
	assert_int_equal(f->descriptor, -1);
	assert_int_equal(ask(f, "{\"ask\":\"open\",\"deployment\":\"blog\","
				"\"path\":\".env.flatrun\",\"secrets\":true}"),
	    0);
	assert_true(f->descriptor >= 0);
}

static void
what_is_no_deployment_or_no_path_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "{\"ask\":\"list\"}", "INVALID_NAME");
	assert_refused(
	    f, "{\"ask\":\"list\",\"deployment\":\"../x\"}", "INVALID_REQUEST");
	/* A directory without a Compose file is somebody else's. */
	assert_refused(f, "{\"ask\":\"list\",\"deployment\":\"other\"}",
	    "DEPLOYMENT_NOT_FOUND");
	assert_refused(f, "{\"ask\":\"list\",\"deployment\":\"gone\"}",
	    "DEPLOYMENT_NOT_FOUND");
	assert_refused(f,
	    "{\"ask\":\"open\",\"deployment\":\"blog\","
	    "\"path\":\"../other/x\"}",
	    "UNSAFE_PATH");
	assert_refused(f,
	    "{\"ask\":\"open\",\"deployment\":\"blog\","
	    "\"path\":\"/etc/passwd\"}",
	    "UNSAFE_PATH");
	assert_refused(f,
	    "{\"ask\":\"list\",\"deployment\":\"blog\",\"limit\":0}",
	    "INVALID_REQUEST");
	assert_refused(f,
	    "{\"ask\":\"list\",\"deployment\":\"blog\",\"path\":7}",
	    "INVALID_REQUEST");
	assert_refused(f, "{\"ask\":\"remove\",\"deployment\":\"blog\"}",
	    "INVALID_REQUEST");
	assert_refused(f, "{}", "INVALID_REQUEST");
	assert_refused(f, "[1]", "INVALID_REQUEST");
}

static int
connect_raw(struct fixture *f)
{
	struct timeval limit = { .tv_sec = 5 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.80s",
	    scratch_path(&f->scratch, "run/agent/files.sock"));
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
}

static void
nonsense_is_answered_and_leaves_the_socket_as_it_was(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{ "\0\0\0\0", 4 },
		{ "\xFF\xFF\xFF\xFF", 4 },
		{ "\0\x10\0\0", 4 },
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "\0\0\0\2{]", 6 },
		{ "\0\0\0\4null", 8 },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fd = connect_raw(f);
		char answer[1000];
		ssize_t got;

		assert_int_equal(
		    send(fd, cases[i].bytes, cases[i].length, MSG_NOSIGNAL),
		    cases[i].length);
		shutdown(fd, SHUT_WR);
		got = recv(fd, answer, sizeof answer, MSG_WAITALL);
		if (got > 0)
			assert_non_null(
			    memmem(answer, (size_t)got, "error", 5));
		close(fd);
	}
	assert_int_equal(
	    ask(f, "{\"ask\":\"list\",\"deployment\":\"blog\"}"), 0);
	assert_int_equal(json_int(f->answer, "total", 0), 3);
}

static const char *
send_upload(struct fixture *f, size_t length)
{
	struct files_upload upload;
	char *bytes = malloc(length + 1);
	const char *token = NULL;
	int failed;

	memset(bytes, 'x', length);
	assert_int_equal(
	    files_upload_begin(f->settings.run_directory, &upload, &f->err), 0);
	failed = files_upload_send(&upload, bytes, length, &f->err) < 0 ||
		 files_upload_end(&upload, &f->arena, &token, &f->err) < 0;
	free(bytes);
	return failed ? NULL : token;
}

static void
an_upload_waits_for_the_job_that_takes_it(void **state)
{
	struct fixture *f = *state;
	const char *token = send_upload(f, UPLOAD_MAXIMUM);
	auto_fd int directory = -1;
	struct stat status;

	assert_non_null(token);
	assert_true(upload_token_is_valid(token));
	assert_int_equal(uploads(f), 1);
	directory =
	    file_open_root(scratch_path(&f->scratch, "root/blog"), &f->err);
	assert_int_equal(
	    upload_place(&f->agent, token, directory, "new", &f->err), 0);
	assert_int_equal(uploads(f), 0);
	assert_int_equal(fstatat(directory, "new", &status, 0), 0);
	assert_int_equal(status.st_size, UPLOAD_MAXIMUM);
	assert_int_equal(status.st_mode & 07777, 0644);
	/* Once, and only what is there. */
	assert_int_equal(
	    upload_place(&f->agent, token, directory, "again", &f->err), -1);
	assert_string_equal(error_code(&f->err), "UPLOAD_NOT_FOUND");
	assert_int_equal(upload_open(&f->agent, "../../x", &f->err), -1);
	assert_string_equal(error_code(&f->err), "UPLOAD_NOT_FOUND");
}

static void
a_place_that_is_none_keeps_what_it_has(void **state)
{
	struct fixture *f = *state;
	const char *token = send_upload(f, 10);
	auto_fd int directory =
	    file_open_root(scratch_path(&f->scratch, "root/blog"), &f->err);

	assert_int_equal(symlinkat("/etc/passwd", directory, "link"), 0);
	assert_int_equal(mkfifoat(directory, "fifo", 0600), 0);
	assert_int_equal(mkdirat(directory, "folder", 0755), 0);
	assert_int_equal(
	    upload_place(&f->agent, token, directory, "link", &f->err), -1);
	assert_string_equal(error_code(&f->err), "UNSAFE_PATH");
	assert_int_equal(
	    upload_place(&f->agent, token, directory, "fifo", &f->err), -1);
	assert_string_equal(error_code(&f->err), "UNSAFE_PATH");
	assert_int_equal(
	    upload_place(&f->agent, token, directory, "folder", &f->err), -1);
	assert_string_equal(error_code(&f->err), "IS_A_DIRECTORY");
	assert_int_equal(uploads(f), 1);
	upload_remove(&f->agent, token);
	assert_int_equal(uploads(f), 0);
}

static void
what_is_too_large_or_not_whole_is_not_kept(void **state)
{
	struct fixture *f = *state;
	struct files_upload upload;
	int64_t deadline;

	assert_null(send_upload(f, UPLOAD_MAXIMUM + 1));
	assert_string_equal(error_code(&f->err), "PAYLOAD_TOO_LARGE");
	assert_int_equal(uploads(f), 0);
	assert_int_equal(
	    files_upload_begin(f->settings.run_directory, &upload, &f->err), 0);
	assert_int_equal(files_upload_send(&upload, "abc", 3, &f->err), 0);
	files_upload_abandon(&upload);
	deadline = clock_monotonic_ms() + 3000;
	while (uploads(f) > 0 && clock_monotonic_ms() < deadline)
		clock_sleep_ms(5);
	assert_int_equal(uploads(f), 0);
}

static void
uploads_that_nobody_takes_go(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	const char *given_up = send_upload(f, 1), *kept = send_upload(f, 1);
	const char *forgotten = send_upload(f, 1);

	files_discard(f->settings.run_directory, given_up);
	assert_int_equal(uploads(f), 2);
	assert_int_equal(
	    utimensat(AT_FDCWD,
		scratch_path(&f->scratch,
		    arena_printf(&f->arena, "root/.flatrun/staging/upload-%s",
			forgotten)),
		old, 0),
	    0);
	uploads_tidy(&f->agent);
	assert_int_equal(uploads(f), 1);
	files_discard(f->settings.run_directory, kept);
	files_discard(f->settings.run_directory, "../../blog/file");
	assert_int_equal(uploads(f), 0);
	assert_true(scratch_has(&f->scratch, "root/blog/file"));
}

static void
connections_have_a_maximum_and_end_with_the_socket(void **state)
{
	struct fixture *f = *state;
	int connections[32], i;
	int64_t started;

	for (i = 0; i < 32; i++)
		connections[i] = connect_raw(f);
	assert_refused(f, "{\"ask\":\"list\",\"deployment\":\"blog\"}",
	    "TOO_MANY_REQUESTS");
	close(connections[0]);
	started = clock_monotonic_ms();
	while (ask(f, "{\"ask\":\"list\",\"deployment\":\"blog\"}") < 0)
		assert_true(clock_monotonic_ms() < started + 3000);
	/* Those that say nothing hold up nobody. */
	started = clock_monotonic_ms();
	files_stop(TAKE(f->files));
	assert_true(clock_monotonic_ms() < started + 2000);
	for (i = 1; i < 32; i++)
		close(connections[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(secrets_are_masked_unless_they_are_asked_for),
		TEST(a_file_is_passed_to_be_read_and_no_more),
		TEST(what_is_no_deployment_or_no_path_is_refused),
		TEST(nonsense_is_answered_and_leaves_the_socket_as_it_was),
		TEST(an_upload_waits_for_the_job_that_takes_it),
		TEST(a_place_that_is_none_keeps_what_it_has),
		TEST(what_is_too_large_or_not_whole_is_not_kept),
		TEST(uploads_that_nobody_takes_go),
		TEST(connections_have_a_maximum_and_end_with_the_socket),
	};

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
