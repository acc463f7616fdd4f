#include "docker/docker.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "tests/unit/docker/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V "/v1.41"

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->engine = engine_start();
	if (docker_open(engine_path(f->engine), &f->docker, &f->err) < 0)
		return -1;
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_close(f->docker);
	engine_stop(f->engine);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

/* What the newest request was, and the body it had. */
static void
assert_asked(struct fixture *f, const char *line, const char *body)
{
	const char *request = engine_request(f->engine);
	const char *end = strstr(request, "\r\n\r\n");

	assert_memory_equal(request, line, strlen(line));
	assert_int_equal(request[strlen(line)], ' ');
	assert_non_null(end);
	assert_string_equal(end + 4, body);
}

static void
assert_fails(
    struct fixture *f, int result, enum error_kind kind, const char *code)
{
	assert_int_equal(result, -1);
	assert_int_equal(f->err.kind, kind);
	assert_string_equal(error_code(&f->err), code);
}

static struct json_object *
parse(struct fixture *f, const char *text)
{
	struct json_object *object;

	assert_int_equal(
	    json_parse_trusted(text, strlen(text), &object, &f->err), 0);
	return object;
}

static void
a_container_is_restarted_and_given_time(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "POST ", "204 No Content", "");
	assert_int_equal(
	    docker_container_restart(f->docker, "c", -1, NULL, &f->err), 0);
	assert_asked(f, "POST " V "/containers/c/restart", "");
	assert_int_equal(
	    docker_container_restart(f->docker, "c", 7, NULL, &f->err), 0);
	assert_asked(f, "POST " V "/containers/c/restart?t=7", "");
	assert_fails(f,
	    docker_container_restart(f->docker, "a/b", 7, NULL, &f->err),
	    ERR_INVALID, "INVALID_ID");
}

static void
a_stop_that_nobody_waits_for_is_left(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancel;
	int64_t started = clock_monotonic_ms();

	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "POST ",
			   .bytes = "HTTP/1.1 204 No Content\r\n\r\n",
			   .delay_ms = 30000 });
	atomic_init(&cancel, true);
	assert_fails(f,
	    docker_container_stop(f->docker, "c", 600, &cancel, &f->err),
	    ERR_CONFLICT, "CANCELLED");
	assert_true(clock_monotonic_ms() - started < 3000);
}

static void
an_inspection_tells_the_limits(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *shown = NULL;
	struct docker_inspection out;

	engine_answers_json(f->engine, "GET " V "/containers/c/json", "200 OK",
	    "{\"Id\":\"c\",\"Name\":\"/web\",\"State\":{\"Running\":true},"
	    "\"Config\":{\"Tty\":true},\"HostConfig\":{\"Memory\":1000,"
	    "\"MemorySwap\":-1,\"NanoCpus\":1500000000,\"CpuShares\":512,"
	    "\"RestartPolicy\":{\"Name\":\"always\"}}}");
	assert_int_equal(
	    docker_container_inspect(f->docker, "c", &f->arena, &out, &f->err),
	    0);
	assert_string_equal(out.name, "web");
	assert_true(out.running && out.has_tty);
	assert_int_equal(out.limits.memory_bytes, 1000);
	assert_int_equal(out.limits.memory_swap_bytes, -1);
	assert_int_equal(out.limits.cpu_shares, 512);
	assert_string_equal(out.limits.restart_policy, "always");
	assert_true(docker_limits_cpus(&out.limits) == 1.5);
	shown = docker_limits_render(&out.limits);
	assert_string_equal(json_serialize(shown, NULL),
	    "{\"memory_limit\":1000,\"memory_swap\":-1,\"cpus\":1.5,"
	    "\"cpu_shares\":512,\"restart_policy\":\"always\"}");
}

