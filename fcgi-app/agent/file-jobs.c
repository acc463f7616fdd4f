#include "agent/file-jobs.h"

#include "agent/agent.h"
#include "agent/directories.h"
#include "agent/file-entry.h"
#include "agent/file-push.h"
#include "agent/updates.h"
#include "agent/uploads.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tree.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "jobs/protocol.h"
#include "json/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_arguments {
	const char *path;     /* "" is the deployment's directory */
	const char *upload;   /* a token */
	const char *filename; /* the client's name of what it sent */
	int64_t mode;
	bool recursive;
};

static const struct field file_fields[] = {
	TEXT_FIELD(struct file_arguments, path, OPTIONAL, PATH_MAX),
	STRING_FIELD(struct file_arguments, upload, OPTIONAL,
	    upload_token_is_valid, "a token"),
	TEXT_FIELD(struct file_arguments, filename, OPTIONAL, NAME_MAX),
	INTEGER_FIELD(struct file_arguments, mode, OPTIONAL, 0, 0777),
	BOOL_FIELD(struct file_arguments, recursive, OPTIONAL),
	{ 0 },
};

/* Decodes the arguments and opens the deployment's directory. */
static int
open_files(struct run *run, struct file_arguments *out,
    const char **out_compose, struct error *err)
{
	*out = (struct file_arguments){ .path = "", .mode = -1 };
	if (run_decode(run, file_fields, out, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	return compose_open_deployment(
	    run->agent->compose, run->subject, &run->arena, out_compose, err);
}

/* What is there now, for the answer; and the time of the deployment. */
static void
finish_change(
    struct run *run, int directory, const char *path, const char *member)
{
	struct error err;

	json_put_text(
	    run->result, "path", arena_printf(&run->arena, "/%s", path));
	json_put(
	    run->result, member, file_entry_find(directory, path, &run->arena));
	if (directories_refresh(run->agent, run->store, run->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a deployment", &err);
}

static int
refuse_top(const char *path, struct error *err)
{
	if (*path != '\0')
		return 0;
	return error_field(err, "path", "UNSAFE_PATH",
	    "this is the deployment's own directory");
}

static int
refuse_managed(const char *path, struct error *err)
{
	if (!compose_file_is_managed(path))
		return 0;
	return error_set(err, ERR_FORBIDDEN, "MANAGED_FILE",
	    "'%.200s' belongs to the deployment itself", path);
}

/* Where the upload goes: into the directory that path is, by its own name. */
static int
choose_path(struct run *run, int directory, struct file_arguments *arguments,
    struct error *err)
{
	struct stat status;
	struct error missing;

	if (*arguments->path != '\0' &&
	    (tree_status(directory, arguments->path, &status, &missing) < 0 ||
		!S_ISDIR(status.st_mode)))
		return 0;
	if (arguments->filename == NULL)
		return error_set(err, ERR_CONFLICT, "IS_A_DIRECTORY",
		    "'%.200s' is a directory", arguments->path);
	if (strchr(arguments->filename, '/') != NULL)
		return error_field(err, "file", "UNSAFE_PATH",
		    "the file's name must be a plain one");
	arguments->path = *arguments->path == '\0'
			      ? arguments->filename
			      : arena_printf(&run->arena, "%s/%s",
				    arguments->path, arguments->filename);
	return 0;
}

static int
read_upload(
    struct run *run, const char *token, const char **out, struct error *err)
{
	auto_fd int fd = upload_open(run->agent, token, err);
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	char chunk[8192];
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, chunk, sizeof chunk)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "cannot read the file");
		if (buffer_append(&text, chunk, (size_t)got) < 0)
			return error_set(err, ERR_TOO_LARGE, NULL,
			    "the file is larger than %zu bytes", text.maximum);
	}
	if (memchr(buffer_string(&text), '\0', text.length) != NULL)
		return error_field(err, "file", NULL, "the file is not a text");
	*out = arena_strndup(&run->arena, buffer_string(&text), text.length);
	return 0;
}

/* service.yml and the environment have no other check of their own. */
static int
check_text(struct run *run, const char *path, const char *text,
    struct update *update, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	struct compose_variable *variables;
	size_t count;

	if (strcmp(path, COMPOSE_ENVIRONMENT_FILE) == 0) {
		update->environment = text;
		return compose_environment_parse(
		    text, &run->arena, &variables, &count, err);
	}
	if (strcmp(path, COMPOSE_METADATA_FILE) == 0) {
		update->metadata = text;
		if (metadata_parse(text, strlen(text), &metadata, err) < 0)
			return -1;
		return metadata_check(metadata, err);
	}
	update->compose = text;
	return 0;
}

static int
write_managed(struct run *run, const struct file_arguments *arguments,
    const char *compose_name, struct error *err)
{
	struct update update = { .reason = "file written" };
	const char *text;

	if (strcmp(arguments->path, COMPOSE_ENVIRONMENT_FILE) != 0 &&
	    strcmp(arguments->path, COMPOSE_METADATA_FILE) != 0 &&
	    strcmp(arguments->path, compose_name) != 0)
		return refuse_managed(arguments->path, err);
	if (read_upload(run, arguments->upload, &text, err) < 0 ||
	    check_text(run, arguments->path, text, &update, err) < 0)
		return -1;
	return update_apply(run, &update, err);
}

static int
place_file(struct run *run, int directory,
    const struct file_arguments *arguments, struct error *err)
{
	const char *name;
	auto_fd int parent =
	    tree_open_parent(directory, arguments->path, true, &name, err);

	return parent < 0 ? -1
			  : upload_place(run->agent, arguments->upload, parent,
				name, err);
}

static int
write_file(struct run *run, struct error *err)
{
	struct file_arguments arguments;
	const char *compose_name;
	auto_fd int directory = open_files(run, &arguments, &compose_name, err);
	int failed;

	if (directory < 0)
		return -1;
	if (arguments.upload == NULL)
		return error_field(err, "upload", NULL, "upload is required");
	failed = choose_path(run, directory, &arguments, err) < 0;
	if (!failed && compose_file_is_managed(arguments.path))
		failed = write_managed(run, &arguments, compose_name, err) < 0;
	else if (!failed)
		failed = place_file(run, directory, &arguments, err) < 0;
	upload_remove(run->agent, arguments.upload);
	if (failed)
		return -1;
	finish_change(run, directory, arguments.path, "file");
	return 0;
}

/* The same for a path that is none of the deployment's own files. */
static int
open_unmanaged(struct run *run, struct file_arguments *out, struct error *err)
{
	const char *unused;
	auto_fd int directory = open_files(run, out, &unused, err);

	if (directory < 0 || refuse_top(out->path, err) < 0 ||
	    refuse_managed(out->path, err) < 0)
		return -1;
	return take_fd(&directory);
}

static int
touch_file(struct run *run, struct error *err)
{
	struct file_arguments arguments;
	const char *name;
	auto_fd int directory = open_unmanaged(run, &arguments, err);
	auto_fd int parent = -1;
	struct stat status;
	struct error missing;

	if (directory < 0)
		return -1;
	parent = tree_open_parent(directory, arguments.path, true, &name, err);
	if (parent < 0)
		return -1;
	if (tree_status(parent, name, &status, &missing) < 0) {
		if (file_write(parent, name, "", 0, 0644, err) < 0)
			return -1;
	} else if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
		return error_set(err, ERR_INVALID, "UNSAFE_PATH",
		    "'%.200s' is not a regular file", name);
	} else if (utimensat(parent, name, NULL, AT_SYMLINK_NOFOLLOW) < 0) {
		return error_errno(err, "cannot touch '%s'", name);
	}
	finish_change(run, directory, arguments.path, "file");
	return 0;
}

