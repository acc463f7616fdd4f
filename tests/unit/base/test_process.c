/* Programs are run as they were asked for, and end when they have to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/process.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAXIMUM (8U * 1024 * 1024)

static const char *const plain_environment[] = { "PATH=/usr/bin:/bin", NULL };

struct outcome {
	struct process_result result;
	struct error err;
	struct buffer output;
	int failed;
	int64_t took_ms;
};

static void
keep_output(void *context, const char *bytes, size_t length)
{
	assert_int_equal(buffer_append(context, bytes, length), 0);
}

static struct outcome
run(struct process_options options)
{
	struct outcome outcome = { .output = BUFFER(OUTPUT_MAXIMUM) };
	int64_t started_ms = clock_monotonic_ms();

	if (options.environment == NULL)
		options.environment = plain_environment;
	options.on_output = keep_output;
	options.context = &outcome.output;
	outcome.failed = process_run(&options, &outcome.result, &outcome.err);
	outcome.took_ms = clock_monotonic_ms() - started_ms;
	return outcome;
}

#define RUN(...)                      \
	run((struct process_options){ \
	    .argv = (const char *const[]){ __VA_ARGS__, NULL } })
#define SHELL(script_, ...)                                                  \
	run((struct process_options){                                        \
	    .argv = (const char *const[]){ "/bin/sh", "-c", script_, NULL }, \
	    __VA_ARGS__ })

static void
assert_output(struct outcome *outcome, const char *expected)
{
	assert_int_equal(outcome->failed, 0);
	assert_string_equal(buffer_string(&outcome->output), expected);
	buffer_clear(&outcome->output);
}

/* Gone, or a zombie that waits for a parent that does not care. */
static bool
is_gone(pid_t pid)
{
	char path[40], text[512] = "";
	const char *name_end;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return true;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	close(fd);
	name_end = strrchr(text, ')');
	return name_end == NULL || name_end[2] == 'Z' || name_end[2] == 'X';
}

static void
assert_gone_soon(pid_t pid)
{
	int64_t until_ms = clock_monotonic_ms() + 3000;

	assert_true(pid > 1);
	while (!is_gone(pid) && clock_monotonic_ms() < until_ms)
		clock_sleep_ms(10);
	assert_true(is_gone(pid));
}

static void
arguments_arrive_as_they_are(void **state)
{
	struct outcome outcome =
	    RUN("/usr/bin/printf", "[%s]", "a b", "$(id)", "`id`",
		"'\";&|<>*?~", "line\nbreak", "", "--", "-x", "\xC3\xA4\xFF");

	(void)state;
	assert_output(&outcome,
	    "[a b][$(id)][`id`]['\";&|<>*?~][line\nbreak][][--][-x]"
	    "[\xC3\xA4\xFF]");
	assert_int_equal(outcome.result.exit_code, 0);
	assert_int_equal(outcome.result.signal, 0);
}

static void
the_environment_is_the_given_one_and_nothing_else(void **state)
{
	static const char *const given[] = { "ONE=1", "EMPTY=", "TWO=a b\nc=d",
		NULL };
	static const char *const nothing[] = { NULL };
	struct outcome outcome;

	(void)state;
	setenv("LD_LIBRARY_PATH", "/nowhere", 1);
	setenv("HTTP_PROXY", "http://attacker", 1);
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/usr/bin/env", NULL },
	    .environment = given });
	assert_output(&outcome, "ONE=1\nEMPTY=\nTWO=a b\nc=d\n");
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/usr/bin/env", NULL },
	    .environment = nothing });
	assert_output(&outcome, "");
	unsetenv("LD_LIBRARY_PATH");
	unsetenv("HTTP_PROXY");
}

static void
the_program_runs_where_it_is_told(void **state)
{
	struct outcome outcome = RUN("/bin/pwd");

	(void)state;
	assert_output(&outcome, "/\n");
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/bin/pwd", NULL },
	    .directory = "/usr/bin" });
	assert_output(&outcome, "/usr/bin\n");
}

