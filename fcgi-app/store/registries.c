/* Kinds of registries: those the program knows, and those on record. */
#include "base/clock.h"
#include "base/utf8.h"
#include "store/credentials.h"
#include "store/store-private.h"

#include <string.h>

static const struct registry_type builtin[] = {
	{
	    .slug = "dockerhub",
	    .name = "Docker Hub",
	    .url_patterns = "[\"docker.io\",\"index.docker.io\"]",
	    .auth_type = "basic",
	    .login_url = "https://index.docker.io/v1/",
	    .docs_url = "https://docs.docker.com/docker-hub/",
	    .icon = "pi pi-box",
	    .host = "docker.io",
	},
	{
	    .slug = "ghcr",
	    .name = "GitHub Container Registry",
	    .url_patterns = "[\"ghcr.io\"]",
	    .auth_type = "token",
	    .login_url = "https://ghcr.io",
	    .docs_url = "https://docs.github.com/packages",
	    .icon = "pi pi-github",
	    .host = "ghcr.io",
	},
	{
	    .slug = "gitlab",
	    .name = "GitLab Container Registry",
	    .url_patterns = "[\"registry.gitlab.com\"]",
	    .auth_type = "token",
	    .login_url = "https://registry.gitlab.com",
	    .docs_url = "https://docs.gitlab.com/user/packages/"
			"container_registry/",
	    .icon = "pi pi-box",
	    .host = "registry.gitlab.com",
	},
	{
	    .slug = "quay",
	    .name = "Quay",
	    .url_patterns = "[\"quay.io\"]",
	    .auth_type = "basic",
	    .login_url = "https://quay.io",
	    .docs_url = "https://docs.quay.io",
	    .icon = "pi pi-box",
	    .host = "quay.io",
	},
	{
	    .slug = "gcr",
	    .name = "Google Artifact Registry",
	    .url_patterns = "[\"gcr.io\",\"*.gcr.io\",\"*-docker.pkg.dev\"]",
	    .auth_type = "token",
	    .login_url = "",
	    .docs_url = "https://cloud.google.com/artifact-registry/docs",
	    .icon = "pi pi-google",
	    .host = "",
	},
	{
	    .slug = "ecr",
	    .name = "Amazon Elastic Container Registry",
	    .url_patterns = "[\"public.ecr.aws\",\"*.amazonaws.com\"]",
	    .auth_type = "token",
	    .login_url = "",
	    .docs_url = "https://docs.aws.amazon.com/AmazonECR/",
	    .icon = "pi pi-amazon",
	    .host = "",
	},
	{
	    .slug = "acr",
	    .name = "Azure Container Registry",
	    .url_patterns = "[\"*.azurecr.io\"]",
	    .auth_type = "basic",
	    .login_url = "",
	    .docs_url = "https://learn.microsoft.com/azure/"
			"container-registry/",
	    .icon = "pi pi-microsoft",
	    .host = "",
	},
	{
	    .slug = "generic",
	    .name = "Other registry",
	    .url_patterns = "[]",
	    .auth_type = "basic",
	    .login_url = "",
	    .docs_url = "",
	    .icon = "pi pi-server",
	    .host = "",
	},
};
#define TEXT_MAXIMUM 255
#define PATTERNS_MAXIMUM 20
#define BUILTIN_COUNT (sizeof builtin / sizeof builtin[0])

