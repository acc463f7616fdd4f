#include "admin/admin.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

static void
print_warning(void *context, unsigned int line, const char *text)
{
	(void)context;
	fprintf(stderr, "warning: line %u: %s\n", line, text);
}

int
admin_load_settings(
    const char *config, struct arena *arena, struct settings **out)
{
	struct error err = { 0 };

	if (settings_load(config, arena, print_warning, NULL, out, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.message);
	return -1;
}

int
admin_fail(const struct error *err)
{
	fprintf(stderr, "flatrun-admin: %s", err->message);
	if (err->detail[0] != '\0')
		fprintf(stderr, " (%s)", err->detail);
	fputc('\n', stderr);
	return ADMIN_FAILED;
}

int
admin_usage(const char *usage)
{
	fprintf(stderr, "usage: flatrun-admin [-c FILE] %s\n", usage);
	return ADMIN_USAGE;
}

int
admin_write_file(const char *path, const char *bytes, size_t length,
    mode_t mode, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	const char *directory =
	    slash == NULL ? "."
			  : arena_strndup(&arena, path, (size_t)(name - path));
	auto_fd int fd = file_open_root(directory, err);

	if (fd < 0)
		return -1;
	return file_write(fd, name, bytes, length, mode, err);
}
