/* Jobs on containers, volumes and networks, with an Engine of the test's own.
 */
#include "agent/agent.h"
#include "agent/containers.h"
#include "agent/exec.h"
#include "agent/mirror.h"
#include "agent/networks.h"
#include "agent/volumes.h"
#include "base/clock.h"
#include "docker/docker.h"
#include "jobs/protocol.h"
#include "store/mirror.h"
#include "store/store.h"
#include "tests/unit/docker/engine.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal(call, 0)
#define V "/v1.41"
#define ID "c000000000000000000000000000000000000000000000000000000000000000"
#define HEX "a000000000000000000000000000000000000000000000000000000000000000"

struct fixture {
	struct scratch scratch;
	struct engine *engine;
	struct agent agent;
	struct store *store;
	struct run run;
	atomic_bool cancel;
	struct error err;
};

/* What was refreshed: the mirror is tested elsewhere. */
static char refreshed[64];

static int
note(const char *word)
{
	size_t length = strlen(refreshed);

	snprintf(refreshed + length, sizeof refreshed - length, "%s ", word);
	return 0;
}

int
mirror_refresh_container(struct mirror *mirror, struct store *store,
    const char *id, struct error *err)
{
	(void)mirror;
	(void)store;
	(void)id;
	(void)err;
	return note("container");
}

int
mirror_refresh_volumes(
    struct mirror *mirror, struct store *store, struct error *err)
{
	(void)mirror;
	(void)store;
	(void)err;
	return note("volumes");
}

int
mirror_refresh_networks(
    struct mirror *mirror, struct store *store, struct error *err)
{
	(void)mirror;
	(void)store;
	(void)err;
	return note("networks");
}

void
run_store_output(struct run *run)
{
	(void)run;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	scratch_make(&f->scratch);
	f->engine = engine_start();
	OK(store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err));
	OK(compose_open(
	    f->scratch.path, NULL, false, &f->agent.compose, &f->err));
	OK(docker_open(engine_path(f->engine), &f->agent.docker, &f->err));
	atomic_init(&f->cancel, false);
	*state = f;
	return 0;
}

