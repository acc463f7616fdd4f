#include "base/process.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_GRACE_MS 10000
#define POLL_MS 500
#define DESCRIPTORS_ABOVE 64 /* where none of the child's is */
#define ENVIRON_MAXIMUM (256 * 1024)

/*
 * Gives the child its descriptors as 3, 4, … and closes all others at exec;
 * *status, too, may be in their way.
 */
static int
place_descriptors(const struct process_options *options, int *status)
{
	int copies[PROCESS_DESCRIPTORS_MAXIMUM];
	size_t i;

	*status = fcntl(*status, F_DUPFD_CLOEXEC, DESCRIPTORS_ABOVE);
	for (i = 0; i < options->descriptor_count; i++) {
		copies[i] = fcntl(options->descriptors[i], F_DUPFD_CLOEXEC,
		    DESCRIPTORS_ABOVE);
		if (copies[i] < 0)
			return -1;
	}
	/* CLOSE_RANGE_CLOEXEC keeps status open until exec. */
	syscall(SYS_close_range, 3U, ~0U, 1U << 2);
	for (i = 0; i < options->descriptor_count; i++)
		if (dup2(copies[i], 3 + (int)i) < 0)
			return -1;
	return 0;
}

/* What the child does between fork() and exec(): async-signal-safe calls. */
static void
become_program(
    const struct process_options *options, int input, int output, int status)
{
	/* The kernel's struct, all zeroes: SIG_DFL. */
	static const unsigned long default_action[4];
	sigset_t none;
	int number, code;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	/* signal() would leave glibc's own two as whoever started us had them
	 */
	for (number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, default_action, NULL, 8UL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, STDIN_FILENO) >= 0 &&
	    dup2(output, STDOUT_FILENO) >= 0 &&
	    dup2(output, STDERR_FILENO) >= 0 &&
	    chdir(options->directory ? options->directory : "/") == 0 &&
	    place_descriptors(options, &status) == 0)
		execve(options->argv[0], (char *const *)options->argv,
		    (char *const *)options->environment);
	code = errno;
	number = (int)write(status, &code, sizeof code);
	(void)number;
	_exit(127);
}

/* Waits until the child has called exec(); its errno when it could not. */
static int
wait_for_exec(int status)
{
	int code = 0;
	ssize_t got;

	do
		got = read(status, &code, sizeof code);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof code ? code : 0;
}

static int
open_input(const struct process_options *options, int *out_read, int *out_write)
{
	int pair[2];

	*out_write = -1;
	if (options->input == NULL) {
		*out_read = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return *out_read < 0 ? -1 : 0;
	}
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -1;
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	*out_read = pair[0];
	*out_write = pair[1];
	return 0;
}

struct running {
	pid_t pid;
	int output;
	int input;
	size_t written;
	int64_t deadline_ms; /* 0: none */
	int64_t kill_at_ms;  /* 0: not told to end yet */
};

static void
feed_input(const struct process_options *options, struct running *running)
{
	ssize_t put = write(running->input, options->input + running->written,
	    options->input_length - running->written);

	if (put > 0)
		running->written += (size_t)put;
	if ((put < 0 && errno != EAGAIN && errno != EINTR) ||
	    running->written == options->input_length) {
		close(running->input);
		running->input = -1;
	}
}

static void
end_when_due(const struct process_options *options, struct running *running,
    struct process_result *result)
{
	int64_t now = clock_monotonic_ms();

	if (running->kill_at_ms != 0) {
		if (now >= running->kill_at_ms)
			kill(-running->pid, SIGKILL);
		return;
	}
	if (running->deadline_ms != 0 && now >= running->deadline_ms)
		result->timed_out = true;
	else if (options->cancel != NULL && atomic_load(options->cancel))
		result->cancelled = true;
	else
		return;
	kill(-running->pid, SIGTERM);
	running->kill_at_ms = now + KILL_GRACE_MS;
}

static bool
has_ended(pid_t pid)
{
	siginfo_t ended = { 0 };

	return waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) <
		   0 ||
	       ended.si_pid == pid;
}

/* Relays output until every holder of the pipe is gone or told to go. */
static void
relay(const struct process_options *options, struct running *running,
    struct process_result *result)
{
	char chunk[4096];
	ssize_t got;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = running->output, .events = POLLIN },
			{ .fd = running->input, .events = POLLOUT },
		};
		int ready = poll(fds, 2, POLL_MS);

		end_when_due(options, running, result);
		if (ready < 0 && errno != EINTR)
			return;
		if (ready > 0 && fds[1].revents != 0)
			feed_input(options, running);
		if (ready > 0 && fds[0].revents != 0) {
			got = read(running->output, chunk, sizeof chunk);
			if (got == 0 || (got < 0 && errno != EINTR))
				return;
			if (got > 0 && options->on_output != NULL)
				options->on_output(
				    options->context, chunk, (size_t)got);
			continue;
		}
		/*
		 * A daemon that the program left behind may hold the pipe: the
		 * end of the program is what counts.
		 */
		if (ready == 0 && has_ended(running->pid))
			return;
	}
}

/*
 * Waits for the program, which may have closed its output long before, under
 * the same deadline. It stays a zombie, so that its group is still its own.
 */
static void
await_end(const struct process_options *options, struct running *running,
    struct process_result *result)
{
	auto_fd int handle = (int)syscall(SYS_pidfd_open, running->pid, 0U);
	struct pollfd ended = { .fd = handle, .events = POLLIN };

