/* A deployment under a new name: its files, not what is in its volumes. */
#include "agent/agent.h"
#include "agent/directories.h"
#include "agent/imports-private.h"
#include "agent/ports.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tree.h"
#include "compose/compose.h"
#include "compose/metadata.h"
#include "settings/settings.h"
#include "json/fields.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAXIMUM 100000

struct copy_arguments {
	const char *name;
};

static const struct field copy_fields[] = {
	CODED_FIELD(struct copy_arguments, name, REQUIRED,
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	{ 0 },
};

struct copying {
	int to;
	int64_t bytes_left;
	size_t entries, left_out;
};

static int
fail_too_large(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "DEPLOYMENT_TOO_LARGE",
	    "the deployment has more than may be copied");
}

static int
copy_file(struct copying *copying, int from, int parent, const char *name,
    const struct stat *status, struct error *err)
{
	int64_t size;
	auto_fd int to =
	    file_open(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600, err);

	if (to < 0)
		return -1;
	if (tree_copy_bytes(from, to, copying->bytes_left, &size, err) < 0)
		return err->kind == ERR_TOO_LARGE ? fail_too_large(err) : -1;
	copying->bytes_left -= size;
	if (fchown(to, status->st_uid, status->st_gid) < 0 ||
	    fchmod(to, status->st_mode & 0777) < 0)
		return error_errno(err, "cannot copy '%s'", name);
	return 0;
}

static int
copy_directory(
    int parent, const char *name, const struct stat *status, struct error *err)
{
	auto_fd int fd = -1;

	if (file_make_directory(parent, name, 0700, err) < 0)
		return -1;
	fd = tree_open_directory(parent, name, err);
	if (fd < 0)
		return -1;
	return fchown(fd, status->st_uid, status->st_gid) < 0 ||
		       fchmod(fd, status->st_mode & 0777) < 0
		   ? error_errno(err, "cannot copy '%s'", name)
		   : 0;
}

static int
copy_link(int from, const char *name, int to, struct error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof target - 1);

	if (length < 0)
		return 0;
	target[length] = '\0';
	return symlinkat(target, to, name) < 0
		   ? error_errno(err, "cannot copy '%s'", name)
		   : 0;
}

static int
copy_entry(void *context, int from, const char *name, const char *path,
    const struct stat *status, struct error *err)
{
	struct copying *copying = context;
	const char *last;
	struct stat opened;
	struct error gone;
	auto_fd int parent = -1;
	auto_fd int fd = -1;

	if (++copying->entries > ENTRIES_MAXIMUM)
		return fail_too_large(err);
	parent = tree_open_parent(copying->to, path, false, &last, err);
	if (parent < 0)
		return -1;
	if (S_ISDIR(status->st_mode))
		return copy_directory(parent, last, status, err);
	if (S_ISLNK(status->st_mode))
		return copy_link(from, name, parent, err);
	if (S_ISREG(status->st_mode))
		fd = tree_open_file(from, name, &opened, &gone);
	if (fd < 0) {
		copying->left_out++;
		return 0;
	}
	return copy_file(copying, fd, parent, last, &opened, err);
}

/* Domains lead to one deployment only. Gives the text, or NULL. */
static int
edit_metadata(struct run *run, const char *text, const char *name,
    const char **out, struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	auto_buffer struct buffer formatted = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct json_object *networking, *dropped = json_object_new_array();
	struct error unreadable;

	*out = NULL;
	json_put(run->result, "dropped", dropped);
	if (text == NULL ||
	    metadata_parse(text, strlen(text), &metadata, &unreadable) < 0)
		return 0;
	networking = json_member(metadata, "networking");
	json_put_text(metadata, "name", name);
	if (json_member(metadata, "domains") != NULL) {
		json_object_object_del(metadata, "domains");
		json_object_array_add(
		    dropped, json_object_new_string("domains"));
	}
	if (json_text(networking, "domain") != NULL) {
		json_object_object_del(networking, "domain");
		json_put_boolean(networking, "expose", false);
		json_object_array_add(
		    dropped, json_object_new_string("networking.domain"));
	}
	if (metadata_format(metadata, &formatted, err) < 0)
		return -1;
	*out = arena_strdup(&run->arena, buffer_string(&formatted));
	return 0;
}

