#include "docker/docker.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "tests/unit/docker/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STAMP "2026-01-31T23:59:59.123456789Z"
#define CHUNKED                                                 \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"
#define LIST "GET /v1.41/containers/json"

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct arena arena;
	struct error err;
};

static int
read_stats_of(struct docker *docker, const char *id, struct docker_stats *out,
    struct error *err)
{
	return docker_stats_read(docker, &id, 1, out, err);
}

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

static int
list_all(struct fixture *f, struct docker_container **out, size_t *out_count)
{
	return docker_container_list(
	    f->docker, NULL, &f->arena, out, out_count, &f->err);
}

/* A list that must fail. */
static void
assert_list_fails(struct fixture *f, enum error_kind kind, const char *code)
{
	struct docker_container *rows;
	size_t count;

	assert_int_equal(list_all(f, &rows, &count), -1);
	assert_int_equal(f->err.kind, kind);
	assert_string_equal(error_code(&f->err), code);
	assert_true(f->err.message[0] != '\0');
}

static void
answer_raw(struct fixture *f, const char *request, const char *bytes)
{
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = request, .bytes = bytes, .after = ENGINE_CLOSE });
}

static void
containers_are_listed_with_all_they_have(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	size_t count;

	engine_answers_json(f->engine, LIST, "200 OK",
	    "[{\"Id\":\"abc\",\"Names\":[\"/other/link\",\"/blog-web-1\"],"
	    "\"Image\":\"nginx:1\",\"ImageID\":\"sha256:1\",\"Created\":1700,"
	    "\"State\":\"running\",\"Status\":\"Up 3 hours (unhealthy)\","
	    "\"Labels\":{\"com.docker.compose.project\":\"blog\","
	    "\"com.docker.compose.service\":\"web\",\"x\":\"y\"},"
	    "\"Ports\":[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,"
	    "\"PublicPort\":8080,\"Type\":\"tcp\"},"
	    "{\"PrivatePort\":443,\"Type\":\"udp\"}],"
	    "\"NetworkSettings\":{\"Networks\":{\"blog_default\":"
	    "{\"IPAddress\":\"172.18.0.2\"}}}},"
	    "{\"Id\":\"bare\",\"Names\":null,\"Labels\":null,\"Ports\":null}]");
	assert_int_equal(list_all(f, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(rows[0].id, "abc");
	assert_string_equal(rows[0].name, "blog-web-1");
	assert_string_equal(rows[0].image, "nginx:1");
	assert_string_equal(rows[0].image_id, "sha256:1");
	assert_string_equal(rows[0].state, "running");
	assert_string_equal(rows[0].health, "unhealthy");
	assert_int_equal(rows[0].created_at, 1700);
	assert_string_equal(rows[0].project, "blog");
	assert_string_equal(rows[0].service, "web");
	assert_string_equal(json_text(rows[0].labels, "x"), "y");
	assert_int_equal(rows[0].port_count, 2);
	assert_string_equal(rows[0].ports[0].address, "0.0.0.0");
	assert_int_equal(rows[0].ports[0].public_port, 8080);
	assert_int_equal(rows[0].ports[0].private_port, 80);
	assert_string_equal(rows[0].ports[1].address, "");
	assert_int_equal(rows[0].ports[1].public_port, 0);
	assert_string_equal(rows[0].ports[1].protocol, "udp");
	assert_int_equal(rows[0].network_count, 1);
	assert_string_equal(rows[0].networks[0].network, "blog_default");
	assert_string_equal(rows[0].networks[0].ipv4, "172.18.0.2");
	assert_string_equal(rows[1].name, "");
	assert_string_equal(rows[1].project, "");
	assert_string_equal(rows[1].health, "");
	assert_int_equal(rows[1].port_count, 0);
	assert_non_null(rows[1].labels);
}

static void
a_filter_is_json_percent_encoded(void **state)
{
	struct fixture *f = *state;
	static const char *const ids[] = { "abc", "d-e", NULL };
	const struct docker_container_filter filter = { .project = "a\"b&c",
		.ids = ids };
	struct docker_container *rows;
	size_t count;

	engine_answers_json(f->engine, LIST, "200 OK", "[]");
	assert_int_equal(docker_container_list(f->docker, &filter, &f->arena,
			     &rows, &count, &f->err),
	    0);
	assert_non_null(strstr(engine_request(f->engine),
	    "?all=1&filters=%7B%22label%22%3A%5B%22com.docker.compose.project"
	    "%3Da%5C%22b%26c%22%5D%2C%22id%22%3A%5B%22abc%22%2C%22d-e%22%5D%7D "
	    "HTTP/1.1\r\n"));
}

static void
an_empty_list_of_ids_finds_nothing_without_asking(void **state)
{
	struct fixture *f = *state;
	static const char *const ids[] = { NULL };
	const struct docker_container_filter filter = { .ids = ids };
	struct docker_container *rows;
	size_t count = 7;

	assert_int_equal(docker_container_list(f->docker, &filter, &f->arena,
			     &rows, &count, &f->err),
	    0);
	assert_int_equal(count, 0);
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
ids_that_would_change_a_path_never_reach_the_engine(void **state)
{
	static const char *const ids[] = { "", "a/../b", "a?b", "a#b", "a%2fb",
		"-a", ".", "..", "a b", "a\r\nb", "\xC3\xA9", NULL };
	struct fixture *f = *state;
	struct docker_stats stats;
	char longest[130];
	size_t i;

	memset(longest, 'a', sizeof longest);
	longest[129] = '\0';
	assert_false(docker_id_is_valid(longest));
	longest[128] = '\0';
	assert_true(docker_id_is_valid(longest));
	assert_true(docker_id_is_valid("A0_.-z"));
	for (i = 0; ids[i] != NULL; i++) {
		const char *const list[] = { ids[i] };
		const struct docker_log_options options = { .tail = 1 };

		assert_int_equal(
		    docker_container_start(f->docker, ids[i], &f->err), -1);
		assert_string_equal(error_code(&f->err), "INVALID_ID");
		assert_int_equal(f->err.kind, ERR_INVALID);
		assert_int_equal(
		    docker_container_rename(f->docker, "c", ids[i], &f->err),
		    -1);
		assert_string_equal(error_code(&f->err), "INVALID_NAME");
		assert_int_equal(
		    docker_network_remove(f->docker, ids[i], &f->err), -1);
		assert_int_equal(
		    read_stats_of(f->docker, ids[i], &stats, &f->err), -1);
		assert_int_equal(docker_logs_read(f->docker, list, 1, &options,
				     NULL, NULL, &f->err),
		    -1);
	}
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
changes_say_what_they_want(void **state)
{
	struct fixture *f = *state;

	answer_raw(f, "POST ", "HTTP/1.1 204 No Content\r\n\r\n");
	answer_raw(f, "DELETE ", "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "POST /v1.41/containers/c/start HTTP/1.1\r\n"));
	assert_int_equal(
	    docker_container_stop(f->docker, "c", 3, NULL, &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "POST /v1.41/containers/c/stop?t=3 HTTP/1.1\r\n"));
	assert_int_equal(
	    docker_container_stop(f->docker, "c", -1, NULL, &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "POST /v1.41/containers/c/stop HTTP/1.1\r\n"));
	assert_int_equal(
	    docker_container_remove(f->docker, "c", true, false, &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "DELETE /v1.41/containers/c?force=1&v=0 HTTP/1.1\r\n"));
	assert_int_equal(
	    docker_container_rename(f->docker, "c", "d-1", &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "POST /v1.41/containers/c/rename?name=d-1 HTTP/1.1\r\n"));
	assert_int_equal(docker_network_remove(f->docker, "n", &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "DELETE /v1.41/networks/n HTTP/1.1\r\n"));
}

static void
what_is_so_already_is_success(void **state)
{
	struct fixture *f = *state;

	answer_raw(f, "POST ", "HTTP/1.1 304 Not Modified\r\n\r\n");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), 0);
	assert_int_equal(
	    docker_container_stop(f->docker, "c", 1, NULL, &f->err), 0);
}

static void
errors_are_told_apart_and_keep_dockers_words(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, "POST ", "404 Not Found",
	    "{\"message\":\"No such container: c\"}");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	assert_string_equal(error_code(&f->err), "CONTAINER_NOT_FOUND");
	assert_string_equal(f->err.message, "there is no container 'c'");

	engine_answers_json(f->engine, "DELETE ", "404 Not Found", "{}");
	assert_int_equal(docker_network_remove(f->docker, "n", &f->err), -1);
	assert_string_equal(error_code(&f->err), "NETWORK_NOT_FOUND");

	engine_answers_json(f->engine, "POST ", "409 Conflict",
	    "{\"message\":\"it is\\nbeing removed\\u0007\"}");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.message, "it is being removed ");

	engine_answers_json(f->engine, "POST ", "500 Internal Server Error",
	    "{\"message\":\"driver failed\"}");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), -1);
	assert_int_equal(f->err.kind, ERR_UPSTREAM);
	assert_string_equal(error_code(&f->err), "DOCKER_ERROR");
	assert_string_equal(f->err.message, "driver failed");

	engine_answers_json(
	    f->engine, "POST ", "500 Internal Server Error", "<html>");
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), -1);
	assert_string_equal(f->err.message, "Docker refused");
}

