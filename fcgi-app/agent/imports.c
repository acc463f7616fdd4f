#include "agent/imports.h"

#include "agent/agent.h"
#include "agent/creation.h"
#include "agent/extract.h"
#include "agent/imports-private.h"
#include "agent/uploads.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "jobs/protocol.h"
#include "json/fields.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct import_arguments {
	const char *upload;
	bool auto_start;
};

static const struct field import_fields[] = {
	STRING_FIELD(struct import_arguments, upload, REQUIRED,
	    upload_token_is_valid, "a token"),
	BOOL_FIELD(struct import_arguments, auto_start, OPTIONAL),
	{ 0 },
};

/* Secrets are nobody's but the owner's, whatever the archive says. */
static int
protect_environment(int directory, struct error *err)
{
	struct stat status;
	auto_fd int fd =
	    tree_open_file(directory, COMPOSE_ENVIRONMENT_FILE, &status, err);

	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return fchmod(fd, 0600) < 0 || fchown(fd, 0, 0) < 0
		   ? error_errno(err, "cannot keep the environment")
		   : 0;
}

static int
check_variables(
    struct run *run, const struct compose_files *files, struct error *err)
{
	struct compose_variable *variables;
	size_t count;

	return files->environment == NULL
		   ? 0
		   : compose_environment_parse(files->environment, &run->arena,
			 &variables, &count, err);
}

static int
write_metadata(int directory, const char *name, struct document *document,
    const struct compose_files *files, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);

	if (files->metadata != NULL) {
		if (metadata_parse(files->metadata, strlen(files->metadata),
			&metadata, err) < 0)
			return -1;
		return metadata_check(metadata, err);
	}
	metadata = metadata_default(name, document);
	if (metadata_format(metadata, &text, err) < 0)
		return -1;
	return file_write(directory, COMPOSE_METADATA_FILE, text.bytes,
	    text.length, 0644, err);
}

