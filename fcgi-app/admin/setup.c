#include "admin/setup.h"

#include "admin/certificate.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "settings/grammar.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JWT_KEY_LENGTH 64
#define PEM_MAXIMUM (64 * 1024)

struct setup {
	const struct settings *settings;
	const struct setup_owners *owners;
	struct arena *arena;
	int state; /* the state directory, locked */
};

static int
find_user(const char *name, const char *key, uid_t *out_user, gid_t *out_group,
    struct error *err)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 ||
	    found == NULL)
		return error_set(err, ERR_INVALID, NULL,
		    "%s: there is no user '%s'", key, name);
	*out_user = found->pw_uid;
	*out_group = found->pw_gid;
	return 0;
}

int
setup_find_owners(const struct settings *settings, struct setup_owners *out,
    struct error *err)
{
	uid_t ignored;

	if (find_user(
		settings->user, "user", &out->user, &out->user_group, err) < 0)
		return -1;
	return find_user(settings->nginx.user, "nginx.user", &ignored,
	    &out->nginx_group, err);
}

/* Makes the directory and those above it, for everybody to pass through. */
static int
make_path(struct arena *arena, const char *path, struct error *err)
{
	char *part = arena_strdup(arena, path);
	char *slash = part;

	do {
		slash = strchr(slash + 1, '/');
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_errno(err, "cannot create '%s'", part);
		if (slash != NULL)
			*slash = '/';
	} while (slash != NULL);
	return 0;
}

static int
set_owner(int fd, const char *name, uid_t user, gid_t group, mode_t mode,
    struct error *err)
{
	/* In this order: chown() takes special bits away. */
	if (fchown(fd, user, group) < 0 || fchmod(fd, mode) < 0)
		return error_errno(err, "cannot set the owner of '%s'", name);
	return 0;
}

/* Makes name in parent and sees to its owner; the caller closes *out. */
static int
make_directory(int parent, const char *name, uid_t user, gid_t group,
    mode_t mode, int *out, struct error *err)
{
	auto_fd int fd = -1;

	if (file_make_directory(parent, name, 0700, err) < 0)
		return -1;
	fd = file_open(parent, name, O_RDONLY | O_DIRECTORY, 0, err);
	if (fd < 0 || set_owner(fd, name, user, group, mode, err) < 0)
		return -1;
	if (out != NULL)
		*out = take_fd(&fd);
	return 0;
}

