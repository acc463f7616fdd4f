#include "agent/file-push.h"

#include "agent/agent.h"
#include "agent/directories.h"
#include "agent/extract.h"
#include "agent/uploads.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tree.h"
#include "compose/compose.h"
#include "json/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct push_arguments {
	const char *path;    /* of the directory */
	const char *upload;  /* the archive: a token, or */
	const char *archive; /* a path */
	bool exact;          /* what it has not is deleted */
};

static const struct field push_fields[] = {
	TEXT_FIELD(struct push_arguments, path, OPTIONAL, PATH_MAX),
	STRING_FIELD(struct push_arguments, upload, OPTIONAL,
	    upload_token_is_valid, "a token"),
	TEXT_FIELD(struct push_arguments, archive, OPTIONAL, PATH_MAX),
	BOOL_FIELD(struct push_arguments, exact, OPTIONAL),
	{ 0 },
};

/* The unpacked archive, and the directory that its files go to. */
struct push {
	int from, to;
	bool is_top; /* of the deployment, where some names are taken */
	size_t written, deleted;
};

/* Before anything changes. */
static int
check_names(struct run *run, const struct push *push, struct error *err)
{
	struct tree_list list;
	size_t i;

	if (!push->is_top)
		return 0;
	if (tree_list(push->from, "", 0, 100000, &run->arena, &list, err) < 0)
		return -1;
	for (i = 0; i < list.count; i++)
		if (compose_file_is_managed(list.entries[i].name))
			return error_set(err, ERR_FORBIDDEN, "MANAGED_FILE",
			    "'%.200s' belongs to the deployment itself",
			    list.entries[i].name);
	return 0;
}

static bool
is_same_kind(const struct stat *left, const struct stat *right)
{
	return (left->st_mode & S_IFMT) == (right->st_mode & S_IFMT);
}

static int
put_file(
    int from, const char *name, int parent, const char *last, struct error *err)
{
	if (renameat(from, name, parent, last) == 0)
		return 0;
	if (errno == EXDEV)
		return error_set(err, ERR_CONFLICT, "OTHER_FILE_SYSTEM",
		    "'%.200s' is on a file system of its own", last);
	return error_errno(err, "cannot write '%s'", last);
}

static int
place_entry(void *context, int from, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct push *push = context;
	struct error missing;
	const char *last;
	struct stat old;
	auto_fd int parent = tree_open_parent(push->to, path, true, &last, err);
	auto_fd int made = -1;

	if (parent < 0)
		return -1;
	if (tree_status(parent, last, &old, &missing) == 0 &&
	    !is_same_kind(&old, status))
		return error_set(err, ERR_CONFLICT, "OTHER_KIND",
		    "'%.200s' is there, and something else", path);
	if (!S_ISDIR(status->st_mode)) {
		push->written++;
		return put_file(from, name, parent, last, err);
	}
	if (file_make_directory(parent, last, 0755, err) < 0)
		return -1;
	made = tree_open_directory(parent, last, err);
	if (made < 0)
		return -1;
	return fchmod(made, status->st_mode & 0777) < 0
		   ? error_errno(err, "cannot create '%s'", last)
		   : 0;
}