int
import_check(struct run *run, int directory, const char *name,
    struct document **out, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(2 * COMPOSE_TEXT_MAXIMUM);
	struct compose *compose = run->agent->compose;
	struct compose_files files;

	if (compose_read_directory(
		compose, directory, name, &run->arena, &files, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		return error_set(err, ERR_INVALID, "INVALID_ARCHIVE",
		    "there is no Compose file in it");
	}
	if (check_variables(run, &files, err) < 0 ||
	    compose_check(compose, name, files.compose, files.compose_length,
		files.environment, &run->arena, out, err) < 0 ||
	    document_name_containers(*out, name, &text, err) < 0 ||
	    file_write(directory, files.filename, text.bytes, text.length, 0644,
		err) < 0 ||
	    write_metadata(directory, name, *out, &files, err) < 0)
		return -1;
	return protect_environment(directory, err);
}

/* Whether there is anything that could be the Compose file. */
static bool
has_compose_file(struct run *run, int directory)
{
	struct compose_files files;
	struct error failed;

	return compose_read_directory(run->agent->compose, directory,
		   run->subject, &run->arena, &files, &failed) == 0 ||
	       failed.kind != ERR_NOT_FOUND;
}

/*
 * Many pack the directory and not what is in it: then that one is what is
 * looked for. Gives its path in the staging area.
 */
static int
find_top(struct run *run, int directory, const char *staged, const char **out,
    struct error *err)
{
	struct tree_list list;

	*out = staged;
	if (has_compose_file(run, directory))
		return 0;
	if (tree_list(directory, "", 0, 2, &run->arena, &list, err) < 0)
		return -1;
	if (list.count == 1 && S_ISDIR(list.entries[0].status.st_mode))
		*out = arena_printf(
		    &run->arena, "%s/%s", staged, list.entries[0].name);
	return 0;
}

/*
 * An archive of a deployment that is called otherwise, by its own service.yml:
 * names of that would keep both from running.
 */
static int
rename_import(struct run *run, int directory, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer formatted = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct compose_files files;
	struct error unreadable;
	const char *from, *text;

	/* What is wrong with it is found when it is checked. */
	if (compose_read_directory(run->agent->compose, directory, run->subject,
		&run->arena, &files, &unreadable) < 0 ||
	    files.metadata == NULL ||
	    metadata_parse(files.metadata, strlen(files.metadata), &metadata,
		&unreadable) < 0)
		return 0;
	from = json_text(metadata, "name");
	if (from == NULL || !compose_name_is_valid(from) ||
	    strcmp(from, run->subject) == 0)
		return 0;
	if (import_rename(run, &files, from, run->subject, &text, err) < 0)
		return -1;
	json_put_text(metadata, "name", run->subject);
	if (metadata_format(metadata, &formatted, err) < 0 ||
	    file_write(
		directory, files.filename, text, strlen(text), 0644, err) < 0)
		return -1;
	return file_write(directory, COMPOSE_METADATA_FILE, formatted.bytes,
	    formatted.length, 0644, err);
}

/* The directory within the staged one takes the name that it has alone. */
static int
publish(struct run *run, int staging, const char *path, struct error *err)
{
	char name[COMPOSE_STAGED_SIZE];

	if (strchr(path, '/') == NULL)
		return compose_publish(
		    run->agent->compose, path, run->subject, err);
	random_hex(name, sizeof name - 1);
	if (renameat(staging, path, staging, name) < 0)
		return error_errno(err, "cannot create '%s'", run->subject);
	if (compose_publish(run->agent->compose, name, run->subject, err) == 0)
		return 0;
	renameat(staging, name, staging, path);
	return -1;
}

static void
describe_extracted(struct run *run, const struct extracted *extracted)
{
	run->result = json_object_new_object();
	json_put_integer(run->result, "files", (int64_t)extracted->files);
	json_put_integer(run->result, "skipped", (int64_t)extracted->left_out);
	json_put_integer(run->result, "bytes", extracted->bytes);
}

static int
make_import(struct run *run, const char *token, int directory,
    const char *staged, const char **out_project, struct error *err)
{
	auto_fd int staging = compose_open_staging(run->agent->compose, err);
	auto_fd int top = -1;
	struct extracted extracted;
	struct document *document;
	const char *path;

	if (staging < 0 ||
	    extract_upload(run, token, directory, &extracted, err) < 0 ||
	    find_top(run, directory, staged, &path, err) < 0)
		return -1;
	top = tree_open_directory(staging, path, err);
	if (top < 0 || rename_import(run, top, err) < 0 ||
	    import_check(run, top, run->subject, &document, err) < 0 ||
	    file_sync(top, err) < 0 || publish(run, staging, path, err) < 0)
		return -1;
	*out_project = compose_project_name(document, run->subject);
	describe_extracted(run, &extracted);
	return 0;
}

void
import_unstage(struct run *run, const char *staged)
{
	struct error ignored;
	auto_fd int staging =
	    compose_open_staging(run->agent->compose, &ignored);

	if (staging >= 0)
		file_remove_tree(staging, staged, &ignored);
}

static int
import_deployment(struct run *run, struct error *err)
{
	struct import_arguments arguments = { 0 };
	char staged[COMPOSE_STAGED_SIZE];
	auto_fd int directory = -1;
	const char *project;
	int failed;

	if (run_decode(run, import_fields, &arguments, err) < 0)
		return -1;
	directory = compose_stage(run->agent->compose, staged, err);
	if (directory < 0)
		return -1;
	failed = make_import(
	    run, arguments.upload, directory, staged, &project, err);
	/* What was published is not there any more. */
	import_unstage(run, staged);
	upload_remove(run->agent, arguments.upload);
	if (failed)
		return -1;
	creation_finish(run, project, arguments.auto_start);
	return 0;
}

const struct job_kind import_jobs[] = {
	{ JOB_IMPORT, compose_name_is_valid, import_deployment },
	{ JOB_COPY, compose_name_is_valid, copy_deployment },
	{ 0 },
};
