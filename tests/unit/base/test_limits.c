/* How many files may be open. */
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The soft limit that a child with these limits, and maybe no longer root, has
 * after asking for count. */
static int
soft_limit_after(rlim_t soft, rlim_t hard, uid_t uid, size_t count)
{
	struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		    (uid != 0 && setuid(uid) < 0))
			_exit(255);
		limits_allow_files(count);
		getrlimit(RLIMIT_NOFILE, &limit);
		_exit((int)(limit.rlim_cur / 10));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) * 10;
}

static void
the_soft_limit_is_raised_to_what_is_needed(void **state)
{
	(void)state;
	assert_int_equal(soft_limit_after(100, 1000, 0, 500), 500);
}

static void
a_higher_limit_stays(void **state)
{
	(void)state;
	assert_int_equal(soft_limit_after(200, 1000, 0, 50), 200);
}

/* Root in a container may not always. */
static bool
may_raise_hard_limit(void)
{
	struct rlimit limit = { .rlim_cur = 100, .rlim_max = 100 };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_max = 200;
		_exit(setrlimit(RLIMIT_NOFILE, &limit) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status == 0;
}

static void
the_hard_limit_is_raised_by_who_may_and_reached_by_others(void **state)
{
	(void)state;
	assert_int_equal(soft_limit_after(100, 300, 0, 500),
	    may_raise_hard_limit() ? 500 : 300);
	if (geteuid() == 0)
		assert_int_equal(soft_limit_after(100, 300, 65534, 500), 300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_soft_limit_is_raised_to_what_is_needed),
		cmocka_unit_test(a_higher_limit_stays),
		cmocka_unit_test(
		    the_hard_limit_is_raised_by_who_may_and_reached_by_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
