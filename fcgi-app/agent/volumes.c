#include "agent/volumes.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "agent/users.h"
#include "base/log.h"
#include "docker/arguments.h"
#include "jobs/protocol.h"
#include "store/mirror.h"

#include <string.h>

#define PROJECT_LABEL "com.docker.compose.project"
#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

/* What fails here is repeated by the mirror's keepers. */
static void
refresh(struct run *run)
{
	struct error err;

	if (mirror_refresh_volumes(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the volumes", &err);
}

/* To the Engine, one that is there already is as good as a new one. */
static int
check_is_new(struct run *run, struct error *err)
{
	struct docker_volume *volumes;
	size_t count, i;

	if (docker_volume_list(
		run->agent->docker, &run->arena, &volumes, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (strcmp(volumes[i].name, run->subject) == 0)
			return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
			    "there is a volume '%s' already", run->subject);
	return 0;
}

static int
create_volume(struct run *run, struct error *err)
{
	struct volume_arguments arguments = { .driver = "local" };
	struct docker_volume_options options;
	int failed;

	if (run_decode(run, volume_argument_fields, &arguments, err) < 0)
		return -1;
	volume_arguments_apply(&arguments, &options);
	if (compose_check_volume(run->agent->compose, &options, err) < 0 ||
	    check_is_new(run, err) < 0)
		return -1;
	failed = docker_volume_create(run->agent->docker, &options, err);
	refresh(run);
	return failed;
}

static int
remove_volume(struct run *run, struct error *err)
{
	struct remove_arguments arguments = { .force = false };
	int failed;

	if (run_decode(run, remove_argument_fields, &arguments, err) < 0)
		return -1;
	failed = docker_volume_remove(
	    run->agent->docker, run->subject, arguments.force, err);
	refresh(run);
	return failed ? users_explain(
			    run, "volume", run->subject, volume_has_user, err)
		      : 0;
}

/* What a prune looks at, all of one moment. */
struct stock {
	struct docker_volume *volumes;
	struct docker_container *containers;
	struct mirror_deployment *deployments;
	struct docker_volume_size *sizes;
	size_t volume_count, container_count, deployment_count, size_count;
};

static int
take_stock(struct run *run, struct stock *out, struct error *err)
{
	struct docker *docker = run->agent->docker;

	*out = (struct stock){ 0 };
	if (docker_volume_list(docker, &run->arena, &out->volumes,
		&out->volume_count, err) < 0 ||
	    docker_container_list(docker, NULL, &run->arena, &out->containers,
		&out->container_count, err) < 0 ||
	    mirror_deployment_list(run->store, &run->arena, &out->deployments,
		&out->deployment_count, err) < 0)
		return -1;
	return docker_volume_sizes(
	    docker, &run->arena, &out->sizes, &out->size_count, err);
}

bool
volume_is_anonymous(const struct docker_volume *volume)
{
	return docker_id_is_whole(volume->name) ||
	       json_member(volume->labels, ANONYMOUS_LABEL) != NULL;
}

static bool
is_in_use(const struct stock *stock, const struct docker_volume *volume)
{
	size_t i;

	for (i = 0; i < stock->container_count; i++)
		if (volume_has_user(&stock->containers[i], volume->name))
			return true;
	return false;
}

static bool
is_of_deployment(const struct stock *stock, const struct docker_volume *volume)
{
	const char *project = json_text(volume->labels, PROJECT_LABEL);
	size_t i;

	for (i = 0; project != NULL && i < stock->deployment_count; i++)
		if (strcmp(stock->deployments[i].project, project) == 0)
			return true;
	return false;
}

static bool
is_unused(
    const struct stock *stock, const struct docker_volume *volume, bool all)
{
	if (is_in_use(stock, volume))
		return false;
	return volume_is_anonymous(volume) ||
	       (all && !is_of_deployment(stock, volume));
}

static int64_t
size_of(const struct stock *stock, const char *name)
{
	size_t i;

	for (i = 0; i < stock->size_count; i++)
		if (strcmp(stock->sizes[i].name, name) == 0)
			return stock->sizes[i].size_bytes > 0
				   ? stock->sizes[i].size_bytes
				   : 0;
	return 0;
}

/* One that a container got meanwhile, or that is gone, is passed over. */
static int
remove_unused(
    struct run *run, const char *name, bool *removed, struct error *err)
{
	struct error failure;

	*removed = docker_volume_remove(
		       run->agent->docker, name, false, &failure) == 0;
	if (*removed || failure.kind == ERR_CONFLICT ||
	    failure.kind == ERR_NOT_FOUND)
		return 0;
	*err = failure;
	return -1;
}

static int
prune(struct run *run, const struct stock *stock,
    const struct prune_arguments *arguments, struct json_object *names,
    int64_t *freed_bytes, struct error *err)
{
	bool removed = true;
	size_t i;

	*freed_bytes = 0;
	for (i = 0; i < stock->volume_count; i++) {
		const struct docker_volume *volume = &stock->volumes[i];

		if (!is_unused(stock, volume, arguments->all))
			continue;
		if (atomic_load(run->cancel))
			return error_set(err, ERR_CONFLICT, "JOB_CANCELLED",
			    "the job was cancelled");
		if (!arguments->dry_run &&
		    remove_unused(run, volume->name, &removed, err) < 0)
			return -1;
		if (!removed)
			continue;
		json_object_array_add(
		    names, json_object_new_string(volume->name));
		*freed_bytes += size_of(stock, volume->name);
	}
	return 0;
}

static int
prune_volumes(struct run *run, struct error *err)
{
	struct prune_arguments arguments = { .all = false };
	struct json_object *names;
	struct stock stock;
	int64_t freed_bytes;
	int failed;

	if (run_decode(run, prune_argument_fields, &arguments, err) < 0 ||
	    take_stock(run, &stock, err) < 0)
		return -1;
	names = json_object_new_array();
	failed = prune(run, &stock, &arguments, names, &freed_bytes, err);
	if (!arguments.dry_run)
		refresh(run);
	run->result = json_object_new_object();
	json_put_integer(
	    run->result, "count", (int64_t)json_object_array_length(names));
	json_put(run->result, "removed", names);
	json_put_integer(run->result, "freed_bytes", freed_bytes);
	json_put_boolean(run->result, "dry_run", arguments.dry_run);
	return failed;
}

static bool
is_all(const char *subject)
{
	return strcmp(subject, JOB_ALL_SUBJECT) == 0;
}

const struct job_kind volume_jobs[] = {
	{ JOB_VOLUME_CREATE, docker_name_is_valid, create_volume, LANE_ENGINE,
	    false },
	{ JOB_VOLUME_REMOVE, docker_id_is_valid, remove_volume, LANE_ENGINE,
	    false },
	{ JOB_VOLUME_PRUNE, is_all, prune_volumes, LANE_PROGRAMS, false },
	{ 0 },
};