static void
a_long_refusal_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer body = BUFFER(8192);
	int i;

	buffer_text(&body, "{\"message\":\"x");
	for (i = 0; i < 1000; i++)
		buffer_text(&body, "\xC3\xA9");
	buffer_text(&body, "\"}");
	engine_answers_json(f->engine, "POST ", "500 Error", body.bytes);
	assert_int_equal(docker_container_start(f->docker, "c", &f->err), -1);
	assert_int_equal(strlen(f->err.message), 299);
}

static void
a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;

	answer_raw(f, LIST,
	    "HTTP/1.1 301 Moved\r\nLocation: /v1.41/secret\r\n"
	    "Content-Length: 0\r\n\r\n");
	assert_list_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	assert_null(strstr(engine_request(f->engine), "secret"));
}

static void
no_engine_is_unavailable_at_once(void **state)
{
	struct fixture *f = *state;
	int64_t started = clock_monotonic_ms();

	engine_hide(f->engine);
	assert_list_fails(f, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE");
	assert_int_equal(docker_ping(f->docker, 1000, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_true(clock_monotonic_ms() - started < 500);
}

static void
one_connection_serves_many_calls(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	size_t count;
	int i;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = LIST,
		.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		.after = ENGINE_KEEP });
	for (i = 0; i < 10; i++)
		assert_int_equal(list_all(f, &rows, &count), 0);
	assert_int_equal(engine_connections(f->engine), 1);
}

static void
a_connection_that_went_away_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	size_t count;
	int i;

	answer_raw(f, LIST, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
	for (i = 0; i < 5; i++) {
		assert_int_equal(list_all(f, &rows, &count), 0);
		assert_true(engine_wait_open(f->engine, 0));
	}
}

static void
the_version_is_the_lower_of_both(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	size_t count;

	answer_raw(f, "GET /_ping",
	    "HTTP/1.1 200 OK\r\napi-version: 1.52\r\n"
	    "Content-Length: 2\r\n\r\nOK");
	engine_answers_json(
	    f->engine, "GET /v1.44/containers/json", "200 OK", "[]");
	assert_int_equal(list_all(f, &rows, &count), 0);
}

static void
an_engine_that_is_too_old_is_refused(void **state)
{
	struct fixture *f = *state;

	answer_raw(f, "GET /_ping",
	    "HTTP/1.1 200 OK\r\nApi-Version: 1.40\r\n"
	    "Content-Length: 2\r\n\r\nOK");
	assert_list_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	answer_raw(
	    f, "GET /_ping", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
	assert_list_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
}

static void
an_engine_that_came_back_is_asked_for_its_version(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	size_t count;

	engine_answers_json(f->engine, LIST, "200 OK", "[]");
	assert_int_equal(list_all(f, &rows, &count), 0);
	answer_raw(f, "GET /_ping",
	    "HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\n"
	    "Content-Length: 2\r\n\r\nOK");
	answer_raw(f, LIST, "");
	assert_list_fails(f, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE");
	engine_answers_json(
	    f->engine, "GET /v1.43/containers/json", "200 OK", "[]");
	assert_int_equal(list_all(f, &rows, &count), 0);
}

static void *
ask_stats(void *context)
{
	struct fixture *f = context;
	struct docker_stats stats;
	struct error err;

	if (read_stats_of(f->docker, "slow", &stats, &err) == 0)
		return NULL;
	return err.kind == ERR_TIMEOUT ? f : NULL;
}

static void
three_timeouts_make_calls_fail_at_once(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[3];
	int64_t started = clock_monotonic_ms();
	void *timed_out;
	size_t i;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/slow",
		.bytes = "HTTP/1.1 200 OK\r\n",
		.after = ENGINE_HOLD });
	engine_answers_json(f->engine, LIST, "200 OK", "[]");
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_stats, f), 0);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &timed_out);
		assert_non_null(timed_out);
	}
	assert_in_range(clock_monotonic_ms() - started, 4500, 6500);
	started = clock_monotonic_ms();
	assert_list_fails(f, ERR_TIMEOUT, "DOCKER_TIMEOUT");
	assert_true(clock_monotonic_ms() - started < 100);
	assert_in_range(f->err.retry_after_s, 1, 5);
	/* The health check still looks for itself. */
	assert_int_equal(docker_ping(f->docker, 1000, &f->err), 0);
	clock_sleep_ms(5100);
	{
		struct docker_container *rows;
		size_t count;

		assert_int_equal(list_all(f, &rows, &count), 0);
		assert_int_equal(list_all(f, &rows, &count), 0);
	}
}

