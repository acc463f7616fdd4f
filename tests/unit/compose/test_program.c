#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "compose/compose.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char root[64];
	int fd;
	struct compose *compose;
	struct compose_program program;
	struct buffer output;
	struct compose_run run;
	struct arena arena;
	struct error err;
};

/* FLATRUN_COMPOSE names the program to test with, another than the usual. */
static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	snprintf(f->root, sizeof f->root, "%s", "/tmp/flatrun-test-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->fd = file_open_root(f->root, &f->err);
	assert_true(f->fd >= 0);
	assert_int_equal(
	    compose_open(f->root, NULL, true, &f->compose, &f->err), 0);
	f->output.maximum = (size_t)1024 * 1024;
	f->run.program = &f->program;
	f->run.docker_socket = "/nonexistent/docker.sock";
	f->run.mark = "FLATRUN_JOB=test";
	f->run.project = "blog";
	f->run.timeout_ms = 60000;
	f->run.output = &f->output;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	auto_fd int parent = file_open_root("/tmp", &f->err);

	compose_close(f->compose);
	close(f->fd);
	assert_int_equal(
	    file_remove_tree(parent, f->root + strlen("/tmp/"), &f->err), 0);
	buffer_clear(&f->output);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static void
need_compose(struct fixture *f)
{
	if (compose_find_program(
		getenv("FLATRUN_COMPOSE"), &f->program, &f->err) < 0) {
		print_message("%s\n", f->err.message);
		skip();
	}
}

/* A program in the tree that says and does what the script says. */
static void
use_script(struct fixture *f, const char *script)
{
	assert_int_equal(
	    file_write(f->fd, "program", script, strlen(script), 0755, &f->err),
	    0);
	snprintf(
	    f->program.path, sizeof f->program.path, "%s/program", f->root);
	snprintf(f->program.version, sizeof f->program.version, "%s", "2.26.1");
	f->program.major = 2;
}

static void
create(struct fixture *f, const char *text, const char *environment)
{
	assert_int_equal(compose_create(f->compose, "blog", text, strlen(text),
			     NULL, environment, NULL, 0, &f->err),
	    0);
}

static int
run(struct fixture *f, const char *argument)
{
	const char *const arguments[] = { argument, NULL };

	memset(&f->err, 0, sizeof f->err);
	buffer_truncate(&f->output, 0);
	return compose_run(f->compose, "blog", &f->run, arguments, &f->err);
}

static void
assert_output_has(struct fixture *f, const char *text)
{
	if (strstr(buffer_string(&f->output), text) == NULL)
		fail_msg("'%s' is not in: %s", text, buffer_string(&f->output));
}

static void
the_program_says_its_version(void **state)
{
	struct fixture *f = *state;

	need_compose(f);
	assert_in_range(f->program.major, 1, 9);
	assert_int_equal(f->program.path[0], '/');
	assert_int_equal(atoi(f->program.version), f->program.major);
}

static void
a_program_that_does_not_work_is_not_taken(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/program", f->root);
	assert_int_equal(compose_find_program(path, &f->program, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "COMPOSE_NOT_INSTALLED");
	use_script(f, "#!/bin/sh\nexit 1\n");
	assert_int_equal(compose_find_program(path, &f->program, &f->err), -1);
	use_script(f, "#!/bin/sh\necho what?\n");
	assert_int_equal(compose_find_program(path, &f->program, &f->err), -1);
	use_script(f, "#!/bin/sh\necho \"v2.38.2 $1 $2\"\n");
	assert_int_equal(compose_find_program(path, &f->program, &f->err), 0);
	assert_string_equal(f->program.version, "2.38.2");
	assert_int_equal(f->program.major, 2);
	assert_int_equal(
	    compose_find_program("program", &f->program, &f->err), -1);
}

static void
compose_gets_the_checked_text_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	setenv("COMPOSE_FILE", "/etc/passwd", 1);
	setenv("SECRET_OF_OURS", "hidden", 1);
	use_script(f, "#!/bin/sh\n"
		      "for word; do echo \"arg <$word>\"; done\n"
		      "/usr/bin/env | sed 's/^/env /'\n"
		      "pwd\ncat \"$6\"\n");
	create(f, "name: blog\nservices:\n  app:\n    image: $IMAGE\n",
	    "IMAGE=nginx:1\n");
	assert_int_equal(run(f, "up"), 0);
	assert_output_has(
	    f, arena_printf(&f->arena,
		   "arg <--ansi>\narg <never>\n"
		   "arg <--project-directory>\narg <%s/blog>\n"
		   "arg <--file>\narg <%s/.flatrun/checked/blog.yml>\n"
		   "arg <--project-name>\narg <blog>\n"
		   "arg <--env-file>\narg <%s/.flatrun/checked/empty.env>\n"
		   "arg <up>\nenv ",
		   f->root, f->root, f->root));
	assert_output_has(f, "services:\n  app:\n    image: \"nginx:1\"\n");
	assert_output_has(f, arena_printf(&f->arena, "\n%s/blog\n", f->root));
	assert_output_has(f, "env FLATRUN_JOB=test\n");
	assert_output_has(f, "env HOME=/root\n");
	assert_output_has(
	    f, "env DOCKER_HOST=unix:///nonexistent/docker.sock\n");
	assert_null(strstr(buffer_string(&f->output), "hidden"));
	assert_null(strstr(buffer_string(&f->output), "COMPOSE_FILE"));
}

static void
the_checked_text_is_for_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct stat status;

	use_script(f, "#!/bin/sh\n");
	create(f, "services:\n  app:\n    image: n\n", NULL);
	assert_int_equal(run(f, "up"), 0);
	assert_int_equal(
	    fstatat(f->fd, ".flatrun/checked/blog.yml", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void
what_a_hand_made_invalid_does_not_run(void **state)
{
	struct fixture *f = *state;
	const char *bad = "services:\n  app:\n    image: n\n    pid: host\n";

	use_script(f, "#!/bin/sh\ntouch ../ran\n");
	create(f, "services:\n  app:\n    image: n\n    env_file: e\n", NULL);
	assert_int_equal(symlinkat("/etc/shadow", f->fd, "blog/e"), 0);
	assert_int_equal(run(f, "up"), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(compose_write(f->compose, "blog", "docker-compose.yml",
			     bad, strlen(bad), 0644, &f->err),
	    0);
	assert_int_equal(run(f, "up"), -1);
	assert_string_equal(f->err.code, "COMPOSE_POLICY");
	assert_int_equal(faccessat(f->fd, "ran", F_OK, 0), -1);
}

static void
a_directory_that_vanishes_meanwhile_is_not_found(void **state)
{
	struct fixture *f = *state;

	create(f, "services:\n  app:\n    image: n\n", NULL);
	use_script(f, "#!/bin/sh\nrm -r ../blog\nexit 1\n");
	assert_int_equal(run(f, "stop"), -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
}

static void
what_compose_says_becomes_an_error(void **state)
{
	static const struct {
		const char *output;
		enum error_kind kind;
		const char *code, *message;
	} cases[] = {
		{ "Error: Bind for 0.0.0.0:8080 failed: port is already "
		  "allocated",
		    ERR_CONFLICT, "PORT_IN_USE", "port 8080 is taken" },
		{ "listen tcp4 0.0.0.0:80: bind: address already in use",
		    ERR_CONFLICT, "PORT_IN_USE", "port 80 is taken" },
		{ "The container name \"/blog\" is already in use by container "
		  "\"ab\".",
		    ERR_CONFLICT, "NAME_IN_USE",
		    "a container's name is taken" },
		{ "pull access denied for nothing, repository does not exist",
		    ERR_UPSTREAM, "IMAGE_NOT_FOUND",
		    "an image was not found, or needs a login" },
		{ "manifest for nginx:none not found: manifest unknown",
		    ERR_UPSTREAM, "IMAGE_NOT_FOUND", "an image was not found" },
		{ "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup "
		  "registry-1.docker.io: no such host",
		    ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
		    "the registry did not answer" },
		{ "Cannot connect to the Docker daemon at unix:///x.",
		    ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
		    "Docker is not running" },
		{ "write /x: no space left on device", ERR_STORAGE_FULL,
		    "STORAGE_FULL", "the disk is full" },
		{ "something else", ERR_UPSTREAM, "COMPOSE_FAILED",
		    "Compose failed with status 17" },
	};
	struct fixture *f = *state;
	size_t i;

	create(f, "services:\n  app:\n    image: n\n", NULL);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		use_script(
		    f, arena_printf(&f->arena,
			   "#!/bin/sh\ncat <<'E' >&2\nfirst line\n%s\n\nE\n"
			   "exit 17\n",
			   cases[i].output));
		assert_int_equal(run(f, "up"), -1);
		assert_int_equal(f->err.kind, cases[i].kind);
		assert_string_equal(error_code(&f->err), cases[i].code);
		assert_string_equal(f->err.message, cases[i].message);
		assert_string_equal(f->err.detail, cases[i].output);
		assert_output_has(f, cases[i].output);
	}
}

/* What else was to be pulled is given up, in words that mislead. */
static void
an_engine_that_has_the_last_word_is_there(void **state)
{
	struct fixture *f = *state;

	create(f, "services:\n  app:\n    image: n\n", NULL);
	use_script(f, "#!/bin/sh\ncat <<'E' >&2\n"
		      " far Error Get \"http://x/v2/\": connection refused\n"
		      " app Error Cannot connect to the Docker daemon at x.\n"
		      "Error response from daemon: Get \"http://x/v2/\": "
		      "connection refused\nE\nexit 18\n");
	assert_int_equal(run(f, "pull"), -1);
	assert_string_equal(error_code(&f->err), "REGISTRY_UNAVAILABLE");
}

static void
output_beyond_the_buffer_is_dropped_but_still_read(void **state)
{
	struct fixture *f = *state;

	create(f, "services:\n  app:\n    image: n\n", NULL);
	f->output.maximum = 100;
	use_script(f, "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x\n"
		      "echo port is already allocated\nexit 1\n");
	assert_int_equal(run(f, "up"), -1);
	assert_string_equal(f->err.code, "PORT_IN_USE");
	assert_int_equal(f->output.length, 100);
	assert_false(f->output.overflowed);
	f->run.output = NULL;
	assert_int_equal(run(f, "up"), -1);
	assert_string_equal(f->err.code, "PORT_IN_USE");
}

static void
a_run_ends_with_its_time_or_its_cancellation(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancel = true;
	int64_t start = clock_monotonic_ms();

	create(f, "services:\n  app:\n    image: n\n", NULL);
	use_script(f, "#!/bin/sh\nexec sleep 60\n");
	f->run.timeout_ms = 300;
	assert_int_equal(run(f, "up"), -1);
	assert_int_equal(f->err.kind, ERR_TIMEOUT);
	assert_string_equal(f->err.code, "COMPOSE_TIMEOUT");
	f->run.timeout_ms = 60000;
	f->run.cancel = &cancel;
	assert_int_equal(run(f, "up"), -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.code, "JOB_CANCELLED");
	assert_true(clock_monotonic_ms() - start < 10000);
}

static void
the_real_program_takes_the_checked_text(void **state)
{
	struct fixture *f = *state;

	need_compose(f);
	create(f,
	    "services:\n  app:\n    image: nginx:$TAG\n"
	    "    command: echo $$HOME ${TAG}\n",
	    "TAG=1.25\n");
	/* Neither of these must be read a second time. */
	assert_int_equal(file_write(f->fd, "x", "", 0, 0600, &f->err), 0);
	if (run(f, "config") < 0)
		fail_msg("%s: %s", f->err.message, f->err.detail);
	assert_output_has(f, "image: nginx:1.25");
	assert_null(strstr(buffer_string(&f->output), "$TAG"));
}

static void
the_real_program_without_docker_says_so(void **state)
{
	struct fixture *f = *state;

	need_compose(f);
	create(f, "services:\n  app:\n    image: nginx\n", NULL);
	assert_int_equal(run(f, "ps"), -1);
	assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
	assert_string_equal(f->err.code, "DOCKER_UNAVAILABLE");
}

/* What `config` makes of a text, as it is. */
static int
config_of(struct fixture *f, const char *text, const char *environment,
    struct buffer *out)
{
	const char *command;
	FILE *pipe;
	char chunk[4096];
	size_t got;

	assert_int_equal(
	    file_write(f->fd, "text.yml", text, strlen(text), 0644, &f->err),
	    0);
	assert_int_equal(file_write(f->fd, "text.env", environment,
			     strlen(environment), 0644, &f->err),
	    0);
	/* Warnings on standard error are none of the document. */
	command = arena_printf(&f->arena,
	    "%s --ansi never --project-directory %s/blog --file %s/text.yml "
	    "--project-name blog --env-file %s/text.env config 2>/dev/null",
	    f->program.path, f->root, f->root, f->root);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while ((got = fread(chunk, 1, sizeof chunk, pipe)) > 0)
		assert_int_equal(buffer_append(out, chunk, got), 0);
	return pclose(pipe);
}

/* Documents that both major versions run. */
static const char *const documents[] = {
	"version: '3.9'\n"
	"services:\n"
	"  app:\n"
	"    image: ${IMAGE:-nginx}:${TAG}\n"
	"    ports: [\"${PORT}:80\", '22:22', 8443:443, {target: 9, "
	"published: 99}]\n"
	"    environment:\n"
	"      - A=$X\n"
	"      - B=pa$$word\n"
	"      - TAG\n"
	"      - EMPTY=\n"
	"    command: [\"sh\", \"-c\", \"echo $${HOME} \\\"$X\\\"\"]\n"
	"    labels: {\"a.b\": \"${X}\", c: \"${NUMBER}\", d: \"1.10\"}\n"
	"    restart: unless-stopped\n"
	"    stop_grace_period: 1m30s\n"
	"    networks: {front: , back: {aliases: [x]}}\n"
	"  db:\n"
	"    image: postgres:15\n"
	"    environment:\n"
	"      POSTGRES_PASSWORD: ${X}\n"
	"      NUMBER: ${NUMBER}\n"
	"      FLAG: ${FLAG}\n"
	"      OCTAL: '010'\n"
	"      FLOAT: 1.50\n"
	"      INT: 12\n"
	"      NOTHING:\n"
	"      MULTI: |\n"
	"        line one\n"
	"        line two: $X\n"
	"      FOLDED: >-\n"
	"        a\n"
	"        b\n"
	"      UNICODE: \"\\u00e9\\u2028\\t\"\n"
	"    volumes:\n"
	"      - db:/var/lib/postgresql/data\n"
	"      - ./init:/docker-entrypoint-initdb.d:ro\n"
	"      - type: tmpfs\n"
	"        target: /tmp\n"
	"      - type: bind\n"
	"        source: ./conf\n"
	"        target: /conf\n"
	"        read_only: true\n"
	"    healthcheck:\n"
	"      test: ['CMD-SHELL', 'pg_isready -U $$POSTGRES_USER']\n"
	"      interval: 10s\n"
	"      retries: ${NUMBER}\n"
	"    networks: [back]\n"
	"    depends_on: [app]\n"
	"networks:\n"
	"  front:\n"
	"    external: true\n"
	"    name: proxy\n"
	"  back:\n"
	"    internal: ${FLAG}\n"
	"volumes:\n"
	"  db: {}\n",

	"x-image: &image busybox\n"
	"x-common: &common\n"
	"  image: alpine:3\n"
	"  restart: always\n"
	"  environment: &env\n"
	"    A: one\n"
	"    B: '2'\n"
	"services:\n"
	"  one:\n"
	"    <<: *common\n"
	"    hostname: first\n"
	"  two:\n"
	"    <<: *common\n"
	"    environment:\n"
	"      <<: *env\n"
	"      B: own\n"
	"      \"on\": off-ish\n"
	"  three:\n"
	"    image: *image\n",

	"services:\n"
	"  app:\n"
	"    build:\n"
	"      context: ./app\n"
	"      dockerfile: Dockerfile.prod\n"
	"      args:\n"
	"        TAG:\n"
	"        V: ${TAG}\n"
	"      target: run\n"
	"    image: mine:${TAG}\n"
	"    tty: true\n"
	"    init: true\n"
	"    cap_drop: [ALL]\n"
	"    read_only: true\n"
	"    tmpfs: [/run, '/tmp:size=1m']\n"
	"    user: \"1000:1000\"\n"
	"    working_dir: /srv/my app\n"
	"    entrypoint: [\"/bin/sh\", \"-c\", \"exec \\\"$$0\\\"\"]\n"
	"    extra_hosts: ['host.docker.internal:host-gateway']\n"
	"    ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}}\n"
	"    logging: {driver: json-file, options: {max-size: 10m, "
	"max-file: '3'}}\n"
	"    sysctls: {}\n"
	"    expose: [80, '90-91']\n"
	"    configs: [site]\n"
	"    secrets: [{source: key, target: k}]\n"
	"configs:\n"
	"  site: {file: ./site.conf}\n"
	"secrets:\n"
	"  key: {file: ./key.txt}\n",
};

static const char variables_text[] = "TAG=1.25\nPORT=8080\nX='va\"l\\ue: #1'\n"
				     "NUMBER=5\nFLAG=true\nEMPTYV=\n";

/* The original may go on with extensions, which are dropped. */
static void
assert_same(const char *text, const char *original)
{
	size_t i = 0;

	while (text[i] != '\0' && text[i] == original[i])
		i++;
	if (text[i] == '\0' &&
	    (original[i] == '\0' || strncmp(original + i, "x-", 2) == 0))
		return;
	fail_msg(
	    "at byte %zu: '%.60s' is not '%.60s'", i, text + i, original + i);
}

static void
normalised_documents_mean_what_the_originals_mean(void **state)
{
	struct fixture *f = *state;
	size_t i;

	need_compose(f);
	assert_int_equal(mkdirat(f->fd, "blog", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "blog/app", 0755), 0);
	for (i = 0; i < sizeof documents / sizeof documents[0]; i++) {
		auto_buffer struct buffer before = BUFFER(1 << 20);
		auto_buffer struct buffer after = BUFFER(1 << 20);
		auto_buffer struct buffer text = BUFFER(1 << 20);
		struct document *document;

		if (compose_check(f->compose, "blog", documents[i],
			strlen(documents[i]), variables_text, &f->arena,
			&document, &f->err) < 0)
			fail_msg("%s", f->err.message);
		assert_int_equal(
		    document_normalise(document, &text, &f->err), 0);
		assert_int_equal(
		    config_of(f, documents[i], variables_text, &before), 0);
		assert_int_equal(
		    config_of(f, buffer_string(&text), "", &after), 0);
		assert_same(buffer_string(&after), buffer_string(&before));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
		TEST(the_program_says_its_version),
		TEST(a_program_that_does_not_work_is_not_taken),
		TEST(compose_gets_the_checked_text_and_nothing_else),
		TEST(the_checked_text_is_for_its_owner_alone),
		TEST(what_a_hand_made_invalid_does_not_run),
		TEST(a_directory_that_vanishes_meanwhile_is_not_found),
		TEST(what_compose_says_becomes_an_error),
		TEST(an_engine_that_has_the_last_word_is_there),
		TEST(output_beyond_the_buffer_is_dropped_but_still_read),
		TEST(a_run_ends_with_its_time_or_its_cancellation),
		TEST(the_real_program_takes_the_checked_text),
		TEST(the_real_program_without_docker_says_so),
		TEST(normalised_documents_mean_what_the_originals_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
