#include "agent/ports.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "docker/docker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define SETTLE_MS 1000
#define SETTLE_POLL_MS 100

struct host {
	const struct docker_container *containers;
	size_t count;
	const char *project;
};

static bool
is_wildcard(const char *address)
{
	return *address == '\0' || strcmp(address, "0.0.0.0") == 0 ||
	       strcmp(address, "::") == 0;
}

static bool
is_same_port(
    const struct compose_host_port *wanted, const struct docker_port *port)
{
	return port->public_port == wanted->port &&
	       strcmp(port->protocol, wanted->protocol) == 0 &&
	       (is_wildcard(port->address) || is_wildcard(wanted->address) ||
		   strcmp(port->address, wanted->address) == 0);
}

static bool
has_port(const struct docker_container *container,
    const struct compose_host_port *wanted)
{
	size_t i;

	for (i = 0; i < container->port_count; i++)
		if (is_same_port(wanted, &container->ports[i]))
			return true;
	return false;
}

static bool
is_on_host_network(const struct docker_container *container)
{
	size_t i;

	for (i = 0; i < container->network_count; i++)
		if (strcmp(container->networks[i].network, "host") == 0)
			return true;
	return false;
}

static bool
is_own(const struct host *host, const struct docker_container *container)
{
	return strcmp(container->project, host->project) == 0;
}

static const struct docker_container *
find_holder(const struct host *host, const struct compose_host_port *wanted)
{
	size_t i;

	for (i = 0; i < host->count; i++)
		if (!is_own(host, &host->containers[i]) &&
		    has_port(&host->containers[i], wanted))
			return &host->containers[i];
	return NULL;
}

/* What listens there may be our own, which goes when its time has come. */
static bool
may_be_own(const struct host *host, const struct compose_host_port *wanted)
{
	size_t i;

	for (i = 0; i < host->count; i++)
		if (is_own(host, &host->containers[i]) &&
		    (has_port(&host->containers[i], wanted) ||
			is_on_host_network(&host->containers[i])))
			return true;
	return false;
}

/* 4 or 6, and the address to bind to; 0 for what is none. */
static int
make_address(const char *text, int port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((unsigned short)port);
		return 4;
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((unsigned short)port);
		return 6;
	}
	return 0;
}

/*
 * Whether a bind fails since somebody listens there. That one may be bound to
 * it in a way that a list of listeners does not show.
 */
static bool
is_bound(const char *text, int port, int type)
{
	struct sockaddr_storage address;
	int version = make_address(text, port, &address), yes = 1;
	auto_fd int fd = -1;

	if (version == 0)
		return false;
	fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* Connections that have ended are in nobody's way. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (version == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	return bind(fd, (struct sockaddr *)&address,
		   version == 4 ? sizeof(struct sockaddr_in)
				: sizeof(struct sockaddr_in6)) < 0 &&
	       errno == EADDRINUSE;
}

static bool
is_listened_on(const struct compose_host_port *wanted)
{
	bool is_udp = strcmp(wanted->protocol, "udp") == 0;
	int type = is_udp ? SOCK_DGRAM : SOCK_STREAM;

	if (!is_udp && strcmp(wanted->protocol, "tcp") != 0)
		return false;
	if (*wanted->address != '\0')
		return is_bound(wanted->address, wanted->port, type);
	return is_bound("0.0.0.0", wanted->port, type) ||
	       is_bound("::", wanted->port, type);
}

/* true: it is taken, and *out says by whom. */
static bool
find_collision(const struct host *host, const struct compose_host_port *wanted,
    struct port_collision *out)
{
	const struct docker_container *holder = find_holder(host, wanted);

	*out = (struct port_collision){ .wanted = *wanted,
		.container = holder != NULL ? holder->name : NULL,
		.project = holder != NULL ? holder->project : "" };
	return holder != NULL ||
	       (!may_be_own(host, wanted) && is_listened_on(wanted));
}

int
ports_find_taken(struct agent *agent, const struct document *document,
    const char *project, struct arena *arena, struct port_collision **out,
    size_t *out_count, struct error *err)
{
	struct host host = { .project = project };
	struct docker_container *containers;
	const struct compose_host_port *wanted;
	size_t count, i;

	*out_count = 0;
	*out = NULL;
	wanted = document_host_ports(document, &count);
	if (count == 0)
		return 0;
	if (docker_container_list(
		agent->docker, NULL, arena, &containers, &host.count, err) < 0)
		return -1;
	host.containers = containers;
	*out = arena_array(arena, count, sizeof **out);
	for (i = 0; i < count; i++)
		*out_count +=
		    find_collision(&host, &wanted[i], &(*out)[*out_count]);
	return 0;
}

/*
 * A container of our own that the Engine is about to start or remove has its
 * port before, or after, the list says so: what a program seems to have is
 * looked at again for a moment.
 */
static int
find_settled(struct agent *agent, const struct document *document,
    const char *project, struct arena *arena, struct port_collision **taken,
    size_t *count, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + SETTLE_MS;

	for (;;) {
		if (ports_find_taken(
			agent, document, project, arena, taken, count, err) < 0)
			return -1;
		if (*count == 0 || (*taken)->container != NULL ||
		    clock_monotonic_ms() >= until_ms)
			return 0;
		clock_sleep_ms(SETTLE_POLL_MS);
	}
}

int
ports_check(struct agent *agent, const struct document *document,
    const char *project, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct port_collision *taken;
	size_t count;

	if (find_settled(
		agent, document, project, &arena, &taken, &count, err) < 0)
		return -1;
	if (count == 0)
		return 0;
	if (taken->container == NULL)
		return error_set(err, ERR_CONFLICT, "PORT_IN_USE",
		    "port %d, which service '%s' wants, is taken by a program "
		    "of this host",
		    taken->wanted.port, taken->wanted.service);
	return error_set(err, ERR_CONFLICT, "PORT_IN_USE",
	    "port %d, which service '%s' wants, is taken by container '%s'",
	    taken->wanted.port, taken->wanted.service, taken->container);
}
