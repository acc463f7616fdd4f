/* Templates, the nginx site, the first set-up, the pools' command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "admin/certificate.h"
#include "admin/pool.h"
#include "admin/setup.h"
#include "admin/site.h"
#include "admin/template.h"
#include "base/file.h"
#include "settings/settings.h"
#include "store/keys.h"
#include "store/store.h"

#include <fcntl.h>
#include <grp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char name[32];
	const char *root, *config;
	struct arena arena;
	struct settings *settings;
	struct error err;
};

static const char *
path_of(struct fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->root, name);
}

static void
load(struct fixture *f, const char *more)
{
	const char *text = arena_printf(&f->arena,
	    "state_directory: %s/state\n"
	    "run_directory: %s/run\n"
	    "user: daemon\n"
	    "nginx: {vhost_directory: %s/etc/vhosts, user: www-data}\n"
	    "%s",
	    f->root, f->root, f->root, more);

	assert_int_equal(
	    admin_write_file(f->config, text, strlen(text), 0600, &f->err), 0);
	if (settings_load(
		f->config, &f->arena, NULL, NULL, &f->settings, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->name, sizeof f->name, "flatrun-admin-XXXXXX");
	f->root = arena_printf(&f->arena, "/tmp/%s", f->name);
	if (mkdtemp((char *)f->root) == NULL)
		return -1;
	snprintf(f->name, sizeof f->name, "%s", f->root + strlen("/tmp/"));
	f->config = path_of(f, "config.yml");
	load(f, "");
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	auto_fd int tmp = file_open_root("/tmp", &f->err);

	assert_int_equal(file_remove_tree(tmp, f->name, &f->err), 0);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static const struct template_value values[] = { { "name", "value" },
	{ "yes", "" }, { "no", NULL }, { 0 } };

static void
assert_filled(const char *template, const char *expected)
{
	auto_buffer struct buffer out = BUFFER(1000);
	struct error err = { 0 };

	if (template_fill(template, values, &out, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buffer_string(&out), expected);
}

static void
assert_not_filled(const char *template, const char *expected)
{
	auto_buffer struct buffer out = BUFFER(1000);
	struct error err = { 0 };

	assert_int_equal(template_fill(template, values, &out, &err), -1);
	assert_string_equal(err.message, expected);
}

static void
a_template_is_filled_and_its_conditions_kept(void **state)
{
	(void)state;
	assert_filled("", "");
	assert_filled("a @name@ b\n@name@@name@", "a value b\nvaluevalue");
	assert_filled("@ a@b @flatrun; @Name@", "@ a@b @flatrun; @Name@");
	assert_filled("@if yes@\n1\n@end@\n@if no@\n2\n@end@\n3\n", "1\n3\n");
	assert_filled("@if !yes@\n1\n@end@\n@if !no@\n2\n@end@\n", "2\n");
	assert_filled("@if no@\n@unknown@\n@end@\n", "");
}

static void
a_wrong_template_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_not_filled(
	    "\n@other@\n", "line 2 of the template: a value that is not there");
	assert_not_filled(
	    "@no@", "line 1 of the template: a value that is not there");
	assert_not_filled(
	    "@if yes@\n", "line 1 of the template: an @if without an @end@");
	assert_not_filled(
	    "@end@\n", "line 1 of the template: an @end@ too many");
	assert_not_filled("@if yes@\n@if no@\n@end@\n@end@\n",
	    "line 2 of the template: an @if inside one");
	assert_not_filled("@if other@\n@end@\n",
	    "line 1 of the template: an @if about nothing known");
	assert_not_filled("@if yes\n@end@\n",
	    "line 1 of the template: an @if without its last '@'");
}

/* Fills "@name@" alone with the settings. */
static const char *
rendered(struct fixture *f, const char *template)
{
	auto_buffer struct buffer out = BUFFER(SITE_MAXIMUM);

	if (site_render(f->settings, template, &f->arena, &out, &f->err) < 0)
		fail_msg("%s", f->err.message);
	return arena_strdup(&f->arena, buffer_string(&out));
}

