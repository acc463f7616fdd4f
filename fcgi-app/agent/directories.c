#include "agent/directories.h"

#include "agent/agent.h"
#include "agent/version.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "compose/metadata.h"
#include "settings/settings.h"
#include "store/mirror.h"
#include "store/store.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_MS 50
#define SETTLE_MAXIMUM_MS 500
#define UNWATCHED_LOOK_MS 3000
#define CHANGES \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

struct watch {
	int id;
	char name[64];
};

struct directories {
	struct agent *agent;
	pthread_t thread;
	int wake;    /* eventfd: stop */
	int inotify; /* -1: none to be had, see open_watch() */
	int root;    /* watch id */
	struct watch *watches;
	size_t count, allocated;
	bool all_dirty;
	int64_t look_at_ms; /* monotonic: all of them again */
	char (*dirty)[64];
	size_t dirty_count, dirty_allocated;
};

static struct json_object *
list_of(const char *const *texts, size_t count)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(texts[i]));
	return list;
}

static const char *
format_services(const struct document *document, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	const struct compose_service *primary;
	const struct compose_service *services;
	size_t count, i;

	if (document == NULL)
		return "[]";
	services = document_services(document, &count);
	primary = document_primary_service(document);
	for (i = 0; i < count; i++) {
		struct json_object *service = json_object_new_object();

		json_put_text(service, "name", services[i].name);
		json_put_text(service, "image", services[i].image);
		json_put_boolean(service, "has_build", services[i].has_build);
		json_put(service, "ports",
		    list_of(services[i].ports, services[i].port_count));
		json_put(service, "networks",
		    list_of(services[i].networks, services[i].network_count));
		json_put_boolean(
		    service, "is_primary", &services[i] == primary);
		json_object_array_add(list, service);
	}
	return arena_strdup(arena, json_serialize(list, NULL));
}

static struct json_object *
read_metadata(const char *name, const struct compose_files *files,
    const struct document *document)
{
	struct json_object *metadata = NULL;
	struct error ignored;

	if (files->metadata != NULL &&
	    metadata_parse(files->metadata, strlen(files->metadata), &metadata,
		&ignored) == 0 &&
	    metadata != NULL)
		return metadata;
	return metadata_default(name, document);
}

/* People may save anything; what becomes JSON has to be text. */
static const char *
as_text(struct arena *arena, const char *bytes, size_t length)
{
	auto_buffer struct buffer text = BUFFER(3 * COMPOSE_TEXT_MAXIMUM);

	if (memchr(bytes, '\0', length) == NULL && utf8_is_valid(bytes, length))
		return bytes;
	utf8_append_repaired(&text, bytes, strnlen(bytes, length));
	return arena_strdup(arena, buffer_string(&text));
}

/* Whatever the files hold becomes a row: what cannot run says why. */
static void
describe(struct agent *agent, const char *name,
    const struct compose_files *files, struct arena *arena,
    struct mirror_deployment *out)
{
	auto_json struct json_object *metadata = NULL;
	struct document *document = NULL, *checked;
	char version[SEAL_TEXT_SIZE];
	struct error err;
	const char *type;

	*out = (struct mirror_deployment){
		.name = name,
		.path = arena_printf(
		    arena, "%s/%s", agent->settings->deployments_path, name),
		.filename =
		    as_text(arena, files->filename, strlen(files->filename)),
		.compose =
		    as_text(arena, files->compose, files->compose_length),
		.problem = "",
		.modified_at_ms = files->modified_at_ms,
	};
	if (document_parse(files->compose, files->compose_length, arena,
		&document, &err) < 0)
		document = NULL;
	if (compose_check(agent->compose, name, files->compose,
		files->compose_length, files->environment, arena, &checked,
		&err) < 0)
		out->problem = arena_strdup(arena, err.message);
	else
		document = checked;
	version_of_files(agent, files, version);
	out->version = arena_strdup(arena, version);
	metadata = read_metadata(name, files, document);
	type = json_text(metadata, "type");
	out->project =
	    document != NULL ? compose_project_name(document, name) : name;
	out->type = arena_strdup(arena, type ? type : "");
	out->services = format_services(document, arena);
	out->metadata = arena_strdup(arena, json_serialize(metadata, NULL));
}

static int
read_and_store(struct agent *agent, struct store *store, const char *name,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct compose_files files;
	struct mirror_deployment row;
	bool changed = false, exists = true;
	int failed;

	if (compose_read(agent->compose, name, &arena, &files, err) < 0) {
		if (err->kind != ERR_NOT_FOUND && err->kind != ERR_INVALID &&
		    err->kind != ERR_TOO_LARGE)
			return -1;
		exists = false;
	} else {
		describe(agent, name, &files, &arena, &row);
	}
	if (store_begin(store, err) < 0)
		return -1;
	failed = exists ? mirror_deployment_put(store, &row, &changed, err)
			: mirror_deployment_delete(store, name, &changed, err);
	if (failed) {
		store_rollback(store);
		return -1;
	}
	return mirror_commit(store, changed, err);
}