static void
a_ping_takes_no_longer_than_it_may(void **state)
{
	struct fixture *f = *state;
	int64_t started = clock_monotonic_ms();

	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = "GET /_ping", .bytes = "H", .after = ENGINE_HOLD });
	assert_int_equal(docker_ping(f->docker, 100, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - started, 90, 600);
}

static void
broken_answers_are_the_engines_fault(void **state)
{
	static const char *const answers[] = {
		CHUNKED "5\r\n[{\"I", /* truncated in a chunk */
		CHUNKED "zz\r\n[]\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[{]",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\"a\"",
		"SSH-2.0-OpenSSH_9.2\r\n",
		NULL,
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; answers[i] != NULL; i++) {
		answer_raw(f, LIST, answers[i]);
		assert_list_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	}
}

static void
rows_of_the_wrong_kind_are_survived(void **state)
{
	struct fixture *f = *state;
	struct docker_container *rows;
	struct docker_stats stats;
	size_t count;

	engine_answers_json(f->engine, LIST, "200 OK",
	    "[null,1,\"x\",[],{\"Id\":1,\"Names\":[1,null],\"Labels\":[],"
	    "\"Ports\":[1,{\"PublicPort\":99999999999}],"
	    "\"NetworkSettings\":{\"Networks\":{\"a\":null,\"b\":3}}}]");
	assert_int_equal(list_all(f, &rows, &count), 0);
	assert_int_equal(count, 5);
	assert_string_equal(rows[4].id, "");
	assert_int_equal(rows[4].port_count, 2);
	assert_int_equal(rows[4].ports[1].public_port, 0);
	assert_string_equal(rows[4].networks[1].ipv4, "");
	engine_answers_json(f->engine, "GET /v1.41/containers/c/stats",
	    "200 OK",
	    "{\"cpu_stats\":3,\"memory_stats\":{\"usage\":-4},"
	    "\"networks\":[],\"blkio_stats\":{\"io_service_bytes_recursive\":"
	    "[1,{\"op\":3},null]}}");
	assert_int_equal(read_stats_of(f->docker, "c", &stats, &f->err), 0);
	assert_int_equal(stats.memory_usage, 0);
}

