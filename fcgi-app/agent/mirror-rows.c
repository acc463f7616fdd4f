#include "agent/mirror-rows.h"

#include "store/mirror.h"
#include "store/store.h"

#include <string.h>

static const char *
format_ports(const struct docker_container *container, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < container->port_count; i++) {
		const struct docker_port *port = &container->ports[i];
		bool is_ipv6 = strchr(port->address, ':') != NULL;

		if (port->public_port == 0)
			continue;
		json_object_array_add(
		    list, json_object_new_string(arena_printf(arena,
			      is_ipv6 ? "[%s]:%d->%d/%s" : "%s:%d->%d/%s",
			      port->address, port->public_port,
			      port->private_port, port->protocol)));
	}
	return arena_strdup(arena, json_serialize(list, NULL));
}

static const char *
format_networks(const struct docker_container *container, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < container->network_count; i++) {
		const struct docker_network_address *network =
		    &container->networks[i];
		struct json_object *object = json_object_new_object();

		json_put_text(object, "name", network->network);
		json_put_text(object, "network_id", network->network_id);
		json_put_text(object, "ipv4",
		    network->ipv4[0] == '\0'
			? ""
			: arena_printf(arena, "%s/%d", network->ipv4,
			      network->prefix_length));
		json_put_text(object, "mac_address", network->mac_address);
		json_put_boolean(object, "attached", network->attached);
		json_object_array_add(list, object);
	}
	return arena_strdup(arena, json_serialize(list, NULL));
}

static const char *
format_mounts(const struct docker_container *container, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < container->mount_count; i++) {
		const struct docker_mount *mount = &container->mounts[i];
		struct json_object *object = json_object_new_object();

		json_put_text(object, "type", mount->type);
		json_put_text(object, "name", mount->name);
		json_put_text(object, "source", mount->source);
		json_put_text(object, "destination", mount->destination);
		json_put_boolean(object, "rw", mount->writable);
		json_object_array_add(list, object);
	}
	return arena_strdup(arena, json_serialize(list, NULL));
}

static const char *
format_names(const char *const *names, size_t count, struct arena *arena)
{
	auto_json struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	return arena_strdup(arena, json_serialize(list, NULL));
}

static const char *
format_object(struct json_object *object, struct arena *arena)
{
	return object ? arena_strdup(arena, json_serialize(object, NULL))
		      : "{}";
}

static struct mirror_container
row_of(const struct docker_container *container, struct arena *arena)
{
	return (struct mirror_container){
		.id = container->id,
		.name = container->name,
		.image = container->image,
		.image_id = container->image_id,
		.state = container->state,
		.status = container->status,
		.health = container->health,
		.created_at = container->created_at,
		.project = container->project,
		.service = container->service,
		.ports = format_ports(container, arena),
		.networks = format_networks(container, arena),
		.labels = format_object(container->labels, arena),
		.mounts = format_mounts(container, arena),
	};
}

/* The ids of what was put; a row without one is none. */
static int
put_all(struct store *store, const struct docker_container *containers,
    size_t count, struct arena *arena, const char **ids, size_t *id_count,
    bool *changed, struct error *err)
{
	size_t i;

	for (i = *id_count = 0; i < count; i++) {
		struct mirror_container row = row_of(&containers[i], arena);

		if (row.id[0] == '\0')
			continue;
		ids[(*id_count)++] = row.id;
		if (mirror_container_put(store, &row, changed, err) < 0)
			return -1;
	}
	return 0;
}

/* Those asked for by id that Docker no longer has. */
static int
delete_missing(struct store *store, const char *const *asked,
    const char *const *ids, size_t count, bool *changed, struct error *err)
{
	size_t i;

	for (; *asked != NULL; asked++) {
		for (i = 0; i < count; i++)
			if (strcmp(ids[i], *asked) == 0)
				break;
		if (i == count &&
		    mirror_container_delete(store, *asked, changed, err) < 0)
			return -1;
	}
	return 0;
}