static void
input_of_any_size_goes_through(void **state)
{
	size_t length = 3U * 1024 * 1024, i;
	char *input = malloc(length);
	struct outcome outcome;

	(void)state;
	for (i = 0; i < length; i++)
		input[i] = (char)(i * 31 >> 3);
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/bin/cat", NULL },
	    .input = input,
	    .input_length = length });
	assert_int_equal(outcome.failed, 0);
	assert_int_equal(outcome.output.length, length);
	assert_memory_equal(outcome.output.bytes, input, length);
	buffer_clear(&outcome.output);
	/* A program need not read what it is given. */
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/bin/true", NULL },
	    .input = input,
	    .input_length = length });
	assert_int_equal(outcome.failed, 0);
	assert_int_equal(outcome.result.exit_code, 0);
	free(input);
}

static void
without_input_the_program_reads_an_end(void **state)
{
	struct outcome outcome = SHELL("cat; echo end");

	(void)state;
	assert_output(&outcome, "end\n");
	outcome = SHELL("cat; echo end", .input = "", .input_length = 0);
	assert_output(&outcome, "end\n");
}

static void
both_outputs_come_in_order(void **state)
{
	struct outcome outcome = SHELL("echo 1; echo 2 >&2; echo 3");

	(void)state;
	assert_output(&outcome, "1\n2\n3\n");
}

static void
exit_codes_and_signals_are_told_apart(void **state)
{
	struct outcome outcome = SHELL("exit 42");

	(void)state;
	assert_int_equal(outcome.result.exit_code, 42);
	assert_int_equal(outcome.result.signal, 0);
	outcome = SHELL("kill -USR1 $$");
	assert_int_equal(outcome.failed, 0);
	assert_int_equal(outcome.result.exit_code, -1);
	assert_int_equal(outcome.result.signal, SIGUSR1);
	assert_false(outcome.result.timed_out);
	assert_false(outcome.result.cancelled);
}

static void
what_cannot_be_started_is_an_error_with_its_reason(void **state)
{
	struct scratch scratch;
	struct outcome outcome;

	(void)state;
	outcome = RUN("/nowhere/program");
	assert_int_equal(outcome.failed, -1);
	assert_string_equal(outcome.err.message, "cannot start a program");
	assert_string_equal(
	    outcome.err.detail, "/nowhere/program: No such file or directory");

	scratch_make(&scratch);
	scratch_write(&scratch, "text", "text\n", 5);
	outcome = run((struct process_options){
	    .argv = (const char *const[]){
		scratch_path(&scratch, "text"), NULL } });
	assert_int_equal(outcome.failed, -1);
	assert_non_null(strstr(outcome.err.detail, "Permission denied"));
	outcome = run((struct process_options){
	    .argv = (const char *const[]){ "/bin/true", NULL },
	    .directory = scratch_path(&scratch, "missing") });
	assert_int_equal(outcome.failed, -1);
	/* No search path and no shell come to the rescue. */
	outcome = RUN("true");
	assert_int_equal(outcome.failed, -1);
	scratch_remove(&scratch);
}

static void
the_program_has_no_descriptor_of_ours(void **state)
{
	int kept[3], i;
	struct outcome outcome;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true((kept[i] = dup(STDERR_FILENO)) >= 0);
	assert_int_equal(dup2(kept[0], 200), 200);
	/* 3 is the directory that ls reads. */
	outcome = RUN("/bin/ls", "/proc/self/fd");
	assert_output(&outcome, "0\n1\n2\n3\n");
	outcome = RUN("/usr/bin/readlink", "/proc/self/fd/0");
	assert_output(&outcome, "/dev/null\n");
	for (i = 0; i < 3; i++)
		close(kept[i]);
	close(200);
}

