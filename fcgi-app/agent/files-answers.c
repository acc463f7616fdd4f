/* The answers to questions that read. */
#include "agent/agent.h"
#include "agent/file-entry.h"
#include "agent/files-private.h"
#include "agent/uploads.h"
#include "archive/pack.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/tree.h"
#include "compose/compose.h"
#include "settings/settings.h"
#include "json/fields.h"

#include <string.h>

#define PAGE_MAXIMUM 1000
#define WALK_ENTRIES_MAXIMUM 1000000
#define WALK_TIMEOUT_MS 20000
#define PACK_ENTRIES_MAXIMUM 100000
#define PACK_TIMEOUT_MS 120000

struct asked {
	const char *deployment, *path, *upload;
	int64_t offset, limit;
	bool reveal, secrets;
};

static const struct field asked_fields[] = {
	STRING_FIELD(struct asked, deployment, OPTIONAL, compose_name_is_valid,
	    COMPOSE_NAME_EXPECTED),
	STRING_FIELD(struct asked, path, OPTIONAL, NULL, NULL),
	STRING_FIELD(
	    struct asked, upload, OPTIONAL, upload_token_is_valid, "a token"),
	INTEGER_FIELD(struct asked, offset, OPTIONAL, 0, INT32_MAX),
	INTEGER_FIELD(struct asked, limit, OPTIONAL, 1, PAGE_MAXIMUM),
	BOOL_FIELD(struct asked, reveal, OPTIONAL),
	BOOL_FIELD(struct asked, secrets, OPTIONAL),
	{ 0 },
};

static int
decode_question(struct question *question, struct asked *out, struct error *err)
{
	*out = (struct asked){ .path = "", .limit = PAGE_MAXIMUM };
	if (fields_decode(
		asked_fields, question->asked, &question->arena, out, err) < 0)
		return -1;
	if (out->deployment == NULL)
		out->deployment = "";
	return 0;
}

/* Decodes the question and opens the directory of its deployment. */
static int
open_asked(struct question *question, struct asked *out, struct error *err)
{
	const char *filename;

	if (decode_question(question, out, err) < 0)
		return -1;
	return compose_open_deployment(question->agent->compose,
	    out->deployment, &question->arena, &filename, err);
}

/* The last of several lines for one variable counts. */
static bool
is_last(const struct compose_variable *variables, size_t count, size_t i)
{
	size_t k;

	for (k = i + 1; k < count; k++)
		if (strcmp(variables[i].name, variables[k].name) == 0)
			return false;
	return true;
}

static struct json_object *
render_variable(const struct compose_variable *variable, bool reveal)
{
	struct json_object *object = json_object_new_object();
	bool is_masked = !reveal && compose_variable_is_secret(
					variable->name, variable->value);

	json_put_text(object, "key", variable->name);
	json_put_text(
	    object, "value", is_masked ? COMPOSE_SECRET_MASK : variable->value);
	json_put_boolean(object, "masked", is_masked);
	return object;
}

