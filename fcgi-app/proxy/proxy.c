#include "proxy/proxy.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LENGTH_MAXIMUM 200

/* A stale pid file must not make us signal a stranger. */
static bool
is_nginx(pid_t pid)
{
	auto_buffer struct buffer name = BUFFER(64);
	auto_fd int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[64];
	struct error ignored;

	snprintf(path, sizeof path, "%d/comm", (int)pid);
	return proc >= 0 && file_read(proc, path, &name, &ignored) == 0 &&
	       strcmp(buffer_string(&name), "nginx\n") == 0;
}

/* nginx keeps its running configuration when the new one is broken. */
static void
reload_nginx(const char *pid_file)
{
	char digits[32] = "";
	auto_fd int fd = open(pid_file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, digits, sizeof digits - 1);
	pid_t pid = got > 0 ? (pid_t)strtol(digits, NULL, 10) : 0;

	if (pid <= 1 || !is_nginx(pid) || kill(pid, SIGHUP) < 0)
		log_event(LOG_WARNING, "nginx was not told to reload",
		    LOG_TEXT("pid_file", pid_file));
}

int
proxy_remove_vhost(const char *directory, const char *pid_file,
    const char *name, bool *removed, struct error *err)
{
	char file[NAME_MAX + 1];
	auto_fd int fd = -1;

	*removed = false;
	if (strchr(name, '/') != NULL || strlen(name) > NAME_LENGTH_MAXIMUM)
		return error_field(
		    err, "name", "INVALID_NAME", "the name is out of grammar");
	fd = file_open_root(directory, err);
	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	snprintf(file, sizeof file, "%s.conf", name);
	if (unlinkat(fd, file, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_errno(err, "cannot remove the virtual host");
	}
	*removed = true;
	if (file_sync(fd, err) < 0)
		return -1;
	reload_nginx(pid_file);
	return 0;
}
