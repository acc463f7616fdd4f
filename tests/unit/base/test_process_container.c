/* Whom the search for a crashed parent's children spares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/process.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "FLATRUN_TEST_CONTAINER=here"

/* Begins a process with the mark; in a name space of its own, or in ours. */
static pid_t
start_marked(bool apart, pid_t *out_keeper)
{
	char *const environment[] = { (char *)(uintptr_t)MARK, NULL };
	pid_t inner = -1;
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	*out_keeper = fork();
	if (*out_keeper == 0) {
		if (apart && unshare(CLONE_NEWPID) < 0)
			_exit(77);
		inner = fork();
		if (inner == 0) {
			setpgid(0, 0);
			execle("/bin/sleep", "sleep", "100", NULL, environment);
			_exit(127);
		}
		if (write(pair[1], &inner, sizeof inner) < 0)
			_exit(1);
		waitpid(inner, NULL, 0);
		_exit(0);
	}
	close(pair[1]);
	if (read(pair[0], &inner, sizeof inner) != sizeof inner)
		inner = -1;
	close(pair[0]);
	clock_sleep_ms(200);
	return inner;
}

static void
a_container_with_the_same_entry_is_left_alone(void **state)
{
	pid_t keeper, other_keeper, apart, ours;

	(void)state;
	apart = start_marked(true, &keeper);
	if (apart < 0) {
		waitpid(keeper, NULL, 0);
		skip();
	}
	ours = start_marked(false, &other_keeper);
	assert_int_equal(process_kill_marked(MARK), 1);
	assert_int_equal(waitpid(other_keeper, NULL, 0), other_keeper);
	assert_int_equal(kill(ours, 0), -1);
	assert_int_equal(kill(apart, 0), 0);
	assert_int_equal(waitpid(keeper, NULL, WNOHANG), 0);
	kill(apart, SIGKILL);
	waitpid(keeper, NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_with_the_same_entry_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
