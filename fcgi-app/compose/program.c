/* The Compose program: found, and run on a checked document. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "compose/compose-private.h"
#include "compose/document-private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ENTRY \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VERSION_TIMEOUT_MS 20000
#define ARGUMENTS_MAXIMUM 64
#define TAIL_SIZE 8192
#define EMPTY_FILE "empty.env"

static void
append_output(void *context, const char *bytes, size_t length)
{
	struct buffer *out = context;
	size_t room = out->maximum - out->length;

	buffer_append(out, bytes, length < room ? length : room);
}

/* "1.29.2", "v2.26.1-4": the first word of the output. */
static int
parse_version(const char *text, struct compose_program *out)
{
	size_t length;

	text += strspn(text, " \t\r\nv");
	length = strcspn(text, " \t\r\n,");
	if (length == 0 || length >= sizeof out->version ||
	    !isdigit((unsigned char)*text))
		return -1;
	memcpy(out->version, text, length);
	out->version[length] = '\0';
	out->major = (int)strtol(out->version, NULL, 10);
	return out->major >= 1 ? 0 : -1;
}

static int
ask_version(const char *path, struct compose_program *out)
{
	static const char *const environment[] = { PATH_ENTRY, "HOME=/root",
		"LANG=C.UTF-8", NULL };
	const char *const argv[] = { path, "version", "--short", NULL };
	auto_buffer struct buffer text = BUFFER(4096);
	struct process_options options = {
		.argv = argv,
		.environment = environment,
		.timeout_ms = VERSION_TIMEOUT_MS,
		.on_output = append_output,
		.context = &text,
	};
	struct process_result result;
	struct error ignored;

	if (strlen(path) >= sizeof out->path || access(path, X_OK) < 0 ||
	    process_run(&options, &result, &ignored) < 0 ||
	    result.exit_code != 0 ||
	    parse_version(buffer_string(&text), out) < 0)
		return -1;
	snprintf(out->path, sizeof out->path, "%s", path);
	return 0;
}

int
compose_find_program(
    const char *preferred, struct compose_program *out, struct error *err)
{
	static const char *const usual[] = {
		"/usr/local/lib/docker/cli-plugins/docker-compose",
		"/usr/local/libexec/docker/cli-plugins/docker-compose",
		"/usr/lib/docker/cli-plugins/docker-compose",
		"/usr/libexec/docker/cli-plugins/docker-compose",
		"/usr/local/bin/docker-compose",
		"/usr/bin/docker-compose",
	};
	struct compose_program found = { .major = 0 };
	size_t i;

	if (preferred != NULL) {
		if (*preferred != '/' || ask_version(preferred, &found) < 0)
			return error_set(err, ERR_UNAVAILABLE,
			    "COMPOSE_NOT_INSTALLED",
			    "the configured Compose program does not work");
		*out = found;
		return 0;
	}
	for (i = 0; i < sizeof usual / sizeof usual[0]; i++) {
		if (ask_version(usual[i], &found) < 0)
			continue;
		*out = found;
		return 0;
	}
	return error_set(err, ERR_UNAVAILABLE, "COMPOSE_NOT_INSTALLED",
	    "neither the Compose plugin nor docker-compose is installed");
}

/* Its own name, or with a prefix that earlier versions gave it. */
static bool
is_project_of(const char *project, const char *deployment)
{
	return strcmp(project, deployment) == 0 ||
	       (strncmp(project, "flatrun-", 8) == 0 &&
		   strcmp(project + 8, deployment) == 0);
}

const char *
compose_project_name(const struct document *document, const char *deployment)
{
	const char *name = document_name(document);

	return name != NULL && is_project_of(name, deployment) ? name
							       : deployment;
}

static int
check_project_name(
    const struct document *document, const char *name, struct error *err)
{
	const char *project = document_name(document);

	if (project == NULL || is_project_of(project, name))
		return 0;
	return node_invalid(err, node_member(document->root, "name"),
	    "the document's 'name' must be '%s', as the deployment's", name);
}

/* What Compose puts into its own environment for documents to use. */
static size_t
add_project_variable(const struct document *document, const char *name,
    struct compose_variable *variables, size_t count)
{
	const char *project = document_name(document);

	if (project == NULL || strchr(project, '$') != NULL)
		project = name;
	variables[count].name = "COMPOSE_PROJECT_NAME";
	variables[count].value = project;
	return count + 1;
}