/* Ends the transaction as it deserves. */
static int
finish(struct store *store, int failed, bool changed, struct error *err)
{
	if (failed) {
		store_rollback(store);
		return -1;
	}
	return mirror_commit(store, changed, err);
}

int
mirror_rows_containers(struct store *store,
    const struct docker_container_filter *filter,
    const struct docker_container *containers, size_t count,
    struct arena *arena, struct error *err)
{
	const char **ids = arena_array(arena, count, sizeof *ids);
	size_t id_count;
	bool changed = false;
	int failed;

	if (store_begin(store, err) < 0)
		return -1;
	failed = put_all(
	    store, containers, count, arena, ids, &id_count, &changed, err);
	if (!failed)
		failed = filter->ids != NULL
			     ? delete_missing(store, filter->ids, ids, id_count,
				   &changed, err)
			     : mirror_containers_retain(store, filter->project,
				   ids, id_count, &changed, err);
	return finish(store, failed, changed, err);
}

int
mirror_rows_images(struct store *store, const struct docker_image *images,
    size_t count, struct arena *arena, struct error *err)
{
	const char **ids = arena_array(arena, count, sizeof *ids);
	bool changed = false;
	int failed = 0;
	size_t i;

	if (store_begin(store, err) < 0)
		return -1;
	for (i = 0; i < count && !failed; i++) {
		struct mirror_image row = {
			.id = images[i].id,
			.tags = format_names(
			    images[i].tags, images[i].tag_count, arena),
			.digests = format_names(
			    images[i].digests, images[i].digest_count, arena),
			.size_bytes = images[i].size_bytes,
			.created_at = images[i].created_at,
			.labels = format_object(images[i].labels, arena),
		};

		ids[i] = row.id;
		failed = mirror_image_put(store, &row, &changed, err);
	}
	if (!failed)
		failed = mirror_images_retain(store, ids, count, &changed, err);
	return finish(store, failed, changed, err);
}

int
mirror_rows_volumes(struct store *store, const struct docker_volume *volumes,
    size_t count, struct arena *arena, struct error *err)
{
	const char **names = arena_array(arena, count, sizeof *names);
	bool changed = false;
	int failed = 0;
	size_t i;

	if (store_begin(store, err) < 0)
		return -1;
	for (i = 0; i < count && !failed; i++) {
		struct mirror_volume row = {
			.name = volumes[i].name,
			.driver = volumes[i].driver,
			.mountpoint = volumes[i].mountpoint,
			.scope = volumes[i].scope,
			.created_at = volumes[i].created_at,
			.labels = format_object(volumes[i].labels, arena),
			.options = format_object(volumes[i].options, arena),
		};

		names[i] = row.name;
		failed = mirror_volume_put(store, &row, &changed, err);
	}
	if (!failed)
		failed =
		    mirror_volumes_retain(store, names, count, &changed, err);
	return finish(store, failed, changed, err);
}

int
mirror_rows_networks(struct store *store, const struct docker_network *networks,
    size_t count, struct arena *arena, struct error *err)
{
	const char **ids = arena_array(arena, count, sizeof *ids);
	bool changed = false;
	int failed = 0;
	size_t i;

	if (store_begin(store, err) < 0)
		return -1;
	for (i = 0; i < count && !failed; i++) {
		struct mirror_network row = {
			.id = networks[i].id,
			.name = networks[i].name,
			.driver = networks[i].driver,
			.scope = networks[i].scope,
			.internal = networks[i].internal,
			.attachable = networks[i].attachable,
			.ipv6 = networks[i].ipv6,
			.subnet = networks[i].subnet,
			.gateway = networks[i].gateway,
			.created_at = networks[i].created_at,
			.labels = format_object(networks[i].labels, arena),
			.options = format_object(networks[i].options, arena),
		};

		ids[i] = row.id;
		failed = mirror_network_put(store, &row, &changed, err);
	}
	if (!failed)
		failed =
		    mirror_networks_retain(store, ids, count, &changed, err);
	return finish(store, failed, changed, err);
}
