/* The Compose text for a choice of image, ports and mounts. */
#include "compose/edit.h"
#include "compose/metadata.h"
#include "templates/templates-private.h"

#include <string.h>

#define LIST_BYTES_MAXIMUM ((size_t)64 * 1024)

/* The text being made, and what it says of its primary service. */
struct generation {
	struct compose_edit edit;
	const char *service;
	int container_port;
	struct json_object *volumes; /* of the service before; may be NULL */
};

/* Takes the place of the service's list. */
static int
set_list(struct generation *generation, const char *key, struct buffer *list,
    struct error *err)
{
	if (list->overflowed)
		return error_set(
		    err, ERR_TOO_LARGE, NULL, "'%s' becomes too large", key);
	if (list->length == 0)
		return compose_edit_remove_key(
		    &generation->edit, generation->service, key, err);
	return compose_edit_service_key(&generation->edit, generation->service,
	    key, buffer_string(list), err);
}

/* Quoted: YAML 1.1 takes 22:22 for a number in base 60. */
static int
choose_ports(struct generation *generation,
    const struct template_choice *choice, struct error *err)
{
	auto_buffer struct buffer ports = BUFFER(LIST_BYTES_MAXIMUM);
	auto_buffer struct buffer exposed = BUFFER(LIST_BYTES_MAXIMUM);
	size_t i;

	for (i = 0; i < choice->port_count; i++) {
		const struct compose_port *port = &choice->ports[i];
		int container = port->container != 0
				    ? port->container
				    : generation->container_port;

		if (port->published)
			buffer_printf(&ports, "- \"%d:%d\"\n",
			    port->host != 0 ? port->host : container,
			    container);
		else
			buffer_printf(&exposed, "- \"%d\"\n", container);
	}
	if (ports.length > 0 && set_list(generation, "ports", &ports, err) < 0)
		return -1;
	return exposed.length > 0
		   ? set_list(generation, "expose", &exposed, err)
		   : 0;
}

static const struct template_mount_choice *
find_choice(const struct template_choice *choice, const char *id)
{
	size_t i;

	for (i = 0; i < choice->mount_count; i++)
		if (strcmp(choice->mounts[i].id, id) == 0)
			return &choice->mounts[i];
	return NULL;
}

/* "SOURCE:PATH", "SOURCE:PATH:ro", PATH alone, or the long form. */
static bool
is_mounted_at(struct json_object *volume, const char *path)
{
	const char *target = json_text(volume, "target"), *text, *found;
	size_t length = strlen(path);

	if (target != NULL)
		return strcmp(target, path) == 0;
	text = json_object_get_string(volume);
	for (found = text; found != NULL; found++) {
		found = strstr(found, path);
		if (found == NULL)
			return false;
		if ((found == text || found[-1] == ':') &&
		    (found[length] == '\0' || found[length] == ':'))
			return true;
	}
	return false;
}

static bool
is_bind(struct json_object *volume)
{
	const char *type = json_text(volume, "type");
	const char *text;

	if (type != NULL)
		return strcmp(type, "bind") == 0;
	text = json_object_get_string(volume);
	return text != NULL && strchr("./~", *text) != NULL;
}

/* JSON is YAML, too. */
static void
add_item(struct buffer *list, struct json_object *volume)
{
	buffer_printf(list, "- %s\n", json_serialize(volume, NULL));
}

static int
add_mount(struct generation *generation, const struct template_mount *mount,
    const char *type, struct buffer *list, struct error *err)
{
	const char *const path[] = { "volumes", mount->id, NULL };
	bool bind = strcmp(type, "file") == 0;

	buffer_printf(list, "- \"%s%s:%s\"\n", bind ? "./" : "", mount->id,
	    mount->container_path);
	if (bind || compose_edit_has(&generation->edit, path))
		return 0;
	return compose_edit_add(
	    &generation->edit, "volumes", mount->id, NULL, err);
}

