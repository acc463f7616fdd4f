#include "compose/adapt.h"

#include "compose/compose.h"
#include "compose/edit-private.h"

#include <stdlib.h>
#include <string.h>

/* The primary service's name, in the edit's arena. */
static int
find_primary(
    const struct compose_edit *edit, const char **out, struct error *err)
{
	const struct compose_service *primary;
	struct document *document;

	if (document_parse(
		edit->text, edit->length, edit->arena, &document, err) < 0)
		return -1;
	primary = document_primary_service(document);
	if (primary == NULL)
		return error_field(err, "content", "INVALID_COMPOSE",
		    "the document has no service");
	*out = primary->name;
	return 0;
}

static bool
is_port(int64_t port)
{
	return port >= 1 && port <= 65535;
}

/* NULL or "": 0; -1 for what is no port. */
static long
host_port(const struct adapt_port *port)
{
	const char *text = port->host_port != NULL ? port->host_port : "";
	size_t digits = strspn(text, "0123456789");
	long number = strtol(text, NULL, 10);

	if (*text == '\0')
		return 0;
	return digits < 6 && text[digits] == '\0' && is_port(number) ? number
								     : -1;
}

/* An empty fragment means that the key goes. */
static int
set_list(struct compose_edit *edit, const char *service, const char *key,
    const struct buffer *fragment, struct error *err)
{
	return fragment->length > 0
		   ? compose_edit_service_key(
			 edit, service, key, buffer_string(fragment), err)
		   : compose_edit_remove_key(edit, service, key, err);
}

int
compose_adapt_ports(struct compose_edit *edit, const struct adapt_port *ports,
    size_t count, struct error *err)
{
	auto_buffer struct buffer published = BUFFER(COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer exposed = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const char *primary;
	size_t i;

	if (count == 0)
		return 0;
	for (i = 0; i < count; i++) {
		long host = host_port(&ports[i]);

		if (host < 0 || !is_port(ports[i].container_port))
			return error_field(err, "ports", "INVALID_PORT",
			    "ports must be 1 to 65535");
		/* Quoted: YAML 1.1 takes 22:22 for a number in base 60. */
		if (host > 0)
			buffer_printf(&published, "- \"%ld:%lld\"\n", host,
			    (long long)ports[i].container_port);
		else
			buffer_printf(&exposed, "- \"%lld\"\n",
			    (long long)ports[i].container_port);
	}
	return find_primary(edit, &primary, err) < 0 ||
		       set_list(edit, primary, "ports", &published, err) < 0 ||
		       set_list(edit, primary, "expose", &exposed, err) < 0
		   ? -1
		   : 0;
}

/* Mounts. */

static const struct adapt_mount *
find_mount(const struct adapt_mount *mounts, size_t count, const char *source,
    size_t length)
{
	size_t i;

	if (length > 2 && strncmp(source, "./", 2) == 0) {
		source += 2;
		length -= 2;
	}
	for (i = 0; i < count; i++)
		if (strlen(mounts[i].id) == length &&
		    memcmp(mounts[i].id, source, length) == 0)
			return &mounts[i];
	return NULL;
}

static const struct adapt_mount *
mount_of(
    const struct node *item, const struct adapt_mount *mounts, size_t count)
{
	const char *source = node_is_scalar(item)
				 ? item->text
				 : node_member_text(item, "source");

	return source != NULL
		   ? find_mount(mounts, count, source, strcspn(source, ":"))
		   : NULL;
}

/* "id:/data:ro" or "./id:/data:ro", whatever it was. */
static void
write_source(const struct node *item, const struct adapt_mount *mount,
    struct arena *arena, struct buffer *out)
{
	const char *target = node_is_scalar(item)
				 ? strchr(item->text, ':')
				 : node_member_text(item, "target");
	const char *text = arena_printf(arena, "%s%s%s%s",
	    mount->is_volume ? "" : "./", mount->id,
	    node_is_scalar(item) ? "" : ":", target != NULL ? target : "");

	buffer_text(out, "- ");
	scalar_write_string(out, text);
	buffer_char(out, '\n');
}

/* The list with what the mounts change; *changed tells whether they do. */
static int
write_mounts(const struct node *list, const struct adapt_mount *mounts,
    size_t count, struct arena *arena, struct buffer *out, bool *changed,
    struct error *err)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		const struct node *item = list->items[i];
		const struct adapt_mount *mount = mount_of(item, mounts, count);

		if (mount != NULL)
			*changed = true;
		if (mount != NULL && !mount->enabled)
			continue;
		if (mount != NULL) {
			write_source(item, mount, arena, out);
			continue;
		}
		buffer_text(out, "- ");
		if (node_is_scalar(item))
			scalar_write_string(out, item->text);
		else if (edit_write_flow(item, out, err) < 0)
			return -1;
		buffer_char(out, '\n');
	}
	return 0;
}

