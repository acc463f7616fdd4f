/* A template as it was read becomes one that can be used. */
#include "compose/metadata.h"
#include "templates/templates-private.h"

#include <ctype.h>
#include <string.h>

#define CHECK_NAME "example"
#define CHECK_NETWORK "proxy"

/* "uptime-kuma" is Uptime Kuma, as long as nobody says otherwise. */
static const char *
title_of(const char *id, struct arena *arena)
{
	const char *slash = strchr(id, '/');
	char *title = arena_strdup(arena, slash != NULL ? slash + 1 : id);
	bool begins = true;
	char *at;

	for (at = title; *at != '\0'; at++) {
		if (*at == '-')
			*at = ' ';
		else if (begins)
			*at = (char)toupper((unsigned char)*at);
		begins = *at == ' ';
	}
	return title;
}

static void
put_default(struct json_object *metadata, const char *name, const char *text)
{
	if (json_member(metadata, name) == NULL)
		json_put_text(metadata, name, text);
}

/* Clients show each mount, and ask for nothing more. */
static void
complete_mounts(struct json_object *mounts)
{
	size_t i;

	if (!json_object_is_type(mounts, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(mounts); i++) {
		struct json_object *mount =
		    json_object_array_get_idx(mounts, i);

		if (!json_object_is_type(mount, json_type_object))
			continue;
		put_default(mount, "name", json_text(mount, "id"));
		put_default(mount, "description", "");
		put_default(mount, "type", "volume");
		if (json_member(mount, "required") == NULL)
			json_put_boolean(mount, "required", false);
	}
}

/*
 * The members that mean something, with their defaults. Some templates have
 * a mapping of mounts, which says nothing that we use.
 */
static struct json_object *
select_members(
    struct json_object *metadata, const char *id, struct arena *arena)
{
	static const char *const names[] = { "name", "description", "icon",
		"logo", "category", "type", "priority", "container_port",
		"mounts", "files", "env", "healthcheck", "object_store",
		"quick_actions", "backup", "setup", NULL };
	struct json_object *selected = json_object_new_object();
	size_t i;

	for (i = 0; names[i] != NULL; i++) {
		struct json_object *value = json_member(metadata, names[i]);

		if (value != NULL)
			json_put(selected, names[i], json_object_get(value));
	}
	put_default(selected, "name", title_of(id, arena));
	put_default(selected, "description", "");
	put_default(selected, "icon", "pi pi-box");
	put_default(selected, "logo", "");
	put_default(selected, "category", "general");
	put_default(selected, "type", "");
	if (strncmp(id, "infra/", 6) == 0)
		json_put_text(selected, "type", TEMPLATE_INFRASTRUCTURE);
	if (json_member(selected, "priority") == NULL)
		json_put_integer(selected, "priority", 0);
	if (json_object_is_type(
		json_member(selected, "mounts"), json_type_object) ||
	    json_member(selected, "mounts") == NULL)
		json_put(selected, "mounts", json_object_new_array());
	complete_mounts(json_member(selected, "mounts"));
	if (json_member(selected, "files") == NULL)
		json_put(selected, "files", json_object_new_array());
	return selected;
}

static int
parse_metadata(const struct template_text *text, struct arena *arena,
    struct json_object **out, struct error *err)
{
	auto_json struct json_object *metadata = NULL;

	if (text->metadata != NULL &&
	    metadata_parse(
		text->metadata, strlen(text->metadata), &metadata, err) < 0)
		return -1;
	*out = select_members(metadata, text->id, arena);
	return 0;
}

/* As a deployment of it would be checked. */
static int
check_document(const struct template *template, struct compose *compose,
    struct arena *arena, struct document **out, struct error *err)
{
	static const struct template_place place = { CHECK_NAME,
		CHECK_NETWORK };
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct compose_variable *variables;
	struct compose_file *files;
	size_t count, file_count;
	const char *text;

	if (template_compose(template, &place, arena, &text, err) < 0 ||
	    template_environment(template, &place, NULL, 0, arena, &variables,
		&count, err) < 0 ||
	    template_files(template, &place, variables, count, arena, &files,
		&file_count, err) < 0 ||
	    compose_environment_format(variables, count, &environment, err) < 0)
		return -1;
	return compose_check(compose, CHECK_NAME, text, strlen(text),
	    buffer_string(&environment), arena, out, err);
}

/* A deployment's metadata has it like this. */
static int
check_healthcheck(struct json_object *metadata, struct error *err)
{
	auto_json struct json_object *part = json_object_new_object();
	struct json_object *healthcheck = json_member(metadata, "healthcheck");

	if (healthcheck == NULL)
		return 0;
	json_put(part, "healthcheck", json_object_get(healthcheck));
	return metadata_check(part, err);
}

static int
check_template(const struct template_text *text, const char *source,
    struct compose *compose, struct json_object *metadata, struct arena *arena,
    struct template *out, struct error *err)
{
	struct template_details details;
	struct document *document;
	const struct compose_service *primary;

	if (template_decode(metadata, arena, &details, err) < 0 ||
	    check_healthcheck(metadata, err) < 0)
		return -1;
	*out = (struct template){ .id = arena_strdup(arena, text->id),
		.source = source,
		.name = details.name,
		.category = details.category,
		.type = details.type,
		.priority = details.priority,
		.metadata = json_serialize(metadata, NULL),
		.content = text->compose };
	if (check_document(out, compose, arena, &document, err) < 0)
		return -1;
	primary = document_primary_service(document);
	if (details.container_port == 0 && primary != NULL)
		json_put_integer(
		    metadata, "container_port", primary->container_port);
	out->metadata = arena_strdup(arena, json_serialize(metadata, NULL));
	return 0;
}

int
template_check(const struct template_text *text, const char *source,
    struct compose *compose, struct arena *arena, struct template *out,
    struct error *err)
{
	auto_json struct json_object *metadata = NULL;
	struct error failed;

	if (text->problem != NULL)
		return error_set(
		    err, ERR_INVALID, "INVALID_TEMPLATE", "%s", text->problem);
	if (parse_metadata(text, arena, &metadata, &failed) < 0 ||
	    check_template(
		text, source, compose, metadata, arena, out, &failed) < 0)
		return error_set(err, ERR_INVALID, "INVALID_TEMPLATE", "%s%s%s",
		    failed.field, *failed.field != '\0' ? ": " : "",
		    error_public(&failed));
	return 0;
}