/* One at a time: what was read first must not be stored last. */
int
directories_refresh(struct agent *agent, struct store *store, const char *name,
    struct error *err)
{
	static pthread_mutex_t refreshing = PTHREAD_MUTEX_INITIALIZER;
	int failed;

	pthread_mutex_lock(&refreshing);
	failed = read_and_store(agent, store, name, err);
	pthread_mutex_unlock(&refreshing);
	return failed;
}

static int
compare_names(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

/* Files that cannot be read keep nothing else from being: next time, then. */
static int
refresh_one(struct agent *agent, struct store *store, const char *name,
    struct error *err)
{
	if (directories_refresh(agent, store, name, err) == 0)
		return 0;
	if (err->kind != ERR_INTERNAL)
		return -1;
	log_error(LOG_WARNING, "cannot read a deployment", err);
	return 0;
}

/* All that exist, and all that the mirror still has. */
static int
refresh_all(struct agent *agent, struct store *store, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct mirror_deployment *known;
	const char *const *names;
	size_t name_count, known_count, i;

	if (compose_list(agent->compose, &arena, &names, &name_count, err) < 0)
		return -1;
	for (i = 0; i < name_count; i++)
		if (refresh_one(agent, store, names[i], err) < 0)
			return -1;
	if (mirror_deployment_list(store, &arena, &known, &known_count, err) <
	    0)
		return -1;
	for (i = 0; i < known_count; i++)
		if (name_count == 0 ||
		    bsearch(known[i].name, names, name_count, sizeof *names,
			compare_names) == NULL)
			if (refresh_one(agent, store, known[i].name, err) < 0)
				return -1;
	return 0;
}

/* Watching. */

static struct watch *
find_watch(const struct directories *directories, int id)
{
	size_t i;

	for (i = 0; i < directories->count; i++)
		if (directories->watches[i].id == id)
			return &directories->watches[i];
	return NULL;
}

static void
add_watch(struct directories *directories, const char *name)
{
	struct watch *watch;
	char path[4096];
	int id;

	snprintf(path, sizeof path, "%s/%s",
	    directories->agent->settings->deployments_path, name);
	id = inotify_add_watch(
	    directories->inotify, path, CHANGES | IN_ONLYDIR | IN_DONT_FOLLOW);
	/* With no watch left the regular look finds the changes. */
	if (id < 0)
		return;
	/* The same one under another name: its directory was renamed. */
	if ((watch = find_watch(directories, id)) != NULL) {
		snprintf(watch->name, sizeof watch->name, "%s", name);
		return;
	}
	if (directories->count == directories->allocated) {
		directories->allocated =
		    directories->allocated ? directories->allocated * 2 : 16;
		directories->watches = xrealloc(directories->watches,
		    directories->allocated * sizeof *directories->watches);
	}
	watch = &directories->watches[directories->count++];
	watch->id = id;
	snprintf(watch->name, sizeof watch->name, "%s", name);
}

static void
forget_watch(struct directories *directories, int id)
{
	size_t i;

	for (i = 0; i < directories->count; i++)
		if (directories->watches[i].id == id)
			directories->watches[i--] =
			    directories->watches[--directories->count];
}

/*
 * Linux gives each user 128 instances of inotify and Docker takes one and more
 * for each running container: with none left, looking often has to do.
 */
static void
open_watch(struct directories *directories)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return;
	directories->root = inotify_add_watch(fd,
	    directories->agent->settings->deployments_path,
	    CHANGES | IN_ONLYDIR);
	if (directories->root < 0)
		close(fd);
	else
		directories->inotify = fd;
}

/* Also directories that hold no compose file yet. */
static void
watch_all(struct directories *directories)
{
	DIR *root = opendir(directories->agent->settings->deployments_path);
	struct dirent *entry;

	if (root == NULL)
		return;
	while ((entry = readdir(root)) != NULL)
		if (compose_name_is_valid(entry->d_name))
			add_watch(directories, entry->d_name);
	closedir(root);
}

static void
mark(struct directories *directories, const char *name)
{
	size_t i;

	for (i = 0; i < directories->dirty_count; i++)
		if (strcmp(directories->dirty[i], name) == 0)
			return;
	if (directories->dirty_count == directories->dirty_allocated) {
		directories->dirty_allocated =
		    directories->dirty_allocated
			? directories->dirty_allocated * 2
			: 16;
		directories->dirty = xrealloc(directories->dirty,
		    directories->dirty_allocated * sizeof *directories->dirty);
	}
	snprintf(directories->dirty[directories->dirty_count++],
	    sizeof directories->dirty[0], "%s", name);
}

