/*
 * A file as the API shows it: {"name", "path", "type", "size", "is_dir",
 * "mod_time", "permissions", "mode", "child_count"}. The path begins with '/',
 * which is the deployment's directory; type is file, directory, link or other;
 * child_count is of a directory, up to 1000.
 */
#ifndef AGENT_FILE_ENTRY_H
#define AGENT_FILE_ENTRY_H

#include "base/arena.h"
#include "base/tree.h"
#include "json/json.h"

/* directory is the path of the one that the entry is in, "" for the top. The
 * caller owns it. */
struct json_object *file_entry_render(
    const char *directory, const struct tree_entry *entry, struct arena *arena);

/* Of what is at path beneath the open directory; NULL when that is gone. */
struct json_object *file_entry_find(
    int directory, const char *path, struct arena *arena);

#endif
