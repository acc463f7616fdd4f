#include "docker/docker.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "tests/unit/docker/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PULL "POST /v1.41/images/create"
#define HEAD                                                    \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
	"Connection: close\r\n\r\n"
#define DONE "{\"status\":\"Status: Downloaded newer image for web:1\"}\r\n"
#define LAYER                                                           \
	"{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5" \
	",\"total\":10},\"progress\":\"[=>  ]\",\"id\":\"abc123\"}\r\n"

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct arena arena;
	struct error err;
	struct docker_reference reference;
	struct docker_pull pull;
	struct buffer heard; /* a line for each progress */
	bool is_new;
};

static void
note_progress(void *context, const struct docker_pull_progress *progress)
{
	struct fixture *f = context;

	buffer_printf(&f->heard, "%s|%s|%lld|%lld\n", progress->id,
	    progress->status, (long long)progress->current,
	    (long long)progress->total);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->engine = engine_start();
	f->heard.maximum = 1024U * 1024;
	if (docker_open(engine_path(f->engine), &f->docker, &f->err) < 0 ||
	    docker_reference_parse("127.0.0.1:5000/team/web:1", &f->arena,
		&f->reference, &f->err) < 0)
		return -1;
	f->pull = (struct docker_pull){
		.reference = &f->reference,
		.on_progress = note_progress,
		.context = f,
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_close(f->docker);
	engine_stop(f->engine);
	buffer_clear(&f->heard);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int
pull(struct fixture *f)
{
	return docker_image_pull(f->docker, &f->pull, &f->is_new, &f->err);
}

static void
answer(struct fixture *f, const char *bytes)
{
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = PULL, .bytes = bytes, .after = ENGINE_CLOSE });
}

static void
assert_pull_fails(struct fixture *f, enum error_kind kind, const char *code)
{
	memset(&f->err, 0, sizeof f->err);
	assert_int_equal(pull(f), -1);
	assert_string_equal(error_code(&f->err), code);
	assert_int_equal(f->err.kind, kind);
	assert_true(f->err.message[0] != '\0');
}

static void
a_pull_tells_its_layers_and_whether_it_is_new(void **state)
{
	struct fixture *f = *state;

	answer(f,
	    HEAD "{\"status\":\"Pulling from team/web\",\"id\":\"1\"}\r\n" LAYER
		 "{\"status\":\"Pull complete\",\"progressDetail\":{},"
		 "\"id\":\"abc123\"}\r\n" DONE);
	assert_int_equal(pull(f), 0);
	assert_true(f->is_new);
	assert_string_equal(buffer_string(&f->heard),
	    "1|Pulling from team/web|0|0\n"
	    "abc123|Downloading|5|10\n"
	    "abc123|Pull complete|0|0\n"
	    "|Status: Downloaded newer image for web:1|0|0\n");
	assert_non_null(strstr(engine_request(f->engine),
	    "?fromImage=127.0.0.1%3A5000%2Fteam%2Fweb&tag=1 "));
	assert_null(strstr(engine_request(f->engine), "X-Registry-Auth"));

	answer(f,
	    HEAD "{\"status\":\"Status: Image is up to date for web:1\"}\r\n");
	assert_int_equal(pull(f), 0);
	assert_false(f->is_new);
}

static void
a_digest_is_asked_for_in_place_of_a_tag(void **state)
{
	struct fixture *f = *state;
	const char *text = "web:1@sha256:0123456789abcdef0123456789abcdef"
			   "0123456789abcdef0123456789abcdef";

	assert_int_equal(
	    docker_reference_parse(text, &f->arena, &f->reference, &f->err), 0);
	answer(f, HEAD DONE);
	assert_int_equal(pull(f), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "?fromImage=web&tag=sha256%3A0123456789abcdef"));
}

static void
credentials_go_into_a_header(void **state)
{
	struct fixture *f = *state;
	const struct docker_login login = { .host = "127.0.0.1:5000",
		.username = "me",
		.password = "a>b?c~d\xc3\xbf" };
	/* {"username":"me","password":"a>b?c~dÿ","serveraddress":"127…"} */
	static const char expected[] =
	    "X-Registry-Auth: eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJhPmI_Y35k"
	    "w78iLCJzZXJ2ZXJhZGRyZXNzIjoiMTI3LjAuMC4xOjUwMDAifQ==\r\n";

	f->pull.login = &login;
	answer(f, HEAD DONE);
	assert_int_equal(pull(f), 0);
	assert_non_null(strstr(engine_request(f->engine), expected));
}