/* Whether any service mounts it: the list has it in some form. */
static bool
is_mounted(const struct node *services, const struct adapt_mount *mount)
{
	size_t i, k;

	for (i = 0; services != NULL && services->type == NODE_MAPPING &&
		    i < services->count;
	     i++) {
		const struct node *list =
		    node_member(services->entries[i].value, "volumes");

		for (k = 0; list != NULL && list->type == NODE_SEQUENCE &&
			    k < list->count;
		     k++)
			if (mount_of(list->items[k], mount, 1) != NULL)
				return true;
	}
	return false;
}

static const char *
format_mount(const struct adapt_mount *mount, struct arena *arena)
{
	return arena_printf(arena, "%s%s:%s%s", mount->is_volume ? "" : "./",
	    mount->id, mount->container_path, mount->read_only ? ":ro" : "");
}

/* Mounts that no service has yet, for the primary one. */
static void
write_new_mounts(const struct node *services, const struct adapt_mount *mounts,
    size_t count, struct arena *arena, struct buffer *out)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!mounts[i].enabled || mounts[i].container_path == NULL ||
		    is_mounted(services, &mounts[i]))
			continue;
		buffer_text(out, "- ");
		scalar_write_string(out, format_mount(&mounts[i], arena));
		buffer_char(out, '\n');
	}
}

static int
adapt_service(struct compose_edit *edit, const struct node *services,
    const struct entry *service, bool is_primary,
    const struct adapt_mount *mounts, size_t count, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const struct node *list = node_member(service->value, "volumes");
	bool changed = false;
	size_t before;

	if (list != NULL && list->type == NODE_SEQUENCE &&
	    write_mounts(
		list, mounts, count, edit->arena, &text, &changed, err) < 0)
		return -1;
	before = text.length;
	if (is_primary)
		write_new_mounts(services, mounts, count, edit->arena, &text);
	return changed || text.length > before
		   ? set_list(edit, service->key->text, "volumes", &text, err)
		   : 0;
}

static int
add_missing(struct compose_edit *edit, const char *section, const char *name,
    struct error *err)
{
	const char *const path[] = { section, name, NULL };

	return compose_edit_has(edit, path)
		   ? 0
		   : compose_edit_add(edit, section, name, NULL, err);
}

int
compose_adapt_mounts(struct compose_edit *edit,
    const struct adapt_mount *mounts, size_t count, struct error *err)
{
	struct edit_source source;
	const struct node *services;
	const char *primary;
	size_t i;

	if (count == 0)
		return 0;
	if (edit_read(edit, &source, err) < 0 ||
	    find_primary(edit, &primary, err) < 0)
		return -1;
	services = node_member(source.root, "services");
	for (i = 0; i < services->count; i++)
		if (adapt_service(edit, services, &services->entries[i],
			strcmp(services->entries[i].key->text, primary) == 0,
			mounts, count, err) < 0)
			return -1;
	for (i = 0; i < count; i++)
		if (mounts[i].enabled && mounts[i].is_volume &&
		    (mounts[i].container_path != NULL ||
			is_mounted(services, &mounts[i])) &&
		    add_missing(edit, "volumes", mounts[i].id, err) < 0)
			return -1;
	return 0;
}

