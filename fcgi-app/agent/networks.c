#include "agent/networks.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "agent/users.h"
#include "base/log.h"
#include "docker/arguments.h"
#include "jobs/protocol.h"

#include <stdio.h>
#include <string.h>

/* What fails here is repeated by the mirror's keepers. */
static void
refresh(struct run *run)
{
	struct error err;

	if (mirror_refresh_networks(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the networks", &err);
}

/* *out is NULL when there is none of the name. */
static int
find_network(
    struct run *run, const struct docker_network **out, struct error *err)
{
	struct docker_network *networks;
	size_t count, i;

	*out = NULL;
	if (docker_network_list(run->agent->docker, NULL, &run->arena,
		&networks, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (strcmp(networks[i].name, run->subject) == 0)
			*out = &networks[i];
	return 0;
}

static int
get_network(
    struct run *run, const struct docker_network **out, struct error *err)
{
	if (find_network(run, out, err) < 0)
		return -1;
	return *out != NULL ? 0
			    : error_set(err, ERR_NOT_FOUND, "NETWORK_NOT_FOUND",
				  "there is no network '%s'", run->subject);
}

static int
fail_protected(struct run *run, struct error *err)
{
	return error_set(err, ERR_FORBIDDEN, "PROTECTED",
	    "the network '%s' is Docker's own", run->subject);
}

/* Engines before 25 take a second one of the name, if they are raced. */
static int
check_is_new(struct run *run, struct error *err)
{
	const struct docker_network *network;

	if (find_network(run, &network, err) < 0)
		return -1;
	return network == NULL
		   ? 0
		   : error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
			 "there is a network '%s' already", run->subject);
}

static int
explain_creation(struct error *err)
{
	if (err->kind == ERR_CONFLICT && strstr(err->message, "overlap")) {
		error_set(err, ERR_CONFLICT, "SUBNET_IN_USE",
		    "the subnet overlaps with that of another network");
		snprintf(err->field, sizeof err->field, "subnet");
	}
	return -1;
}

static int
create_network(struct run *run, struct error *err)
{
	struct network_arguments arguments = { .driver = "bridge" };
	struct docker_network_options options;
	int failed;

	if (run_decode(run, network_argument_fields, &arguments, err) < 0 ||
	    network_arguments_apply(&arguments, &options, err) < 0 ||
	    compose_check_network(run->agent->compose, &options, err) < 0 ||
	    check_is_new(run, err) < 0)
		return -1;
	options.name = run->subject;
	failed = docker_network_create(run->agent->docker, &options, err);
	refresh(run);
	return failed ? explain_creation(err) : 0;
}

static int
remove_network(struct run *run, struct error *err)
{
	const struct docker_network *network;
	int failed;

	if (docker_network_is_predefined(run->subject))
		return fail_protected(run, err);
	if (get_network(run, &network, err) < 0) {
		refresh(run);
		return -1;
	}
	failed = docker_network_remove(run->agent->docker, network->id, err);
	refresh(run);
	return failed ? users_explain(
			    run, "network", network->id, network_has_user, err)
		      : 0;
}

/* The container of the arguments, and whether it is in the network. */
static int
find_member(struct run *run, struct attach_arguments *arguments,
    const struct docker_network *network, bool *is_member, struct error *err)
{
	const char *const ids[] = { arguments->container, NULL };
	const struct docker_container_filter filter = { .ids = ids };
	struct docker_container *found;
	size_t count, i;

	*is_member = false;
	if (docker_container_list(run->agent->docker, &filter, &run->arena,
		&found, &count, err) < 0)
		return -1;
	if (count == 0)
		return error_set(err, ERR_NOT_FOUND, "CONTAINER_NOT_FOUND",
		    "there is no container '%s'", arguments->container);
	for (i = 0; i < found->network_count; i++)
		if (strcmp(found->networks[i].network_id, network->id) == 0 ||
		    strcmp(found->networks[i].network, network->name) == 0)
			*is_member = true;
	return 0;
}

static void
refresh_member(struct run *run, const char *id)
{
	struct error err;

	if (mirror_refresh_container(run->agent->mirror, run->store, id, &err) <
	    0)
		log_error(LOG_WARNING, "cannot refresh a container", &err);
}

static int
attach(struct run *run, bool connects, struct error *err)
{
	struct attach_arguments arguments = { .force = false };
	struct docker *docker = run->agent->docker;
	const struct docker_network *network;
	bool is_member;
	int failed;

	if (run_decode(run, attach_argument_fields, &arguments, err) < 0)
		return -1;
	if (docker_network_is_closed(run->subject))
		return fail_protected(run, err);
	run->result = json_object_new_object();
	json_put_text(run->result, "container",
	    arguments.shown ? arguments.shown : arguments.container);
	if (get_network(run, &network, err) < 0 ||
	    find_member(run, &arguments, network, &is_member, err) < 0)
		return -1;
	if (is_member == connects)
		return 0;
	failed = connects ? docker_network_connect(
				docker, network->id, arguments.container, err)
			  : docker_network_disconnect(docker, network->id,
				arguments.container, arguments.force, err);
	refresh_member(run, arguments.container);
	return failed;
}

static int
connect_container(struct run *run, struct error *err)
{
	return attach(run, true, err);
}

static int
disconnect_container(struct run *run, struct error *err)
{
	return attach(run, false, err);
}

const struct job_kind network_jobs[] = {
	{ JOB_NETWORK_CREATE, docker_name_is_valid, create_network, LANE_ENGINE,
	    false },
	{ JOB_NETWORK_REMOVE, docker_id_is_valid, remove_network, LANE_ENGINE,
	    false },
	{ JOB_NETWORK_CONNECT, docker_id_is_valid, connect_container,
	    LANE_ENGINE, false },
	{ JOB_NETWORK_DISCONNECT, docker_id_is_valid, disconnect_container,
	    LANE_ENGINE, false },
	{ 0 },
};