static void
an_error_inside_the_stream_is_an_error(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *message;
		enum error_kind kind;
		const char *code;
	} cases[] = {
		{ "manifest for web:9 not found: manifest unknown",
		    ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
		{ "no matching manifest for linux/amd64 in the manifest list",
		    ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
		{ "unauthorized: authentication required", ERR_FORBIDDEN,
		    "REGISTRY_DENIED" },
		{ "pull access denied for web, repository does not exist or "
		  "may require 'docker login'",
		    ERR_FORBIDDEN, "REGISTRY_DENIED" },
		{ "Get \\\"http://x/v2/\\\": no basic auth credentials",
		    ERR_FORBIDDEN, "REGISTRY_DENIED" },
		{ "dial tcp 127.0.0.1:1: connect: connection refused",
		    ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
		{ "dial tcp: lookup x: no such host", ERR_UNAVAILABLE,
		    "REGISTRY_UNAVAILABLE" },
		{ "Get \\\"https://x/v2/\\\": EOF", ERR_UNAVAILABLE,
		    "REGISTRY_UNAVAILABLE" },
		{ "toomanyrequests: You have reached your pull rate limit",
		    ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
		{ "write /var/lib/x: no space left on device", ERR_STORAGE_FULL,
		    "STORAGE_FULL" },
		{ "mkdir /var/lib/x: permission denied", ERR_UPSTREAM,
		    "DOCKER_ERROR" },
		{ "something else", ERR_UPSTREAM, "DOCKER_ERROR" },
		{ "", ERR_UPSTREAM, "DOCKER_ERROR" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		answer(
		    f, arena_printf(&f->arena,
			   HEAD LAYER "{\"errorDetail\":{\"message\":\"%s\"},"
				      "\"error\":\"%s\"}\r\n" DONE,
			   cases[i].message, cases[i].message));
		assert_pull_fails(f, cases[i].kind, cases[i].code);
	}
}

static void
an_error_before_the_stream_is_told_by_its_words(void **state)
{
	struct fixture *f = *state;

	engine_answers_json(f->engine, PULL, "404 Not Found",
	    "{\"message\":\"pull access denied for web\"}");
	assert_pull_fails(f, ERR_FORBIDDEN, "REGISTRY_DENIED");
	engine_answers_json(f->engine, PULL, "404 Not Found",
	    "{\"message\":\"manifest for web:9 not found\"}");
	assert_pull_fails(f, ERR_NOT_FOUND, "IMAGE_NOT_FOUND");
	engine_answers_json(f->engine, PULL, "500 Internal Server Error",
	    "{\"message\":\"Get x: dial tcp: connection refused\"}");
	assert_pull_fails(f, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE");
	engine_answers_json(f->engine, PULL, "400 Bad Request",
	    "{\"message\":\"invalid reference format: \\u001b[31m\"}");
	assert_pull_fails(f, ERR_INVALID, "INVALID_IMAGE");
	assert_null(strchr(f->err.message, '\033'));
	engine_answers_json(f->engine, PULL, "418 Teapot", "not JSON");
	assert_pull_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
}

static void
hostile_streams_are_errors(void **state)
{
	struct fixture *f = *state;
	static const char *const streams[] = { "", "garbage", "[1,2]", "null",
		"12 34", "{\"status\":\"Status: ", LAYER, "{}", "{\"status\":",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}"
		"}}}",
		DONE "{\"half\":", "{\"error\":17}{\"errorDetail\":null}",
		"{\"errorDetail\":{}}" DONE };
	size_t i;

	for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		answer(f, arena_printf(&f->arena, HEAD "%s", streams[i]));
		assert_pull_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	}
}

static void
one_huge_object_is_not_kept(void **state)
{
	struct fixture *f = *state;

	engine_answers(f->engine, &(struct engine_answer){ .request = PULL,
				      .bytes = HEAD "{\"status\":\"",
				      .after = ENGINE_CLOSE });
	/* Without an end: it must be given up long before 64 MiB. */
	engine_answers(
	    f->engine, &(struct engine_answer){ .request = PULL,
			   .bytes = arena_printf(&f->arena,
			       HEAD "{\"status\":\"%0*d", 8 * 1024 * 1024, 0),
			   .after = ENGINE_CLOSE });
	assert_pull_fails(f, ERR_UPSTREAM, "DOCKER_ERROR");
	assert_true(engine_sent_bytes(f->engine) < 4U * 1024 * 1024);
}

static void
objects_may_be_cut_anywhere(void **state)
{
	struct fixture *f = *state;

	engine_answers(
	    f->engine, &(struct engine_answer){ .request = PULL,
			   .bytes = HEAD "\r\n \t" LAYER LAYER DONE "\r\n\r\n",
			   .chop = 1,
			   .after = ENGINE_CLOSE });
	assert_int_equal(pull(f), 0);
	assert_string_equal(buffer_string(&f->heard),
	    "abc123|Downloading|5|10\nabc123|Downloading|5|10\n"
	    "|Status: Downloaded newer image for web:1|0|0\n");
}

static void
texts_are_printable_and_numbers_not_negative(void **state)
{
	struct fixture *f = *state;

	answer(f,
	    HEAD "{\"id\":\"a\\nb\\u0007\",\"status\":\"\\u001b[31m\xff\","
		 "\"progressDetail\":{\"current\":-5,\"total\":\"x\"}}" DONE);
	assert_int_equal(pull(f), 0);
	assert_memory_equal(
	    buffer_string(&f->heard), "a b | [31m\xEF\xBF\xBD|0|0\n", 17);
}

static void
a_silent_engine_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->pull.idle_ms = 300;
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = PULL, .bytes = HEAD LAYER, .after = ENGINE_HOLD });
	assert_pull_fails(f, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE");
	assert_true(engine_wait_open(f->engine, 1)); /* the kept one */
}

/* Bytes now and then do not make it last for ever. */
static void
a_pull_has_a_limit_in_all(void **state)
{
	struct fixture *f = *state;

	f->pull.total_ms = 400;
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = PULL, .bytes = HEAD LAYER, .after = ENGINE_HOLD });
	assert_pull_fails(f, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE");
}