static void
cores_are_told_by_quota_as_well(void **state)
{
	struct fixture *f = *state;
	struct docker_inspection out;

	engine_answers_json(f->engine, "GET /v", "200 OK",
	    "{\"HostConfig\":{\"CpuQuota\":25000,\"CpuPeriod\":50000}}");
	assert_int_equal(
	    docker_container_inspect(f->docker, "c", &f->arena, &out, &f->err),
	    0);
	assert_true(docker_limits_cpus(&out.limits) == 0.5);
	assert_string_equal(out.limits.restart_policy, "no");
	out.limits.cpu_period_us = 0;
	assert_true(docker_limits_cpus(&out.limits) == 0.25);
	out.limits.cpu_quota_us = -1;
	assert_true(docker_limits_cpus(&out.limits) == 0);
}

static void
an_update_has_what_is_to_change(void **state)
{
	struct fixture *f = *state;
	const struct docker_limits some = { .nano_cpus = 500000000 };
	const struct docker_limits all = {
		.memory_bytes = 8000000,
		.memory_swap_bytes = -1,
		.cpu_quota_us = 5000,
		.cpu_period_us = 100000,
		.cpu_shares = 2,
		.restart_policy = "unless-stopped",
	};

	engine_answers_json(
	    f->engine, "POST ", "200 OK", "{\"Warnings\":null}");
	assert_int_equal(
	    docker_container_update(f->docker, "c", &some, &f->err), 0);
	assert_asked(
	    f, "POST " V "/containers/c/update", "{\"NanoCpus\":500000000}");
	assert_non_null(strstr(
	    engine_request(f->engine), "Content-Type: application/json\r\n"));
	assert_int_equal(
	    docker_container_update(f->docker, "c", &all, &f->err), 0);
	assert_asked(f, "POST " V "/containers/c/update",
	    "{\"Memory\":8000000,\"MemorySwap\":-1,\"CpuQuota\":5000,"
	    "\"CpuPeriod\":100000,\"CpuShares\":2,"
	    "\"RestartPolicy\":{\"Name\":\"unless-stopped\"}}");
}

static void
a_volume_is_created_with_what_it_is_given(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *labels = parse(f, "{\"a\":\"b\"}");
	auto_json struct json_object *options = parse(f, "{\"type\":\"nfs\"}");
	struct docker_volume_options volume = { .name = "data",
		.driver = "local" };

	engine_answers_json(f->engine, "POST ", "201 Created", "{}");
	assert_int_equal(docker_volume_create(f->docker, &volume, &f->err), 0);
	assert_asked(f, "POST " V "/volumes/create",
	    "{\"Name\":\"data\",\"Driver\":\"local\"}");
	volume.labels = labels;
	volume.driver_options = options;
	assert_int_equal(docker_volume_create(f->docker, &volume, &f->err), 0);
	assert_asked(f, "POST " V "/volumes/create",
	    "{\"Name\":\"data\",\"Driver\":\"local\","
	    "\"DriverOpts\":{\"type\":\"nfs\"},\"Labels\":{\"a\":\"b\"}}");
}

static void
a_volume_in_use_is_a_conflict(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "DELETE " V "/volumes/gone",
	    "404 Not Found", "{\"message\":\"no such volume\"}");
	engine_answers_json(f->engine, "DELETE " V "/volumes/used",
	    "409 Conflict", "{\"message\":\"volume is in use - [abc]\"}");
	engine_answers_json(
	    f->engine, "DELETE " V "/volumes/free", "204 No Content", "");
	assert_fails(f, docker_volume_remove(f->docker, "gone", false, &f->err),
	    ERR_NOT_FOUND, "VOLUME_NOT_FOUND");
	assert_fails(f, docker_volume_remove(f->docker, "used", true, &f->err),
	    ERR_CONFLICT, "CONFLICT");
	assert_asked(f, "DELETE " V "/volumes/used?force=1", "");
	assert_int_equal(
	    docker_volume_remove(f->docker, "free", false, &f->err), 0);
	assert_fails(f, docker_volume_remove(f->docker, "..", false, &f->err),
	    ERR_INVALID, "INVALID_ID");
}