static void
the_site_says_what_the_settings_say(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(rendered(f, "@listen@ @tls_listen@"),
	    "127.0.0.1:8090 0.0.0.0:8443");
	assert_string_equal(rendered(f, "@certificate@"),
	    path_of(f, "state/tls/certificate.pem"));
	assert_string_equal(rendered(f, "@read_timeout_s@"), "660");
	assert_string_equal(rendered(f, "@if server_names@\nx\n@end@\n"), "");
	load(f, "api:\n"
		"  host: localhost\n"
		"  tls_host: '::'\n"
		"  certificate: /a/b.pem\n"
		"  certificate_key: /a/c.pem\n"
		"  server_names: [A.example.org, '::1']\n"
		"  enable_cors: true\n"
		"  allowed_origins: [https://B.example.org, 'http://[::1]:1']\n"
		"  trusted_proxies: [10.0.0.0/8]\n");
	assert_string_equal(rendered(f, "@listen@ @tls_listen@"),
	    "127.0.0.1:8090 [::]:8443 ipv6only=off");
	assert_string_equal(rendered(f, "@certificate@ @certificate_key@"),
	    "/a/b.pem /a/c.pem");
	assert_string_equal(rendered(f, "@known_hosts@"),
	    "\t\"~^a\\.example\\.org$\" \"\";\n"
	    "\t\"~^\\[::1\\]$\" \"\";");
	assert_string_equal(rendered(f, "@cors_origins@"),
	    "\tdefault \"\";\n"
	    "\t\"~^https://b\\.example\\.org$\" \"https://b.example.org\";\n"
	    "\t\"~^http://\\[::1\\]:1$\" \"http://[::1]:1\";");
	assert_string_equal(rendered(f, "@cors_credentials@"), "true");
	assert_string_equal(
	    rendered(f, "@trusted_proxies@"), "\tset_real_ip_from 10.0.0.0/8;");
	load(f, "api: {enable_cors: true, allowed_origins: ['*']}\n");
	assert_string_equal(rendered(f, "@cors_credentials@"), "\"\"");
}

/* Whoever filled the struct: what has no place in the file is refused. */
static void
the_site_checks_every_value_itself(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer out = BUFFER(SITE_MAXIMUM);
	static const char *const evil[] = { "a;\n}", NULL };
	struct settings good = *f->settings;

#define ASSERT_REFUSED(member_, value_, key_)                               \
	do {                                                                \
		*f->settings = good;                                        \
		f->settings->member_ = (value_);                            \
		assert_int_equal(                                           \
		    site_render(f->settings, "", &f->arena, &out, &f->err), \
		    -1);                                                    \
		assert_int_equal(                                           \
		    strncmp(f->err.message, key_, strlen(key_)), 0);        \
	} while (0)
	ASSERT_REFUSED(run_directory, "/run; x", "run_directory:");
	ASSERT_REFUSED(api.host, "0.0.0.0:1 ssl", "api.host:");
	ASSERT_REFUSED(api.port, 0, "api.port:");
	ASSERT_REFUSED(api.tls_host, "::1]", "api.tls_host:");
	ASSERT_REFUSED(api.tls_port, 65536, "api.tls_port:");
	ASSERT_REFUSED(api.certificate, "data:$x", "api.certificate:");
	ASSERT_REFUSED(api.certificate_key, "engine:x", "api.certificate_key:");
	ASSERT_REFUSED(state_directory, "/a{b", "api.certificate:");
	ASSERT_REFUSED(api.server_names, evil, "api.server_names:");
	ASSERT_REFUSED(api.allowed_origins, evil, "api.allowed_origins:");
	ASSERT_REFUSED(api.trusted_proxies, evil, "api.trusted_proxies:");
	ASSERT_REFUSED(
	    nginx.vhost_directory, "/etc/nginx\n", "nginx.vhost_directory:");
	ASSERT_REFUSED(nginx.access_log, "a b", "nginx.access_log:");
	*f->settings = good;
	assert_int_equal(
	    site_render(f->settings, "", &f->arena, &out, &f->err), 0);
}

