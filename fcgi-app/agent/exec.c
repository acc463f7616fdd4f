#include "agent/exec.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/arguments.h"
#include "jobs/protocol.h"

#define STATE_STEP_MS 20
#define STATE_STEP_MAXIMUM_MS 250
#define STATE_CHECK_MS 2000
#define KILL_WAIT_MS 2000

struct program {
	struct run *run;
	const char *container; /* whole id */
	const char *id;
	int64_t deadline_ms;
	int64_t checked_at_ms; /* when the Engine was asked whether it runs */
	bool truncated;
	bool ended; /* although its output may go on */
};

static void
take_output(void *context, const char *bytes, size_t length)
{
	struct program *program = context;
	struct buffer *output = &program->run->output;
	size_t room = output->maximum - output->length;

	if (length > room) {
		program->truncated = true;
		length = room;
	}
	if (length > 0)
		buffer_append(output, bytes, length);
	run_store_output(program->run);
}

static bool
has_time(const struct program *program)
{
	return !atomic_load(program->run->cancel) &&
	       clock_monotonic_ms() < program->deadline_ms;
}

/*
 * A child that the program left behind may hold its output open: whether the
 * program itself has ended is asked now and then.
 */
static bool
goes_on(void *context)
{
	struct program *program = context;
	struct docker_exec_state state;
	int64_t now = clock_monotonic_ms();
	struct error ignored;

	if (!has_time(program))
		return false;
	if (now < program->checked_at_ms + STATE_CHECK_MS)
		return true;
	program->checked_at_ms = now;
	if (docker_exec_inspect(program->run->agent->docker, program->id,
		&state, &ignored) == 0)
		program->ended = !state.running && state.pid != 0;
	return !program->ended;
}

/* Waits until it has ended: its output may have ended before. */
static int
await_end(
    struct program *program, struct docker_exec_state *out, struct error *err)
{
	int64_t step_ms = STATE_STEP_MS;

	for (;;) {
		if (docker_exec_inspect(
			program->run->agent->docker, program->id, out, err) < 0)
			return -1;
		if (!out->running || !has_time(program))
			return 0;
		clock_sleep_ms(step_ms);
		step_ms = step_ms * 2 < STATE_STEP_MAXIMUM_MS
			      ? step_ms * 2
			      : STATE_STEP_MAXIMUM_MS;
	}
}

/* It had its time, or nobody wants it any more. */
static int
end_program(struct program *program, const struct docker_exec_state *state,
    struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + KILL_WAIT_MS;
	struct docker_exec_state after = *state;
	struct error ignored;
	bool cancelled = atomic_load(program->run->cancel);

	if (state->pid > 1)
		exec_kill_session((pid_t)state->pid, program->container);
	while (after.running && clock_monotonic_ms() < until_ms) {
		clock_sleep_ms(STATE_STEP_MS);
		if (docker_exec_inspect(program->run->agent->docker,
			program->id, &after, &ignored) < 0)
			break;
	}
	if (after.running)
		log_event(LOG_WARNING, "a program in a container lives on",
		    LOG_TEXT("container", program->container));
	if (cancelled)
		return error_set(err, ERR_CONFLICT, "JOB_CANCELLED",
		    "the job was cancelled");
	return error_set(err, ERR_TIMEOUT, "EXEC_TIMEOUT",
	    after.running ? "the command did not end in time and goes on in "
			    "the container"
			  : "the command did not end in time and was killed");
}

static int
judge(struct program *program, const struct docker_exec_state *state,
    struct error *err)
{
	struct json_object *result = program->run->result;

	if (result == NULL)
		result = program->run->result = json_object_new_object();
	json_put_boolean(result, "truncated", program->truncated);
	if (state->running)
		return end_program(program, state, err);
	json_put_integer(result, "exit_code", state->exit_code);
	if (state->exit_code == 0)
		return 0;
	return error_set(err, ERR_UPSTREAM, "COMMAND_FAILED",
	    "the command ended with exit code %d", state->exit_code);
}

/* Nobody hears it any more. */
static void
abandon(struct program *program)
{
	struct docker_exec_state state;
	struct error ignored;

	if (docker_exec_inspect(program->run->agent->docker, program->id,
		&state, &ignored) == 0 &&
	    state.running && state.pid > 1)
		exec_kill_session((pid_t)state.pid, program->container);
}

int
exec_in_container(struct run *run, const struct docker_exec *exec,
    int64_t timeout_s, struct error *err)
{
	struct docker *docker = run->agent->docker;
	struct program program = { .run = run, .container = exec->container };
	struct docker_exec_state state;

	if (docker_exec_create(docker, exec, &run->arena, &program.id, err) < 0)
		return -1;
	program.checked_at_ms = clock_monotonic_ms();
	program.deadline_ms = program.checked_at_ms + 1000 * timeout_s;
	if (docker_exec_run(
		docker, program.id, take_output, goes_on, &program, err) < 0) {
		abandon(&program);
		return -1;
	}
	if (await_end(&program, &state, err) < 0)
		return -1;
	return judge(&program, &state, err);
}

static int
run_program(struct run *run, struct error *err)
{
	struct exec_arguments arguments = { .command = "sh",
		.timeout = EXEC_TIMEOUT_S };
	struct docker_exec exec;

	if (run_decode(run, exec_argument_fields, &arguments, err) < 0 ||
	    exec_arguments_check(&arguments, err) < 0)
		return -1;
	exec = exec_arguments_apply(&arguments, run->subject, &run->arena);
	return exec_in_container(run, &exec, arguments.timeout, err);
}

const struct job_kind exec_jobs[] = {
	{ JOB_EXEC, docker_id_is_whole, run_program, LANE_EXEC, true },
	{ 0 },
};