/* Whether the item stays as it is; *changed if not. */
static bool
keeps_item(const struct template_details *details,
    const struct template_choice *choice, struct json_object *volume, bool *has,
    bool *changed)
{
	size_t i;

	for (i = 0; i < details->mounts_count; i++) {
		const struct template_mount *mount = &details->mounts[i];
		const struct template_mount_choice *chosen =
		    find_choice(choice, mount->id);

		if (!is_mounted_at(volume, mount->container_path))
			continue;
		has[i] = chosen != NULL
			     ? chosen->enabled &&
				   (chosen->type == NULL ||
				       is_bind(volume) ==
					   (strcmp(chosen->type, "file") == 0))
			     : mount->required;
		*changed |= !has[i];
		return has[i];
	}
	return true;
}

/*
 * What the service has is left, taken out or replaced; the rest is added. A
 * list that is right already keeps its text.
 */
static int
choose_mounts(struct generation *generation,
    const struct template_details *details,
    const struct template_choice *choice, struct error *err)
{
	auto_buffer struct buffer list = BUFFER(LIST_BYTES_MAXIMUM);
	bool *has = arena_array(
	    generation->edit.arena, details->mounts_count + 1, sizeof *has);
	size_t count = generation->volumes != NULL
			   ? json_object_array_length(generation->volumes)
			   : 0;
	bool changed = false;
	size_t i;

	for (i = 0; i < count; i++) {
		struct json_object *volume =
		    json_object_array_get_idx(generation->volumes, i);

		if (keeps_item(details, choice, volume, has, &changed))
			add_item(&list, volume);
	}
	for (i = 0; i < details->mounts_count; i++) {
		const struct template_mount *mount = &details->mounts[i];
		const struct template_mount_choice *chosen =
		    find_choice(choice, mount->id);

		if (has[i] || !(chosen ? chosen->enabled : mount->required))
			continue;
		changed = true;
		if (add_mount(generation, mount,
			chosen != NULL && chosen->type != NULL ? chosen->type
							       : mount->type,
			&list, err) < 0)
			return -1;
	}
	return changed ? set_list(generation, "volumes", &list, err) : 0;
}

static int
check_choice(const struct template_details *details,
    const struct template_choice *choice, struct error *err)
{
	size_t i, k;

	for (i = 0; i < choice->mount_count; i++) {
		for (k = 0; k < details->mounts_count; k++)
			if (strcmp(choice->mounts[i].id,
				details->mounts[k].id) == 0)
				break;
		if (k == details->mounts_count)
			return error_field(err, "mounts", NULL,
			    "the template has no mount '%.64s'",
			    choice->mounts[i].id);
	}
	return 0;
}

static int
apply_choice(struct generation *generation,
    const struct template_details *details,
    const struct template_choice *choice, struct error *err)
{
	if (choice->image != NULL && *choice->image != '\0' &&
	    compose_edit_image(
		&generation->edit, generation->service, choice->image, err) < 0)
		return -1;
	if (choose_ports(generation, choice, err) < 0)
		return -1;
	return choose_mounts(generation, details, choice, err);
}

int
template_generate(const struct template *template,
    const struct template_place *place, const struct template_choice *choice,
    struct arena *arena, const char **out, struct error *err)
{
	struct generation generation = { .edit = { .arena = arena } };
	auto_json struct json_object *root = NULL;
	const struct compose_service *primary;
	struct template_details details;
	struct document *document;

	if (template_details(template, arena, &details, err) < 0 ||
	    check_choice(&details, choice, err) < 0 ||
	    template_compose(
		template, place, arena, &generation.edit.text, err) < 0)
		return -1;
	generation.edit.length = strlen(generation.edit.text);
	if (document_parse(generation.edit.text, generation.edit.length, arena,
		&document, err) < 0 ||
	    metadata_parse(
		generation.edit.text, generation.edit.length, &root, err) < 0)
		return -1;
	primary = document_primary_service(document);
	if (primary == NULL)
		return error_set(err, ERR_INVALID, "INVALID_TEMPLATE",
		    "the template has no service");
	generation.service = primary->name;
	generation.container_port =
	    details.container_port != 0 ? (int)details.container_port : 80;
	generation.volumes = json_member(
	    json_member(json_member(root, "services"), primary->name),
	    "volumes");
	if (!json_object_is_type(generation.volumes, json_type_array))
		generation.volumes = NULL;
	if (apply_choice(&generation, &details, choice, err) < 0)
		return -1;
	*out = generation.edit.text;
	return 0;
}
