#include "agent/file-entry.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <string.h>

#define NAME_BYTES_MAXIMUM 4096

static const char *
type_of(mode_t mode)
{
	if (S_ISREG(mode))
		return "file";
	if (S_ISDIR(mode))
		return "directory";
	return S_ISLNK(mode) ? "link" : "other";
}

static const char *
permissions_of(mode_t mode, struct arena *arena)
{
	static const char letters[] = "rwxrwxrwx";
	char text[] = "----------";
	size_t i;

	if (S_ISDIR(mode))
		text[0] = 'd';
	else if (S_ISLNK(mode))
		text[0] = 'l';
	for (i = 0; i < 9; i++)
		if (mode & (0400U >> i))
			text[i + 1] = letters[i];
	return arena_strdup(arena, text);
}

struct json_object *
file_entry_render(
    const char *directory, const struct tree_entry *entry, struct arena *arena)
{
	auto_buffer struct buffer name = BUFFER(NAME_BYTES_MAXIMUM);
	struct json_object *object = json_object_new_object();
	const struct stat *status = &entry->status;
	int64_t modified_ms = (int64_t)status->st_mtim.tv_sec * 1000 +
			      status->st_mtim.tv_nsec / 1000000;

	utf8_append_repaired(&name, entry->name, strlen(entry->name));
	json_put_text(
	    object, "name", *entry->name == '\0' ? "/" : buffer_string(&name));
	json_put_text(object, "path",
	    arena_printf(arena, "%s%s%s%s", *directory != '\0' ? "/" : "",
		directory, "/", buffer_string(&name)));
	json_put_text(object, "type", type_of(status->st_mode));
	json_put_integer(object, "size",
	    S_ISREG(status->st_mode) ? (int64_t)status->st_size : 0);
	json_put_boolean(object, "is_dir", S_ISDIR(status->st_mode));
	json_put_text(object, "mod_time", clock_text_ms(arena, modified_ms));
	json_put_text(
	    object, "permissions", permissions_of(status->st_mode, arena));
	json_put_integer(object, "mode", status->st_mode & 0777);
	if (entry->child_count >= 0)
		json_put_integer(object, "child_count", entry->child_count);
	return object;
}

struct json_object *
file_entry_find(int directory, const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');
	struct tree_entry entry = { .name = slash != NULL ? slash + 1 : path,
		.child_count = -1 };
	struct tree_list children;
	struct error ignored;

	if (tree_status(directory, path, &entry.status, &ignored) < 0)
		return NULL;
	if (S_ISDIR(entry.status.st_mode) &&
	    tree_list(directory, path, 0, 0, arena, &children, &ignored) == 0)
		entry.child_count = (int64_t)children.total;
	return file_entry_render(
	    slash != NULL ? arena_strndup(arena, path, (size_t)(slash - path))
			  : "",
	    &entry, arena);
}
