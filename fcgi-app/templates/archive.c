/* Templates in an archive, which is read in memory. */
#include "archive/unpack.h"
#include "base/utf8.h"
#include "templates/fetch.h"
#include "templates/templates-private.h"

#include <string.h>

static const struct unpack_limits limits = {
	.entries = 5000,
	.file_bytes = (uint64_t)8 * 1024 * 1024,
	.total_bytes = (uint64_t)64 * 1024 * 1024,
};

/*
 * "PREFIX/ghost/docker-compose.yml" and "PREFIX/infra/redis/metadata.yml":
 * archives of repositories have a directory around it all. NULL for files
 * that are not a template's.
 */
static const char *
id_of(const char *path, struct arena *arena, bool *is_compose)
{
	const char *name = strrchr(path, '/'), *end = name, *id;

	if (name == NULL)
		return NULL;
	*is_compose = strcmp(name, "/docker-compose.yml") == 0;
	if (!*is_compose && strcmp(name, "/metadata.yml") != 0)
		return NULL;
	for (id = end; id > path && id[-1] != '/'; id--)
		;
	if (id - path >= 6 && strncmp(id - 6, "infra/", 6) == 0 &&
	    (id - path == 6 || id[-7] == '/'))
		id -= 6;
	id = arena_strndup(arena, id, (size_t)(end - id));
	return template_id_is_valid(id) ? id : NULL;
}

static int
find_or_add(struct template_texts *texts, const char *id, struct arena *arena,
    struct template_text **out, struct error *err)
{
	size_t i;

	for (i = 0; i < texts->count; i++)
		if (strcmp(texts->texts[i].id, id) == 0) {
			*out = &texts->texts[i];
			return 0;
		}
	if (template_texts_add(texts, arena, out, err) < 0)
		return -1;
	(*out)->id = id;
	return 0;
}

/* What is too large or no text is a problem of this template alone. */
static int
read_text(struct unpack *unpack, const char *name, struct arena *arena,
    const char **out, const char **problem, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(TEMPLATE_TEXT_MAXIMUM);
	char block[4096];
	size_t got;

	do {
		if (unpack_read(unpack, block, sizeof block, &got, err) < 0)
			return -1;
		buffer_append(&text, block, got);
	} while (got > 0);
	*out = arena_strndup(arena, buffer_string(&text), text.length);
	if (text.overflowed)
		*problem = arena_printf(arena, "%s is too large", name);
	else if (strlen(*out) != text.length ||
		 !utf8_is_valid(*out, text.length))
		*problem = arena_printf(arena, "%s is no text in UTF-8", name);
	return 0;
}

static int
read_entry(struct unpack *unpack, const char *path, struct arena *arena,
    struct template_texts *texts, struct error *err)
{
	bool is_compose;
	const char *id = id_of(path, arena, &is_compose);
	struct template_text *text;
	const char **member;

	if (id == NULL)
		return 0;
	if (find_or_add(texts, id, arena, &text, err) < 0)
		return -1;
	member = is_compose ? &text->compose : &text->metadata;
	if (*member != NULL) {
		text->problem = "the archive has it twice";
		return 0;
	}
	if (read_text(unpack,
		is_compose ? "docker-compose.yml" : "metadata.yml", arena,
		member, &text->problem, err) < 0)
		return -1;
	return template_texts_count(texts, strlen(*member), err);
}

/* What has metadata.yml alone is no template. */
static void
drop_incomplete(struct template_texts *texts)
{
	size_t i, count = 0;

	for (i = 0; i < texts->count; i++)
		if (texts->texts[i].compose != NULL)
			texts->texts[count++] = texts->texts[i];
	texts->count = count;
}

int
template_read_archive(const void *bytes, size_t length, struct arena *arena,
    struct template_texts *out, struct error *err)
{
	auto_unpack struct unpack *unpack = NULL;
	struct unpack_entry entry;
	bool found = true;
	int failed;

	memset(out, 0, sizeof *out);
	failed = unpack_open_memory(bytes, length, &limits, &unpack, err);
	while (!failed && found) {
		failed = unpack_next(unpack, &entry, &found, err);
		if (!failed && found && !entry.is_directory)
			failed =
			    read_entry(unpack, entry.path, arena, out, err);
	}
	if (failed) /* the same for those who read why */
		return error_set(err, ERR_INVALID, "INVALID_TEMPLATE", "%s",
		    error_public(err));
	drop_incomplete(out);
	return 0;
}