static int
open_temporary(const char *text)
{
	char path[] = "/tmp/flatrun-process-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
the_program_has_the_descriptors_it_is_given(void **state)
{
	/* In an order in which each is where another one has to go. */
	int descriptors[2] = { open_temporary("one"), open_temporary("two") };
	struct outcome outcome;
	int number = descriptors[0];

	(void)state;
	descriptors[0] = descriptors[1];
	descriptors[1] = number;
	outcome = SHELL("cat <&3; cat <&4; ls /proc/self/fd | wc -l",
	    .descriptors = descriptors, .descriptor_count = 2);
	/* Its own three, ours two and the listed directory. */
	assert_output(&outcome, "twoone6\n");
	/* They are still ours. */
	assert_int_equal(close(descriptors[0]), 0);
	assert_int_equal(close(descriptors[1]), 0);
}

static void
the_program_has_default_signals(void **state)
{
	struct outcome outcome;
	sigset_t blocked, before;

	(void)state;
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	outcome = RUN("/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	signal(SIGHUP, SIG_DFL);
	assert_output(
	    &outcome, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void
running_programs_leaves_no_descriptor_behind(void **state)
{
	size_t before = count_descriptors();
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		struct outcome outcome =
		    SHELL("echo", .input = "x", .input_length = 1);

		buffer_clear(&outcome.output);
		outcome = RUN("/nowhere");
		assert_int_equal(outcome.failed, -1);
		outcome = SHELL("sleep 60", .timeout_ms = 1);
		assert_true(outcome.result.timed_out);
	}
	assert_int_equal(count_descriptors(), before);
}

static void
a_deadline_ends_the_program_and_all_it_started(void **state)
{
	struct outcome outcome =
	    SHELL("sleep 60 & echo $!; (sleep 61; echo no) & sleep 62",
		.timeout_ms = 300);

	(void)state;
	assert_int_equal(outcome.failed, 0);
	assert_true(outcome.result.timed_out);
	assert_false(outcome.result.cancelled);
	assert_int_equal(outcome.result.exit_code, -1);
	assert_int_equal(outcome.result.signal, SIGTERM);
	assert_in_range(outcome.took_ms, 300, 5000);
	assert_gone_soon(
	    (pid_t)strtol(buffer_string(&outcome.output), NULL, 10));
	buffer_clear(&outcome.output);
}

static void
a_deadline_holds_for_a_program_that_closed_its_output(void **state)
{
	struct outcome outcome =
	    SHELL("exec >&- 2>&-; sleep 60", .timeout_ms = 300);

	(void)state;
	assert_true(outcome.result.timed_out);
	assert_in_range(outcome.took_ms, 300, 5000);
}

static void
a_deadline_holds_for_a_program_that_never_stops_talking(void **state)
{
	struct outcome outcome =
	    SHELL("while :; do echo; sleep 0.01; done", .timeout_ms = 300);

	(void)state;
	assert_true(outcome.result.timed_out);
	assert_in_range(outcome.took_ms, 300, 5000);
	assert_true(outcome.output.length > 0);
	buffer_clear(&outcome.output);
}

static void
a_program_that_will_not_end_is_killed(void **state)
{
	struct outcome outcome =
	    SHELL("trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done",
		.timeout_ms = 100);

	(void)state;
	assert_true(outcome.result.timed_out);
	assert_int_equal(outcome.result.signal, SIGKILL);
	assert_in_range(outcome.took_ms, 10000, 15000);
	assert_gone_soon(
	    (pid_t)strtol(buffer_string(&outcome.output), NULL, 10));
	buffer_clear(&outcome.output);
}

static void
a_program_in_time_is_not_touched(void **state)
{
	struct outcome outcome =
	    SHELL("sleep 0.2; echo done", .timeout_ms = 30000);

	(void)state;
	assert_output(&outcome, "done\n");
	assert_false(outcome.result.timed_out);
	assert_int_equal(outcome.result.exit_code, 0);
}

static void *
set_later(void *context)
{
	clock_sleep_ms(200);
	atomic_store((atomic_bool *)context, true);
	return NULL;
}

static void
cancelling_ends_the_program(void **state)
{
	atomic_bool cancel = false;
	pthread_t thread;
	struct outcome outcome;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, set_later, &cancel), 0);
	outcome = SHELL("sleep 60", .cancel = &cancel);
	pthread_join(thread, NULL);
	assert_true(outcome.result.cancelled);
	assert_false(outcome.result.timed_out);
	assert_int_equal(outcome.result.signal, SIGTERM);
	assert_in_range(outcome.took_ms, 200, 5000);
}

static void
what_a_program_leaves_behind_neither_blocks_nor_stays(void **state)
{
	struct outcome outcome = SHELL("sleep 60 & echo $!; exit 3");

	(void)state;
	assert_int_equal(outcome.result.exit_code, 3);
	assert_true(outcome.took_ms < 5000);
	assert_gone_soon(
	    (pid_t)strtol(buffer_string(&outcome.output), NULL, 10));
	buffer_clear(&outcome.output);
}

static pid_t
await_pid(const struct scratch *scratch, const char *name)
{
	int64_t until_ms = clock_monotonic_ms() + 10000;
	pid_t pid = 0;

	while (pid == 0 && clock_monotonic_ms() < until_ms) {
		char *text = scratch_read(scratch, name);

		if (text != NULL && strchr(text, '\n') != NULL)
			pid = (pid_t)strtol(text, NULL, 10);
		free(text);
		clock_sleep_ms(10);
	}
	assert_true(pid > 1);
	return pid;
}

static void
the_program_dies_with_who_started_it(void **state)
{
	struct scratch scratch;
	pid_t starter, program;

	(void)state;
	scratch_make(&scratch);
	starter = fork();
	if (starter == 0) {
		SHELL("echo $$ >pid; exec sleep 60", .directory = scratch.path);
		_exit(0);
	}
	program = await_pid(&scratch, "pid");
	kill(starter, SIGKILL);
	waitpid(starter, NULL, 0);
	assert_gone_soon(program);
	scratch_remove(&scratch);
}

/* Starts a shell in a group of its own that writes NAME.pid. */
static pid_t
start_marked(const struct scratch *scratch, const char *name, const char *mark)
{
	char script[128];
	pid_t pid;

	snprintf(script, sizeof script,
	    "env -i sleep 60 & echo $! >%s.child; echo $$ >%s.pid; wait", name,
	    name);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (chdir(scratch->path) == 0)
			execle("/bin/sh", "sh", "-c", script, NULL,
			    (char *const[]){
				(char *)(uintptr_t) "PATH=/usr/bin:/bin",
				(char *)(uintptr_t)mark, NULL });
		_exit(127);
	}
	return pid;
}

