#include "store/mirror.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#include "json/json.h"

#include <string.h>

#define ID_PREFIX "sha256:"

int
mirror_image_put(struct store *store, const struct mirror_image *image,
    bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO images VALUES (?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (id) DO UPDATE SET tags = excluded.tags, "
		"digests = excluded.digests, size = excluded.size, "
		"created_at = excluded.created_at, labels = excluded.labels "
		"WHERE (tags, digests, size, created_at, labels) IS NOT "
		"(excluded.tags, excluded.digests, excluded.size, "
		"excluded.created_at, excluded.labels)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, image->id);
	store_bind_text(statement, 2, image->tags);
	store_bind_text(statement, 3, image->digests);
	sqlite3_bind_int64(statement, 4, image->size_bytes);
	sqlite3_bind_int64(statement, 5, image->created_at);
	store_bind_text(statement, 6, image->labels);
	return mirror_run(store, statement, changed, err);
}

int
mirror_images_retain(struct store *store, const char *const *ids, size_t count,
    bool *changed, struct error *err)
{
	return mirror_retain(store, ids, count,
	    "DELETE FROM images WHERE id NOT IN "
	    "(SELECT id FROM temp.retained)",
	    changed, err);
}

static struct mirror_image
read_image(sqlite3_stmt *row, struct arena *arena)
{
	return (struct mirror_image){
		.id = store_column_text(row, 0, arena),
		.tags = store_column_text(row, 1, arena),
		.digests = store_column_text(row, 2, arena),
		.size_bytes = sqlite3_column_int64(row, 3),
		.created_at = sqlite3_column_int64(row, 4),
		.labels = store_column_text(row, 5, arena),
		.containers = store_column_text(row, 6, arena),
	};
}

int
mirror_image_list(struct store *store, struct arena *arena,
    struct mirror_image **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"WITH used AS MATERIALIZED (SELECT image_id, "
		"json_group_array(name) AS names FROM "
		"(SELECT image_id, name FROM containers "
		"ORDER BY image_id, name) GROUP BY image_id) "
		"SELECT i.*, coalesce(used.names, '[]') FROM images i "
		"LEFT JOIN used ON used.image_id = i.id "
		"ORDER BY i.created_at DESC, i.id",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_image, out, out_count, err);
}

/* Whether the JSON array has the text. */
static bool
has_name(const char *names, const char *name)
{
	auto_json struct json_object *list = NULL;
	struct error ignored;
	size_t i;

	if (json_parse_trusted(names, strlen(names), &list, &ignored) < 0 ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (json_object_is_type(one, json_type_string) &&
		    strcmp(json_object_get_string(one), name) == 0)
			return true;
	}
	return false;
}

static bool
has_tag(const char *reference)
{
	const char *slash = strrchr(reference, '/');

	return strchr(slash ? slash : reference, ':') != NULL;
}

/*
 * The Engine shows a name as short as it goes: "docker.io/library/nginx" is
 * "nginx" there.
 */
static const char *
shorten(const char *reference)
{
	static const char *const implied[] = { "docker.io/", "index.docker.io/",
		"library/" };
	size_t i;

	for (i = 0; i < sizeof implied / sizeof implied[0]; i++)
		if (strncmp(reference, implied[i], strlen(implied[i])) == 0)
			reference += strlen(implied[i]);
	return reference;
}

static const struct mirror_image *
find_by_name(const struct mirror_image *images, size_t count,
    const char *reference, struct arena *arena)
{
	bool is_digest = strchr(reference, '@') != NULL;
	const char *name = shorten(reference);
	size_t i;

	if (!is_digest && !has_tag(name))
		name = arena_printf(arena, "%s:latest", name);
	for (i = 0; i < count; i++)
		if (has_name(
			is_digest ? images[i].digests : images[i].tags, name))
			return &images[i];
	return NULL;
}

/* One whose id begins with the digits; *several: more do. */
static const struct mirror_image *
find_by_id(const struct mirror_image *images, size_t count, const char *digits,
    bool *several)
{
	const struct mirror_image *found = NULL;
	size_t skip = strlen(ID_PREFIX), i;

	*several = false;
	for (i = 0; i < count; i++) {
		if (strncmp(images[i].id, ID_PREFIX, skip) != 0 ||
		    strncmp(images[i].id + skip, digits, strlen(digits)) != 0)
			continue;
		*several = found != NULL;
		if (*several)
			break;
		found = &images[i];
	}
	return found;
}

int
mirror_image_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_image *out, struct error *err)
{
	const struct mirror_image *found = NULL;
	struct mirror_image *images;
	const char *digits = reference;
	bool several = false;
	size_t count;

	if (mirror_image_list(store, arena, &images, &count, err) < 0)
		return -1;
	if (strncmp(reference, ID_PREFIX, strlen(ID_PREFIX)) == 0)
		digits += strlen(ID_PREFIX);
	else
		found = find_by_name(images, count, reference, arena);
	if (found == NULL && mirror_is_id_beginning(digits))
		found = find_by_id(images, count, digits, &several);
	if (several)
		return error_set(err, ERR_CONFLICT, "AMBIGUOUS_ID",
		    "several images have an id that begins so");
	if (found == NULL)
		return error_set(
		    err, ERR_NOT_FOUND, "IMAGE_NOT_FOUND", "Image not found");
	*out = *found;
	return 0;
}