static void
end_run(struct fixture *f)
{
	json_object_put(f->run.arguments);
	json_object_put(f->run.result);
	buffer_clear(&f->run.output);
	arena_clear(&f->run.arena);
	memset(&f->run, 0, sizeof f->run);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	end_run(f);
	docker_close(f->agent.docker);
	compose_close(f->agent.compose);
	store_close(f->store);
	engine_stop(f->engine);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static const struct job_kind *
find_kind(const char *name)
{
	static const struct job_kind *const tables[] = { container_jobs,
		exec_jobs, network_jobs, volume_jobs };
	const struct job_kind *kind;
	size_t i;

	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		for (kind = tables[i]; kind->name != NULL; kind++)
			if (strcmp(kind->name, name) == 0)
				return kind;
	fail_msg("there is no job %s", name);
	return NULL;
}

static int
run(struct fixture *f, const char *kind, const char *subject,
    const char *arguments)
{
	end_run(f);
	memset(&f->err, 0, sizeof f->err);
	refreshed[0] = '\0';
	f->run = (struct run){ .agent = &f->agent,
		.store = f->store,
		.id = "job",
		.subject = subject,
		.output = BUFFER(100),
		.cancel = &f->cancel };
	OK(json_parse_trusted(
	    arguments, strlen(arguments), &f->run.arguments, &f->err));
	return find_kind(kind)->body(&f->run, &f->err);
}

static void
assert_run_fails(struct fixture *f, const char *kind, const char *subject,
    const char *arguments, enum error_kind error_kind, const char *code)
{
	assert_int_equal(run(f, kind, subject, arguments), -1);
	assert_string_equal(error_code(&f->err), code);
	assert_int_equal(f->err.kind, error_kind);
}

static void
answers(struct fixture *f, const char *request, const char *status,
    const char *body)
{
	engine_answers_json(f->engine, request, status, body);
}

static void
arguments_are_checked_again_before_docker_is_asked(void **state)
{
	static const struct {
		const char *kind, *arguments, *code;
		enum error_kind error_kind;
	} cases[] = {
		{ JOB_CONTAINER_STOP, "{\"timeout\":601}", "INVALID_REQUEST",
		    ERR_INVALID },
		{ JOB_CONTAINER_REMOVE, "{\"force\":1}", "INVALID_REQUEST",
		    ERR_INVALID },
		{ JOB_CONTAINER_UPDATE, "{\"memory_limit\":5}",
		    "INVALID_REQUEST", ERR_INVALID },
		{ JOB_EXEC, "{\"command\":\"\"}", "INVALID_REQUEST",
		    ERR_INVALID },
		{ JOB_EXEC, "{\"user\":\"a b\"}", "INVALID_REQUEST",
		    ERR_INVALID },
		{ JOB_VOLUME_CREATE, "{\"name\":\"../x\"}", "INVALID_NAME",
		    ERR_INVALID },
		{ JOB_VOLUME_CREATE,
		    "{\"name\":\"v1\",\"driver_opts\":{\"o\":\"bind\"}}",
		    "VOLUME_POLICY", ERR_FORBIDDEN },
		{ JOB_VOLUME_CREATE,
		    "{\"name\":\"v1\",\"options\":{\"o\":\"bind\"}}",
		    "VOLUME_POLICY", ERR_FORBIDDEN },
		{ JOB_NETWORK_CREATE, "{\"name\":\"n1\",\"subnet\":\"x\"}",
		    "INVALID_REQUEST", ERR_INVALID },
		{ JOB_NETWORK_CREATE,
		    "{\"name\":\"n1\",\"driver\":\"macvlan\"}",
		    "NETWORK_POLICY", ERR_FORBIDDEN },
		{ JOB_NETWORK_CONNECT, "{\"container\":\"a/b\"}", "INVALID_ID",
		    ERR_INVALID },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_run_fails(f, cases[i].kind, "x", cases[i].arguments,
		    cases[i].error_kind, cases[i].code);
	assert_run_fails(
	    f, JOB_NETWORK_REMOVE, "host", "{}", ERR_FORBIDDEN, "PROTECTED");
	assert_run_fails(f, JOB_NETWORK_CONNECT, "host",
	    "{\"container\":\"c\"}", ERR_FORBIDDEN, "PROTECTED");
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
subjects_have_their_grammar(void **state)
{
	(void)state;
	assert_true(find_kind(JOB_CONTAINER_START)->subject_is_valid(ID));
	assert_false(find_kind(JOB_CONTAINER_START)->subject_is_valid("web"));
	assert_false(find_kind(JOB_EXEC)->subject_is_valid("../x"));
	assert_false(find_kind(JOB_VOLUME_CREATE)->subject_is_valid("a/b"));
	assert_false(find_kind(JOB_NETWORK_REMOVE)->subject_is_valid(""));
	assert_true(
	    find_kind(JOB_VOLUME_PRUNE)->subject_is_valid(JOB_ALL_SUBJECT));
	assert_false(find_kind(JOB_VOLUME_PRUNE)->subject_is_valid("x"));
	assert_true(find_kind(JOB_EXEC)->shared);
	assert_false(find_kind(JOB_CONTAINER_STOP)->shared);
}

static void
containers_are_changed_and_refreshed(void **state)
{
	struct fixture *f = *state;

	answers(f, "POST ", "304 Not Modified", "");
	OK(run(f, JOB_CONTAINER_START, ID, "{}"));
	assert_string_equal(refreshed, "container ");
	answers(f, "POST ", "204 No Content", "");
	OK(run(f, JOB_CONTAINER_STOP, ID, "{\"timeout\":3}"));
	assert_non_null(strstr(engine_request(f->engine), "/stop?t=3 "));
	OK(run(f, JOB_CONTAINER_RESTART, ID, "{}"));
	assert_non_null(strstr(engine_request(f->engine), "/restart "));
	answers(f, "DELETE ", "204 No Content", "");
	OK(run(f, JOB_CONTAINER_REMOVE, ID, "{\"volumes\":true}"));
	assert_non_null(strstr(engine_request(f->engine), ID "?force=1&v=1 "));
	assert_string_equal(refreshed, "container volumes ");
}

static void
refusals_of_containers_are_told_apart(void **state)
{
	struct fixture *f = *state;

	answers(f, "POST ", "500 Error",
	    "{\"message\":\"driver failed: port is already allocated\"}");
	assert_run_fails(
	    f, JOB_CONTAINER_START, ID, "{}", ERR_CONFLICT, "PORT_IN_USE");
	answers(f, "POST ", "404 Not Found", "{}");
	assert_run_fails(f, JOB_CONTAINER_START, ID, "{}", ERR_NOT_FOUND,
	    "CONTAINER_NOT_FOUND");
	assert_string_equal(refreshed, "container ");
	answers(f, "DELETE ", "409 Conflict",
	    "{\"message\":\"removal of container c is already in progress\"}");
	assert_run_fails(
	    f, JOB_CONTAINER_REMOVE, ID, "{}", ERR_CONFLICT, "CONTAINER_BUSY");
	answers(f, "DELETE ", "409 Conflict",
	    "{\"message\":\"container is running\"}");
	assert_run_fails(f, JOB_CONTAINER_REMOVE, ID, "{\"force\":false}",
	    ERR_CONFLICT, "CONTAINER_RUNNING");
}

static void
an_update_answers_what_the_container_has(void **state)
{
	struct fixture *f = *state;

	answers(f, "GET " V "/containers/" ID "/json", "200 OK",
	    "{\"HostConfig\":{\"CpuShares\":512}}");
	answers(f, "POST " V "/containers/" ID "/update", "200 OK", "{}");
	OK(run(f, JOB_CONTAINER_UPDATE, ID, "{\"cpus\":0.5}"));
	assert_int_equal(
	    json_int(json_member(f->run.result, "resources"), "cpu_shares", 0),
	    512);
}

#define CONTAINERS "GET " V "/containers/json"
#define NO_SIZES                                                              \
	answers(f, "GET " V "/system/df", "200 OK",                           \
	    "{\"Volumes\":[{\"Name\":\"orphan\",\"UsageData\":{\"Size\":7}}]" \
	    "}")

static void
a_volume_that_is_there_is_not_made_again(void **state)
{
	struct fixture *f = *state;

	answers(f, "GET " V "/volumes", "200 OK",
	    "{\"Volumes\":[{\"Name\":\"v1\"}]}");
	answers(f, "POST ", "201 Created", "{}");
	assert_run_fails(f, JOB_VOLUME_CREATE, "v1", "{\"name\":\"v1\"}",
	    ERR_CONFLICT, "ALREADY_EXISTS");
	assert_null(strstr(engine_request(f->engine), "POST"));
	OK(run(f, JOB_VOLUME_CREATE, "v2",
	    "{\"name\":\"v2\",\"labels\":{\"a\":\"b\"}}"));
	assert_non_null(strstr(engine_request(f->engine),
	    "{\"Name\":\"v2\",\"Driver\":\"local\","
	    "\"Labels\":{\"a\":\"b\"}}"));
	assert_string_equal(refreshed, "volumes ");
}

static void
what_is_in_use_says_by_whom(void **state)
{
	struct fixture *f = *state;

	answers(f, CONTAINERS, "200 OK",
	    "[{\"Id\":\"1\",\"Names\":[\"/one\"],\"Mounts\":[{\"Type\":"
	    "\"volume\",\"Name\":\"v1\"}],\"NetworkSettings\":{\"Networks\":"
	    "{\"n1\":{\"NetworkID\":\"nid\",\"EndpointID\":\"e\","
	    "\"IPAddress\":\"10.0.0.2\",\"MacAddress\":\"02:00\"}}}},"
	    "{\"Id\":\"2\",\"Names\":[\"/two\"]}]");
	answers(f, "DELETE ", "409 Conflict", "{\"message\":\"in use\"}");
	assert_run_fails(
	    f, JOB_VOLUME_REMOVE, "v1", "{}", ERR_CONFLICT, "IN_USE");
	assert_string_equal(
	    json_serialize(f->run.result, NULL), "{\"used_by\":[\"one\"]}");
	answers(f, "GET " V "/networks", "200 OK",
	    "[{\"Id\":\"nid\",\"Name\":\"n1\"}]");
	answers(f, "DELETE ", "403 Forbidden",
	    "{\"message\":\"has active endpoints\"}");
	assert_run_fails(
	    f, JOB_NETWORK_REMOVE, "n1", "{}", ERR_CONFLICT, "IN_USE");
	assert_string_equal(
	    json_serialize(f->run.result, NULL), "{\"used_by\":[\"one\"]}");
	answers(f, "DELETE ", "404 Not Found", "{}");
	assert_run_fails(f, JOB_VOLUME_REMOVE, "v1", "{}", ERR_NOT_FOUND,
	    "VOLUME_NOT_FOUND");
	assert_string_equal(refreshed, "volumes ");
}

static void
fill_stock(struct fixture *f)
{
	const struct mirror_deployment deployment = { .name = "blog",
		.path = "/blog",
		.filename = "docker-compose.yml",
		.project = "blog",
		.type = "",
		.compose = "",
		.services = "[]",
		.metadata = "{}",
		.problem = "" };
	bool changed = false;

	OK(store_begin(f->store, &f->err));
	OK(mirror_deployment_put(f->store, &deployment, &changed, &f->err));
	OK(mirror_commit(f->store, changed, &f->err));
	answers(f, "GET " V "/volumes", "200 OK",
	    "{\"Volumes\":[{\"Name\":\"" HEX "\"},"
	    "{\"Name\":\"marked\",\"Labels\":{\"com.docker.volume."
	    "anonymous\":\"\"}},"
	    "{\"Name\":\"orphan\",\"Labels\":{\"com.docker.compose."
	    "project\":\"gone\"}},"
	    "{\"Name\":\"blog_data\",\"Labels\":{\"com.docker.compose."
	    "project\":\"blog\"}},"
	    "{\"Name\":\"used\"}]}");
	answers(f, CONTAINERS, "200 OK",
	    "[{\"Id\":\"1\",\"Names\":[\"/one\"],\"Mounts\":[{\"Type\":"
	    "\"volume\",\"Name\":\"used\"}]}]");
	NO_SIZES;
	answers(f, "DELETE ", "204 No Content", "");
}

static void
a_prune_takes_what_nobody_misses(void **state)
{
	struct fixture *f = *state;

	fill_stock(f);
	OK(run(f, JOB_VOLUME_PRUNE, "*", "{}"));
	assert_string_equal(json_serialize(f->run.result, NULL),
	    "{\"count\":2,\"removed\":[\"" HEX "\",\"marked\"],"
	    "\"freed_bytes\":0,\"dry_run\":false}");
	assert_string_equal(refreshed, "volumes ");
	OK(run(f, JOB_VOLUME_PRUNE, "*", "{\"all\":true}"));
	assert_string_equal(json_serialize(f->run.result, NULL),
	    "{\"count\":3,\"removed\":[\"" HEX "\",\"marked\",\"orphan\"],"
	    "\"freed_bytes\":7,\"dry_run\":false}");
	assert_non_null(strstr(engine_request(f->engine), "/orphan?force=0"));
}

static void
a_dry_run_removes_nothing(void **state)
{
	struct fixture *f = *state;

	fill_stock(f);
	OK(run(f, JOB_VOLUME_PRUNE, "*", "{\"all\":true,\"dry_run\":true}"));
	assert_int_equal(json_int(f->run.result, "count", 0), 3);
	assert_null(strstr(engine_request(f->engine), "DELETE"));
	assert_string_equal(refreshed, "");
}

static void
a_volume_that_got_a_user_meanwhile_is_passed_over(void **state)
{
	struct fixture *f = *state;

	fill_stock(f);
	answers(f, "DELETE " V "/volumes/marked", "409 Conflict", "{}");
	answers(f, "DELETE " V "/volumes/" HEX, "404 Not Found", "{}");
	OK(run(f, JOB_VOLUME_PRUNE, "*", "{\"all\":true}"));
	assert_string_equal(
	    json_serialize(json_member(f->run.result, "removed"), NULL),
	    "[\"orphan\"]");
	answers(f, "DELETE ", "500 Error", "{\"message\":\"broken\"}");
	assert_run_fails(f, JOB_VOLUME_PRUNE, "*", "{\"all\":true}",
	    ERR_UPSTREAM, "DOCKER_ERROR");
	atomic_store(&f->cancel, true);
	assert_run_fails(f, JOB_VOLUME_PRUNE, "*", "{\"all\":true}",
	    ERR_CONFLICT, "JOB_CANCELLED");
}

static void
networks_are_made_once(void **state)
{
	struct fixture *f = *state;

	answers(f, "GET " V "/networks", "200 OK",
	    "[{\"Id\":\"nid\",\"Name\":\"n1\"}]");
	answers(f, "POST ", "201 Created", "{}");
	assert_run_fails(f, JOB_NETWORK_CREATE, "n1", "{\"name\":\"n1\"}",
	    ERR_CONFLICT, "ALREADY_EXISTS");
	OK(run(f, JOB_NETWORK_CREATE, "n2", "{\"name\":\"n2\"}"));
	assert_string_equal(refreshed, "networks ");
	answers(f, "POST ", "403 Forbidden",
	    "{\"message\":\"Pool overlaps with other one\"}");
	assert_run_fails(f, JOB_NETWORK_CREATE, "n2",
	    "{\"name\":\"n2\",\"subnet\":\"10.0.0.0/8\"}", ERR_CONFLICT,
	    "SUBNET_IN_USE");
	assert_string_equal(f->err.field, "subnet");
	assert_run_fails(f, JOB_NETWORK_REMOVE, "n3", "{}", ERR_NOT_FOUND,
	    "NETWORK_NOT_FOUND");
}

static void
connecting_twice_is_connecting_once(void **state)
{
	struct fixture *f = *state;

	answers(f, "GET " V "/networks", "200 OK",
	    "[{\"Id\":\"nid\",\"Name\":\"n1\"},"
	    "{\"Id\":\"mid\",\"Name\":\"m1\"}]");
	answers(f, CONTAINERS, "200 OK",
	    "[{\"Id\":\"" ID "\",\"Names\":[\"/one\"],\"NetworkSettings\":"
	    "{\"Networks\":{\"n1\":{\"NetworkID\":\"nid\"}}}}]");
	answers(f, "POST ", "200 OK", "");
	OK(run(f, JOB_NETWORK_CONNECT, "n1",
	    "{\"container\":\"" ID "\",\"shown\":\"one\"}"));
	assert_string_equal(json_text(f->run.result, "container"), "one");
	assert_null(strstr(engine_request(f->engine), "POST"));
	OK(run(f, JOB_NETWORK_DISCONNECT, "m1", "{\"container\":\"" ID "\"}"));
	assert_null(strstr(engine_request(f->engine), "POST"));
	OK(run(f, JOB_NETWORK_CONNECT, "m1", "{\"container\":\"" ID "\"}"));
	assert_non_null(
	    strstr(engine_request(f->engine), "/networks/mid/connect"));
	assert_string_equal(refreshed, "container ");
	OK(run(f, JOB_NETWORK_DISCONNECT, "n1",
	    "{\"container\":\"" ID "\",\"force\":true}"));
	assert_non_null(strstr(engine_request(f->engine), "\"Force\":true"));
	answers(f, CONTAINERS, "200 OK", "[]");
	assert_run_fails(f, JOB_NETWORK_CONNECT, "n1",
	    "{\"container\":\"" ID "\"}", ERR_NOT_FOUND, "CONTAINER_NOT_FOUND");
}

/* A program with this output that the Engine then says this of. */
static void
give_program(struct fixture *f, const char *frames, size_t length,
    enum engine_after after, const char *state)
{
	auto_buffer struct buffer bytes = BUFFER(4096);

	answers(f, "POST " V "/containers/" ID "/exec", "201 Created",
	    "{\"Id\":\"e1\"}");
	buffer_text(&bytes, "HTTP/1.1 200 OK\r\n\r\n");
	buffer_append(&bytes, frames, length);
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "POST " V "/exec/e1/start",
		.bytes = bytes.bytes,
		.length = bytes.length,
		.after = after });
	answers(f, "GET " V "/exec/e1/json", "200 OK", state);
}

#define HELLO "\1\0\0\0\0\0\0\5hello"

static void
a_program_tells_its_output_and_exit_code(void **state)
{
	struct fixture *f = *state;

	give_program(f, HELLO, sizeof HELLO - 1, ENGINE_CLOSE,
	    "{\"Running\":false,\"ExitCode\":0,\"Pid\":0}");
	OK(run(f, JOB_EXEC, ID, "{}"));
	assert_string_equal(f->run.output.bytes, "hello");
	assert_string_equal(json_serialize(f->run.result, NULL),
	    "{\"truncated\":false,\"exit_code\":0}");
	give_program(f, HELLO, sizeof HELLO - 1, ENGINE_CLOSE,
	    "{\"Running\":false,\"ExitCode\":7,\"Pid\":0}");
	assert_run_fails(f, JOB_EXEC, ID, "{}", ERR_UPSTREAM, "COMMAND_FAILED");
	assert_int_equal(json_int(f->run.result, "exit_code", 0), 7);
	assert_string_equal(f->run.output.bytes, "hello");
}

static void
output_beyond_its_maximum_is_dropped(void **state)
{
	static char frames[8 + 150] = "\2\0\0\0\0\0\0\226";
	struct fixture *f = *state;

	memset(frames + 8, 'x', 150);
	give_program(f, frames, sizeof frames, ENGINE_CLOSE,
	    "{\"Running\":false,\"ExitCode\":0}");
	OK(run(f, JOB_EXEC, ID, "{}"));
	assert_int_equal(f->run.output.length, 100);
	assert_true(json_boolean(f->run.result, "truncated", false));
}

static void
a_program_has_its_time(void **state)
{
	struct fixture *f = *state;
	int64_t started = clock_monotonic_ms();

	/* No process has the number: nothing is killed. */
	give_program(f, HELLO, sizeof HELLO - 1, ENGINE_HOLD,
	    "{\"Running\":true,\"ExitCode\":null,\"Pid\":999999999}");
	assert_run_fails(
	    f, JOB_EXEC, ID, "{\"timeout\":1}", ERR_TIMEOUT, "EXEC_TIMEOUT");
	assert_string_equal(f->run.output.bytes, "hello");
	assert_in_range(clock_monotonic_ms() - started, 2900, 6000);
	assert_non_null(strstr(f->err.message, "goes on"));
	assert_true(engine_wait_open(f->engine, 1));
	atomic_store(&f->cancel, true);
	assert_run_fails(f, JOB_EXEC, ID, "{}", ERR_CONFLICT, "JOB_CANCELLED");
}

static void
a_session_is_killed_where_its_cgroup_is_the_containers(void **state)
{
	int pipes[2], status = 0;
	pid_t child;
	char byte;

	(void)state;
	/* Valgrind has no handles of processes. */
	if (syscall(SYS_pidfd_open, getpid(), 0U) < 0 && errno == ENOSYS)
		skip();
	OK(pipe(pipes));
	if ((child = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		(void)!write(pipes[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(exec_kill_session(child, ID), 0);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	/* Every cgroup has a slash. */
	assert_int_equal(exec_kill_session(child, "/"), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(exec_kill_session(child, "/"), 0);
	close(pipes[0]);
	close(pipes[1]);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments_are_checked_again_before_docker_is_asked),
		TEST(subjects_have_their_grammar),
		TEST(containers_are_changed_and_refreshed),
		TEST(refusals_of_containers_are_told_apart),
		TEST(an_update_answers_what_the_container_has),
		TEST(a_volume_that_is_there_is_not_made_again),
		TEST(what_is_in_use_says_by_whom),
		TEST(a_prune_takes_what_nobody_misses),
		TEST(a_dry_run_removes_nothing),
		TEST(a_volume_that_got_a_user_meanwhile_is_passed_over),
		TEST(networks_are_made_once),
		TEST(connecting_twice_is_connecting_once),
		TEST(a_program_tells_its_output_and_exit_code),
		TEST(output_beyond_its_maximum_is_dropped),
		TEST(a_program_has_its_time),
		TEST(a_session_is_killed_where_its_cgroup_is_the_containers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