static void
sizes_of_volumes_are_read_where_they_are_known(void **state)
{
	struct fixture *f = *state;
	struct docker_volume_size *sizes;
	size_t count;

	engine_answers_json(f->engine, "GET " V "/system/df?type=volume",
	    "200 OK",
	    "{\"Volumes\":[{\"Name\":\"a\",\"UsageData\":{\"Size\":12,"
	    "\"RefCount\":1}},{\"Name\":\"b\",\"UsageData\":null}]}");
	assert_int_equal(
	    docker_volume_sizes(f->docker, &f->arena, &sizes, &count, &f->err),
	    0);
	assert_int_equal(count, 2);
	assert_string_equal(sizes[0].name, "a");
	assert_int_equal(sizes[0].size_bytes, 12);
	assert_int_equal(sizes[0].reference_count, 1);
	assert_int_equal(sizes[1].size_bytes, -1);
	assert_int_equal(sizes[1].reference_count, -1);
	engine_answers_json(
	    f->engine, "GET /v", "200 OK", "{\"Volumes\":null}");
	assert_int_equal(
	    docker_volume_sizes(f->docker, &f->arena, &sizes, &count, &f->err),
	    0);
	assert_int_equal(count, 0);
}

static void
a_network_is_created_with_its_addresses(void **state)
{
	struct fixture *f = *state;
	auto_json struct json_object *labels = parse(f, "{\"a\":\"b\"}");
	struct docker_network_options network = { .name = "inner",
		.driver = "bridge" };

	engine_answers_json(
	    f->engine, "POST ", "201 Created", "{\"Id\":\"n\"}");
	assert_int_equal(
	    docker_network_create(f->docker, &network, &f->err), 0);
	assert_asked(f, "POST " V "/networks/create",
	    "{\"Name\":\"inner\",\"CheckDuplicate\":true,"
	    "\"Driver\":\"bridge\",\"Internal\":false,\"Attachable\":false,"
	    "\"EnableIPv6\":false}");
	network.internal = network.ipv6 = true;
	network.subnet = "10.7.0.0/16";
	network.gateway = "10.7.0.1";
	network.labels = labels;
	assert_int_equal(
	    docker_network_create(f->docker, &network, &f->err), 0);
	assert_asked(f, "POST " V "/networks/create",
	    "{\"Name\":\"inner\",\"CheckDuplicate\":true,"
	    "\"Driver\":\"bridge\",\"Internal\":true,\"Attachable\":false,"
	    "\"EnableIPv6\":true,\"IPAM\":{\"Config\":[{\"Subnet\":"
	    "\"10.7.0.0/16\",\"Gateway\":\"10.7.0.1\"}]},"
	    "\"Labels\":{\"a\":\"b\"}}");
	engine_answers_json(
	    f->engine, "POST ", "409 Conflict", "{\"message\":\"exists\"}");
	assert_fails(f, docker_network_create(f->docker, &network, &f->err),
	    ERR_CONFLICT, "CONFLICT");
}

static void
containers_are_connected_and_disconnected(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "POST ", "200 OK", "");
	assert_int_equal(
	    docker_network_connect(f->docker, "n", "c", &f->err), 0);
	assert_asked(
	    f, "POST " V "/networks/n/connect", "{\"Container\":\"c\"}");
	assert_int_equal(
	    docker_network_disconnect(f->docker, "n", "c", true, &f->err), 0);
	assert_asked(f, "POST " V "/networks/n/disconnect",
	    "{\"Container\":\"c\",\"Force\":true}");
	engine_answers_json(f->engine, "POST ", "403 Forbidden",
	    "{\"message\":\"endpoint already exists\"}");
	assert_fails(f, docker_network_connect(f->docker, "n", "c", &f->err),
	    ERR_CONFLICT, "CONFLICT");
	engine_answers_json(f->engine, "POST ", "404 Not Found", "{}");
	assert_fails(f, docker_network_connect(f->docker, "n", "c", &f->err),
	    ERR_NOT_FOUND, "NETWORK_NOT_FOUND");
}