int
compose_check(struct compose *compose, const char *name, const char *text,
    size_t length, const char *environment, struct arena *arena,
    struct document **out, struct error *err)
{
	struct compose_variable *given, *variables;
	struct document *document;
	size_t count;

	if (compose_environment_parse(environment != NULL ? environment : "",
		arena, &given, &count, err) < 0 ||
	    document_parse(text, length, arena, &document, err) < 0)
		return -1;
	variables = arena_array(arena, count + 1, sizeof *variables);
	memcpy(variables, given, count * sizeof *variables);
	count = add_project_variable(document, name, variables, count);
	if (document_interpolate(document, variables, count, err) < 0 ||
	    document_check(document, compose->policy, err) < 0 ||
	    check_project_name(document, name, err) < 0)
		return -1;
	*out = document;
	return 0;
}

/* No deployment's name has a dot in it. */
static const char *
checked_name(
    const char *name, const struct compose_run *run, struct arena *arena)
{
	return arena_printf(
	    arena, "%s%s.yml", name, run->candidate != NULL ? ".next" : "");
}

/*
 * Checks what is on disk now, or is to come, and writes the text that Compose
 * is given.
 */
static int
write_checked(struct compose *compose, const char *name,
    const struct compose_run *run, struct arena *arena, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(NORMALISED_MAXIMUM);
	auto_fd int directory = compose_open_directory(compose, name, err);
	struct compose_files files;
	struct document *document;

	if (directory < 0)
		return -1;
	if (run->candidate != NULL)
		files = *run->candidate;
	else if (compose_read(compose, name, arena, &files, err) < 0)
		return -1;
	if (compose_check(compose, name, files.compose, files.compose_length,
		files.environment, arena, &document, err) < 0 ||
	    document_check_paths(document, compose->policy, directory, err) <
		0 ||
	    document_normalise(document, &text, err) < 0)
		return -1;
	/* Without one Compose reads ".env" in the deployment's directory. */
	if (file_write(compose->checked, EMPTY_FILE, "", 0, 0600, err) < 0)
		return -1;
	return file_write(compose->checked, checked_name(name, run, arena),
	    buffer_string(&text), text.length, 0600, err);
}

/* What a run says: all of it for the job, the end of it for the error. */
struct capture {
	const struct compose_run *run;
	char tail[TAIL_SIZE + 1];
	size_t length;
};

static void
capture_output(void *context, const char *bytes, size_t length)
{
	struct capture *capture = context;
	size_t keep = length < TAIL_SIZE ? length : TAIL_SIZE;
	size_t old = capture->length < TAIL_SIZE - keep ? capture->length
							: TAIL_SIZE - keep;

	if (capture->run->output != NULL)
		append_output(capture->run->output, bytes, length);
	if (capture->run->on_output != NULL)
		capture->run->on_output(capture->run->context);
	memmove(capture->tail, capture->tail + capture->length - old, old);
	memcpy(capture->tail + old, bytes + length - keep, keep);
	capture->length = old + keep;
	capture->tail[capture->length] = '\0';
}

struct failure {
	const char *words; /* in the output, in lower case */
	enum error_kind kind;
	const char *code;
	const char *message;
};

