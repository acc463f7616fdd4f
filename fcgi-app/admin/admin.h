/*
 * flatrun-admin: what the operator does on the host itself.
 *
 * Each command is a file and a function: argv[0] is the command's name, the
 * answer is the exit status: 0, 1 (it failed) or 2 (wrong usage). Results go
 * to standard output, complaints to standard error.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/arena.h"
#include "base/error.h"
#include "settings/settings.h"

#include <sys/types.h>

enum admin_exit { ADMIN_OK, ADMIN_FAILED, ADMIN_USAGE };

/* config: the file named with -c, or NULL for the usual places. */
int command_check_config(const char *config, int argc, char **argv);
int command_init(const char *config, int argc, char **argv);
int command_key(const char *config, int argc, char **argv);
int command_pool(const char *config, int argc, char **argv);
int command_render_nginx(const char *config, int argc, char **argv);

/* Loads the settings; on failure says why on standard error. */
int admin_load_settings(
    const char *config, struct arena *arena, struct settings **out);

/* Says what failed; always ADMIN_FAILED. */
int admin_fail(const struct error *err);

/* Says how the command is called; always ADMIN_USAGE. */
int admin_usage(const char *usage);

/*
 * Replaces the file at path, which may be relative, by a complete new one or
 * not at all.
 */
int admin_write_file(const char *path, const char *bytes, size_t length,
    mode_t mode, struct error *err);

#endif