static int
answer_environment(struct question *question, struct error *err)
{
	struct compose_variable *variables = NULL;
	struct json_object *list = json_object_new_array();
	struct compose_files files;
	struct asked asked;
	size_t count = 0, i;

	json_put(question->answer, "env_vars", list);
	if (decode_question(question, &asked, err) < 0 ||
	    compose_read(question->agent->compose, asked.deployment,
		&question->arena, &files, err) < 0)
		return -1;
	if (files.environment != NULL &&
	    compose_environment_parse(files.environment, &question->arena,
		&variables, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (is_last(variables, count, i))
			json_object_array_add(
			    list, render_variable(&variables[i], asked.reveal));
	return 0;
}

static int
answer_list(struct question *question, struct error *err)
{
	struct json_object *entries = json_object_new_array();
	struct asked asked;
	struct tree_list list;
	auto_fd int directory = open_asked(question, &asked, err);
	size_t i;

	json_put(question->answer, "entries", entries);
	if (directory < 0 ||
	    tree_list(directory, asked.path, (size_t)asked.offset,
		(size_t)asked.limit, &question->arena, &list, err) < 0)
		return -1;
	for (i = 0; i < list.count; i++)
		json_object_array_add(
		    entries, file_entry_render(asked.path, &list.entries[i],
				 &question->arena));
	json_put_integer(question->answer, "total", (int64_t)list.total);
	json_put_boolean(question->answer, "complete", list.complete);
	return 0;
}

static int
answer_entry(struct question *question, struct error *err)
{
	struct asked asked;
	struct stat status;
	auto_fd int directory = open_asked(question, &asked, err);

	if (directory < 0 ||
	    tree_status(directory, asked.path, &status, err) < 0)
		return -1;
	json_put(question->answer, "entry",
	    file_entry_find(directory, asked.path, &question->arena));
	return 0;
}

static int
answer_open(struct question *question, struct error *err)
{
	struct asked asked;
	struct stat status;
	auto_fd int directory = open_asked(question, &asked, err);

	if (directory < 0)
		return -1;
	if (!asked.secrets && strcmp(asked.path, COMPOSE_ENVIRONMENT_FILE) == 0)
		return error_set(err, ERR_FORBIDDEN, NULL,
		    "Permission denied: admin required");
	question->descriptor =
	    tree_open_file(directory, asked.path, &status, err);
	if (question->descriptor < 0)
		return -1;
	json_put_integer(question->answer, "size", (int64_t)status.st_size);
	return 0;
}

struct usage {
	const atomic_bool *cancel;
	int64_t bytes, files, entries, deadline_ms;
};

static int
add_usage(void *context, int parent, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct usage *usage = context;

	(void)parent;
	(void)name;
	(void)path;
	(void)err;
	usage->bytes += (int64_t)status->st_blocks * 512;
	usage->files += S_ISREG(status->st_mode);
	if (++usage->entries % 1024 == 0 &&
	    (clock_monotonic_ms() > usage->deadline_ms ||
		atomic_load(usage->cancel)))
		return 1;
	return usage->entries > WALK_ENTRIES_MAXIMUM;
}

static int
answer_usage(struct question *question, struct error *err)
{
	struct usage usage = { .cancel = &question->agent->stopping,
		.deadline_ms = clock_monotonic_ms() + WALK_TIMEOUT_MS };
	struct asked asked;
	auto_fd int directory = open_asked(question, &asked, err);
	struct error cut;
	int result;

	if (directory < 0)
		return -1;
	result = tree_walk(directory, add_usage, &usage, &cut);
	if (result < 0 && cut.kind != ERR_TOO_LARGE) {
		*err = cut;
		return -1;
	}
	json_put_integer(question->answer, "bytes", usage.bytes);
	json_put_integer(question->answer, "files", usage.files);
	json_put_boolean(question->answer, "complete", result == 0);
	return 0;
}

static int
answer_archive(struct question *question, struct error *err)
{
	struct pack_limits limits = {
		.entries = PACK_ENTRIES_MAXIMUM,
		.total_bytes =
		    question->agent->settings->files.archive_max_bytes,
		.timeout_ms = PACK_TIMEOUT_MS,
		.cancel = &question->agent->stopping,
	};
	struct asked asked;
	auto_fd int directory = open_asked(question, &asked, err);
	auto_fd int staging = -1;
	off_t size;

	if (directory < 0)
		return -1;
	staging = compose_open_staging(question->agent->compose, err);
	if (staging < 0)
		return -1;
	question->descriptor = pack_tree(directory, staging,
	    asked.secrets ? NULL : COMPOSE_ENVIRONMENT_FILE, &limits, &size,
	    err);
	if (question->descriptor < 0)
		return atomic_load(limits.cancel)
			   ? error_set(err, ERR_UNAVAILABLE, NULL,
				 "the service stops")
			   : -1;
	json_put_integer(question->answer, "size", (int64_t)size);
	return 0;
}

static int
answer_upload(struct question *question, struct error *err)
{
	const char *token;
	off_t size;

	if (upload_receive(question->agent, question->fd, &question->arena,
		&token, &size, err) < 0)
		return -1;
	json_put_text(question->answer, "upload", token);
	json_put_integer(question->answer, "size", (int64_t)size);
	return 0;
}

static int
answer_discard(struct question *question, struct error *err)
{
	struct asked asked;

	if (decode_question(question, &asked, err) < 0)
		return -1;
	if (asked.upload != NULL)
		upload_remove(question->agent, asked.upload);
	return 0;
}

question_answerer *
files_answerer(const char *ask, bool *out_heavy)
{
	static const struct {
		const char *ask;
		question_answerer *answer;
		bool is_heavy;
	} rows[] = {
		{ "environment", answer_environment, false },
		{ "list", answer_list, false },
		{ "entry", answer_entry, false },
		{ "open", answer_open, false },
		{ "usage", answer_usage, true },
		{ "archive", answer_archive, true },
		{ "upload", answer_upload, false },
		{ "discard", answer_discard, false },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].ask, ask) != 0)
			continue;
		*out_heavy = rows[i].is_heavy;
		return rows[i].answer;
	}
	return NULL;
}