static void
a_certificate_has_its_names_and_its_key(void **state)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1",
		"panel.example.org", NULL };
	auto_buffer struct buffer certificate = BUFFER(10000);
	auto_buffer struct buffer key = BUFFER(10000);
	struct error err = { 0 };
	BIO *bio, *key_bio;
	X509 *read;
	EVP_PKEY *read_key;

	(void)state;
	assert_int_equal(certificate_make(names, &certificate, &key, &err), 0);
	assert_true(certificate_is_current(
	    buffer_string(&certificate), certificate.length));
	bio = BIO_new_mem_buf(certificate.bytes, (int)certificate.length);
	key_bio = BIO_new_mem_buf(key.bytes, (int)key.length);
	read = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	read_key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	assert_non_null(read);
	assert_non_null(read_key);
	assert_int_equal(X509_check_private_key(read, read_key), 1);
	assert_int_equal(X509_verify(read, read_key), 1);
	assert_int_equal(X509_check_host(read, "localhost", 0, 0, NULL), 1);
	assert_int_equal(
	    X509_check_host(read, "panel.example.org", 0, 0, NULL), 1);
	assert_int_equal(
	    X509_check_host(read, "other.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(read, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(read, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(read, "127.0.0.2", 0), 0);
	assert_int_equal(X509_check_ca(read), 0);
	X509_free(read);
	EVP_PKEY_free(read_key);
	BIO_free(bio);
	BIO_free(key_bio);
	assert_false(certificate_is_current("junk", 4));
	assert_false(certificate_is_current("", 0));
}

static void
assert_owner(struct fixture *f, const char *name, const char *user,
    const char *group, mode_t mode)
{
	struct stat status;

	if (lstat(path_of(f, name), &status) < 0)
		fail_msg("%s is not there", name);
	if ((status.st_mode & 07777) != mode)
		fail_msg("%s has mode %o", name, status.st_mode & 07777);
	assert_int_equal(status.st_uid, getpwnam(user)->pw_uid);
	assert_int_equal(status.st_gid, getgrnam(group)->gr_gid);
}

static const char *
text_of(struct fixture *f, const char *name)
{
	auto_buffer struct buffer text = BUFFER(100000);
	auto_fd int root = file_open_root(f->root, &f->err);

	assert_int_equal(file_read(root, name, &text, &f->err), 0);
	return arena_strdup(&f->arena, buffer_string(&text));
}

static void
run_setup(struct fixture *f)
{
	struct setup_owners owners;

	if (setup_find_owners(f->settings, &owners, &f->err) < 0 ||
	    setup_run(f->settings, &owners, &f->arena, &f->err) < 0)
		fail_msg("%s (%s)", f->err.message, f->err.detail);
}

static void
a_first_set_up_makes_everything_with_its_owner(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	umask(022);
	run_setup(f);
	assert_owner(f, "state", "root", "daemon", 0751);
	assert_owner(f, "state/secrets", "root", "daemon", 0750);
	assert_owner(f, "state/secrets/jwt.key", "root", "daemon", 0640);
	assert_owner(f, "state/tls", "root", "root", 0700);
	assert_owner(f, "state/tls/key.pem", "root", "root", 0600);
	assert_owner(f, "state/tls/certificate.pem", "root", "root", 0644);
	assert_owner(f, "state/database", "root", "daemon", 02770);
	assert_owner(f, "state/database/flatrun.db", "root", "daemon", 0660);
	assert_owner(f, "state/deployments", "root", "root", 0755);
	assert_owner(f, "run", "root", "root", 0711);
	assert_owner(f, "run/http", "root", "www-data", 0710);
	assert_owner(f, "run/agent", "root", "daemon", 0710);
	assert_owner(f, "etc/vhosts", "root", "root", 0755);
	assert_int_equal(strlen(text_of(f, "state/secrets/jwt.key")), 64);
	assert_int_equal(
	    strspn(text_of(f, "state/secrets/jwt.key"), "0123456789abcdef"),
	    64);
}

static void
a_second_set_up_keeps_what_is_there_and_mends_owners(void **state)
{
	struct fixture *f = *state;
	const char *key, *certificate;

	if (geteuid() != 0)
		skip();
	run_setup(f);
	key = text_of(f, "state/secrets/jwt.key");
	certificate = text_of(f, "state/tls/certificate.pem");
	assert_int_equal(chmod(path_of(f, "state/secrets"), 0777), 0);
	assert_int_equal(chown(path_of(f, "state/secrets/jwt.key"), 1, 1), 0);
	run_setup(f);
	assert_string_equal(text_of(f, "state/secrets/jwt.key"), key);
	assert_string_equal(
	    text_of(f, "state/tls/certificate.pem"), certificate);
	assert_owner(f, "state/secrets", "root", "daemon", 0750);
	assert_owner(f, "state/secrets/jwt.key", "root", "daemon", 0640);
	/* One that cannot serve any more is made anew. */
	assert_int_equal(
	    admin_write_file(path_of(f, "state/tls/certificate.pem"), "junk", 4,
		0644, &f->err),
	    0);
	run_setup(f);
	assert_string_not_equal(
	    text_of(f, "state/tls/certificate.pem"), certificate);
	assert_non_null(
	    strstr(text_of(f, "state/tls/certificate.pem"), "BEGIN CERT"));
}

static void
a_lost_database_is_not_replaced_by_an_empty_one(void **state)
{
	struct fixture *f = *state;
	struct setup_owners owners;

	if (geteuid() != 0)
		skip();
	run_setup(f);
	run_setup(f);
	assert_int_equal(unlink(path_of(f, "state/database/flatrun.db")), 0);
	assert_int_equal(setup_find_owners(f->settings, &owners, &f->err), 0);
	assert_int_equal(
	    setup_run(f->settings, &owners, &f->arena, &f->err), -1);
	assert_string_equal(f->err.code, "STATE_MISSING");
	assert_int_equal(
	    access(path_of(f, "state/database/flatrun.db"), F_OK), -1);
	/* The way out that the message names. */
	unlink(path_of(f, "state/database/flatrun.db-wal"));
	unlink(path_of(f, "state/database/flatrun.db-shm"));
	assert_int_equal(rmdir(path_of(f, "state/database")), 0);
	run_setup(f);
	assert_owner(f, "state/database/flatrun.db", "root", "daemon", 0660);
}

static void
what_is_configured_is_not_made(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	load(f, "auth: {jwt_secret: Zk3vQ9tLw2Xr7Nb5Jd8Ph1Gs6Fy4Ca0q}\n"
		"api: {certificate: /a.pem, certificate_key: /b.pem}\n");
	run_setup(f);
	assert_int_equal(access(path_of(f, "state/secrets/jwt.key"), F_OK), -1);
	assert_int_equal(access(path_of(f, "state/tls"), F_OK), -1);
}

static void
a_link_in_place_of_a_directory_is_refused(void **state)
{
	struct fixture *f = *state;
	struct setup_owners owners;
	struct stat before, after;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(path_of(f, "state"), 0755), 0);
	assert_int_equal(mkdir(path_of(f, "elsewhere"), 0755), 0);
	assert_int_equal(
	    symlink(path_of(f, "elsewhere"), path_of(f, "state/secrets")), 0);
	assert_int_equal(stat(path_of(f, "elsewhere"), &before), 0);
	assert_int_equal(setup_find_owners(f->settings, &owners, &f->err), 0);
	assert_int_equal(
	    setup_run(f->settings, &owners, &f->arena, &f->err), -1);
	assert_int_equal(stat(path_of(f, "elsewhere"), &after), 0);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(before.st_gid, after.st_gid);
}