static int
make_directory(struct run *run, struct error *err)
{
	struct file_arguments arguments;
	const char *name;
	auto_fd int directory = open_unmanaged(run, &arguments, err);
	auto_fd int parent = -1;
	struct stat status;
	struct error missing;

	if (directory < 0)
		return -1;
	parent = tree_open_parent(directory, arguments.path, true, &name, err);
	if (parent < 0)
		return -1;
	if (tree_status(parent, name, &status, &missing) == 0)
		return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
		    "'%.200s' exists already", arguments.path);
	if (file_make_directory(parent, name, 0755, err) < 0 ||
	    file_sync(parent, err) < 0)
		return -1;
	finish_change(run, directory, arguments.path, "directory");
	return 0;
}

/* A directory with something in it goes only when that is asked for. */
static int
remove_entry(int parent, const char *name, bool recursive, struct error *err)
{
	struct stat status;

	if (tree_status(parent, name, &status, err) < 0)
		return -1;
	if (S_ISDIR(status.st_mode) && !recursive) {
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
			return file_sync(parent, err);
		if (errno == ENOTEMPTY || errno == EEXIST)
			return error_set(err, ERR_CONFLICT,
			    "DIRECTORY_NOT_EMPTY",
			    "'%.200s' is not empty; recursive=true deletes it "
			    "with all that is in it",
			    name);
		return error_errno(err, "cannot delete '%s'", name);
	}
	if (file_remove_tree(parent, name, err) < 0)
		return -1;
	return file_sync(parent, err);
}

static int
delete_file(struct run *run, struct error *err)
{
	struct file_arguments arguments;
	const char *name;
	auto_fd int directory = open_unmanaged(run, &arguments, err);
	auto_fd int parent = -1;

	if (directory < 0)
		return -1;
	parent = tree_open_parent(directory, arguments.path, false, &name, err);
	if (parent < 0 ||
	    remove_entry(parent, name, arguments.recursive, err) < 0)
		return -1;
	finish_change(run, directory, arguments.path, "file");
	return 0;
}

/* By a descriptor: fchmodat(2) would follow a link. */
static int
set_permissions(struct run *run, struct error *err)
{
	struct file_arguments arguments;
	auto_fd int directory = open_unmanaged(run, &arguments, err);
	auto_fd int fd = -1;
	struct stat status;

	if (directory < 0)
		return -1;
	if (arguments.mode < 0)
		return error_field(err, "mode", NULL, "mode is required");
	if (tree_status(directory, arguments.path, &status, err) < 0)
		return -1;
	fd = S_ISDIR(status.st_mode)
		 ? tree_open_directory(directory, arguments.path, err)
		 : tree_open_file(directory, arguments.path, &status, err);
	if (fd < 0)
		return -1;
	if (fchmod(fd, (mode_t)arguments.mode) < 0)
		return error_errno(err, "cannot set the permissions");
	if (file_sync(fd, err) < 0)
		return -1;
	finish_change(run, directory, arguments.path, "file");
	return 0;
}

const struct job_kind file_jobs[] = {
	{ JOB_WRITE_FILE, compose_name_is_valid, write_file, LANE_ENGINE },
	{ JOB_TOUCH_FILE, compose_name_is_valid, touch_file, LANE_ENGINE },
	{ JOB_MAKE_DIRECTORY, compose_name_is_valid, make_directory,
	    LANE_ENGINE },
	{ JOB_DELETE_FILE, compose_name_is_valid, delete_file, LANE_ENGINE },
	{ JOB_PUSH_FILES, compose_name_is_valid, push_files, LANE_ENGINE },
	{ JOB_PERMISSIONS, compose_name_is_valid, set_permissions,
	    LANE_ENGINE },
	{ 0 },
};
