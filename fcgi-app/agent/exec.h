/*
 * Programs that jobs run in containers.
 *
 * The Engine cannot end a program it runs for exec: when its time is over or
 * the job is cancelled, the program's session is killed here, from the host,
 * after /proc has shown that the processes are the container's. A program that
 * started a session of its own lives on.
 */
#ifndef AGENT_EXEC_H
#define AGENT_EXEC_H

#include "agent/executor.h"

#include <stddef.h>
#include <sys/types.h>

extern const struct job_kind exec_jobs[];

struct docker_exec;

/*
 * Runs it in the container that it names by the whole id. Its output goes to
 * the run, and to the run's result "exit_code" and "truncated". ERR_UPSTREAM
 * COMMAND_FAILED when the exit code is not 0, ERR_TIMEOUT EXEC_TIMEOUT,
 * ERR_CONFLICT JOB_CANCELLED.
 */
int exec_in_container(struct run *run, const struct docker_exec *exec,
    int64_t timeout_s, struct error *err);

/*
 * Kills the processes of the session whose cgroup names the container's whole
 * id; the count of them.
 */
size_t exec_kill_session(pid_t session, const char *container);

#endif