static void
a_user_who_does_not_exist_is_named(void **state)
{
	struct fixture *f = *state;
	struct setup_owners owners;

	f->settings->user = "nobody-of-this-name";
	assert_int_equal(setup_find_owners(f->settings, &owners, &f->err), -1);
	assert_string_equal(
	    f->err.message, "user: there is no user 'nobody-of-this-name'");
}

static void
a_pool_is_told_everything_by_its_command_line(void **state)
{
	struct fixture *f = *state;
	auto_buffer struct buffer line = BUFFER(4096);
	const char *const *command;

	load(f, "api: {workers: 3}\n");
	command = pool_command(f->settings, POOL_WORKERS, "/p/flatrun-fcgi",
	    "www-data", &f->arena);
	for (; *command != NULL; command++)
		buffer_printf(&line, "%s ", *command);
	assert_string_equal(buffer_string(&line),
	    arena_printf(&f->arena,
		"/usr/bin/spawn-fcgi -n -s %s/run/http/workers.sock -M 0660 "
		"-U daemon -G www-data -u daemon -b 1024 -- "
		"/usr/bin/multiwatch -f 3 -r 100000000 -t 1000 -s TERM -- "
		"/p/flatrun-fcgi -c %s ",
		f->root, f->config));
	buffer_truncate(&line, 0);
	command = pool_command(f->settings, POOL_STREAMS, "/p/flatrun-fcgi",
	    "www-data", &f->arena);
	for (; *command != NULL; command++)
		buffer_printf(&line, "%s ", *command);
	assert_non_null(strstr(buffer_string(&line), "/http/streams.sock "));
	assert_non_null(strstr(buffer_string(&line), " -f 1 "));
	assert_non_null(strstr(buffer_string(&line), " --streams "));
}

/* Calls "key" as a person would, and answers its exit status. */
static int
call_key(struct fixture *f, const char *a, const char *b, const char *c,
    const char *d, const char *e, const char *g)
{
	const char *arguments[] = { "key", a, b, c, d, e, g, NULL };
	int count = 0;

	while (arguments[count] != NULL)
		count++;
	return command_key(f->config, count, (char **)arguments);
}

