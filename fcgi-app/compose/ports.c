/* Ports of the host that services publish. */
#include "compose/document-private.h"

#include <stdlib.h>
#include <string.h>

#define PORTS_MAXIMUM 4096 /* of a document: ranges may be long */

struct host_ports {
	const struct document *document;
	const char *service;
	struct compose_host_port *ports;
	size_t count, allocated;
};

struct range {
	int first, last; /* 0: none, or none that can be read */
};

/* "8080" or "8000-8010", of so many bytes. */
static struct range
read_range(const char *text, size_t length)
{
	static const struct range none;
	struct range range;
	char *end;

	if (length == 0 || strspn(text, "0123456789-") < length)
		return none;
	range.first = (int)strtol(text, &end, 10);
	range.last = range.first;
	if (*end == '-' && end < text + length)
		range.last = (int)strtol(end + 1, &end, 10);
	return end == text + length && range.first > 0 &&
		       range.first <= range.last && range.last < 65536
		   ? range
		   : none;
}

static void
add_range(struct host_ports *ports, const char *address, struct range host,
    struct range container, const char *protocol)
{
	int port;

	/* Of a range for one port of the container Docker takes any. */
	if (host.first == 0 ||
	    host.last - host.first != container.last - container.first)
		return;
	for (port = host.first;
	     port <= host.last && ports->count < PORTS_MAXIMUM; port++) {
		ports->ports = arena_grow(ports->document->arena, ports->ports,
		    ports->count, &ports->allocated, sizeof *ports->ports);
		ports->ports[ports->count++] = (struct compose_host_port){
			.service = ports->service,
			.address = address,
			.port = port,
			.protocol = protocol,
		};
	}
}

static size_t
range_size(struct range range)
{
	return range.first > 0 ? (size_t)(range.last - range.first + 1) : 1;
}

static const char *
last_colon(const char *text, size_t length)
{
	while (length > 0)
		if (text[--length] == ':')
			return text + length;
	return NULL;
}

/* "127.0.0.1" or "[::1]" */
static const char *
address_text(struct arena *arena, const char *text, size_t length)
{
	if (length > 1 && text[0] == '[' && text[length - 1] == ']')
		return arena_strndup(arena, text + 1, length - 2);
	return arena_strndup(arena, text, length);
}

/* [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL] */
static void
add_short(struct host_ports *ports, const char *text)
{
	struct arena *arena = ports->document->arena;
	size_t length = strcspn(text, "/");
	const char *protocol = text[length] == '/' ? text + length + 1 : "tcp";
	const char *container = last_colon(text, length), *host;
	const char *address = "";

	if (container == NULL)
		return;
	host = last_colon(text, (size_t)(container - text));
	if (host != NULL)
		address = address_text(arena, text, (size_t)(host - text));
	host = host != NULL ? host + 1 : text;
	add_range(ports, address, read_range(host, (size_t)(container - host)),
	    read_range(container + 1, length - (size_t)(container + 1 - text)),
	    protocol);
}

static void
add_long(struct host_ports *ports, const struct node *port)
{
	const char *published = node_member_text(port, "published");
	const char *target = node_member_text(port, "target");
	const char *address = node_member_text(port, "host_ip");
	const char *protocol = node_member_text(port, "protocol");

	if (published == NULL || target == NULL)
		return;
	add_range(ports, address != NULL ? address : "",
	    read_range(published, strlen(published)),
	    read_range(target, strlen(target)),
	    protocol != NULL ? protocol : "tcp");
}

static void
add_service(struct host_ports *ports, const struct node *service)
{
	const struct node *list =
	    service_member(ports->document, service, "ports");
	size_t i;

	if (list == NULL || list->type != NODE_SEQUENCE)
		return;
	for (i = 0; i < list->count; i++) {
		if (node_is_scalar(list->items[i]))
			add_short(ports, list->items[i]->text);
		else
			add_long(ports, list->items[i]);
	}
}

const struct compose_host_port *
document_host_ports(const struct document *document, size_t *out_count)
{
	const struct node *services = document->services_node;
	struct host_ports ports = { .document = document };
	size_t i;

	for (i = 0; services != NULL && services->type == NODE_MAPPING &&
		    i < services->count;
	     i++) {
		if (document->services[i].has_profiles)
			continue;
		ports.service = services->entries[i].key->text;
		add_service(&ports, services->entries[i].value);
	}
	*out_count = ports.count;
	return ports.ports;
}

/* By what it says for the container: the host's part may be missing. */
static size_t
count_one(const struct node *port)
{
	const char *text = node_is_scalar(port)
			       ? port->text
			       : node_member_text(port, "target");
	const char *published = node_member_text(port, "published");
	const char *colon;
	size_t length, count;

	if (text == NULL)
		return 1;
	length = strcspn(text, "/");
	colon = last_colon(text, length);
	if (colon != NULL)
		length -= (size_t)(colon + 1 - text);
	count =
	    range_size(read_range(colon != NULL ? colon + 1 : text, length));
	if (published != NULL &&
	    range_size(read_range(published, strlen(published))) > count)
		return range_size(read_range(published, strlen(published)));
	return count;
}

size_t
port_list_count(const struct node *ports)
{
	size_t count = 0, i;

	if (ports->type != NODE_SEQUENCE)
		return 0;
	for (i = 0; i < ports->count; i++)
		count += count_one(ports->items[i]);
	return count;
}
