/* Virtual hosts that go, and an nginx that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/proxy.h"
#include "tests/unit/scratch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RELOADED 42

struct fixture {
	struct scratch scratch;
	struct error err;
	pid_t process;
	bool removed;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	scratch_make_directory(&f->scratch, "vhosts");
	scratch_write(&f->scratch, "vhosts/blog.conf", "server {}\n", 10);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->process > 0) {
		kill(f->process, SIGKILL);
		waitpid(f->process, NULL, 0);
	}
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static void
on_reload(int number)
{
	(void)number;
	_exit(RELOADED);
}

static void
write_pid(struct fixture *f, const char *text)
{
	scratch_write(&f->scratch, "nginx.pid", text, strlen(text));
}

/* A process of that name which ends when it is told to reload. */
static void
start_process(struct fixture *f, const char *name)
{
	char text[32], byte;
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	f->process = fork();
	if (f->process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		signal(SIGHUP, on_reload);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(text, sizeof text, "%d\n", (int)f->process);
	write_pid(f, text);
}

/* Whether it was told within a moment. */
static bool
was_reloaded(struct fixture *f)
{
	int i, state;

	for (i = 0; i < 30; i++) {
		if (waitpid(f->process, &state, WNOHANG) == f->process) {
			f->process = 0;
			return WIFEXITED(state) &&
			       WEXITSTATUS(state) == RELOADED;
		}
		clock_sleep_ms(10);
	}
	return false;
}

static int
remove_vhost(struct fixture *f, const char *name)
{
	f->removed = true;
	return proxy_remove_vhost(scratch_path(&f->scratch, "vhosts"),
	    scratch_path(&f->scratch, "nginx.pid"), name, &f->removed, &f->err);
}

static void
the_file_goes_and_nginx_is_told(void **state)
{
	struct fixture *f = *state;

	scratch_write(&f->scratch, "vhosts/blog2.conf", "x", 1);
	scratch_write(&f->scratch, "vhosts/blog.conf.bak", "x", 1);
	start_process(f, "nginx");
	assert_int_equal(remove_vhost(f, "blog"), 0);
	assert_true(f->removed);
	assert_true(was_reloaded(f));
	assert_false(scratch_has(&f->scratch, "vhosts/blog.conf"));
	assert_int_equal(scratch_count(&f->scratch, "vhosts"), 2);
}

static void
where_nothing_was_nobody_is_told(void **state)
{
	struct fixture *f = *state;

	start_process(f, "nginx");
	assert_int_equal(remove_vhost(f, "shop"), 0);
	assert_false(f->removed);
	assert_false(was_reloaded(f));
	assert_int_equal(
	    proxy_remove_vhost(scratch_path(&f->scratch, "missing"),
		scratch_path(&f->scratch, "nginx.pid"), "blog", &f->removed,
		&f->err),
	    0);
	assert_false(f->removed);
	assert_true(scratch_has(&f->scratch, "vhosts/blog.conf"));
}

/* A pid file outlives its nginx, and numbers are given out again. */
static void
a_stranger_is_not_told(void **state)
{
	struct fixture *f = *state;

	start_process(f, "nginx-other");
	assert_int_equal(remove_vhost(f, "blog"), 0);
	assert_true(f->removed);
	assert_false(was_reloaded(f));
}

static void
without_a_sound_pid_file_the_vhost_goes_all_the_same(void **state)
{
	static const char *const texts[] = { "", "\n", "0\n", "1\n", "-1\n",
		"nginx\n", "999999999\n", "99999999999999999999999999\n" };
	struct fixture *f = *state;
	size_t i;

	assert_int_equal(remove_vhost(f, "blog"), 0);
	assert_true(f->removed);
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		scratch_write(&f->scratch, "vhosts/blog.conf", "x", 1);
		unlink(scratch_path(&f->scratch, "nginx.pid"));
		write_pid(f, texts[i]);
		assert_int_equal(remove_vhost(f, "blog"), 0);
		assert_true(f->removed);
		assert_false(scratch_has(&f->scratch, "vhosts/blog.conf"));
	}
}

static void
a_link_goes_and_not_what_it_points_at(void **state)
{
	struct fixture *f = *state;

	scratch_write(&f->scratch, "target", "kept", 4);
	assert_int_equal(
	    symlinkat("../target", f->scratch.fd, "vhosts/link.conf"), 0);
	assert_int_equal(remove_vhost(f, "link"), 0);
	assert_true(f->removed);
	assert_true(scratch_has(&f->scratch, "target"));
	assert_false(scratch_has(&f->scratch, "vhosts/link.conf"));
}

static void
what_cannot_be_removed_is_an_error(void **state)
{
	struct fixture *f = *state;

	scratch_make_directory(&f->scratch, "vhosts/folder.conf");
	assert_int_equal(remove_vhost(f, "folder"), -1);
	assert_false(f->removed);
	assert_string_equal(f->err.message, "cannot remove the virtual host");
	assert_true(scratch_has(&f->scratch, "vhosts/folder.conf"));
}

static void
names_that_are_paths_remove_nothing(void **state)
{
	static const char *const names[] = { "../blog", "folder/blog",
		"../vhosts/blog", "/tmp/blog" };
	struct fixture *f = *state;
	char long_name[300] = "";
	size_t i;

	/* What is cut would be another's. */
	memset(long_name, 'x', 201);
	assert_int_equal(remove_vhost(f, long_name), -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	scratch_write(&f->scratch, "blog.conf", "x", 1);
	scratch_make_directory(&f->scratch, "vhosts/folder");
	scratch_write(&f->scratch, "vhosts/folder/blog.conf", "x", 1);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(remove_vhost(f, names[i]), -1);
		assert_false(f->removed);
		assert_int_equal(f->err.kind, ERR_INVALID);
	}
	assert_true(scratch_has(&f->scratch, "blog.conf"));
	assert_true(scratch_has(&f->scratch, "vhosts/blog.conf"));
	assert_true(scratch_has(&f->scratch, "vhosts/folder/blog.conf"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_file_goes_and_nginx_is_told),
		TEST(where_nothing_was_nobody_is_told),
		TEST(a_stranger_is_not_told),
		TEST(without_a_sound_pid_file_the_vhost_goes_all_the_same),
		TEST(a_link_goes_and_not_what_it_points_at),
		TEST(what_cannot_be_removed_is_an_error),
		TEST(names_that_are_paths_remove_nothing),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