static void
handle_event(struct directories *directories, const struct inotify_event *event)
{
	const struct watch *watch;

	if (event->mask & IN_Q_OVERFLOW) {
		directories->all_dirty = true;
	} else if (event->mask & IN_IGNORED) {
		forget_watch(directories, event->wd);
	} else if (event->wd == directories->root) {
		if (event->len == 0 || !compose_name_is_valid(event->name))
			return;
		if (event->mask & (IN_CREATE | IN_MOVED_TO))
			add_watch(directories, event->name);
		mark(directories, event->name);
	} else if ((watch = find_watch(directories, event->wd)) != NULL) {
		mark(directories, watch->name);
	}
}

static void
read_events(struct directories *directories)
{
	_Alignas(struct inotify_event) char bytes[8192];
	ssize_t got = read(directories->inotify, bytes, sizeof bytes);
	const char *at = bytes;

	while (got > 0 && at < bytes + got) {
		const struct inotify_event *event =
		    (const struct inotify_event *)(const void *)at;

		handle_event(directories, event);
		at += sizeof *event + event->len;
	}
}

/* Waits for changes, and then until they have come to rest, if they do. */
static void
wait_for_changes(struct directories *directories)
{
	struct pollfd fds[2] = {
		{ .fd = directories->inotify, .events = POLLIN },
		{ .fd = directories->wake, .events = POLLIN },
	};
	int64_t now = clock_monotonic_ms();
	int64_t wait_ms = directories->look_at_ms - now, until_ms;
	int ready = poll(fds, 2, wait_ms > 0 ? (int)wait_ms : 0);

	/* Changes that never end put off neither a look nor the full one. */
	now = clock_monotonic_ms();
	until_ms = now + SETTLE_MAXIMUM_MS;
	directories->all_dirty |= now >= directories->look_at_ms;
	while (ready > 0 && fds[1].revents == 0 && fds[0].revents != 0 &&
	       clock_monotonic_ms() < until_ms) {
		read_events(directories);
		ready = poll(fds, 2, SETTLE_MS);
	}
}

static int64_t
look_interval_ms(const struct directories *directories)
{
	int64_t usual = directories->agent->settings->resync_interval_ms;

	return directories->inotify < 0 && usual > UNWATCHED_LOOK_MS
		   ? UNWATCHED_LOOK_MS
		   : usual;
}

static void
refresh_dirty(struct directories *directories, struct store *store)
{
	struct error err;
	size_t i;

	if (directories->all_dirty) {
		if (directories->inotify < 0)
			open_watch(directories);
		directories->look_at_ms =
		    clock_monotonic_ms() + look_interval_ms(directories);
		directories->all_dirty = false;
		directories->dirty_count = 0;
		if (directories->inotify >= 0)
			watch_all(directories);
		if (refresh_all(directories->agent, store, &err) == 0)
			return;
		log_error(LOG_WARNING, "cannot read the deployments", &err);
		directories->all_dirty = true;
		clock_sleep_ms(500);
		return;
	}
	for (i = 0; i < directories->dirty_count; i++)
		if (directories_refresh(directories->agent, store,
			directories->dirty[i], &err) < 0)
			log_error(
			    LOG_WARNING, "cannot read a deployment", &err);
	directories->dirty_count = 0;
}

static void *
run_directories(void *context)
{
	struct directories *directories = context;
	struct agent *agent = directories->agent;
	auto_store struct store *store = NULL;
	struct error err;

	while (store == NULL && !atomic_load(&agent->stopping)) {
		if (store_open(agent->settings->database_directory,
			STORE_MIRROR, &store, &err) == 0)
			break;
		log_error(LOG_ERROR, "cannot open the store", &err);
		clock_sleep_ms(500);
	}
	while (!atomic_load(&agent->stopping)) {
		if (!directories->all_dirty)
			wait_for_changes(directories);
		if (!atomic_load(&agent->stopping))
			refresh_dirty(directories, store);
	}
	return NULL;
}

int
directories_start(
    struct agent *agent, struct directories **out, struct error *err)
{
	struct directories *directories = xcalloc(1, sizeof *directories);

	*out = directories;
	directories->agent = agent;
	directories->all_dirty = true;
	directories->inotify = -1;
	directories->wake = eventfd(0, EFD_CLOEXEC);
	if (directories->wake < 0)
		return error_errno(err, "cannot watch the deployments");
	open_watch(directories);
	if (directories->inotify < 0)
		log_message(LOG_WARNING,
		    "no inotify instance is left (see "
		    "fs.inotify.max_user_instances): looking at the "
		    "deployments every few seconds instead");
	if (pthread_create(
		&directories->thread, NULL, run_directories, directories) != 0)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
	return 0;
}

void
directories_stop(struct directories *directories)
{
	uint64_t one = 1;
	ssize_t written = write(directories->wake, &one, sizeof one);

	(void)written; /* an eventfd at 0 takes it */
	pthread_join(directories->thread, NULL);
	close(directories->wake);
	if (directories->inotify >= 0)
		close(directories->inotify);
	free(directories->watches);
	free(directories->dirty);
	free(directories);
}