/* In the order in which they are looked for. */
static const struct failure failures[] = {
	{ "cannot connect to the docker daemon", ERR_UNAVAILABLE,
	    "DOCKER_UNAVAILABLE", "Docker is not running" },
	{ "couldn't connect to docker daemon", ERR_UNAVAILABLE,
	    "DOCKER_UNAVAILABLE", "Docker is not running" },
	{ "is the docker daemon running", ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
	    "Docker is not running" },
	{ "error while fetching server api version", ERR_UNAVAILABLE,
	    "DOCKER_UNAVAILABLE", "Docker is not running" },
	{ "no space left on device", ERR_STORAGE_FULL, NULL,
	    "the disk is full" },
	{ "port is already allocated", ERR_CONFLICT, "PORT_IN_USE",
	    "a port is taken" },
	{ "address already in use", ERR_CONFLICT, "PORT_IN_USE",
	    "a port is taken" },
	{ "ports are not available", ERR_CONFLICT, "PORT_IN_USE",
	    "a port is taken" },
	{ "is already in use by container", ERR_CONFLICT, "NAME_IN_USE",
	    "a container's name is taken" },
	{ "pull access denied", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found, or needs a login" },
	{ "manifest unknown", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found" },
	{ "repository does not exist", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found" },
	{ "no such image", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found" },
	{ "no matching manifest", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found for this machine" },
	{ "manifest for ", ERR_UPSTREAM, "IMAGE_NOT_FOUND",
	    "an image was not found" },
	{ "toomanyrequests", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry refuses so many requests" },
	{ "unauthorized:", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry needs a login" },
	{ "no such host", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ "temporary failure in name resolution", ERR_UPSTREAM,
	    "REGISTRY_UNAVAILABLE", "the registry did not answer" },
	{ "server misbehaving", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ "tls handshake timeout", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ "i/o timeout", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ "request canceled while waiting for connection", ERR_UPSTREAM,
	    "REGISTRY_UNAVAILABLE", "the registry did not answer" },
	{ "response from daemon: get \"http", ERR_UPSTREAM,
	    "REGISTRY_UNAVAILABLE", "the registry did not answer" },
	{ "dial tcp ", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ "failed to do request", ERR_UPSTREAM, "REGISTRY_UNAVAILABLE",
	    "the registry did not answer" },
	{ NULL, ERR_UPSTREAM, "COMPOSE_FAILED", "Compose failed" },
};

static int
port_of(const char *digits)
{
	long port = strtol(digits, NULL, 10);

	return port < 65536 ? (int)port : 0;
}

/*
 * The digits before the words that a Docker Engine ends with: "Bind for
 * 0.0.0.0:8080 failed: port is already allocated". 0 when there are none.
 */
static int
find_port(const char *text, const char *words)
{
	const char *end = strstr(text, words), *at;

	if (end == NULL)
		return 0;
	for (at = end; at > text && *at != '\n'; at--)
		if (*at == ':' && isdigit((unsigned char)at[1]))
			return port_of(at + 1);
	return 0;
}

/* The last line that is not empty, for the log. */
static const char *
last_line(char *text)
{
	size_t length = strlen(text);
	const char *line;

	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	line = strrchr(text, '\n');
	return line != NULL ? line + 1 : text;
}

/*
 * Version 2 says of what it gives up, because something else has failed, that
 * the Engine does not answer. It does when the last word is its.
 */
static bool
tells_of(const char *output, bool engine_answers, const struct failure *failure)
{
	return (!engine_answers || failure->kind != ERR_UNAVAILABLE) &&
	       strstr(output, failure->words) != NULL;
}

static int
fail_by_output(struct capture *capture, int exit_code, struct error *err)
{
	char lower[TAIL_SIZE + 1];
	const struct failure *failure = failures;
	bool engine_answers = strncmp(last_line(capture->tail),
				  "Error response from daemon", 26) == 0;
	size_t i;
	int port = 0;

	for (i = 0; i <= capture->length; i++)
		lower[i] = (char)tolower((unsigned char)capture->tail[i]);
	lower[capture->length] = '\0';
	while (
	    failure->words != NULL && !tells_of(lower, engine_answers, failure))
		failure++;
	if (failure->words != NULL && failure->code != NULL &&
	    strcmp(failure->code, "PORT_IN_USE") == 0)
		port = find_port(lower, failure->words);
	if (port > 0)
		error_set(err, failure->kind, failure->code, "port %d is taken",
		    port);
	else if (failure->words == NULL)
		error_set(err, failure->kind, failure->code,
		    "%s with status %d", failure->message, exit_code);
	else
		error_set(
		    err, failure->kind, failure->code, "%s", failure->message);
	error_detail(err, "%s", last_line(capture->tail));
	return -1;
}

/* From 1.29 on the option has a value; before it was another one. */
static size_t
add_ansi(const struct compose_program *program, const char **argv, size_t count)
{
	const char *dot = strchr(program->version, '.');
	long minor = dot != NULL ? strtol(dot + 1, NULL, 10) : 0;

	if (program->major == 1 && minor < 29) {
		argv[count++] = "--no-ansi";
		return count;
	}
	argv[count++] = "--ansi";
	argv[count++] = "never";
	return count;
}

/* Gives -1 when the caller's arguments are too many. */
static int
build_arguments(struct compose *compose, const char *name,
    const struct compose_run *run, const char *const *arguments,
    struct arena *arena, const char **argv)
{
	const char *state =
	    arena_printf(arena, "%s/.flatrun/checked", compose->root_path);
	size_t count = 0;

	argv[count++] = run->program->path;
	count = add_ansi(run->program, argv, count);
	argv[count++] = "--project-directory";
	argv[count++] = arena_printf(arena, "%s/%s", compose->root_path, name);
	argv[count++] = "--file";
	argv[count++] =
	    arena_printf(arena, "%s/%s", state, checked_name(name, run, arena));
	argv[count++] = "--project-name";
	argv[count++] = run->project;
	argv[count++] = "--env-file";
	argv[count++] = arena_printf(arena, "%s/%s", state, EMPTY_FILE);
	while (*arguments != NULL && count < ARGUMENTS_MAXIMUM)
		argv[count++] = *arguments++;
	argv[count] = NULL;
	return *arguments == NULL ? 0 : -1;
}

/* Version 1 ends in Python's words when Docker does not answer: files and
 * lines of its own program, which say nothing to the client. */
static void
drop_traceback(struct buffer *output)
{
	const char *start = output != NULL
				? strstr(buffer_string(output),
				      "Traceback (most recent call last)")
				: NULL;

	if (start != NULL)
		buffer_truncate(output, (size_t)(start - output->bytes));
}

static int
run_program(struct compose *compose, const char *name,
    const struct compose_run *run, const char *const *arguments,
    struct arena *arena, struct error *err)
{
	const char *argv[ARGUMENTS_MAXIMUM + 1];
	const char *environment[] = {
		PATH_ENTRY,
		"HOME=/root", /* where registry logins are */
		"LANG=C.UTF-8",
		"PYTHONUNBUFFERED=1",       /* version 1: output as it comes */
		"COMPOSE_HTTP_TIMEOUT=600", /* version 1: else a minute */
		arena_printf(
		    arena, "DOCKER_HOST=unix://%s", run->docker_socket),
		run->mark,
		/* NULL, both: the end of the list. */
		run->docker_config != NULL
		    ? arena_printf(
			  arena, "DOCKER_CONFIG=%s", run->docker_config)
		    : NULL,
		/* Builders stay where they are without DOCKER_CONFIG. */
		"BUILDX_CONFIG=/root/.docker/buildx",
		NULL,
	};
	struct capture capture = { .run = run };
	struct process_options options = {
		.argv = argv,
		.environment = environment,
		.directory =
		    arena_printf(arena, "%s/%s", compose->root_path, name),
		.timeout_ms = run->timeout_ms,
		.cancel = run->cancel,
		.on_output = capture_output,
		.context = &capture,
	};
	struct process_result result;

	if (build_arguments(compose, name, run, arguments, arena, argv) < 0)
		return error_set(
		    err, ERR_INTERNAL, NULL, "too many arguments for Compose");
	if (process_run(&options, &result, err) < 0)
		return -1;
	drop_traceback(run->output);
	if (result.cancelled)
		return error_set(
		    err, ERR_CONFLICT, "JOB_CANCELLED", "cancelled");
	if (result.timed_out)
		return error_set(err, ERR_TIMEOUT, "COMPOSE_TIMEOUT",
		    "Compose was not done after %lld seconds",
		    (long long)run->timeout_ms / 1000);
	if (result.exit_code != 0)
		return fail_by_output(&capture, result.exit_code, err);
	return 0;
}

/* Somebody removed the directory meanwhile: there is nothing to run in. */
static void
explain_gone(struct compose *compose, const char *name, struct error *err)
{
	struct error gone;
	auto_fd int directory = compose_open_directory(compose, name, &gone);

	if (directory < 0 && gone.kind == ERR_NOT_FOUND)
		*err = gone;
}

int
compose_run(struct compose *compose, const char *name,
    const struct compose_run *run, const char *const *arguments,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct error ignored;
	int failed;

	if (!compose_name_is_valid(run->project))
		return error_set(err, ERR_INTERNAL, NULL,
		    "a project's name that is not valid");
	if (write_checked(compose, name, run, &arena, err) < 0)
		return -1;
	failed = run_program(compose, name, run, arguments, &arena, err);
	if (failed)
		explain_gone(compose, name, err);
	if (run->candidate != NULL)
		file_remove_tree(compose->checked,
		    checked_name(name, run, &arena), &ignored);
	return failed;
}
