#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "compose/compose.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT "services:\n  app:\n    image: nginx\n"

struct fixture {
	char root[64];
	int fd;
	struct compose *compose;
	struct arena arena;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	snprintf(f->root, sizeof f->root, "%s", "/tmp/flatrun-test-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->fd = file_open_root(f->root, &f->err);
	assert_true(f->fd >= 0);
	assert_int_equal(
	    compose_open(f->root, NULL, true, &f->compose, &f->err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	auto_fd int parent = file_open_root("/tmp", &f->err);

	compose_close(f->compose);
	close(f->fd);
	assert_int_equal(
	    file_remove_tree(parent, f->root + strlen("/tmp/"), &f->err), 0);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int
create(struct fixture *f, const char *name)
{
	return compose_create(f->compose, name, TEXT, strlen(TEXT), "name: x\n",
	    "A=b\n", NULL, 0, &f->err);
}

static void
put(struct fixture *f, const char *path, const char *text)
{
	auto_fd int fd =
	    file_open(f->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f->err);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static mode_t
mode_of(struct fixture *f, const char *path)
{
	struct stat status;

	assert_int_equal(fstatat(f->fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	return status.st_mode & 07777;
}

static size_t
entries_in(struct fixture *f, const char *path)
{
	char command[256];
	size_t count = 0;
	FILE *list;

	/* The test's own words alone get here. */
	snprintf(command, sizeof command, "ls -A %s/%s", f->root, path);
	list = popen(command, "r");
	assert_non_null(list);
	while (fgets(command, sizeof command, list) != NULL)
		count++;
	pclose(list);
	return count;
}

static void
a_created_deployment_is_read_back_with_its_modes(void **state)
{
	struct fixture *f = *state;
	struct compose_files files;
	mode_t mask = umask(0077);

	assert_int_equal(create(f, "blog"), 0);
	umask(mask);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_string_equal(files.filename, "docker-compose.yml");
	assert_string_equal(files.compose, TEXT);
	assert_int_equal(files.compose_length, strlen(TEXT));
	assert_string_equal(files.metadata, "name: x\n");
	assert_string_equal(files.environment, "A=b\n");
	assert_true(llabs(files.modified_at_ms - clock_wall_ms()) < 60000);
	assert_int_equal(mode_of(f, "blog"), 0755);
	assert_int_equal(mode_of(f, "blog/docker-compose.yml"), 0644);
	assert_int_equal(mode_of(f, "blog/service.yml"), 0644);
	assert_int_equal(mode_of(f, "blog/.env.flatrun"), 0600);
	assert_int_equal(mode_of(f, ".flatrun/checked"), 0700);
	assert_int_equal(entries_in(f, ".flatrun/staging"), 0);
	assert_int_equal(entries_in(f, "blog"), 3);
}

static void
creating_twice_is_a_conflict_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct compose_files files;

	assert_int_equal(create(f, "blog"), 0);
	assert_int_equal(compose_create(f->compose, "blog", "other", 5, NULL,
			     NULL, NULL, 0, &f->err),
	    -1);
	assert_int_equal(f->err.kind, ERR_CONFLICT);
	assert_string_equal(f->err.code, "ALREADY_EXISTS");
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_string_equal(files.compose, TEXT);
	assert_int_equal(entries_in(f, ".flatrun/staging"), 0);
}

static int
create_with(struct fixture *f, const struct compose_file *files, size_t count)
{
	return compose_create(f->compose, "blog", TEXT, strlen(TEXT), NULL,
	    NULL, files, count, &f->err);
}

static void
more_files_come_with_their_directories(void **state)
{
	const struct compose_file files[] = { { "a", "1", 1 },
		{ "b/c/d", "23", 2 }, { "b/e", "", 0 } };
	auto_buffer struct buffer text = BUFFER(100);
	struct fixture *f = *state;

	assert_int_equal(create_with(f, files, 3), 0);
	assert_int_equal(file_read(f->fd, "blog/b/c/d", &text, &f->err), 0);
	assert_string_equal(buffer_string(&text), "23");
	assert_int_equal(mode_of(f, "blog/a"), 0644);
	assert_int_equal(mode_of(f, "blog/b/c"), 0755);
	assert_int_equal(entries_in(f, "blog/b"), 2);
	assert_int_equal(entries_in(f, "blog"), 3);
}

static void
a_file_that_has_no_place_leaves_no_deployment(void **state)
{
	static const char *const paths[] = { "docker-compose.yml", "fine",
		"fine/x", "../x", "/x", "x/../../y", "", "x//y", "." };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		const struct compose_file files[] = { { "fine", "1", 1 },
			{ paths[i], "2", 1 } };

		if (create_with(f, files, 2) == 0)
			fail_msg("took '%s'", paths[i]);
		assert_int_equal(entries_in(f, ".flatrun/staging"), 0);
		assert_int_equal(entries_in(f, "."), 1);
	}
}

static void
names_that_are_none_are_refused_everywhere(void **state)
{
	static const char *const names[] = { "", ".", "..", ".flatrun", "a/b",
		"../x", "A", "-a", "_a", "a.b", "a b", "a\n", "\xc3\xa9", "a;b",
		"a$b",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
		"0123456789ab" };
	struct fixture *f = *state;
	struct compose_files files;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_false(compose_name_is_valid(names[i]));
		assert_int_equal(create(f, names[i]), -1);
		assert_string_equal(f->err.code, "INVALID_NAME");
		assert_int_equal(compose_read(f->compose, names[i], &f->arena,
				     &files, &f->err),
		    -1);
		assert_string_equal(f->err.code, "INVALID_NAME");
		assert_int_equal(
		    compose_trash(f->compose, names[i], &f->err), -1);
		assert_string_equal(f->err.code, "INVALID_NAME");
		assert_int_equal(compose_write(f->compose, names[i],
				     "service.yml", "", 0, 0644, &f->err),
		    -1);
		assert_string_equal(f->err.code, "INVALID_NAME");
	}
	assert_true(compose_name_is_valid("a"));
	assert_true(compose_name_is_valid("0_a-b"));
}

static void
compose_files_are_found_in_the_known_order(void **state)
{
	static const char *const order[] = { "docker-compose.yml",
		"docker-compose.yaml", "compose.yml", "compose.yaml",
		"a.compose.yml", "my-compose-x.yml", "0compose.yaml",
		"zcompose.yaml" };
	size_t i = sizeof order / sizeof order[0];
	struct fixture *f = *state;
	struct compose_files files;
	char path[64];

	assert_int_equal(mkdirat(f->fd, "site", 0755), 0);
	put(f, "site/other.yml", "x");
	put(f, "site/compose.txt", "x");
	assert_int_equal(mkdirat(f->fd, "site/dir-compose.yml", 0755), 0);
	assert_int_equal(
	    symlinkat("/etc/passwd", f->fd, "site/link-compose.yml"), 0);
	assert_int_equal(
	    compose_read(f->compose, "site", &f->arena, &files, &f->err), -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
	while (i-- > 0) {
		snprintf(path, sizeof path, "site/%s", order[i]);
		put(f, path, order[i]);
		assert_int_equal(compose_read(f->compose, "site", &f->arena,
				     &files, &f->err),
		    0);
		assert_string_equal(files.filename, order[i]);
		assert_string_equal(files.compose, order[i]);
		assert_null(files.metadata);
		assert_null(files.environment);
	}
}

static void
links_are_neither_listed_nor_followed(void **state)
{
	struct fixture *f = *state;
	struct compose_files files;
	const char *const *names;
	size_t count;

	assert_int_equal(create(f, "blog"), 0);
	assert_int_equal(create(f, "app"), 0);
	assert_int_equal(symlinkat("blog", f->fd, "link"), 0);
	assert_int_equal(mkdirat(f->fd, "empty", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "Upper", 0755), 0);
	put(f, "Upper/docker-compose.yml", TEXT);
	put(f, "file", "x");
	assert_int_equal(
	    compose_list(f->compose, &f->arena, &names, &count, &f->err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "app");
	assert_string_equal(names[1], "blog");

	assert_int_equal(compose_trash(f->compose, "link", &f->err), -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
	assert_int_equal(entries_in(f, "blog"), 3);
	assert_int_equal(unlinkat(f->fd, "blog/service.yml", 0), 0);
	assert_int_equal(
	    symlinkat("/etc/passwd", f->fd, "blog/service.yml"), 0);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(compose_write(f->compose, "blog", "service.yml",
			     "name: y\n", 8, 0644, &f->err),
	    0);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_string_equal(files.metadata, "name: y\n");
}

static void
only_files_of_a_deployment_are_written(void **state)
{
	struct fixture *f = *state;
	struct compose_files files;

	assert_int_equal(create(f, "blog"), 0);
	assert_int_equal(
	    compose_write(f->compose, "blog", "../x", "", 0, 0644, &f->err),
	    -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(
	    compose_write(f->compose, "blog", "id_rsa", "", 0, 0644, &f->err),
	    -1);
	assert_int_equal(compose_write(f->compose, "blog", ".env.flatrun",
			     "C=d\n", 4, 0600, &f->err),
	    0);
	assert_int_equal(compose_write(f->compose, "blog", "docker-compose.yml",
			     "new", 3, 0644, &f->err),
	    0);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_string_equal(files.compose, "new");
	assert_string_equal(files.environment, "C=d\n");
	assert_int_equal(compose_write(f->compose, "none", "service.yml", "", 0,
			     0644, &f->err),
	    -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
}

static void
all_files_are_made_what_a_revision_says(void **state)
{
	struct fixture *f = *state;
	struct compose_files files = { .filename = "docker-compose.yml",
		.compose = "new",
		.metadata = "name: y\n" };

	assert_int_equal(create(f, "blog"), 0);
	put(f, "blog/index.html", "kept");
	assert_int_equal(
	    compose_replace(f->compose, "blog", &files, &f->err), 0);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_string_equal(files.compose, "new");
	assert_string_equal(files.metadata, "name: y\n");
	assert_null(files.environment);
	assert_int_equal(entries_in(f, "blog"), 3);
	files.environment = "C=d\n";
	assert_int_equal(
	    compose_replace(f->compose, "blog", &files, &f->err), 0);
	assert_int_equal(mode_of(f, "blog/.env.flatrun"), 0600);
	files.filename = "../x.compose.yml";
	assert_int_equal(
	    compose_replace(f->compose, "blog", &files, &f->err), -1);
	assert_string_equal(f->err.code, "UNSAFE_PATH");
	assert_int_equal(
	    compose_replace(f->compose, "none", &files, &f->err), -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
}

/* Who watches the directory, or keeps a link to a file, is not disturbed. */
static void
files_that_say_it_already_are_not_written(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	struct compose_files files;

	assert_int_equal(create(f, "blog"), 0);
	assert_int_equal(
	    compose_read(f->compose, "blog", &f->arena, &files, &f->err), 0);
	assert_int_equal(fstatat(f->fd, "blog/service.yml", &before, 0), 0);
	files.compose = "new";
	assert_int_equal(
	    compose_replace(f->compose, "blog", &files, &f->err), 0);
	assert_int_equal(fstatat(f->fd, "blog/service.yml", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void
what_is_thrown_away_stays_for_its_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create(f, "blog"), 0);
	put(f, ".flatrun/checked/blog.yml", "x");
	assert_int_equal(compose_trash(f->compose, "blog", &f->err), 0);
	assert_int_equal(faccessat(f->fd, "blog", F_OK, 0), -1);
	assert_int_equal(entries_in(f, ".flatrun/checked"), 0);
	assert_int_equal(entries_in(f, ".flatrun/trash/blog.2*Z-??????"), 3);
	/* The name is free again, and may be thrown away again. */
	assert_int_equal(create(f, "blog"), 0);
	assert_int_equal(compose_trash(f->compose, "blog", &f->err), 0);
	assert_int_equal(entries_in(f, ".flatrun/trash"), 2);

	assert_int_equal(
	    mkdirat(f->fd, ".flatrun/trash/x.20200101T000000Z-abcdef", 0755),
	    0);
	put(f, ".flatrun/trash/x.20200101T000000Z-abcdef/f", "x");
	assert_int_equal(mkdirat(f->fd, ".flatrun/trash/notes", 0755), 0);
	assert_int_equal(compose_empty_trash(f->compose, 86400, &f->err), 0);
	assert_int_equal(entries_in(f, ".flatrun/trash"), 3);
	assert_int_equal(compose_empty_trash(f->compose, -10, &f->err), 0);
	assert_int_equal(entries_in(f, ".flatrun/trash"), 1);
	assert_int_equal(compose_trash(f->compose, "blog", &f->err), -1);
	assert_string_equal(f->err.code, "DEPLOYMENT_NOT_FOUND");
}

static void
leftovers_of_a_crash_are_cleared(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, ".flatrun/staging/0011", 0755), 0);
	put(f, ".flatrun/staging/0011/docker-compose.yml", "x");
	assert_int_equal(compose_clear_staging(f->compose, &f->err), 0);
	assert_int_equal(entries_in(f, ".flatrun/staging"), 0);
}

static void
environments_survive_the_way_to_disk_and_back(void **state)
{
	static const struct compose_variable given[] = {
		{ "PLAIN", "value" },
		{ "EMPTY", "" },
		{ "SPACES", "  a b " },
		{ "HASH", "a #b" },
		{ "DOLLAR", "pa$$word" },
		{ "EQUALS", "a=b=c" },
		{ "QUOTES", "say \"hi\"" },
		{ "APOSTROPHE", "it's" },
		{ "QUOTED", "'x'" },
		{ "DOUBLE", "\"x\"" },
		{ "BOTH", "'\"$ " },
		{ "BACKSLASH", "a\\nb" },
		{ "LONG_name_9", "\xc3\xa9" },
	};
	const size_t count = sizeof given / sizeof given[0];
	struct fixture *f = *state;
	auto_buffer struct buffer text = BUFFER(65536);
	struct compose_variable *read;
	size_t read_count, i;

	assert_int_equal(
	    compose_environment_format(given, count, &text, &f->err), 0);
	assert_non_null(strstr(buffer_string(&text), "PLAIN=value\nEMPTY=\n"));
	assert_non_null(strstr(buffer_string(&text), "HASH='a #b'\n"));
	assert_int_equal(compose_environment_parse(buffer_string(&text),
			     &f->arena, &read, &read_count, &f->err),
	    0);
	assert_int_equal(read_count, count);
	for (i = 0; i < count; i++) {
		assert_string_equal(read[i].name, given[i].name);
		assert_string_equal(read[i].value, given[i].value);
	}
}

static void
environments_written_by_hand_are_read(void **state)
{
	struct fixture *f = *state;
	struct compose_variable *read;
	size_t count;

	assert_int_equal(
	    compose_environment_parse(
		"# comment\n\n  # another = one\r\n"
		"export A=1\r\n B = \"two words\" \nC='x\n"
		"nonsense\n1X=2\nwith.dot=3\nexport=4\nexportX=5\nD=",
		&f->arena, &read, &count, &f->err),
	    0);
	assert_int_equal(count, 6);
	assert_string_equal(read[0].name, "A");
	assert_string_equal(read[0].value, "1");
	assert_string_equal(read[1].name, "B");
	assert_string_equal(read[1].value, "two words");
	assert_string_equal(read[2].value, "'x");
	assert_string_equal(read[3].name, "export");
	assert_string_equal(read[4].name, "exportX");
	assert_string_equal(read[5].name, "D");
	assert_string_equal(read[5].value, "");
}

static void
assert_environment_refused(
    struct fixture *f, const char *name, const char *value)
{
	const struct compose_variable variable = { name, value };
	auto_buffer struct buffer text = BUFFER(65536);

	assert_int_equal(
	    compose_environment_format(&variable, 1, &text, &f->err), -1);
	assert_string_equal(f->err.code, "INVALID_ENVIRONMENT");
	assert_string_equal(f->err.field, "env_vars");
}

static void
environments_that_could_forge_lines_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_environment_refused(f, "A", "x\nB=y");
	assert_environment_refused(f, "A", "x\rB=y");
	assert_environment_refused(f, "A", "\xff");
	assert_environment_refused(f, "A=B", "x");
	assert_environment_refused(f, "A\nB", "x");
	assert_environment_refused(f, "1A", "x");
	assert_environment_refused(f, "", "x");
	assert_environment_refused(f, "A-B", "x");
}

static void
generated_documents_pass_their_own_check(void **state)
{
	static const struct compose_port ports[] = {
		{ 80, 8080, true },
		{ 22, 0, true },
		{ 9000, 0, false },
	};
	struct fixture *f = *state;
	auto_buffer struct buffer text = BUFFER(65536);
	struct document *document;

	assert_int_equal(
	    compose_generate("true", "nginx:1", ports, 3, &text, &f->err), 0);
	assert_string_equal(buffer_string(&text),
	    "services:\n"
	    "  app:\n"
	    "    image: nginx:1\n"
	    "    container_name: \"true\"\n"
	    "    restart: unless-stopped\n"
	    "    ports:\n"
	    "      - \"8080:80\"\n"
	    "      - \"22:22\"\n"
	    "    expose:\n"
	    "      - \"9000\"\n");
	assert_int_equal(compose_check(f->compose, "true", buffer_string(&text),
			     text.length, NULL, &f->arena, &document, &f->err),
	    0);
	assert_int_equal(
	    compose_generate("x", "a b", NULL, 0, &text, &f->err), -1);
	assert_string_equal(f->err.code, "INVALID_IMAGE");
	assert_int_equal(compose_generate("x", "a",
			     (const struct compose_port[]){ { 0, 1, true } }, 1,
			     &text, &f->err),
	    -1);
	assert_string_equal(f->err.code, "INVALID_PORT");
}

static int
check(struct fixture *f, const char *text, const char *environment)
{
	struct document *document;

	return compose_check(f->compose, "blog", text, strlen(text),
	    environment, &f->arena, &document, &f->err);
}

static void
a_document_runs_as_its_own_project_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check(f, "name: blog\n" TEXT, NULL), 0);
	assert_int_equal(check(f, "name: flatrun-blog\n" TEXT, NULL), 0);
	assert_int_equal(
	    check(f, "name: ${COMPOSE_PROJECT_NAME}\n" TEXT, NULL), 0);
	assert_int_equal(check(f, "name: shop\n" TEXT, NULL), -1);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	assert_int_equal(check(f, "name: $N\n" TEXT, "N=shop\n"), -1);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
}

static void
the_environment_reaches_the_check(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    check(f, TEXT "    privileged: ${P:-false}\n", NULL), 0);
	assert_int_equal(
	    check(f, TEXT "    privileged: ${P:-false}\n", "P=true"), -1);
	assert_string_equal(f->err.code, "COMPOSE_POLICY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
		TEST(a_created_deployment_is_read_back_with_its_modes),
		TEST(creating_twice_is_a_conflict_and_changes_nothing),
		TEST(more_files_come_with_their_directories),
		TEST(a_file_that_has_no_place_leaves_no_deployment),
		TEST(names_that_are_none_are_refused_everywhere),
		TEST(compose_files_are_found_in_the_known_order),
		TEST(links_are_neither_listed_nor_followed),
		TEST(only_files_of_a_deployment_are_written),
		TEST(all_files_are_made_what_a_revision_says),
		TEST(files_that_say_it_already_are_not_written),
		TEST(what_is_thrown_away_stays_for_its_time),
		TEST(leftovers_of_a_crash_are_cleared),
		TEST(environments_survive_the_way_to_disk_and_back),
		TEST(environments_written_by_hand_are_read),
		TEST(environments_that_could_forge_lines_are_refused),
		TEST(generated_documents_pass_their_own_check),
		TEST(a_document_runs_as_its_own_project_only),
		TEST(the_environment_reaches_the_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
