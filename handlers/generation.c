#include "handlers/generation.h"

#include "app.h"
#include "settings/settings.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 80

int
port_parse(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long port = digits > 0 && digits < 6 ? strtol(text, NULL, 10) : 0;

	return text[digits] == '\0' && port >= 1 && port <= 65535 ? (int)port
								  : 0;
}

bool
port_text_is_valid(const char *text)
{
	return port_parse(text) != 0;
}

bool
generation_has_template(const struct generation *generation)
{
	const char *id = generation->template_id;

	return id != NULL && *id != '\0' && strcmp(id, TEMPLATE_CUSTOM) != 0;
}

int
generation_find(struct request *request, const struct generation *generation,
    struct template *out, struct error *err)
{
	if (!generation_has_template(generation))
		return 0;
	return template_get(
	    request->store, generation->template_id, request->arena, out, err);
}

struct template_place
generation_place(const struct request *request, const char *name)
{
	return (struct template_place){ .name = name,
		.network = request->app->settings->proxy_network };
}

static int
generate_for_image(struct request *request, const struct generation *generation,
    const char **out, struct error *err)
{
	static const struct compose_port web = { .container = DEFAULT_PORT };
	auto_buffer struct buffer text = BUFFER(64 * 1024);
	const char *image = generation->image;
	struct compose_port *ports = arena_array(
	    request->arena, generation->port_count + 1, sizeof *ports);
	size_t count = generation->port_count, i;

	if (image == NULL || *image == '\0')
		image = TEMPLATE_CUSTOM_IMAGE;
	for (i = 0; i < count; i++) {
		ports[i] = generation->ports[i];
		if (ports[i].container == 0)
			ports[i].container = DEFAULT_PORT;
	}
	if (count == 0)
		ports[count++] = web;
	if (compose_generate(
		generation->name, image, ports, count, &text, err) < 0)
		return -1;
	*out = arena_strdup(request->arena, buffer_string(&text));
	return 0;
}

int
generation_run(struct request *request, const struct generation *generation,
    const struct template *template, const char **out, struct error *err)
{
	struct template_place place =
	    generation_place(request, generation->name);
	struct template_choice choice = { .image = generation->image,
		.ports = generation->ports,
		.port_count = generation->port_count,
		.mounts = generation->mounts,
		.mount_count = generation->mount_count };

	return generation_has_template(generation)
		   ? template_generate(
			 template, &place, &choice, request->arena, out, err)
		   : generate_for_image(request, generation, out, err);
}
