#include "admin/admin.h"

#include <stdio.h>

int
command_check_config(const char *config, int argc, char **argv)
{
	auto_arena struct arena arena = { 0 };
	struct settings *settings;

	(void)argv;
	if (argc != 1)
		return admin_usage("check-config");
	if (admin_load_settings(config, &arena, &settings) < 0)
		return ADMIN_FAILED;
	puts("ok");
	return ADMIN_OK;
}