static void
a_huge_answer_is_given_up(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer bytes = BUFFER(2 * 1024 * 1024);

	buffer_text(&bytes, "HTTP/1.1 200 OK\r\n\r\n[\"");
	while (bytes.length < 1024 * 1024)
		buffer_char(&bytes, 'x');
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = LIST, .bytes = bytes.bytes, .repeat = 100 });
	assert_list_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	assert_true(engine_wait_open(f->engine, 0));
	assert_in_range(engine_sent_bytes(f->engine), 32U << 20, 36U << 20);
}

static void
networks_are_listed_by_project(void **state)
{
	struct fixture *f = *state;
	struct docker_network *rows;
	size_t count;

	engine_answers_json(f->engine, "GET /v1.41/networks", "200 OK",
	    "[{\"Id\":\"n1\",\"Name\":\"blog_default\",\"Driver\":\"bridge\","
	    "\"Labels\":{\"com.docker.compose.project\":\"blog\"}},"
	    "{\"Id\":\"n2\",\"Name\":\"host\",\"Driver\":\"host\","
	    "\"Labels\":null}]");
	assert_int_equal(docker_network_list(f->docker, "blog", &f->arena,
			     &rows, &count, &f->err),
	    0);
	assert_non_null(strstr(engine_request(f->engine),
	    "networks?filters=%7B%22label%22%3A%5B%22com.docker.compose."
	    "project%3Dblog%22%5D%7D HTTP"));
	assert_int_equal(count, 2);
	assert_string_equal(rows[0].name, "blog_default");
	assert_string_equal(rows[0].project, "blog");
	assert_string_equal(rows[1].driver, "host");
	assert_string_equal(rows[1].project, "");
}

static void
statistics_leave_out_idle_page_cache(void **state)
{
	struct fixture *f = *state;
	struct docker_stats stats;

	engine_answers_json(f->engine, "GET /v1.41/containers/v1/stats",
	    "200 OK",
	    "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":11,"
	    "\"percpu_usage\":[1,2,3]},\"system_cpu_usage\":22},"
	    "\"memory_stats\":{\"usage\":100,\"limit\":1000,\"stats\":"
	    "{\"inactive_file\":1,\"total_inactive_file\":30}},"
	    "\"networks\":{\"eth0\":{\"rx_bytes\":5,\"tx_bytes\":6},"
	    "\"eth1\":{\"rx_bytes\":50,\"tx_bytes\":60}},"
	    "\"blkio_stats\":{\"io_service_bytes_recursive\":"
	    "[{\"op\":\"Read\",\"value\":7},{\"op\":\"Write\",\"value\":8},"
	    "{\"op\":\"Total\",\"value\":15}]},\"pids_stats\":{\"current\":9}"
	    "}");
	assert_int_equal(read_stats_of(f->docker, "v1", &stats, &f->err), 0);
	assert_non_null(strstr(
	    engine_request(f->engine), "/stats?stream=0&one-shot=1 HTTP"));
	assert_int_equal(stats.cpu_total_ns, 11);
	assert_int_equal(stats.system_cpu_ns, 22);
	assert_int_equal(stats.online_cpus, 3);
	assert_int_equal(stats.memory_usage, 70);
	assert_int_equal(stats.memory_limit, 1000);
	assert_int_equal(stats.network_rx, 55);
	assert_int_equal(stats.network_tx, 66);
	assert_int_equal(stats.block_read, 7);
	assert_int_equal(stats.block_write, 8);
	assert_int_equal(stats.pids, 9);
	engine_answers_json(f->engine, "GET /v1.41/containers/v2/stats",
	    "200 OK",
	    "{\"cpu_stats\":{\"online_cpus\":2},\"memory_stats\":"
	    "{\"usage\":100,\"stats\":{\"inactive_file\":40}},"
	    "\"blkio_stats\":{\"io_service_bytes_recursive\":"
	    "[{\"op\":\"read\",\"value\":7}]}}");
	assert_int_equal(read_stats_of(f->docker, "v2", &stats, &f->err), 0);
	assert_int_equal(stats.memory_usage, 60);
	assert_int_equal(stats.online_cpus, 2);
	assert_int_equal(stats.block_read, 7);
}

static void *
list_often(void *context)
{
	struct fixture *f = context;
	struct docker_container *rows;
	struct error err;
	size_t count, i;

	for (i = 0; i < 50; i++) {
		auto_arena struct arena arena = { 0 };

		if (docker_container_list(
			f->docker, NULL, &arena, &rows, &count, &err) < 0 ||
		    count != 1)
			return NULL;
	}
	return f;
}

