#include "admin/admin.h"
#include "admin/setup.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
command_init(const char *config, int argc, char **argv)
{
	auto_arena struct arena arena = { 0 };
	struct setup_owners owners;
	struct settings *settings;
	struct error err = { 0 };

	(void)argv;
	if (argc != 1)
		return admin_usage("init");
	if (admin_load_settings(config, &arena, &settings) < 0)
		return ADMIN_FAILED;
	if (geteuid() != 0) {
		fputs("flatrun-admin: only root can do this\n", stderr);
		return ADMIN_FAILED;
	}
	umask(022);
	if (setup_find_owners(settings, &owners, &err) < 0 ||
	    setup_run(settings, &owners, &arena, &err) < 0)
		return admin_fail(&err);
	return ADMIN_OK;
}