static void
marked_processes_are_killed_with_their_group_and_no_others(void **state)
{
	struct scratch scratch;
	pid_t marked, other, child;
	char name[64], mark[80], longer[96];
	int status;

	(void)state;
	scratch_make(&scratch);
	snprintf(name, sizeof name, "FLATRUN_TEST_%d", (int)getpid());
	snprintf(mark, sizeof mark, "%s=here", name);
	snprintf(longer, sizeof longer, "%s=here too", name);
	marked = start_marked(&scratch, "marked", mark);
	other = start_marked(&scratch, "other", longer);
	await_pid(&scratch, "marked.pid");
	await_pid(&scratch, "other.pid");
	child = await_pid(&scratch, "marked.child");

	assert_int_equal(process_kill_marked(mark), 1);
	assert_int_equal(waitpid(marked, &status, 0), marked);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	/* Its environment is empty: the group gave it away. */
	assert_gone_soon(child);
	assert_false(is_gone(other));
	assert_int_equal(process_kill_marked(mark), 0);

	kill(-other, SIGKILL);
	waitpid(other, NULL, 0);
	scratch_remove(&scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_arrive_as_they_are),
		cmocka_unit_test(
		    the_environment_is_the_given_one_and_nothing_else),
		cmocka_unit_test(the_program_runs_where_it_is_told),
		cmocka_unit_test(input_of_any_size_goes_through),
		cmocka_unit_test(without_input_the_program_reads_an_end),
		cmocka_unit_test(both_outputs_come_in_order),
		cmocka_unit_test(exit_codes_and_signals_are_told_apart),
		cmocka_unit_test(
		    what_cannot_be_started_is_an_error_with_its_reason),
		cmocka_unit_test(the_program_has_no_descriptor_of_ours),
		cmocka_unit_test(the_program_has_the_descriptors_it_is_given),
		cmocka_unit_test(the_program_has_default_signals),
		cmocka_unit_test(running_programs_leaves_no_descriptor_behind),
		cmocka_unit_test(
		    a_deadline_ends_the_program_and_all_it_started),
		cmocka_unit_test(
		    a_deadline_holds_for_a_program_that_closed_its_output),
		cmocka_unit_test(
		    a_deadline_holds_for_a_program_that_never_stops_talking),
		cmocka_unit_test(a_program_that_will_not_end_is_killed),
		cmocka_unit_test(a_program_in_time_is_not_touched),
		cmocka_unit_test(cancelling_ends_the_program),
		cmocka_unit_test(
		    what_a_program_leaves_behind_neither_blocks_nor_stays),
		cmocka_unit_test(the_program_dies_with_who_started_it),
		cmocka_unit_test(
		    marked_processes_are_killed_with_their_group_and_no_others),
	};

	/* As both programs do: a write to a program that is gone is an error.
	 */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
