/* What a document says about its services, and container names in its text. */
#include "compose/compose.h"
#include "compose/document-private.h"
#include "docker/docker.h"

#include <stdlib.h>
#include <string.h>

#define EXTENDS_MAXIMUM 16

const struct node *
service_member(const struct document *document, const struct node *service,
    const char *key)
{
	int hops;

	for (hops = 0; service != NULL && hops < EXTENDS_MAXIMUM; hops++) {
		const struct node *found = node_member(service, key);
		const struct node *extends = node_member(service, "extends");

		if (!node_is_null(found))
			return found;
		if (node_member(extends, "file") != NULL)
			return NULL;
		if (extends != NULL && extends->type == NODE_MAPPING)
			extends = node_member(extends, "service");
		service =
		    node_is_scalar(extends)
			? node_member(document->services_node, extends->text)
			: NULL;
	}
	return NULL;
}

/* "8080:80" or "80"; NULL for what is no port. */
static const char *
port_text(struct arena *arena, const struct node *port)
{
	const char *target, *published;

	if (node_is_scalar(port))
		return port->length > 0 && port->length < 64 ? port->text
							     : NULL;
	target = node_member_text(port, "target");
	published = node_member_text(port, "published");
	if (target == NULL)
		return NULL;
	return published == NULL
		   ? target
		   : arena_printf(arena, "%s:%s", published, target);
}

/* The container's side of "127.0.0.1:8080:80/tcp": 80. */
static int
container_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	long port = strtol(colon != NULL ? colon + 1 : text, NULL, 10);

	return port > 0 && port < 65536 ? (int)port : 0;
}

static size_t
sequence_length(const struct node *node)
{
	return node != NULL && node->type == NODE_SEQUENCE ? node->count : 0;
}

static void
list_ports(const struct document *document, const struct node *service,
    struct compose_service *out)
{
	const struct node *lists[] = {
		service_member(document, service, "ports"),
		service_member(document, service, "expose"),
	};
	const char **ports = arena_array(document->arena,
	    sequence_length(lists[0]) + sequence_length(lists[1]) + 1,
	    sizeof *ports);
	size_t i, list;

	for (list = 0; list < 2; list++) {
		for (i = 0; i < sequence_length(lists[list]); i++) {
			const char *text =
			    port_text(document->arena, lists[list]->items[i]);

			if (text != NULL)
				ports[out->port_count++] = text;
		}
	}
	out->ports = ports;
	if (out->port_count > 0)
		out->container_port = container_port(ports[0]);
}

static void
list_networks(const struct document *document, const struct node *service,
    struct compose_service *out)
{
	const struct node *list = service_member(document, service, "networks");
	const char **networks;
	size_t i;

	if (list == NULL || list->type == NODE_SCALAR)
		return;
	networks =
	    arena_array(document->arena, list->count + 1, sizeof *networks);
	for (i = 0; i < list->count; i++) {
		const struct node *name = list->type == NODE_MAPPING
					      ? list->entries[i].key
					      : list->items[i];

		if (node_is_scalar(name))
			networks[out->network_count++] = name->text;
	}
	out->networks = networks;
}

void
document_list_services(struct document *document)
{
	const struct node *services = document->services_node;
	size_t i;

	document->service_count = 0;
	if (services == NULL || services->type != NODE_MAPPING)
		return;
	document->services = arena_array(
	    document->arena, services->count + 1, sizeof *document->services);
	for (i = 0; i < services->count; i++) {
		struct compose_service *service =
		    &document->services[document->service_count++];
		const struct node *node = services->entries[i].value;
		const struct node *image =
		    service_member(document, node, "image");
		const struct node *container =
		    node_member(node, "container_name");

		service->name = services->entries[i].key->text;
		service->image = node_is_scalar(image) ? image->text : "";
		service->container_name =
		    node_is_scalar(container) ? container->text : "";
		service->has_build =
		    service_member(document, node, "build") != NULL;
		service->has_profiles = sequence_length(service_member(
					    document, node, "profiles")) > 0;
		list_ports(document, node, service);
		list_networks(document, node, service);
	}
}