static atomic_bool cancelled;

static void
cancel_after_progress(
    void *context, const struct docker_pull_progress *progress)
{
	(void)context;
	(void)progress;
	atomic_store(&cancelled, true);
}

static void
a_cancelled_pull_closes_its_connection(void **state)
{
	struct fixture *f = *state;
	int64_t started_ms = clock_monotonic_ms();

	f->pull.cancel = &cancelled;
	f->pull.on_progress = cancel_after_progress;
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = PULL, .bytes = HEAD LAYER, .after = ENGINE_HOLD });
	assert_pull_fails(f, ERR_CONFLICT, "JOB_CANCELLED");
	assert_true(clock_monotonic_ms() < started_ms + 2000);
	assert_true(engine_wait_open(f->engine, 1)); /* the kept one */
}

/* Three slow registries: the Engine is not to blame. */
static void
slow_registries_do_not_open_the_breaker(void **state)
{
	struct fixture *f = *state;
	int i;

	f->pull.idle_ms = 20;
	engine_answers(f->engine,
	    &(struct engine_answer){
		.request = PULL, .bytes = HEAD, .after = ENGINE_HOLD });
	for (i = 0; i < 4; i++)
		assert_pull_fails(f, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE");
	f->pull.idle_ms = 0;
	answer(f, HEAD DONE);
	assert_int_equal(pull(f), 0);
}

static void
an_engine_that_is_down_is_docker_unavailable(void **state)
{
	struct fixture *f = *state;

	engine_hide(f->engine);
	assert_pull_fails(f, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE");
}

static void
a_login_is_checked_by_the_engine(void **state)
{
	struct fixture *f = *state;
	const struct docker_login login = {
		.host = "docker.io", .username = "me", .password = "secret"
	};

	engine_answers_json(f->engine, "POST /v1.41/auth", "200 OK",
	    "{\"Status\":\"Login Succeeded\",\"IdentityToken\":\"\"}");
	assert_int_equal(docker_login_check(f->docker, &login, &f->err), 0);
	assert_non_null(strstr(engine_request(f->engine),
	    "{\"username\":\"me\",\"password\":\"secret\","
	    "\"serveraddress\":\"https://index.docker.io/v1/\"}"));
	assert_non_null(strstr(
	    engine_request(f->engine), "Content-Type: application/json\r\n"));

	engine_answers_json(f->engine, "POST /v1.41/auth", "401 Unauthorized",
	    "{\"message\":\"login attempt failed\"}");
	assert_int_equal(docker_login_check(f->docker, &login, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_FORBIDDEN);
	assert_string_equal(f->err.code, "REGISTRY_DENIED");

	engine_answers_json(f->engine, "POST /v1.41/auth",
	    "500 Internal Server Error",
	    "{\"message\":\"Get \\\"http://x\\\": dial tcp: refused\"}");
	assert_int_equal(docker_login_check(f->docker, &login, &f->err), -1);
	assert_string_equal(f->err.code, "REGISTRY_UNAVAILABLE");
}

static void
what_a_removal_took_is_told(void **state)
{
	struct fixture *f = *state;
	struct docker_image_removal removal;

	engine_answers_json(f->engine,
	    "DELETE /v1.41/images/127.0.0.1:5000/team/web:1?force=0", "200 OK",
	    "[{\"Untagged\":\"web:1\"},{\"Untagged\":\"web@sha256:1\"},"
	    "{\"Deleted\":\"sha256:2\"},{\"Other\":1},null]");
	assert_int_equal(
	    docker_image_remove(f->docker, "127.0.0.1:5000/team/web:1", false,
		&f->arena, &removal, &f->err),
	    0);
	assert_int_equal(removal.untagged_count, 2);
	assert_string_equal(removal.untagged[1], "web@sha256:1");
	assert_int_equal(removal.deleted_count, 1);
	assert_string_equal(removal.deleted[0], "sha256:2");

	engine_answers_json(f->engine, "DELETE /v1.41/images/web?force=1",
	    "404 Not Found", "{\"message\":\"No such image: web\"}");
	assert_int_equal(docker_image_remove(f->docker, "web", true, &f->arena,
			     &removal, &f->err),
	    -1);
	assert_string_equal(f->err.code, "IMAGE_NOT_FOUND");
}

static void
no_other_text_reaches_the_path_of_a_removal(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = { "", "..", "../containers/x",
		"a?force=1", "a b", "a\r\nX: y", "a#b", "a/%2e%2e/b" };
	struct docker_image_removal removal;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(docker_image_remove(f->docker, texts[i], false,
				     &f->arena, &removal, &f->err),
		    -1);
		assert_string_equal(f->err.code, "INVALID_IMAGE");
	}
	assert_int_equal(engine_connections(f->engine), 0);
}

static void
usage_tells_sizes_and_what_is_shared(void **state)
{
	struct fixture *f = *state;
	struct docker_image_usage usage;

	engine_answers_json(f->engine, "GET /v1.41/system/df", "200 OK",
	    "{\"LayersSize\":300,\"Images\":[{\"Id\":\"sha256:1\","
	    "\"RepoTags\":[\"web:1\"],\"Size\":200,\"SharedSize\":50},"
	    "{\"Id\":\"sha256:2\",\"RepoTags\":[\"<none>:<none>\"],"
	    "\"Size\":100,\"SharedSize\":-1},"
	    "{\"Id\":\"sha256:3\",\"Size\":1,\"SharedSize\":7},{}],"
	    "\"Containers\":[]}");
	assert_int_equal(
	    docker_image_usage(f->docker, &f->arena, &usage, &f->err), 0);
	assert_int_equal(usage.layer_bytes, 300);
	assert_int_equal(usage.count, 3);
	assert_int_equal(usage.images[0].image.size_bytes, 200);
	assert_int_equal(usage.images[0].shared_bytes, 50);
	assert_int_equal(usage.images[0].image.tag_count, 1);
	assert_int_equal(usage.images[1].image.tag_count, 0);
	assert_int_equal(usage.images[1].shared_bytes, 0);
	assert_int_equal(usage.images[2].shared_bytes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pull_tells_its_layers_and_whether_it_is_new),
		TEST(a_digest_is_asked_for_in_place_of_a_tag),
		TEST(credentials_go_into_a_header),
		TEST(an_error_inside_the_stream_is_an_error),
		TEST(an_error_before_the_stream_is_told_by_its_words),
		TEST(hostile_streams_are_errors),
		TEST(one_huge_object_is_not_kept),
		TEST(objects_may_be_cut_anywhere),
		TEST(texts_are_printable_and_numbers_not_negative),
		TEST(a_silent_engine_is_given_up),
		TEST(a_pull_has_a_limit_in_all),
		TEST(a_cancelled_pull_closes_its_connection),
		TEST(slow_registries_do_not_open_the_breaker),
		TEST(an_engine_that_is_down_is_docker_unavailable),
		TEST(a_login_is_checked_by_the_engine),
		TEST(what_a_removal_took_is_told),
		TEST(no_other_text_reaches_the_path_of_a_removal),
		TEST(usage_tells_sizes_and_what_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