	while (!has_ended(running->pid)) {
		end_when_due(options, running, result);
		poll(&ended, 1, POLL_MS);
	}
}

static void
close_pipes(struct running *running)
{
	cleanup_fd(&running->output);
	cleanup_fd(&running->input);
	running->output = running->input = -1;
}

static int
reap(pid_t pid)
{
	int state = 0;

	while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
		;
	return state;
}

/* Gives the child its ends of the pipes; running has the others. */
static int
start(const struct process_options *options, struct running *running,
    struct error *err)
{
	auto_fd int child_input = -1, child_output = -1, child_status = -1;
	auto_fd int status = -1;
	int pair[2], code;

	*running = (struct running){ .pid = -1, .output = -1, .input = -1 };
	if (open_input(options, &child_input, &running->input) < 0)
		return error_errno(err, "cannot start a program");
	if (pipe2(pair, O_CLOEXEC) == 0) {
		running->output = pair[0];
		child_output = pair[1];
		if (pipe2(pair, O_CLOEXEC) == 0) {
			status = pair[0];
			child_status = pair[1];
			running->pid = fork();
		}
	}
	if (running->pid == 0)
		become_program(
		    options, child_input, child_output, child_status);
	if (running->pid < 0) {
		error_errno(err, "cannot start a program");
		close_pipes(running);
		return -1;
	}
	setpgid(running->pid, running->pid);
	cleanup_fd(&child_status);
	child_status = -1;
	code = wait_for_exec(status);
	if (code == 0) {
		if (options->timeout_ms > 0)
			running->deadline_ms =
			    clock_monotonic_ms() + options->timeout_ms;
		return 0;
	}
	close_pipes(running);
	reap(running->pid);
	errno = code;
	error_errno(err, "cannot start a program");
	return error_detail(err, "%s: %s", options->argv[0], strerror(code));
}

static void
finish(const struct process_options *options, struct running *running,
    struct process_result *out)
{
	int state;

	close_pipes(running);
	await_end(options, running, out);
	kill(-running->pid, SIGKILL); /* what it left in its group */
	state = reap(running->pid);
	out->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
	out->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
}

int
process_run(const struct process_options *options, struct process_result *out,
    struct error *err)
{
	struct running running;

	memset(out, 0, sizeof *out);
	if (start(options, &running, err) < 0)
		return -1;
	relay(options, &running, out);
	finish(options, &running, out);
	return 0;
}

struct process {
	struct process_options options;
	struct running running;
	struct process_result result;
};

int
process_start(const struct process_options *options, struct process **out,
    struct error *err)
{
	struct process *process = xcalloc(1, sizeof *process);

	process->options = *options;
	if (start(options, &process->running, err) < 0) {
		free(process);
		return -1;
	}
	*out = process;
	return 0;
}

size_t
process_read(struct process *process, void *bytes, size_t size)
{
	struct pollfd output = { .fd = process->running.output,
		.events = POLLIN };
	ssize_t got;

	for (;;) {
		int ready = poll(&output, 1, POLL_MS);

		end_when_due(
		    &process->options, &process->running, &process->result);
		if (process->running.kill_at_ms != 0)
			return 0;
		if (ready <= 0)
			continue;
		got = read(process->running.output, bytes, size);
		if (got >= 0 || errno != EINTR)
			return got > 0 ? (size_t)got : 0;
	}
}

void
process_finish(struct process *process, struct process_result *out)
{
	kill(-process->running.pid, SIGKILL);
	finish(&process->options, &process->running, &process->result);
	*out = process->result;
	free(process);
}

/* Whether the process's environment has the entry. */
static bool
is_marked(int proc, const char *pid, const char *entry)
{
	char path[300];
	auto_fd int fd = -1;
	auto_free char *text = xmalloc(ENVIRON_MAXIMUM + 1);
	size_t length = 0, size;
	const char *at;
	ssize_t got;

	snprintf(path, sizeof path, "%s/environ", pid);
	if ((fd = openat(proc, path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	while (length < ENVIRON_MAXIMUM &&
	       (got = read(fd, text + length, ENVIRON_MAXIMUM - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	for (at = text; at < text + length; at += size) {
		size = strlen(at) + 1;
		if (strcmp(at, entry) == 0)
			return true;
	}
	return false;
}

/* A container may have any environment, and its processes are here, too. */
static bool
is_of_our_name_space(int proc, const char *pid)
{
	char path[300], ours[64], theirs[64];
	ssize_t length, other;

	snprintf(path, sizeof path, "%s/ns/pid", pid);
	length = readlinkat(proc, "self/ns/pid", ours, sizeof ours);
	other = readlinkat(proc, path, theirs, sizeof theirs);
	return length > 0 && length == other &&
	       memcmp(ours, theirs, (size_t)length) == 0;
}

int
process_kill_marked(const char *entry)
{
	DIR *proc = opendir("/proc");
	struct dirent *found;
	int killed = 0;

	if (proc == NULL)
		return 0;
	while ((found = readdir(proc)) != NULL) {
		pid_t pid, group;

		if (!isdigit((unsigned char)found->d_name[0]) ||
		    !is_of_our_name_space(dirfd(proc), found->d_name) ||
		    !is_marked(dirfd(proc), found->d_name, entry))
			continue;
		pid = (pid_t)strtol(found->d_name, NULL, 10);
		if (pid == getpid())
			continue;
		group = getpgid(pid);
		if (group > 1 && group != getpgrp())
			kill(-group, SIGKILL);
		kill(pid, SIGKILL);
		killed++;
	}
	closedir(proc);
	return killed;
}