static void
a_key_goes_into_a_file_for_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	const char *output = path_of(f, "key");
	char text[KEY_TEXT_SIZE + 1] = "";
	auto_store struct store *store = NULL;
	struct api_key key;
	struct stat status;
	bool found;
	int fd;

	if (geteuid() != 0)
		skip();
	run_setup(f);
	assert_int_equal(
	    call_key(f, "create", "--name", "first", "--output", output, NULL),
	    ADMIN_OK);
	assert_int_equal(stat(output, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	fd = open(output, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof text), KEY_TEXT_SIZE);
	close(fd);
	assert_int_equal(text[KEY_TEXT_SIZE - 1], '\n');
	text[KEY_TEXT_SIZE - 1] = '\0';
	assert_int_equal(store_open(f->settings->database_directory,
			     STORE_ADMIN, &store, &f->err),
	    0);
	assert_int_equal(
	    store_key_find(store, text, &f->arena, &key, &found, &f->err), 0);
	assert_true(found);
	assert_int_equal(key.role, ROLE_ADMIN);
	assert_string_equal(key.name, "first");
	assert_int_equal(
	    call_key(f, "revoke", key.id, NULL, NULL, NULL, NULL), ADMIN_OK);
	assert_int_equal(
	    store_key_find(store, text, &f->arena, &key, &found, &f->err), 0);
	assert_false(found);
}

static void
a_key_that_cannot_be_handed_over_is_revoked(void **state)
{
	struct fixture *f = *state;
	auto_store struct store *store = NULL;
	struct api_key *keys;
	size_t count;

	if (geteuid() != 0)
		skip();
	run_setup(f);
	assert_int_equal(call_key(f, "create", "--name", "lost", "--output",
			     path_of(f, "nowhere/key"), NULL),
	    ADMIN_FAILED);
	assert_int_equal(store_open(f->settings->database_directory,
			     STORE_ADMIN, &store, &f->err),
	    0);
	assert_int_equal(
	    store_key_list(store, &f->arena, &keys, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_true(keys[0].revoked_at > 0);
}

static void
wrong_usage_of_key_is_told_apart_from_failure(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	run_setup(f);
#define KEY(a_, b_, c_, d_, e_) call_key(f, a_, b_, c_, d_, e_, NULL)
	assert_int_equal(KEY(NULL, NULL, NULL, NULL, NULL), ADMIN_USAGE);
	assert_int_equal(KEY("steal", NULL, NULL, NULL, NULL), ADMIN_USAGE);
	assert_int_equal(KEY("create", NULL, NULL, NULL, NULL), ADMIN_USAGE);
	assert_int_equal(KEY("create", "--nom", "a", NULL, NULL), ADMIN_USAGE);
	assert_int_equal(KEY("list", "extra", NULL, NULL, NULL), ADMIN_USAGE);
	assert_int_equal(KEY("revoke", NULL, NULL, NULL, NULL), ADMIN_USAGE);
	assert_int_equal(
	    KEY("revoke", "000000000000", NULL, NULL, NULL), ADMIN_FAILED);
	assert_int_equal(
	    KEY("create", "--name", "a", "--role", "king"), ADMIN_FAILED);
	assert_int_equal(
	    KEY("create", "--name", "a\nb", NULL, NULL), ADMIN_FAILED);
}

#define TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_is_filled_and_its_conditions_kept),
		cmocka_unit_test(a_wrong_template_is_refused_with_its_line),
		TEST(the_site_says_what_the_settings_say),
		TEST(the_site_checks_every_value_itself),
		cmocka_unit_test(a_certificate_has_its_names_and_its_key),
		TEST(a_first_set_up_makes_everything_with_its_owner),
		TEST(a_second_set_up_keeps_what_is_there_and_mends_owners),
		TEST(a_lost_database_is_not_replaced_by_an_empty_one),
		TEST(what_is_configured_is_not_made),
		TEST(a_link_in_place_of_a_directory_is_refused),
		TEST(a_user_who_does_not_exist_is_named),
		TEST(a_pool_is_told_everything_by_its_command_line),
		TEST(a_key_goes_into_a_file_for_its_owner_alone),
		TEST(a_key_that_cannot_be_handed_over_is_revoked),
		TEST(wrong_usage_of_key_is_told_apart_from_failure),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