/* Whether the item mounts something at the path. */
static bool
is_at(const struct node *item, const char *path)
{
	const char *target, *first;
	size_t length;

	if (!node_is_scalar(item)) {
		target = node_member_text(item, "target");
		return target != NULL && strcmp(target, path) == 0;
	}
	first = strchr(item->text, ':');
	target = first != NULL ? first + 1 : item->text;
	length = strcspn(target, ":");
	return length == strlen(path) && memcmp(target, path, length) == 0;
}

/* The service's list, or NULL, and the index of what is at the path; -1: it
 * is free. */
static int
find_at(const struct compose_edit *edit, const char **service, const char *path,
    long *out, struct error *err)
{
	struct edit_source source;
	const struct node *found, *list;
	size_t i;

	if (edit_read(edit, &source, err) < 0 ||
	    (*service == NULL && find_primary(edit, service, err) < 0))
		return -1;
	found = node_member(node_member(source.root, "services"), *service);
	if (found == NULL)
		return error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
		    "the document has no service '%s'", *service);
	*out = -1;
	list = node_member(found, "volumes");
	for (i = 0;
	     list != NULL && list->type == NODE_SEQUENCE && i < list->count;
	     i++)
		if (is_at(list->items[i], path))
			*out = (long)i;
	return 0;
}

int
compose_adapt_mount(struct compose_edit *edit, const char *service,
    const struct adapt_mount *mount, struct error *err)
{
	long index;

	if (find_at(edit, &service, mount->container_path, &index, err) < 0)
		return -1;
	if (index >= 0)
		return error_set(err, ERR_CONFLICT, "ALREADY_MOUNTED",
		    "service '%s' has something at this path already", service);
	if (compose_edit_append(edit,
		(const char *const[]){ "services", service, "volumes", NULL },
		format_mount(mount, edit->arena), err) < 0)
		return -1;
	return mount->is_volume ? add_missing(edit, "volumes", mount->id, err)
				: 0;
}

int
compose_adapt_unmount(struct compose_edit *edit, const char *service,
    const char *container_path, struct error *err)
{
	long index;

	if (find_at(edit, &service, container_path, &index, err) < 0)
		return -1;
	if (index < 0)
		return error_set(err, ERR_NOT_FOUND, "MOUNT_NOT_FOUND",
		    "service '%s' has nothing at this path", service);
	return compose_edit_drop(edit,
	    (const char *const[]){ "services", service, "volumes", NULL },
	    (size_t)index, err);
}

/* Databases. */

struct engine {
	const char *type, *image, *data;
	const char *root_password, *name, *user, *password; /* variables */
	const char *without_root; /* in place of a root password */
	bool needs_password;
};

static const struct engine engines[] = {
	{ "mysql", "mysql:8", "/var/lib/mysql", "MYSQL_ROOT_PASSWORD",
	    "MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD",
	    "MYSQL_RANDOM_ROOT_PASSWORD", false },
	{ "mariadb", "mariadb:10", "/var/lib/mysql", "MARIADB_ROOT_PASSWORD",
	    "MARIADB_DATABASE", "MARIADB_USER", "MARIADB_PASSWORD",
	    "MARIADB_RANDOM_ROOT_PASSWORD", false },
	{ "postgres", "postgres:15", "/var/lib/postgresql/data", NULL,
	    "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", NULL, true },
	{ "mongo", "mongo:6", "/data/db", NULL, "MONGO_INITDB_DATABASE",
	    "MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD", NULL,
	    false },
};