static void
many_threads_share_it_and_four_connections_stay(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[12];
	void *succeeded;
	size_t i;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = LIST,
		.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
			 "[{\"Id\":1}]",
		.after = ENGINE_KEEP });
	for (i = 0; i < 12; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, list_often, f), 0);
	for (i = 0; i < 12; i++) {
		pthread_join(threads[i], &succeeded);
		assert_non_null(succeeded);
	}
	assert_true(engine_wait_open(f->engine, 4));
}

/* Events and logs as they were heard. */
struct heard {
	struct fixture *f;
	struct buffer text;
	int count, stop_after;
	int idle_count, idle_stop_after;
	int hang_up; /* a socket to shut when idle; -1: none */
};

static bool
hear_event(void *context, const struct docker_event *event)
{
	struct heard *heard = context;

	buffer_printf(&heard->text, "%s %s %s %s %s %lld\n", event->type,
	    event->action, event->id, event->name, event->project,
	    (long long)event->time_ms);
	return ++heard->count != heard->stop_after;
}

static bool
hear_idle(void *context)
{
	struct heard *heard = context;

	if (heard->hang_up >= 0)
		shutdown(heard->hang_up, SHUT_RDWR);
	return ++heard->idle_count != heard->idle_stop_after;
}

static bool
hear_line(void *context, const struct docker_log_line *line)
{
	struct heard *heard = context;

	buffer_printf(&heard->text, "%zu %s %s ", line->source, line->stream,
	    line->timestamp);
	buffer_append(&heard->text, line->text, line->length);
	buffer_char(&heard->text, '\n');
	return ++heard->count != heard->stop_after;
}

#define HEARD(f_)                                                     \
	{                                                             \
		.f = (f_), .text = BUFFER(1024 * 1024), .hang_up = -1 \
	}

static const char events_answer[] =
    "HTTP/1.1 200 OK\r\n\r\n"
    "{\"Type\":\"container\",\"Action\":\"health_status: healthy\","
    "\"Actor\":{\"ID\":\"abc\",\"Attributes\":{\"name\":\"blog-web-1\","
    "\"com.docker.compose.project\":\"blog\"}},\"time\":5,"
    "\"timeNano\":5123456789}\n"
    "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"nginx\"},"
    "\"time\":6}{\"Type\":\"network\"}\n";
static const char events_heard[] =
    "container health_status: healthy abc blog-web-1 blog 5123\n"
    "image pull nginx   6000\nnetwork     0\n";

static void
events_are_heard_however_they_are_split(void **state)
{
	struct fixture *f = *state;
	size_t chops[] = { 1, 7, 0 }, i;

	for (i = 0; i < 3; i++) {
		struct heard heard = HEARD(f);

		heard.stop_after = 3;
		engine_answers(f->engine,
		    &(struct engine_answer){ .request = "GET /v1.41/events?",
			.bytes = events_answer,
			.chop = chops[i],
			.after = ENGINE_HOLD });
		assert_int_equal(docker_events_follow(f->docker, 1234,
				     hear_event, hear_idle, &heard, &f->err),
		    0);
		assert_string_equal(heard.text.bytes, events_heard);
		assert_non_null(
		    strstr(engine_request(f->engine), "&since=1234 HTTP"));
		buffer_clear(&heard.text);
		assert_true(engine_wait_open(f->engine, 1));
	}
}

static void
quiet_events_are_idle_four_times_a_second(void **state)
{
	struct fixture *f = *state;
	struct heard heard = HEARD(f);
	int64_t started = clock_monotonic_ms();

	heard.idle_stop_after = 5;
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /v1.41/events?",
			   .bytes = "HTTP/1.1 200 OK\r\n\r\n",
			   .after = ENGINE_HOLD });
	assert_int_equal(docker_events_follow(f->docker, 0, hear_event,
			     hear_idle, &heard, &f->err),
	    0);
	assert_in_range(clock_monotonic_ms() - started, 900, 1400);
	assert_null(strstr(engine_request(f->engine), "since"));
}

static void
events_that_end_or_break_are_failures(void **state)
{
	static const struct {
		const char *answer;
		enum error_kind kind;
	} cases[] = {
		{ events_answer, ERR_UNAVAILABLE },
		{ CHUNKED "3\r\n{}\n\r\n", ERR_UPSTREAM },
		{ "HTTP/1.1 200 OK\r\n\r\nnot JSON", ERR_UPSTREAM },
		{ "HTTP/1.1 200 OK\r\n\r\n[1]", ERR_UPSTREAM },
		{ "HTTP/1.1 200 OK\r\n\r\nnull\n", ERR_UPSTREAM },
		{ "HTTP/1.1 500 E\r\n\r\n{\"message\":\"no\"}", ERR_UPSTREAM },
		{ "", ERR_UNAVAILABLE },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct heard heard = HEARD(f);

		answer_raw(f, "GET /v1.41/events?", cases[i].answer);
		if (cases[i].answer[0] == '\0')
			engine_hide(f->engine);
		assert_int_equal(docker_events_follow(f->docker, 0, hear_event,
				     hear_idle, &heard, &f->err),
		    -1);
		assert_int_equal(f->err.kind, cases[i].kind);
		buffer_clear(&heard.text);
	}
}