static const char *const arguments[] = { "sh", "-c", "echo \"$1\"", NULL };

static void
an_exec_is_created_as_arguments(void **state)
{
	static const char *const environment[] = { "A=b c", NULL };
	struct fixture *f = *state;
	struct docker_exec exec = { .container = "c", .arguments = arguments };
	const char *id = NULL;

	engine_answers_json(
	    f->engine, "POST ", "201 Created", "{\"Id\":\"e1\"}");
	assert_int_equal(
	    docker_exec_create(f->docker, &exec, &f->arena, &id, &f->err), 0);
	assert_string_equal(id, "e1");
	assert_asked(f, "POST " V "/containers/c/exec",
	    "{\"AttachStdin\":false,\"AttachStdout\":true,"
	    "\"AttachStderr\":true,\"Tty\":false,"
	    "\"Cmd\":[\"sh\",\"-c\",\"echo \\\"$1\\\"\"]}");
	exec.environment = environment;
	exec.user = "nobody";
	exec.directory = "/tmp";
	assert_int_equal(
	    docker_exec_create(f->docker, &exec, &f->arena, &id, &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "\"Env\":[\"A=b c\"],\"User\":\"nobody\","
	    "\"WorkingDir\":\"/tmp\"}"));
}

static void
an_exec_in_a_stopped_container_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct docker_exec exec = { .container = "c",
		.arguments = arguments };
	const char *id;

	engine_answers_json(f->engine, "POST ", "409 Conflict",
	    "{\"message\":\"container c is not running\"}");
	assert_fails(f,
	    docker_exec_create(f->docker, &exec, &f->arena, &id, &f->err),
	    ERR_CONFLICT, "CONTAINER_NOT_RUNNING");
	engine_answers_json(f->engine, "POST ", "404 Not Found", "{}");
	assert_fails(f,
	    docker_exec_create(f->docker, &exec, &f->arena, &id, &f->err),
	    ERR_NOT_FOUND, "CONTAINER_NOT_FOUND");
	engine_answers_json(
	    f->engine, "POST ", "201 Created", "{\"Id\":\"../x\"}");
	assert_fails(f,
	    docker_exec_create(f->docker, &exec, &f->arena, &id, &f->err),
	    ERR_UPSTREAM, "DOCKER_ERROR");
}

struct heard {
	struct buffer output;
	int idle_left; /* calls of on_idle until it says no; 0: never */
};

static void
hear_bytes(void *context, const char *bytes, size_t length)
{
	struct heard *heard = context;

	buffer_append(&heard->output, bytes, length);
}

static bool
hear_nothing(void *context)
{
	struct heard *heard = context;

	return heard->idle_left == 0 || --heard->idle_left > 0;
}

static void
the_output_of_an_exec_is_given_as_it_is(void **state)
{
	static const char stream[] =
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/vnd.docker.raw-stream\r\n\r\n"
	    "\1\0\0\0\0\0\0\4a\r\n\n"
	    "\2\0\0\0\0\0\0\3\0\377b"
	    "\1\0\0\0\0\0\0\0"
	    "\1\0\0\0\0\0\0\25"
	    "2026-01-31T23:59:59Z "
	    "\2\0\0\0\0\0\0\1c";
	static const char expected[] = "a\r\n\n\0\377b2026-01-31T23:59:59Z c";
	struct fixture *f = *state;
	size_t chop;

	for (chop = 0; chop < 12; chop++) {
		struct heard heard = { .output = BUFFER(1000) };

		engine_answers(
		    f->engine, &(struct engine_answer){ .request = "POST ",
				   .bytes = stream,
				   .length = sizeof stream - 1,
				   .chop = chop,
				   .after = ENGINE_CLOSE });
		assert_int_equal(docker_exec_run(f->docker, "e1", hear_bytes,
				     hear_nothing, &heard, &f->err),
		    0);
		assert_int_equal(heard.output.length, sizeof expected - 1);
		assert_memory_equal(
		    heard.output.bytes, expected, sizeof expected - 1);
		buffer_clear(&heard.output);
	}
	assert_asked(
	    f, "POST " V "/exec/e1/start", "{\"Detach\":false,\"Tty\":false}");
}

