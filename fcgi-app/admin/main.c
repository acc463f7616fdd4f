#include "admin/admin.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

static const struct command {
	const char *name;
	int (*run)(const char *config, int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "check-config", command_check_config,
	    "check config.yml and say what is wrong in it" },
	{ "init", command_init,
	    "make directories, secrets, certificate and database" },
	{ "key", command_key, "create, list or revoke API keys" },
	{ "pool", command_pool,
	    "run a pool of FastCGI processes, for a supervisor" },
	{ "render-nginx", command_render_nginx,
	    "write the site for nginx from config.yml" },
	{ 0 },
};

static void
print_help(void)
{
	const struct command *command;

	puts("usage: flatrun-admin [-c FILE] COMMAND [ARGUMENT]...\n");
	for (command = commands; command->name != NULL; command++)
		printf("  %-13s %s\n", command->name, command->summary);
	puts("\n  -c, --config FILE   the configuration "
	     "(" SETTINGS_DEFAULT_PATH ")\n"
	     "  -h, --help          this text\n"
	     "  -V, --version       the version");
}

int
main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const struct command *command;
	const char *config = NULL;
	int option;

	/* "+": what follows the command belongs to it. */
	while ((option = getopt_long(argc, argv, "+c:hV", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'h':
			print_help();
			return ADMIN_OK;
		case 'V':
			puts("flatrun-admin " PACKAGE_VERSION);
			return ADMIN_OK;
		default:
			return ADMIN_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	for (command = commands; argc > 0 && command->name != NULL; command++)
		if (strcmp(command->name, argv[0]) == 0)
			return command->run(config, argc, argv);
	return admin_usage("COMMAND [ARGUMENT]...; see --help");
}