static int
edit_files(struct run *run, int directory, const char *name, struct error *err)
{
	struct compose_files files;
	const char *compose, *metadata;

	if (compose_read_directory(run->agent->compose, directory, name,
		&run->arena, &files, err) < 0 ||
	    import_rename(run, &files, NULL, name, &compose, err) < 0 ||
	    edit_metadata(run, files.metadata, name, &metadata, err) < 0 ||
	    file_write(directory, files.filename, compose, strlen(compose),
		0644, err) < 0)
		return -1;
	return metadata == NULL ? 0
				: file_write(directory, COMPOSE_METADATA_FILE,
				      metadata, strlen(metadata), 0644, err);
}

static void
describe_volumes(struct json_object *conflicts, const struct document *document)
{
	const char *const *volumes;
	size_t count, i;

	volumes = document_shared_volumes(document, &count);
	for (i = 0; i < count; i++) {
		struct json_object *conflict = json_object_new_object();

		json_put_text(conflict, "type", "volume");
		json_put_text(conflict, "volume", volumes[i]);
		json_object_array_add(conflicts, conflict);
	}
}

/*
 * Ports of the host that both want, so that only one of them can run, and
 * volumes that both would write to.
 */
static void
describe_conflicts(struct run *run, const struct document *document)
{
	struct json_object *conflicts = json_object_new_array();
	const struct compose_host_port *ports;
	size_t count, i;

	ports = document_host_ports(document, &count);
	for (i = 0; i < count; i++) {
		struct json_object *conflict = json_object_new_object();

		json_put_text(conflict, "type", "port");
		json_put_text(conflict, "service", ports[i].service);
		json_put_integer(conflict, "port", ports[i].port);
		json_put_text(conflict, "protocol", ports[i].protocol);
		json_object_array_add(conflicts, conflict);
	}
	describe_volumes(conflicts, document);
	json_put(run->result, "conflicts", conflicts);
}

static int
make_copy(struct run *run, int source, int directory, const char *staged,
    const char *name, struct error *err)
{
	struct copying copying = { .to = directory,
		.bytes_left = run->agent->settings->files.archive_max_bytes };
	struct document *document;

	if (tree_walk(source, copy_entry, &copying, err) < 0 ||
	    edit_files(run, directory, name, err) < 0 ||
	    import_check(run, directory, name, &document, err) < 0)
		return -1;
	if (syncfs(directory) < 0)
		return error_errno(err, "cannot sync the files");
	if (compose_publish(run->agent->compose, staged, name, err) < 0)
		return -1;
	describe_conflicts(run, document);
	json_put_integer(run->result, "skipped", (int64_t)copying.left_out);
	return 0;
}

int
copy_deployment(struct run *run, struct error *err)
{
	struct copy_arguments arguments = { 0 };
	char staged[COMPOSE_STAGED_SIZE];
	auto_fd int source = -1;
	auto_fd int directory = -1;
	struct error unread;
	const char *filename;
	int failed;

	if (run_decode(run, copy_fields, &arguments, err) < 0)
		return -1;
	source = compose_open_deployment(
	    run->agent->compose, run->subject, &run->arena, &filename, err);
	if (source < 0)
		return -1;
	directory = compose_stage(run->agent->compose, staged, err);
	if (directory < 0)
		return -1;
	run->result = json_object_new_object();
	failed = make_copy(run, source, directory, staged, arguments.name, err);
	import_unstage(run, staged);
	if (failed)
		return -1;
	json_put_text(run->result, "name", arguments.name);
	json_put_text(run->result, "source", run->subject);
	json_put_boolean(run->result, "volumes_copied", false);
	json_put_text(run->result, "message",
	    "Deployment copied; what is in its volumes was not");
	if (directories_refresh(
		run->agent, run->store, arguments.name, &unread) < 0)
		log_error(LOG_WARNING, "cannot refresh a deployment", &unread);
	return 0;
}