static const struct engine *
find_engine(const char *type)
{
	size_t i;

	if (strcmp(type, "postgresql") == 0)
		type = "postgres";
	if (strcmp(type, "mongodb") == 0)
		type = "mongo";
	for (i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcmp(engines[i].type, type) == 0)
			return &engines[i];
	return NULL;
}

bool
compose_database_type_is_valid(const char *type)
{
	return find_engine(type) != NULL;
}

/* "$" doubled: the text is interpolated when it runs. */
static void
write_variable(struct buffer *out, const char *name, const char *value)
{
	if (name == NULL || value == NULL || *value == '\0')
		return;
	buffer_printf(out, "  %s: ", name);
	scalar_write_quoted(out, value, strlen(value), true);
	buffer_char(out, '\n');
}

static void
write_service(const struct engine *engine,
    const struct adapt_database *database, struct buffer *out)
{
	auto_buffer struct buffer variables = BUFFER(COMPOSE_TEXT_MAXIMUM);
	bool has_root =
	    database->root_password != NULL && *database->root_password != '\0';

	write_variable(
	    &variables, engine->root_password, database->root_password);
	if (!has_root)
		write_variable(&variables, engine->without_root, "yes");
	write_variable(&variables, engine->name, database->name);
	write_variable(&variables, engine->user, database->user);
	write_variable(&variables, engine->password, database->password);
	buffer_printf(
	    out, "image: %s\nrestart: unless-stopped\n", engine->image);
	if (variables.length > 0)
		buffer_printf(
		    out, "environment:\n%s", buffer_string(&variables));
	buffer_printf(out,
	    "volumes:\n  - db_data:%s\nnetworks:\n  - database\n",
	    engine->data);
}

/* A service without networks is on the default one, and has to stay there. */
static int
join_network(struct compose_edit *edit, const char *service, struct error *err)
{
	const char *const path[] = { "services", service, "networks",
		"database", NULL };
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct edit_source source;
	const struct node *list;
	size_t i;

	if (edit_read(edit, &source, err) < 0)
		return -1;
	list = node_member(
	    node_member(node_member(source.root, "services"), service),
	    "networks");
	if (list != NULL && list->type == NODE_MAPPING)
		return compose_edit_has(edit, path)
			   ? 0
			   : compose_edit_set(edit, path, NULL, err);
	if (list == NULL || node_is_null(list))
		return compose_edit_service_key(
		    edit, service, "networks", "- default\n- database\n", err);
	for (i = 0; list->type == NODE_SEQUENCE && i < list->count; i++) {
		if (!node_is_scalar(list->items[i]) ||
		    strcmp(list->items[i]->text, "database") == 0)
			return 0;
		buffer_text(&text, "- ");
		scalar_write_string(&text, list->items[i]->text);
		buffer_char(&text, '\n');
	}
	buffer_text(&text, "- database\n");
	return set_list(edit, service, "networks", &text, err);
}

int
compose_adapt_database(struct compose_edit *edit,
    const struct adapt_database *database, struct error *err)
{
	static const char *const path[] = { "services", "db", NULL };
	const struct engine *engine = find_engine(database->type);
	auto_buffer struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	const char *primary;

	if (engine == NULL)
		return error_field(err, "database.type", NULL,
		    "the type of database is one of mysql, mariadb, postgres "
		    "and mongo");
	if (engine->needs_password &&
	    (database->password == NULL || *database->password == '\0'))
		return error_field(err, "database.password", NULL,
		    "a database of this type needs a password");
	if (compose_edit_has(edit, path))
		return 0;
	if (find_primary(edit, &primary, err) < 0)
		return -1;
	write_service(engine, database, &text);
	return join_network(edit, primary, err) < 0 ||
		       compose_edit_add(edit, "services", "db",
			   buffer_string(&text), err) < 0 ||
		       add_missing(edit, "volumes", "db_data", err) < 0 ||
		       add_missing(edit, "networks", "database", err) < 0
		   ? -1
		   : 0;
}