static bool
exists(int directory, const char *name)
{
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
make_jwt_key(const struct setup *setup, int secrets, struct error *err)
{
	char digits[JWT_KEY_LENGTH + 1];
	int failed;
	auto_fd int fd = -1;

	if (*setup->settings->auth.jwt_secret != '\0')
		return 0;
	if (!exists(secrets, "jwt.key")) {
		random_hex(digits, JWT_KEY_LENGTH);
		failed = file_write(
		    secrets, "jwt.key", digits, JWT_KEY_LENGTH, 0640, err);
		explicit_bzero(digits, sizeof digits);
		if (failed)
			return -1;
	}
	fd = file_open(secrets, "jwt.key", O_RDONLY, 0, err);
	if (fd < 0)
		return -1;
	return set_owner(
	    fd, "jwt.key", 0, setup->owners->user_group, 0640, err);
}

/* localhost, the host's name and the names that config.yml has. */
static const char *const *
certificate_names(const struct setup *setup)
{
	const char *const *configured = setup->settings->api.server_names;
	char host[HOST_NAME_MAX + 1] = "";
	const char **names;
	size_t count = 0, i;

	while (configured[count] != NULL)
		count++;
	names = arena_array(setup->arena, count + 5, sizeof *names);
	count = 0;
	names[count++] = "localhost";
	names[count++] = "127.0.0.1";
	names[count++] = "::1";
	if (gethostname(host, sizeof host - 1) == 0 &&
	    host_name_is_valid(host) && strcmp(host, "localhost") != 0)
		names[count++] = arena_strdup(setup->arena, host);
	for (i = 0; configured[i] != NULL; i++)
		names[count++] = configured[i];
	return names;
}

static int
make_certificate(const struct setup *setup, struct error *err)
{
	auto_buffer struct buffer certificate = BUFFER(PEM_MAXIMUM);
	auto_buffer struct buffer key = BUFFER(PEM_MAXIMUM);
	auto_fd int tls = -1;
	int failed;

	if (*setup->settings->api.certificate != '\0')
		return 0;
	if (make_directory(setup->state, "tls", 0, 0, 0700, &tls, err) < 0)
		return -1;
	if (exists(tls, "key.pem") && exists(tls, "certificate.pem")) {
		if (file_read(tls, "certificate.pem", &certificate, err) < 0)
			return -1;
		if (certificate_is_current(
			buffer_string(&certificate), certificate.length))
			return 0;
		buffer_truncate(&certificate, 0);
	}
	failed =
	    certificate_make(certificate_names(setup), &certificate, &key, err);
	if (!failed)
		failed = file_write(tls, "key.pem", buffer_string(&key),
			     key.length, 0600, err) < 0 ||
			 file_write(tls, "certificate.pem",
			     buffer_string(&certificate), certificate.length,
			     0644, err) < 0;
	if (key.bytes != NULL)
		explicit_bzero(key.bytes, key.length);
	return failed ? -1 : 0;
}

static int
make_database(const struct setup *setup, struct error *err)
{
	auto_store struct store *store = NULL;
	const char *directory = setup->settings->database_directory;
	bool is_first = !exists(setup->state, "database");

	/*
	 * The group writes: SQLite makes its log beside the database. Files
	 * get the directory's group, whoever makes them.
	 */
	if (make_directory(setup->state, "database", 0,
		setup->owners->user_group, 02770, NULL, err) < 0)
		return -1;
	/* Keys and jobs that were lost are not to pass for none. */
	if (!is_first && store_find(directory, err) < 0)
		return error_set(err, ERR_UNAVAILABLE, "STATE_MISSING",
		    "the state database is missing: put a copy of it into "
		    "'%s', or remove that directory to begin anew",
		    directory);
	if (store_open(directory, STORE_ADMIN, &store, err) == 0)
		return 0;
	if (is_first)
		unlinkat(setup->state, "database", AT_REMOVEDIR);
	return -1;
}

static int
make_state(const struct setup *setup, struct error *err)
{
	auto_fd int secrets = -1;

	if (make_directory(setup->state, "secrets", 0,
		setup->owners->user_group, 0750, &secrets, err) < 0 ||
	    make_jwt_key(setup, secrets, err) < 0 ||
	    make_certificate(setup, err) < 0)
		return -1;
	return make_database(setup, err);
}

/*
 * Sockets: nginx passes to http/, workers to agent/, nobody else. Both are
 * root's: who could put a link in place of a socket while spawn-fcgi binds it
 * would have any file made its own.
 */
static int
make_run(const struct setup *setup, struct error *err)
{
	const char *path = setup->settings->run_directory;
	auto_fd int run = -1;

	if (make_path(setup->arena, path, err) < 0)
		return -1;
	run = file_open_root(path, err);
	if (run < 0 || set_owner(run, path, 0, 0, 0711, err) < 0 ||
	    make_directory(run, "http", 0, setup->owners->nginx_group, 0710,
		NULL, err) < 0)
		return -1;
	return make_directory(
	    run, "agent", 0, setup->owners->user_group, 0710, NULL, err);
}

int
setup_run(const struct settings *settings, const struct setup_owners *owners,
    struct arena *arena, struct error *err)
{
	auto_fd int state = -1;
	struct setup setup = { settings, owners, arena, -1 };

	if (make_path(arena, settings->state_directory, err) < 0)
		return -1;
	state = file_open_root(settings->state_directory, err);
	if (state < 0)
		return -1;
	if (flock(state, LOCK_EX) < 0)
		return error_errno(err, "cannot lock the state directory");
	setup.state = state;
	if (set_owner(state, settings->state_directory, 0, owners->user_group,
		0751, err) < 0 ||
	    make_state(&setup, err) < 0 || make_run(&setup, err) < 0)
		return -1;
	if (make_path(arena, settings->deployments_path, err) < 0)
		return -1;
	return make_path(arena, settings->nginx.vhost_directory, err);
}