static void
a_quiet_exec_can_be_left(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { .output = BUFFER(1000), .idle_left = 3 };
	int64_t started = clock_monotonic_ms();

	engine_answers(f->engine, &(struct engine_answer){ .request = "POST ",
				      .bytes = "HTTP/1.1 200 OK\r\n\r\n",
				      .after = ENGINE_HOLD });
	assert_int_equal(docker_exec_run(f->docker, "e1", hear_bytes,
			     hear_nothing, &heard, &f->err),
	    0);
	assert_in_range(clock_monotonic_ms() - started, 400, 1500);
	assert_true(engine_wait_open(f->engine, 1));
}

static void
an_exec_that_cannot_start_says_why(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { .output = BUFFER(1000) };

	engine_answers_json(f->engine, "POST ", "409 Conflict",
	    "{\"message\":\"it has already run\"}");
	assert_fails(f,
	    docker_exec_run(
		f->docker, "e1", hear_bytes, hear_nothing, &heard, &f->err),
	    ERR_CONFLICT, "CONFLICT");
	assert_string_equal(f->err.message, "it has already run");
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "POST ",
			   .bytes = "HTTP/1.1 200 OK\r\n\r\nno frames",
			   .after = ENGINE_CLOSE });
	assert_fails(f,
	    docker_exec_run(
		f->docker, "e1", hear_bytes, hear_nothing, &heard, &f->err),
	    ERR_UPSTREAM, "DOCKER_ERROR");
	engine_hide(f->engine);
	assert_fails(f,
	    docker_exec_run(
		f->docker, "e1", hear_bytes, hear_nothing, &heard, &f->err),
	    ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE");
}

static void
an_exec_tells_how_it_ended(void **state)
{
	struct fixture *f = *state;
	struct docker_exec_state out;

	engine_answers_json(f->engine, "GET " V "/exec/e1/json", "200 OK",
	    "{\"Running\":true,\"ExitCode\":null,\"Pid\":77}");
	assert_int_equal(
	    docker_exec_inspect(f->docker, "e1", &out, &f->err), 0);
	assert_true(out.running);
	assert_int_equal(out.exit_code, -1);
	assert_int_equal(out.pid, 77);
	engine_answers_json(f->engine, "GET " V "/exec/e1/json", "200 OK",
	    "{\"Running\":false,\"ExitCode\":3,\"Pid\":77}");
	assert_int_equal(
	    docker_exec_inspect(f->docker, "e1", &out, &f->err), 0);
	assert_false(out.running);
	assert_int_equal(out.exit_code, 3);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_container_is_restarted_and_given_time),
		TEST(a_stop_that_nobody_waits_for_is_left),
		TEST(an_inspection_tells_the_limits),
		TEST(cores_are_told_by_quota_as_well),
		TEST(an_update_has_what_is_to_change),
		TEST(a_volume_is_created_with_what_it_is_given),
		TEST(a_volume_in_use_is_a_conflict),
		TEST(sizes_of_volumes_are_read_where_they_are_known),
		TEST(a_network_is_created_with_its_addresses),
		TEST(containers_are_connected_and_disconnected),
		TEST(an_exec_is_created_as_arguments),
		TEST(an_exec_in_a_stopped_container_is_refused),
		TEST(the_output_of_an_exec_is_given_as_it_is),
		TEST(a_quiet_exec_can_be_left),
		TEST(an_exec_that_cannot_start_says_why),
		TEST(an_exec_tells_how_it_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
