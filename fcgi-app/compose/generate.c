/* A document for one image. */
#include "compose/compose.h"
#include "compose/document-private.h"
#include "docker/docker.h"
#include "docker/reference.h"

#define PORTS_MAXIMUM 100

static bool
is_port(int port)
{
	return port >= 1 && port <= 65535;
}

static void
write_ports(const struct compose_port *ports, size_t count, bool published,
    struct buffer *out)
{
	bool any = false;
	size_t i;

	for (i = 0; i < count; i++) {
		int host = ports[i].host ? ports[i].host : ports[i].container;

		if (ports[i].published != published)
			continue;
		if (!any)
			buffer_text(
			    out, published ? "    ports:\n" : "    expose:\n");
		any = true;
		/* Quoted: YAML 1.1 takes 22:22 for a number in base 60. */
		if (published)
			buffer_printf(out, "      - \"%d:%d\"\n", host,
			    ports[i].container);
		else
			buffer_printf(
			    out, "      - \"%d\"\n", ports[i].container);
	}
}

int
compose_generate(const char *name, const char *image,
    const struct compose_port *ports, size_t count, struct buffer *out,
    struct error *err)
{
	size_t i;

	if (!compose_name_is_valid(name))
		return error_field(err, "name", "INVALID_NAME",
		    "'name' must be %s", COMPOSE_NAME_EXPECTED);
	if (!docker_reference_is_valid(image))
		return error_field(err, "image", "INVALID_IMAGE",
		    "'image' must be an image reference");
	if (count > PORTS_MAXIMUM)
		return error_field(
		    err, "ports", "INVALID_PORT", "more than 100 ports");
	for (i = 0; i < count; i++)
		if (!is_port(ports[i].container) ||
		    (ports[i].host != 0 && !is_port(ports[i].host)))
			return error_field(err, "ports", "INVALID_PORT",
			    "ports must be 1 to 65535");
	buffer_text(out, "services:\n  app:\n    image: ");
	scalar_write_string(out, image);
	/* A name of one letter is none for a container. */
	if (docker_name_is_valid(name)) {
		buffer_text(out, "\n    container_name: ");
		scalar_write_string(out, name);
	}
	buffer_text(out, "\n    restart: unless-stopped\n");
	write_ports(ports, count, true, out);
	write_ports(ports, count, false, out);
	if (out->overflowed)
		return error_set(
		    err, ERR_TOO_LARGE, NULL, "the document is too large");
	return 0;
}