bool
registry_slug_is_valid(const char *slug)
{
	size_t length = strlen(slug);

	return length >= 1 && length <= 63 && *slug != '-' &&
	       slug[length - 1] != '-' &&
	       strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

bool
registry_auth_is_valid(const char *text)
{
	return strcmp(text, "basic") == 0 || strcmp(text, "token") == 0;
}

bool
registry_text_is_valid(const char *text)
{
	size_t length = strlen(text), i;

	for (i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return length <= TEXT_MAXIMUM && utf8_is_valid(text, length);
}

int
registry_patterns_check(struct json_object *patterns, struct error *err)
{
	size_t i;

	if (!json_object_is_type(patterns, json_type_array) ||
	    json_object_array_length(patterns) > PATTERNS_MAXIMUM)
		return error_field(err, "url_patterns", NULL,
		    "url_patterns must be a list of at most %d texts",
		    PATTERNS_MAXIMUM);
	for (i = 0; i < json_object_array_length(patterns); i++) {
		struct json_object *one =
		    json_object_array_get_idx(patterns, i);

		if (!json_object_is_type(one, json_type_string) ||
		    !registry_text_is_valid(json_object_get_string(one)))
			return error_field(err, "url_patterns", NULL,
			    "url_patterns must be short texts");
	}
	return 0;
}

static const struct registry_type *
find_builtin(const char *slug)
{
	size_t i;

	for (i = 0; i < BUILTIN_COUNT; i++)
		if (strcmp(builtin[i].slug, slug) == 0)
			return &builtin[i];
	return NULL;
}

static void
copy_builtin(const struct registry_type *from, struct registry_type *out)
{
	*out = *from;
	out->is_builtin = true;
}

#define TYPE_COLUMNS                                              \
	"SELECT slug, name, url_patterns, auth_type, login_url, " \
	"docs_url, icon, created_at, updated_at FROM registry_types "

static struct registry_type
read_type(sqlite3_stmt *row, struct arena *arena)
{
	return (struct registry_type){
		.slug = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.url_patterns = store_column_text(row, 2, arena),
		.auth_type = store_column_text(row, 3, arena),
		.login_url = store_column_text(row, 4, arena),
		.docs_url = store_column_text(row, 5, arena),
		.icon = store_column_text(row, 6, arena),
		.host = "",
		.created_at = sqlite3_column_int64(row, 7),
		.updated_at = sqlite3_column_int64(row, 8),
	};
}

int
registry_type_list(struct store *store, struct arena *arena,
    struct registry_type **out, size_t *out_count, struct error *err)
{
	struct registry_type *types = NULL;
	size_t count, allocated = 0;
	sqlite3_stmt *statement;
	bool row;

	for (count = 0; count < BUILTIN_COUNT; count++) {
		types =
		    arena_grow(arena, types, count, &allocated, sizeof *types);
		copy_builtin(&builtin[count], &types[count]);
	}
	if (store_prepare(
		store, TYPE_COLUMNS "ORDER BY slug", &statement, err) < 0)
		return -1;
	for (;;) {
		if (store_step(store, statement, &row, err) < 0)
			return -1;
		if (!row)
			break;
		types =
		    arena_grow(arena, types, count, &allocated, sizeof *types);
		types[count++] = read_type(statement, arena);
	}
	*out = types;
	*out_count = count;
	return 0;
}

static int
fail_not_found(struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "REGISTRY_NOT_FOUND",
	    "Registry type not found");
}

int
registry_type_get(struct store *store, const char *slug, struct arena *arena,
    struct registry_type *out, struct error *err)
{
	const struct registry_type *known = find_builtin(slug);
	sqlite3_stmt *statement;
	bool found;

	if (known != NULL) {
		copy_builtin(known, out);
		return 0;
	}
	if (store_prepare(
		store, TYPE_COLUMNS "WHERE slug = ?", &statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, slug);
	if (store_step(store, statement, &found, err) < 0)
		return -1;
	if (!found)
		return fail_not_found(err);
	*out = read_type(statement, arena);
	store_finish(statement);
	return 0;
}

static int
write_type(struct store *store, const char *sql,
    const struct registry_type *type, struct error *err)
{
	int64_t now_s = clock_wall_s();
	sqlite3_stmt *statement;

	if (store_prepare(store, sql, &statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, type->slug);
	store_bind_text(statement, 2, type->name);
	store_bind_text(statement, 3, type->url_patterns);
	store_bind_text(statement, 4, type->auth_type);
	store_bind_text(statement, 5, type->login_url);
	store_bind_text(statement, 6, type->docs_url);
	store_bind_text(statement, 7, type->icon);
	sqlite3_bind_int64(statement, 8, now_s);
	return store_run(store, statement, err);
}

int
registry_type_insert(
    struct store *store, const struct registry_type *type, struct error *err)
{
	if (find_builtin(type->slug) == NULL &&
	    write_type(store,
		"INSERT INTO registry_types (slug, name, url_patterns, "
		"auth_type, login_url, docs_url, icon, created_at, "
		"updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) "
		"ON CONFLICT (slug) DO NOTHING",
		type, err) < 0)
		return -1;
	return find_builtin(type->slug) == NULL &&
		       sqlite3_changes(store->db) > 0
		   ? 0
		   : error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
			 "there is such a registry type already");
}

static int
check_changeable(const char *slug, struct error *err)
{
	return find_builtin(slug) == NULL
		   ? 0
		   : error_set(err, ERR_FORBIDDEN, "PROTECTED",
			 "built-in registry types cannot be changed");
}

int
registry_type_update(
    struct store *store, const struct registry_type *type, struct error *err)
{
	if (check_changeable(type->slug, err) < 0 ||
	    write_type(store,
		"UPDATE registry_types SET name = ?2, url_patterns = ?3, "
		"auth_type = ?4, login_url = ?5, docs_url = ?6, icon = ?7, "
		"updated_at = ?8 WHERE slug = ?1",
		type, err) < 0)
		return -1;
	return sqlite3_changes(store->db) > 0 ? 0 : fail_not_found(err);
}

int
registry_type_delete(struct store *store, const char *slug, struct error *err)
{
	sqlite3_stmt *statement;

	if (check_changeable(slug, err) < 0 ||
	    store_prepare(store, "DELETE FROM registry_types WHERE slug = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, slug);
	if (store_run(store, statement, err) < 0)
		return -1;
	return sqlite3_changes(store->db) > 0 ? 0 : fail_not_found(err);
}