static void
an_endless_event_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct heard heard = HEARD(f);
	auto_buffer struct buffer bytes = BUFFER(4 * 1024 * 1024);

	buffer_text(&bytes, "HTTP/1.1 200 OK\r\n\r\n{\"Type\":\"");
	while (bytes.length < 3 * 1024 * 1024)
		buffer_text(&bytes, "xxxxxxxxxxxxxxxx");
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = "GET /v1.41/events?",
			   .bytes = bytes.bytes,
			   .after = ENGINE_HOLD });
	assert_int_equal(docker_events_follow(f->docker, 0, hear_event,
			     hear_idle, &heard, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_UPSTREAM);
}

/* A log as the Engine sends it: two frames, or a terminal's bytes. */
static const char framed_log[] = "HTTP/1.1 200 OK\r\n\r\n"
				 "\1\0\0\0\0\0\0\x23" STAMP " one\n"
				 "\2\0\0\0\0\0\0\x23" STAMP " two\n";
static const char tty_log[] = "HTTP/1.1 200 OK\r\n\r\n" STAMP " three\r\n";

static void
answer_log(struct fixture *f, const char *id, const char *inspection,
    const char *log, size_t length, size_t chop, enum engine_after after)
{
	char request[100];

	snprintf(request, sizeof request, "GET /v1.41/containers/%s/json", id);
	engine_answers_json(f->engine, request, "200 OK", inspection);
	snprintf(request, sizeof request, "GET /v1.41/containers/%s/logs", id);
	engine_answers(f->engine, &(struct engine_answer){ .request = request,
				      .bytes = log,
				      .length = length,
				      .chop = chop,
				      .after = after });
}

static int
read_logs(struct heard *heard, const char *const *ids, size_t count,
    const struct docker_log_options *options)
{
	return docker_logs_read(heard->f->docker, ids, count, options,
	    hear_line, heard, &heard->f->err);
}

static void
logs_are_read_with_and_without_a_terminal(void **state)
{
	static const char *const framed[] = { "framed" };
	static const char *const tty[] = { "tty" };
	const struct docker_log_options options = {
		.tail = 5, .since_ms = 1234567, .until_ms = 2345006
	};
	struct fixture *f = *state;
	size_t chop;

	for (chop = 1; chop < 12; chop += 5) {
		struct heard heard = HEARD(f);

		answer_log(f, "framed", "{\"Config\":{\"Tty\":false}}",
		    framed_log, sizeof framed_log - 1, chop, ENGINE_CLOSE);
		answer_log(f, "tty", "{\"Config\":{\"Tty\":true}}", tty_log,
		    sizeof tty_log - 1, chop, ENGINE_CLOSE);
		assert_int_equal(read_logs(&heard, framed, 1, &options), 0);
		assert_int_equal(read_logs(&heard, tty, 1, &options), 0);
		assert_string_equal(heard.text.bytes,
		    "0 stdout " STAMP " one\n0 stderr " STAMP " two\n"
		    "0 stdout " STAMP " three\n");
		assert_non_null(strstr(engine_request(f->engine),
		    "/logs?stdout=1&stderr=1&timestamps=1&follow=0&tail=5"
		    "&since=1234.567&until=2345.006 HTTP"));
		buffer_clear(&heard.text);
	}
}

static void
a_container_that_is_gone_ends_its_own_log_only(void **state)
{
	static const char *const ids[] = { "gone", "refused", "framed" };
	const struct docker_log_options options = { .tail = -1 };
	struct fixture *f = *state;
	struct heard heard = HEARD(f);

	engine_answers_json(f->engine, "GET /v1.41/containers/gone/json",
	    "404 Not Found", "{\"message\":\"No such container\"}");
	answer_log(f, "refused", "{\"Config\":{\"Tty\":false}}",
	    "HTTP/1.1 501 Not Implemented\r\n\r\n{\"message\":\"no log\"}", 0,
	    1, ENGINE_CLOSE);
	answer_log(f, "framed", "{\"Config\":{\"Tty\":false}}", framed_log,
	    sizeof framed_log - 1, 0, ENGINE_CLOSE);
	assert_int_equal(read_logs(&heard, ids, 3, &options), 0);
	assert_string_equal(heard.text.bytes,
	    "2 stdout " STAMP " one\n2 stderr " STAMP " two\n");
	assert_int_equal(read_logs(&heard, ids, 1, &options), -1);
	assert_string_equal(error_code(&f->err), "CONTAINER_NOT_FOUND");
	assert_int_equal(read_logs(&heard, ids + 1, 1, &options), -1);
	assert_string_equal(f->err.message, "no log");
	assert_int_equal(read_logs(&heard, ids, 0, &options), 0);
	buffer_clear(&heard.text);
}

static void
one_stream_of_a_log_can_be_chosen(void **state)
{
	static const struct {
		enum docker_log_stream stream;
		const char *asked;
	} cases[] = {
		{ DOCKER_LOG_BOTH, "/logs?stdout=1&stderr=1&" },
		{ DOCKER_LOG_STDOUT, "/logs?stdout=1&stderr=0&" },
		{ DOCKER_LOG_STDERR, "/logs?stdout=0&stderr=1&" },
	};
	static const char *const ids[] = { "c" };
	struct fixture *f = *state;
	size_t i;

	answer_log(
	    f, "c", "{}", framed_log, sizeof framed_log - 1, 0, ENGINE_CLOSE);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct docker_log_options options = { .tail = -1,
			.stream = cases[i].stream };
		struct heard heard = HEARD(f);

		assert_int_equal(read_logs(&heard, ids, 1, &options), 0);
		assert_non_null(
		    strstr(engine_request(f->engine), cases[i].asked));
		assert_non_null(strstr(engine_request(f->engine), "&tail=all"));
		buffer_clear(&heard.text);
	}
}