/* Nothing is placed when something of another kind is in the way. */
static int
check_entry(void *context, int from, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct push *push = context;
	struct stat old;

	(void)from;
	(void)name;
	if (tree_status(push->to, path, &old, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return is_same_kind(&old, status)
		   ? 0
		   : error_set(err, ERR_CONFLICT, "OTHER_KIND",
			 "'%.200s' is there, and something else", path);
}

struct leftovers {
	struct push *push;
	struct arena *arena;
	const char **paths;
	size_t count, allocated;
};

/* Notes what the archive has not; what is beneath it goes along. */
static int
note_leftover(void *context, int parent, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct leftovers *leftovers = context;
	struct push *push = leftovers->push;
	struct error missing;
	struct stat kept;

	(void)parent;
	(void)name;
	(void)status;
	(void)err;
	if ((push->is_top && compose_file_is_managed(path)) ||
	    tree_status(push->from, path, &kept, &missing) == 0)
		return 0;
	leftovers->paths = arena_grow(leftovers->arena, leftovers->paths,
	    leftovers->count, &leftovers->allocated, sizeof *leftovers->paths);
	leftovers->paths[leftovers->count++] =
	    arena_strdup(leftovers->arena, path);
	return 0;
}

static int
delete_leftovers(struct run *run, struct push *push, struct error *err)
{
	struct leftovers leftovers = { .push = push, .arena = &run->arena };
	size_t i;

	if (tree_walk(push->to, note_leftover, &leftovers, err) < 0)
		return -1;
	for (i = 0; i < leftovers.count; i++) {
		const char *last;
		struct error gone;
		auto_fd int parent = tree_open_parent(
		    push->to, leftovers.paths[i], false, &last, &gone);

		/* It went with the directory that it was in. */
		if (parent < 0)
			continue;
		if (file_remove_tree(parent, last, err) < 0)
			return -1;
		push->deleted++;
	}
	return 0;
}

/* The directory that the files go to, made if it is not there. */
static int
open_destination(struct run *run, const char *path, struct error *err)
{
	const char *filename, *name;
	auto_fd int top = compose_open_deployment(
	    run->agent->compose, run->subject, &run->arena, &filename, err);
	auto_fd int parent = -1;

	if (top < 0)
		return -1;
	if (*path == '\0')
		return take_fd(&top);
	if (compose_file_is_managed(path))
		return error_set(err, ERR_FORBIDDEN, "MANAGED_FILE",
		    "'%.200s' belongs to the deployment itself", path);
	parent = tree_open_parent(top, path, true, &name, err);
	if (parent < 0 || file_make_directory(parent, name, 0755, err) < 0)
		return -1;
	return tree_open_directory(parent, name, err);
}

static int
push_unpacked(struct run *run, struct push *push,
    const struct push_arguments *arguments, struct error *err)
{
	if (check_names(run, push, err) < 0 ||
	    tree_walk(push->from, check_entry, push, err) < 0)
		return -1;
	if (arguments->exact && delete_leftovers(run, push, err) < 0)
		return -1;
	if (tree_walk(push->from, place_entry, push, err) < 0)
		return -1;
	return syncfs(push->to) < 0 ? error_errno(err, "cannot sync the files")
				    : 0;
}

/* Sent for this, or one of the deployment's files. */
static int
open_archive(
    struct run *run, const struct push_arguments *arguments, struct error *err)
{
	const char *filename;
	struct stat status;
	auto_fd int top = -1;

	if (arguments->upload != NULL)
		return upload_open(run->agent, arguments->upload, err);
	if (arguments->archive == NULL)
		return error_field(err, "archive", NULL, "archive is required");
	top = compose_open_deployment(
	    run->agent->compose, run->subject, &run->arena, &filename, err);
	return top < 0 ? -1
		       : tree_open_file(top, arguments->archive, &status, err);
}

static int
run_push(struct run *run, struct push *push,
    const struct push_arguments *arguments, struct error *err)
{
	auto_fd int archive = open_archive(run, arguments, err);
	struct extracted extracted;
	struct error unread;
	int failed;

	if (archive < 0 ||
	    extract_archive(run, archive, push->from, &extracted, err) < 0)
		return -1;
	push->to = open_destination(run, arguments->path, err);
	if (push->to < 0)
		return -1;
	failed = push_unpacked(run, push, arguments, err);
	close(push->to);
	json_put_integer(run->result, "written", (int64_t)push->written);
	json_put_integer(run->result, "deleted", (int64_t)push->deleted);
	json_put_integer(run->result, "skipped", (int64_t)extracted.left_out);
	if (directories_refresh(run->agent, run->store, run->subject, &unread) <
	    0)
		log_error(LOG_WARNING, "cannot refresh a deployment", &unread);
	return failed;
}

int
push_files(struct run *run, struct error *err)
{
	struct push_arguments arguments = { .path = "" };
	char staged[COMPOSE_STAGED_SIZE];
	struct push push = { .from = -1 };
	struct error ignored;
	auto_fd int staging = -1;
	int failed;

	if (run_decode(run, push_fields, &arguments, err) < 0)
		return -1;
	push.is_top = *arguments.path == '\0';
	staging = compose_open_staging(run->agent->compose, err);
	if (staging < 0)
		return -1;
	push.from = compose_stage(run->agent->compose, staged, err);
	if (push.from < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_text(run->result, "destination",
	    arena_printf(&run->arena, "/%s", arguments.path));
	failed = run_push(run, &push, &arguments, err);
	close(push.from);
	file_remove_tree(staging, staged, &ignored);
	if (arguments.upload != NULL)
		upload_remove(run->agent, arguments.upload);
	return failed;
}
