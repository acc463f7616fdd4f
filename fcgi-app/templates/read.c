/* Templates in a directory. */
#include "base/file.h"
#include "base/utf8.h"
#include "templates/templates-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPOSE_NAME "docker-compose.yml"
#define METADATA_NAME "metadata.yml"
#define INFRASTRUCTURE "infra"
#define ENTRIES_MAXIMUM 5000

int
template_texts_add(struct template_texts *texts, struct arena *arena,
    struct template_text **out, struct error *err)
{
	if (texts->count == TEMPLATES_MAXIMUM)
		return error_set(err, ERR_TOO_LARGE, NULL,
		    "there are more than %d templates", TEMPLATES_MAXIMUM);
	texts->texts = arena_grow(arena, texts->texts, texts->count,
	    &texts->allocated, sizeof *texts->texts);
	*out = &texts->texts[texts->count++];
	memset(*out, 0, sizeof **out);
	return 0;
}

int
template_texts_count(
    struct template_texts *texts, size_t bytes, struct error *err)
{
	texts->bytes += bytes;
	return texts->bytes <= TEMPLATES_BYTES_MAXIMUM
		   ? 0
		   : error_set(err, ERR_TOO_LARGE, NULL,
			 "the templates are larger than 8 MiB");
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The names in the directory that can be ids, sorted. */
static int
list_names(int directory, struct arena *arena, const char ***out,
    size_t *out_count, struct error *err)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const char **names = NULL;
	size_t count = 0, allocated = 0, seen = 0;
	struct dirent *entry;

	if (entries == NULL) {
		error_errno(err, "cannot list the templates");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(entries)) != NULL && seen++ < ENTRIES_MAXIMUM) {
		if (strchr(entry->d_name, '.') != NULL ||
		    !template_id_is_valid(entry->d_name))
			continue;
		names =
		    arena_grow(arena, names, count, &allocated, sizeof *names);
		names[count++] = arena_strdup(arena, entry->d_name);
	}
	closedir(entries);
	if (count > 0)
		qsort(names, count, sizeof *names, compare_names);
	*out = names;
	*out_count = count;
	return 0;
}

/* The file's text; NULL and *problem for one that is no such thing. */
static const char *
read_text(
    int directory, const char *name, struct arena *arena, const char **problem)
{
	auto_buffer struct buffer text = BUFFER(TEMPLATE_TEXT_MAXIMUM);
	struct error err;

	if (file_read(directory, name, &text, &err) < 0) {
		if (err.kind != ERR_NOT_FOUND)
			*problem = arena_printf(arena, "%s cannot be read: %s",
			    name, error_public(&err));
		return NULL;
	}
	if (strlen(buffer_string(&text)) != text.length ||
	    !utf8_is_valid(buffer_string(&text), text.length)) {
		*problem = arena_printf(arena, "%s is no text in UTF-8", name);
		return NULL;
	}
	return arena_strndup(arena, buffer_string(&text), text.length);
}

static size_t
length_of(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

/* A directory without a Compose file is none of ours. */
static int
read_template_directory(int parent, const char *name, const char *id,
    struct arena *arena, struct template_texts *out, struct error *err)
{
	struct template_text text = { .id = id }, *added;
	struct error ignored;
	auto_fd int directory =
	    file_open(parent, name, O_RDONLY | O_DIRECTORY, 0, &ignored);

	if (directory < 0)
		return 0;
	text.compose = read_text(directory, COMPOSE_NAME, arena, &text.problem);
	if (text.problem == NULL)
		text.metadata =
		    read_text(directory, METADATA_NAME, arena, &text.problem);
	if (text.compose == NULL && text.problem == NULL)
		return 0;
	if (template_texts_add(out, arena, &added, err) < 0)
		return -1;
	*added = text;
	return template_texts_count(
	    out, length_of(text.compose) + length_of(text.metadata), err);
}

static int
read_templates(int directory, const char *prefix, struct arena *arena,
    struct template_texts *out, struct error *err)
{
	const char **names;
	size_t count, i;

	if (list_names(directory, arena, &names, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (read_template_directory(directory, names[i],
			arena_printf(arena, "%s%s", prefix, names[i]), arena,
			out, err) < 0)
			return -1;
	return 0;
}

int
template_read_directory(const char *path, struct arena *arena,
    struct template_texts *out, struct error *err)
{
	auto_fd int directory = file_open_root(path, err);
	auto_fd int infrastructure = -1;
	struct error missing;

	memset(out, 0, sizeof *out);
	if (directory < 0 || read_templates(directory, "", arena, out, err) < 0)
		return -1;
	infrastructure = file_open(
	    directory, INFRASTRUCTURE, O_RDONLY | O_DIRECTORY, 0, &missing);
	return infrastructure < 0 ? 0
				  : read_templates(infrastructure,
					INFRASTRUCTURE "/", arena, out, err);
}