static void
a_reader_can_have_enough(void **state)
{
	static const char *const ids[] = { "big" };
	const struct docker_log_options options = { .tail = -1 };
	struct fixture *f = *state;
	struct heard heard = HEARD(f);

	heard.stop_after = 1;
	answer_log(
	    f, "big", "{}", framed_log, sizeof framed_log - 1, 0, ENGINE_HOLD);
	assert_int_equal(read_logs(&heard, ids, 1, &options), 0);
	assert_string_equal(heard.text.bytes, "0 stdout " STAMP " one\n");
	assert_true(engine_wait_open(f->engine, 1));
	buffer_clear(&heard.text);
}

static void
broken_logs_are_the_engines_fault(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\n\r\nthis is no frame",
		CHUNKED "9\r\n\1",
		"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n\1",
	};
	static const char *const ids[] = { "c" };
	const struct docker_log_options options = { .tail = -1 };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct heard heard = HEARD(f);

		answer_log(f, "c", "{}", answers[i], 0, 0, ENGINE_CLOSE);
		assert_int_equal(read_logs(&heard, ids, 1, &options), -1);
		assert_int_equal(f->err.kind, ERR_UPSTREAM);
		assert_string_equal(error_code(&f->err), "DOCKER_ERROR");
		buffer_clear(&heard.text);
	}
}

/* What a follower adds at its first idle moment, besides what it hears. */
struct following {
	struct heard heard;
	const char *const *ids;
	size_t count;
	const char *late; /* added at the second */
	int error_count;
};

static bool
follow_line(void *context, const struct docker_log_line *line)
{
	struct following *following = context;

	return hear_line(&following->heard, line);
}

static void
hear_end(void *context, size_t number, const struct error *err)
{
	struct following *following = context;

	buffer_printf(&following->heard.text, "%zu ended%s%s\n", number,
	    err ? ": " : "", err ? err->message : "");
}

static bool
follow_idle(void *context, struct docker_logs *logs)
{
	const struct docker_log_options options = { .tail = 10 };
	struct following *following = context;
	struct heard *heard = &following->heard;
	struct error err;
	size_t i;

	if (heard->idle_count > 0 && heard->hang_up >= 0)
		shutdown(heard->hang_up, SHUT_RDWR);
	for (i = 0; heard->idle_count == 0 && i < following->count; i++)
		if (docker_logs_add(
			logs, following->ids[i], i, &options, &err) < 0)
			following->error_count++;
	if (heard->idle_count == 1 && following->late != NULL)
		assert_int_equal(
		    docker_logs_add(logs, following->late, 9, &options, &err),
		    0);
	return ++heard->idle_count != heard->idle_stop_after;
}

static int
follow(struct following *following, int wake_fd)
{
	const struct docker_log_listener listener = { .on_line = follow_line,
		.on_end = hear_end,
		.on_idle = follow_idle,
		.context = following };

	return docker_logs_follow(following->heard.f->docker, wake_fd,
	    &listener, &following->heard.f->err);
}

#define FOLLOWING(f_, ids_, count_)                                  \
	{                                                            \
		.heard = HEARD(f_), .ids = (ids_), .count = (count_) \
	}

static void
following_ends_when_the_client_hangs_up(void **state)
{
	static const char *const ids[] = { "c", "d" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 2);
	int64_t started = clock_monotonic_ms();
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	following.heard.hang_up = pair[1];
	answer_log(
	    f, "c", "{}", framed_log, sizeof framed_log - 1, 0, ENGINE_HOLD);
	answer_log(f, "d", "{}", "HTTP/1.1 200 OK\r\n\r\n", 0, 0, ENGINE_HOLD);
	assert_int_equal(follow(&following, pair[0]), 0);
	assert_in_range(clock_monotonic_ms() - started, 900, 1500);
	assert_string_equal(following.heard.text.bytes,
	    "0 stdout " STAMP " one\n0 stderr " STAMP " two\n");
	assert_true(engine_wait_open(f->engine, 1));
	close(pair[0]);
	close(pair[1]);
	buffer_clear(&following.heard.text);
}

static void
following_goes_on_while_nothing_is_written(void **state)
{
	static const char *const ids[] = { "c" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 1);
	int64_t started = clock_monotonic_ms();

	following.heard.idle_stop_after = 3;
	answer_log(f, "c", "{}", "HTTP/1.1 200 OK\r\n\r\n", 0, 0, ENGINE_HOLD);
	assert_int_equal(follow(&following, -1), 0);
	assert_in_range(clock_monotonic_ms() - started, 1900, 2500);
	assert_true(engine_wait_open(f->engine, 1));
}

