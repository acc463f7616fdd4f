#include "admin/pool.h"

#include "admin/admin.h"
#include "base/limits.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USAGE "pool [--program FILE] workers|streams"
#define SPAWN_FCGI "/usr/bin/spawn-fcgi"
#define MULTIWATCH "/usr/bin/multiwatch"
#define PROGRAM_DEFAULT SBINDIR "/flatrun-fcgi"

/* As long as the kernel takes: net.core.somaxconn has the last word. */
#define BACKLOG "1024"

/* nginx's connection, libcurl's own, and one for each of a few containers. */
#define FILES_PER_STREAM 16
#define OTHER_FILES 1024

static const char *
process_count(
    const struct settings *settings, enum pool pool, struct arena *arena)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* One process for all streams: its places are counted in it. */
	if (pool == POOL_STREAMS)
		return "1";
	if (settings->api.workers > 0)
		cores = (long)settings->api.workers;
	return arena_printf(arena, "%ld", cores > 0 ? cores : 1);
}

const char *const *
pool_command(const struct settings *settings, enum pool pool,
    const char *program, const char *nginx_group, struct arena *arena)
{
	const char *socket =
	    arena_printf(arena, "%s/http/%s.sock", settings->run_directory,
		pool == POOL_STREAMS ? "streams" : "workers");
	/*
	 * multiwatch gives a child up that dies several times within the
	 * timeout: no crash may become an outage, so it never does (-r, -t).
	 */
	const char *const command[] = { SPAWN_FCGI, "-n", "-s", socket, "-M",
		"0660", "-U", settings->user, "-G", nginx_group, "-u",
		settings->user, "-b", BACKLOG, "--", MULTIWATCH, "-f",
		process_count(settings, pool, arena), "-r", "100000000", "-t",
		"1000", "-s", "TERM", "--", program, "-c", settings->path,
		pool == POOL_STREAMS ? "--streams" : NULL, NULL };
	const char **copy = arena_alloc(arena, sizeof command);

	memcpy(copy, command, sizeof command);
	return copy;
}

/* The name of the group of nginx's user. */
static const char *
find_nginx_group(
    const struct settings *settings, struct arena *arena, struct error *err)
{
	char buffer[4096];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;

	if (getpwnam_r(settings->nginx.user, &user, buffer, sizeof buffer,
		&found_user) != 0 ||
	    found_user == NULL) {
		error_set(err, ERR_INVALID, NULL,
		    "nginx.user: there is no user '%s'", settings->nginx.user);
		return NULL;
	}
	if (getgrgid_r(user.pw_gid, &group, buffer, sizeof buffer,
		&found_group) != 0 ||
	    found_group == NULL) {
		error_set(err, ERR_INVALID, NULL,
		    "nginx.user: its group has no name");
		return NULL;
	}
	return arena_strdup(arena, group.gr_name);
}

static int
start(const struct settings *settings, enum pool pool, const char *program,
    struct arena *arena, struct error *err)
{
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		/* Many threads that mostly rest would each keep a cache of
		 * freed memory; without it they are as fast. */
		"GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
		/* It comes with libcurl, and nobody here uses it. */
		"GNUTLS_NO_IMPLICIT_INIT=1", NULL
	};
	const char *group = find_nginx_group(settings, arena, err);
	const char *const *command;

	if (group == NULL)
		return -1;
	if (pool == POOL_STREAMS)
		limits_allow_files(
		    OTHER_FILES +
		    FILES_PER_STREAM * (size_t)settings->api.streams);
	command = pool_command(settings, pool, program, group, arena);
	execve(command[0], (char *const *)command, (char *const *)environment);
	return error_errno(err, "cannot start '%s'", command[0]);
}

int
command_pool(const char *config, int argc, char **argv)
{
	static const struct option known[] = {
		{ "program", required_argument, NULL, 'p' },
		{ 0 },
	};
	auto_arena struct arena arena = { 0 };
	const char *program = PROGRAM_DEFAULT;
	struct settings *settings;
	struct error err = { 0 };
	enum pool pool;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option != 'p')
			return admin_usage(USAGE);
		program = optarg;
	}
	if (optind != argc - 1)
		return admin_usage(USAGE);
	if (strcmp(argv[optind], "workers") == 0)
		pool = POOL_WORKERS;
	else if (strcmp(argv[optind], "streams") == 0)
		pool = POOL_STREAMS;
	else
		return admin_usage(USAGE);
	if (admin_load_settings(config, &arena, &settings) < 0)
		return ADMIN_FAILED;
	start(settings, pool, program, &arena, &err);
	return admin_fail(&err);
}
