#include "agent/proxy-network.h"

#include "agent/agent.h"
#include "agent/mirror.h"
#include "base/log.h"
#include "compose/metadata.h"
#include "settings/settings.h"

#include <pthread.h>
#include <string.h>

/* "proxy: {external: true}", or with another key and "name: proxy". */
static bool
is_meant(const char *key, struct json_object *network, const char *name)
{
	struct json_object *external = json_member(network, "external");
	const char *own = json_text(external, "name");

	if (external == NULL ||
	    (json_object_is_type(external, json_type_boolean) &&
		!json_object_get_boolean(external)))
		return false;
	if (own == NULL)
		own = json_text(network, "name");
	return strcmp(own != NULL ? own : key, name) == 0;
}

static bool
wants_network(struct run *run, const char *name)
{
	auto_json struct json_object *root = NULL;
	struct compose_files files;
	struct json_object *networks;
	struct error ignored;

	if (compose_read(run->agent->compose, run->subject, &run->arena, &files,
		&ignored) < 0 ||
	    metadata_parse(
		files.compose, files.compose_length, &root, &ignored) < 0)
		return false;
	networks = json_member(root, "networks");
	if (!json_object_is_type(networks, json_type_object))
		return false;
	json_object_object_foreach(networks, key, network)
	{
		if (is_meant(key, network, name))
			return true;
	}
	return false;
}

static int
has_network(struct run *run, const char *name, bool *out, struct error *err)
{
	struct docker_network *networks;
	size_t count, i;

	*out = false;
	if (docker_network_list(run->agent->docker, NULL, &run->arena,
		&networks, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		*out |= strcmp(networks[i].name, name) == 0;
	return 0;
}

/* Engines before 25 make a second one of the name, if they are raced. */
static int
make_network(struct run *run, const char *name, struct error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct docker_network_options options = { .name = name,
		.driver = "bridge" };
	bool exists;
	int failed;

	pthread_mutex_lock(&lock);
	failed = has_network(run, name, &exists, err);
	if (!failed && !exists)
		failed =
		    docker_network_create(run->agent->docker, &options, err);
	pthread_mutex_unlock(&lock);
	if (failed || exists)
		return failed;
	return mirror_refresh_networks(run->agent->mirror, run->store, err);
}

void
proxy_network_ensure(struct run *run)
{
	const char *name = run->agent->settings->proxy_network;
	struct error err;

	if (wants_network(run, name) && make_network(run, name, &err) < 0)
		log_error(LOG_WARNING, "cannot make the proxy's network", &err);
}