const struct compose_service *
document_services(const struct document *document, size_t *out_count)
{
	*out_count = document->service_count;
	return document->services;
}

const struct compose_service *
document_primary_service(const struct document *document)
{
	const struct compose_service *services = document->services;
	size_t i, count = document->service_count;

	if (count < 2)
		return count == 1 ? services : NULL;
	for (i = 0; i < count; i++)
		if (services[i].port_count > 0 &&
		    (strcmp(services[i].name, "app") == 0 ||
			strcmp(services[i].name, "web") == 0))
			return &services[i];
	for (i = 0; i < count; i++)
		if (services[i].port_count > 0)
			return &services[i];
	return services;
}

/* The byte where the line (from 1) begins, by libyaml's line breaks. */
static size_t
line_start(const struct document *document, unsigned int line)
{
	const char *text = document->source;
	size_t at = 0, length = document->source_length;

	while (line > 1 && at < length) {
		size_t size = line_break_length(text + at, length - at);

		at += size > 0 ? size : 1;
		line -= size > 0;
	}
	return at;
}

static bool
runs_replicas(const struct node *service)
{
	const struct node *counts[] = {
		node_member(service, "scale"),
		node_member(node_member(service, "deploy"), "replicas"),
	};
	size_t i;

	for (i = 0; i < 2; i++)
		if (!node_is_null(counts[i]) &&
		    (counts[i]->type != NODE_SCALAR ||
			strcmp(counts[i]->text, "1") != 0))
			return true;
	return false;
}

/*
 * Whether a line before the service's first key gives this service, and no
 * other, a container's name. Then *out_at is where that line belongs.
 */
static bool
find_place(
    const struct document *document, const struct node *service, size_t *out_at)
{
	size_t start, i;

	if (service->type != NODE_MAPPING || service->count == 0 ||
	    service->flow || service->copied || service->aliased ||
	    node_member(service, "container_name") != NULL ||
	    runs_replicas(service))
		return false;
	start = line_start(document, service->line);
	for (i = 0; i + 1 < service->column; i++)
		if (document->source[start + i] != ' ')
			return false;
	/* The name would come between an anchor or a tag and its mapping. */
	if (strchr("&!", document->source[start + i]) != NULL)
		return false;
	*out_at = start;
	return true;
}

/* As the line before has it. */
static const char *
line_break(const struct document *document, size_t at)
{
	return at > 1 && document->source[at - 2] == '\r' ? "\r\n" : "\n";
}

static const char *
name_container(const struct document *document, const char *deployment,
    const struct compose_service *service)
{
	if (service == document_primary_service(document))
		return deployment;
	return arena_printf(
	    document->arena, "%s-%s", deployment, service->name);
}

static void
write_name(const struct document *document, const char *name, size_t at,
    size_t indentation, struct buffer *out)
{
	buffer_printf(out, "%*scontainer_name: ", (int)indentation, "");
	scalar_write_string(out, name);
	buffer_text(out, line_break(document, at));
}

int
document_name_containers(const struct document *document,
    const char *deployment, struct buffer *out, struct error *err)
{
	const struct node *services = document->services_node;
	size_t i, at, written = 0;

	/* Of services that stand elsewhere too, no text is only here. */
	for (i = 0;
	     services != NULL && services->type == NODE_MAPPING &&
	     !services->copied && !services->aliased && i < services->count;
	     i++) {
		const struct node *service = services->entries[i].value;

		const char *name = name_container(
		    document, deployment, &document->services[i]);

		if (!docker_name_is_valid(name) ||
		    !find_place(document, service, &at) || at < written)
			continue;
		buffer_append(out, document->source + written, at - written);
		write_name(document, name, at, service->column - 1, out);
		written = at;
	}
	buffer_append(
	    out, document->source + written, document->source_length - written);
	if (out->overflowed)
		return error_field(err, "compose_content", "INVALID_COMPOSE",
		    "larger than %zu bytes with container names", out->maximum);
	return 0;
}
