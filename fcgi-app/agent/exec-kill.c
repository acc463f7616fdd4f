#include "agent/exec.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC_TEXT_MAXIMUM 4096

/* The first bytes of a file of /proc/PID, as text. */
static bool
read_proc(
    int proc, const char *pid, const char *name, char text[PROC_TEXT_MAXIMUM])
{
	char path[300];
	auto_fd int fd = -1;
	size_t length = 0;
	ssize_t got;

	snprintf(path, sizeof path, "%s/%s", pid, name);
	if ((fd = openat(proc, path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	while (
	    length < PROC_TEXT_MAXIMUM - 1 &&
	    (got = read(fd, text + length, PROC_TEXT_MAXIMUM - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	return length > 0;
}

/* "PID (NAME) STATE PPID GROUP SESSION …"; the name may hold anything. */
static bool
is_of_session(int proc, const char *pid, pid_t session)
{
	char text[PROC_TEXT_MAXIMUM];
	const char *at;
	int i;

	if (!read_proc(proc, pid, "stat", text) ||
	    (at = strrchr(text, ')')) == NULL)
		return false;
	for (i = 0; i < 4; i++) {
		if ((at = strchr(at, ' ')) == NULL)
			return false;
		at++;
	}
	return strtol(at, NULL, 10) == session;
}

static bool
is_in_container(int proc, const char *pid, const char *container)
{
	char text[PROC_TEXT_MAXIMUM];

	return read_proc(proc, pid, "cgroup", text) &&
	       strstr(text, container) != NULL;
}

/*
 * The handle is taken first: what is then read is about the process that it
 * stands for, or that one has ended and cannot be killed any more.
 */
static bool
kill_process(int proc, const char *pid, pid_t session, const char *container)
{
	auto_fd int handle =
	    (int)syscall(SYS_pidfd_open, (pid_t)strtol(pid, NULL, 10), 0U);

	return handle >= 0 && is_of_session(proc, pid, session) &&
	       is_in_container(proc, pid, container) &&
	       syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0U) == 0;
}

size_t
exec_kill_session(pid_t session, const char *container)
{
	DIR *proc = opendir("/proc");
	struct dirent *found;
	size_t killed = 0;

	if (proc == NULL)
		return 0;
	while ((found = readdir(proc)) != NULL)
		if (isdigit((unsigned char)found->d_name[0]) &&
		    is_of_session(dirfd(proc), found->d_name, session) &&
		    kill_process(
			dirfd(proc), found->d_name, session, container))
			killed++;
	closedir(proc);
	return killed;
}