static void
following_goes_on_with_nothing_to_follow(void **state)
{
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, NULL, 0);
	int64_t started = clock_monotonic_ms();

	following.heard.idle_stop_after = 2;
	assert_int_equal(follow(&following, -1), 0);
	assert_in_range(clock_monotonic_ms() - started, 900, 1500);
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
logs_that_end_or_are_refused_say_so_and_others_may_join(void **state)
{
	static const char *const ids[] = { "c", "gone", "refused" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 3);

	following.late = "late";
	following.heard.idle_stop_after = 3;
	answer_log(
	    f, "c", "{}", framed_log, sizeof framed_log - 1, 0, ENGINE_CLOSE);
	engine_answers_json(f->engine, "GET /v1.41/containers/gone/json",
	    "404 Not Found", "{\"message\":\"No such container\"}");
	answer_log(f, "refused", "{}",
	    "HTTP/1.1 501 Not Implemented\r\n\r\n{\"message\":\"no log\"}", 0,
	    0, ENGINE_CLOSE);
	answer_log(f, "late", "{\"Config\":{\"Tty\":true}}", tty_log,
	    sizeof tty_log - 1, 0, ENGINE_HOLD);
	assert_int_equal(follow(&following, -1), 0);
	assert_int_equal(following.error_count, 1);
	assert_non_null(strstr(following.heard.text.bytes,
	    "0 stdout " STAMP " one\n0 stderr " STAMP " two\n0 ended\n"));
	assert_non_null(
	    strstr(following.heard.text.bytes, "2 ended: no log\n"));
	assert_non_null(
	    strstr(following.heard.text.bytes, "9 stdout " STAMP " three\n"));
	assert_true(engine_wait_open(f->engine, 1));
	buffer_clear(&following.heard.text);
}

static void
a_listener_can_end_a_log(void **state)
{
	static const char *const ids[] = { "c" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 1);

	following.heard.stop_after = 1;
	answer_log(
	    f, "c", "{}", framed_log, sizeof framed_log - 1, 0, ENGINE_HOLD);
	assert_int_equal(follow(&following, -1), 0);
	assert_int_equal(following.heard.count, 1);
	assert_true(engine_wait_open(f->engine, 1));
	buffer_clear(&following.heard.text);
}

static void
a_broken_log_ends_the_following(void **state)
{
	static const char *const ids[] = { "c" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 1);

	answer_log(f, "c", "{}", "HTTP/1.1 200 OK\r\n\r\nthis is no frame", 0,
	    0, ENGINE_HOLD);
	assert_int_equal(follow(&following, -1), -1);
	assert_string_equal(error_code(&f->err), "DOCKER_ERROR");
	assert_true(engine_wait_open(f->engine, 1));
}

static void
an_engine_that_does_not_begin_a_log_is_too_slow(void **state)
{
	static const char *const ids[] = { "c" };
	struct fixture *f = *state;
	struct following following = FOLLOWING(f, ids, 1);
	int64_t started = clock_monotonic_ms();

	answer_log(f, "c", "{}", "HTTP/1.1 2", 0, 0, ENGINE_HOLD);
	assert_int_equal(follow(&following, -1), -1);
	assert_int_equal(f->err.kind, ERR_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - started, 4500, 6500);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(containers_are_listed_with_all_they_have),
		TEST(a_filter_is_json_percent_encoded),
		TEST(an_empty_list_of_ids_finds_nothing_without_asking),
		TEST(ids_that_would_change_a_path_never_reach_the_engine),
		TEST(changes_say_what_they_want),
		TEST(what_is_so_already_is_success),
		TEST(errors_are_told_apart_and_keep_dockers_words),
		TEST(a_long_refusal_is_cut_between_characters),
		TEST(a_redirect_is_not_followed),
		TEST(no_engine_is_unavailable_at_once),
		TEST(one_connection_serves_many_calls),
		TEST(a_connection_that_went_away_is_replaced),
		TEST(the_version_is_the_lower_of_both),
		TEST(an_engine_that_is_too_old_is_refused),
		TEST(an_engine_that_came_back_is_asked_for_its_version),
		TEST(three_timeouts_make_calls_fail_at_once),
		TEST(a_ping_takes_no_longer_than_it_may),
		TEST(broken_answers_are_the_engines_fault),
		TEST(rows_of_the_wrong_kind_are_survived),
		TEST(a_huge_answer_is_given_up),
		TEST(networks_are_listed_by_project),
		TEST(statistics_leave_out_idle_page_cache),
		TEST(many_threads_share_it_and_four_connections_stay),
		TEST(events_are_heard_however_they_are_split),
		TEST(quiet_events_are_idle_four_times_a_second),
		TEST(events_that_end_or_break_are_failures),
		TEST(an_endless_event_is_given_up),
		TEST(logs_are_read_with_and_without_a_terminal),
		TEST(a_container_that_is_gone_ends_its_own_log_only),
		TEST(one_stream_of_a_log_can_be_chosen),
		TEST(a_reader_can_have_enough),
		TEST(broken_logs_are_the_engines_fault),
		TEST(following_ends_when_the_client_hangs_up),
		TEST(following_goes_on_while_nothing_is_written),
		TEST(following_goes_on_with_nothing_to_follow),
		TEST(logs_that_end_or_are_refused_say_so_and_others_may_join),
		TEST(a_broken_log_ends_the_following),
		TEST(a_listener_can_end_a_log),
		TEST(an_engine_that_does_not_begin_a_log_is_too_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
