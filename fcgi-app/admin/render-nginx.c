#include "admin/admin.h"
#include "admin/site.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define USAGE "render-nginx [--output FILE] [--template FILE]"
#define TEMPLATE_DEFAULT PKGDATADIR "/nginx/site.conf.in"

static int
render(const struct settings *settings, const char *template_path,
    struct arena *arena, struct buffer *out, struct error *err)
{
	auto_buffer struct buffer template = BUFFER(SITE_MAXIMUM);
	const char *slash = strrchr(template_path, '/');
	const char *name = slash == NULL ? template_path : slash + 1;
	auto_fd int directory =
	    file_open_root(slash == NULL ? "."
					 : arena_strndup(arena, template_path,
					       (size_t)(name - template_path)),
		err);

	if (directory < 0 || file_read(directory, name, &template, err) < 0)
		return error_wrap(err, "cannot read the template");
	return site_render(settings, buffer_string(&template), arena, out, err);
}

int
command_render_nginx(const char *config, int argc, char **argv)
{
	static const struct option known[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "template", required_argument, NULL, 't' },
		{ 0 },
	};
	auto_arena struct arena arena = { 0 };
	auto_buffer struct buffer site = BUFFER(SITE_MAXIMUM);
	const char *output = NULL, *template_path = TEMPLATE_DEFAULT;
	struct settings *settings;
	struct error err = { 0 };
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'o')
			output = optarg;
		else if (option == 't')
			template_path = optarg;
		else
			return admin_usage(USAGE);
	}
	if (optind != argc)
		return admin_usage(USAGE);
	if (admin_load_settings(config, &arena, &settings) < 0)
		return ADMIN_FAILED;
	if (render(settings, template_path, &arena, &site, &err) < 0)
		return admin_fail(&err);
	if (output == NULL) {
		fputs(buffer_string(&site), stdout);
		return fflush(stdout) == 0 ? ADMIN_OK : ADMIN_FAILED;
	}
	if (admin_write_file(
		output, buffer_string(&site), site.length, 0644, &err) < 0)
		return admin_fail(&err);
	return ADMIN_OK;
}
