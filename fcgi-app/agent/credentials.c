#include "agent/credentials.h"

#include "agent/agent.h"
#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "jobs/protocol.h"
#include "settings/settings.h"
#include "store/keys.h"
#include "store/mirror.h"
#include "store/store.h"
#include "json/fields.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct credentials {
	int directory;
};

static const char *
file_name(const char *id, int64_t secret, struct arena *arena)
{
	return arena_printf(arena, "%s-%lld", id, (long long)secret);
}

/* Whether a row points to the file. */
static bool
is_pointed_to(const char *name, const struct credential *rows, size_t count,
    struct arena *arena)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(name,
			file_name(rows[i].id, rows[i].secret, arena)) == 0)
			return true;
	return false;
}

/* What a crash between a file and its row left. */
static int
tidy(const struct credentials *credentials, struct store *store,
    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct credential *rows;
	struct dirent *entry;
	int fd, failed = 0;
	size_t count;
	DIR *entries;

	if (credential_list(store, &arena, &rows, &count, err) < 0)
		return -1;
	fd = file_open(
	    credentials->directory, ".", O_RDONLY | O_DIRECTORY, 0, err);
	if (fd < 0)
		return -1;
	if ((entries = fdopendir(fd)) == NULL) {
		close(fd);
		return error_errno(err, "cannot read the credentials");
	}
	while (!failed && (entry = readdir(entries)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    !is_pointed_to(entry->d_name, rows, count, &arena))
			failed = file_remove_tree(
			    credentials->directory, entry->d_name, err);
	closedir(entries);
	return failed;
}

int
credentials_open(const struct settings *settings, struct store *store,
    struct credentials **out, struct error *err)
{
	auto_fd int state = file_open_root(settings->state_directory, err);
	auto_fd int secrets = -1;
	struct credentials *credentials = xcalloc(1, sizeof *credentials);

	*out = credentials;
	credentials->directory = -1;
	if (state < 0 || file_make_directory(state, "secrets", 0750, err) < 0 ||
	    (secrets = file_open(
		 state, "secrets", O_RDONLY | O_DIRECTORY, 0, err)) < 0 ||
	    file_make_directory(secrets, "credentials", 0700, err) < 0 ||
	    (credentials->directory = file_open(
		 secrets, "credentials", O_RDONLY | O_DIRECTORY, 0, err)) < 0)
		return -1;
	if (fchmod(credentials->directory, 0700) < 0)
		return error_errno(
		    err, "cannot keep the credentials from others");
	return tidy(credentials, store, err);
}

void
credentials_close(struct credentials *credentials)
{
	if (credentials == NULL)
		return;
	if (credentials->directory >= 0)
		close(credentials->directory);
	free(credentials);
}

static void
wipe(void *text)
{
	OPENSSL_cleanse(text, strlen(text));
}

static int
read_password(const struct credentials *credentials,
    const struct credential *credential, struct arena *arena, const char **out,
    struct error *err)
{
	auto_buffer struct buffer text = BUFFER(CREDENTIAL_PASSWORD_MAXIMUM);
	char *password;

	if (file_read(credentials->directory,
		file_name(credential->id, credential->secret, arena), &text,
		err) < 0)
		return err->kind == ERR_NOT_FOUND
			   ? error_set(err, ERR_CONFLICT, "NO_PASSWORD",
				 "the password of '%s' was lost: set it anew",
				 credential->name)
			   : -1;
	password = arena_strdup(arena, buffer_string(&text));
	arena_defer(arena, wipe, password);
	if (text.length > 0)
		OPENSSL_cleanse(text.bytes, text.length);
	*out = password;
	return 0;
}

int
credentials_login(const struct credentials *credentials,
    const struct credential *credential, struct arena *arena,
    struct docker_login *out, struct error *err)
{
	*out = (struct docker_login){
		.host = credential->host,
		.username = credential->username,
		.email = credential->email,
	};
	return read_password(
	    credentials, credential, arena, &out->password, err);
}

static int
write_password(struct run *run, const struct credential *credential,
    const char *password, struct error *err)
{
	return file_write(run->agent->credentials->directory,
	    file_name(credential->id, credential->secret, &run->arena),
	    password, strlen(password), 0600, err);
}

/* A file that stays is removed at the next start. */
static void
remove_password(struct run *run, const char *id, int64_t secret)
{
	int directory = run->agent->credentials->directory;
	struct error err;

	if (file_remove_tree(
		directory, file_name(id, secret, &run->arena), &err) < 0 ||
	    file_sync(directory, &err) < 0)
		log_error(LOG_WARNING, "cannot remove a password", &err);
}

static void
put_result(struct run *run, const struct credential *credential)
{
	run->result = json_object_new_object();
	json_put(run->result, "credential", credential_to_json(credential));
}

/* The row, in a transaction that gives lists a new ETag. */
static int
put_row(struct run *run, struct credential *credential, struct error *err)
{
	if (store_begin(run->store, err) < 0)
		return -1;
	if (credential_put(run->store, credential, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	return mirror_commit(run->store, true, err);
}

struct credential_arguments {
	const char *name, *registry_type_slug, *registry_url, *username;
	const char *password, *email;
	bool is_default;
};

#define CREDENTIAL_FIELD(member, is_valid, expected) \
	STRING_FIELD(                                \
	    struct credential_arguments, member, OPTIONAL, is_valid, expected)

static const struct field credential_fields[] = {
	CREDENTIAL_FIELD(name, key_name_is_valid, "printable"),
	CREDENTIAL_FIELD(
	    registry_type_slug, registry_slug_is_valid, REGISTRY_SLUG_EXPECTED),
	CREDENTIAL_FIELD(registry_url, NULL, NULL),
	CREDENTIAL_FIELD(username, credential_username_is_valid, "without ':'"),
	TEXT_FIELD(struct credential_arguments, password, OPTIONAL,
	    CREDENTIAL_PASSWORD_MAXIMUM),
	CREDENTIAL_FIELD(email, credential_email_is_valid, "an address"),
	BOOL_FIELD(struct credential_arguments, is_default, OPTIONAL),
	{ 0 },
};

static bool
is_given(const char *text)
{
	return text != NULL && *text != '\0';
}

/*
 * The host: as the address names it, else the one of the kind. A credential
 * keeps its host unless its address or its kind is given anew.
 */
static int
choose_host(struct run *run, const struct credential_arguments *arguments,
    struct credential *credential, struct error *err)
{
	struct registry_type type;

	if (registry_type_get(run->store, credential->registry_type,
		&run->arena, &type, err) < 0)
		return err->kind == ERR_NOT_FOUND
			   ? error_field(err, "registry_type_slug", NULL,
				 "there is no such registry type")
			   : -1;
	if (is_given(arguments->registry_url)) {
		credential->host =
		    docker_registry_host(arguments->registry_url, &run->arena);
		if (credential->host == NULL)
			return error_field(err, "registry_url", "INVALID_HOST",
			    "registry_url must name a host");
	} else if (is_given(arguments->registry_type_slug)) {
		if (type.host[0] != '\0')
			credential->host = type.host;
	}
	return credential->host != NULL
		   ? 0
		   : error_field(err, "registry_url", "INVALID_HOST",
			 "registry_url is required for this registry type");
}

static int
apply_arguments(struct run *run, const struct credential_arguments *arguments,
    struct credential *credential, struct error *err)
{
	if (is_given(arguments->name))
		credential->name = arguments->name;
	if (is_given(arguments->registry_type_slug))
		credential->registry_type = arguments->registry_type_slug;
	if (is_given(arguments->username))
		credential->username = arguments->username;
	if (arguments->email != NULL)
		credential->email = arguments->email;
	credential->is_default = arguments->is_default;
	return choose_host(run, arguments, credential, err);
}

static int
check_room(struct run *run, struct error *err)
{
	struct credential *rows;
	size_t count, i;

	if (credential_list(run->store, &run->arena, &rows, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (strcmp(rows[i].id, run->subject) == 0)
			return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
			    "there is such a credential already");
	return count < CREDENTIALS_MAXIMUM
		   ? 0
		   : error_set(err, ERR_CONFLICT, "CONFLICT",
			 "there are %d credentials already",
			 CREDENTIALS_MAXIMUM);
}

static int
create_credential(struct run *run, struct error *err)
{
	struct credential_arguments arguments = { 0 };
	struct credential credential = {
		.id = run->subject, .email = "", .secret = 1
	};

	if (run_decode(run, credential_fields, &arguments, err) < 0)
		return -1;
	if (!is_given(arguments.name) || !is_given(arguments.username) ||
	    !is_given(arguments.password) ||
	    !is_given(arguments.registry_type_slug))
		return error_set(
		    err, ERR_INVALID, NULL, "a credential lacks something");
	if (check_room(run, err) < 0 ||
	    apply_arguments(run, &arguments, &credential, err) < 0 ||
	    write_password(run, &credential, arguments.password, err) < 0)
		return -1;
	if (put_row(run, &credential, err) < 0) {
		remove_password(run, credential.id, credential.secret);
		return -1;
	}
	put_result(run, &credential);
	return 0;
}

/* Nobody is to have a password sent elsewhere who does not know it. */
static int
check_password_given(const struct credential_arguments *arguments,
    const char *host_before, const struct credential *credential,
    struct error *err)
{
	return is_given(arguments->password) ||
		       strcasecmp(host_before, credential->host) == 0
		   ? 0
		   : error_field(err, "password", NULL,
			 "password is required for another registry");
}

static int
update_credential(struct run *run, struct error *err)
{
	struct credential_arguments arguments = { 0 };
	struct credential credential;
	const char *host_before;
	int64_t before;

	if (credential_get(
		run->store, run->subject, &run->arena, &credential, err) < 0)
		return -1;
	before = credential.secret;
	host_before = credential.host;
	arguments.is_default = credential.is_default;
	if (run_decode(run, credential_fields, &arguments, err) < 0 ||
	    apply_arguments(run, &arguments, &credential, err) < 0 ||
	    check_password_given(&arguments, host_before, &credential, err) < 0)
		return -1;
	if (is_given(arguments.password)) {
		credential.secret++;
		if (write_password(run, &credential, arguments.password, err) <
		    0)
			return -1;
	}
	if (put_row(run, &credential, err) < 0) {
		if (credential.secret != before)
			remove_password(run, credential.id, credential.secret);
		return -1;
	}
	if (credential.secret != before)
		remove_password(run, credential.id, before);
	put_result(run, &credential);
	return 0;
}

static int
delete_credential(struct run *run, struct error *err)
{
	struct credential credential;

	if (credential_get(
		run->store, run->subject, &run->arena, &credential, err) < 0 ||
	    store_begin(run->store, err) < 0)
		return -1;
	if (credential_delete(run->store, run->subject, err) < 0) {
		store_rollback(run->store);
		return -1;
	}
	if (mirror_commit(run->store, true, err) < 0)
		return -1;
	remove_password(run, credential.id, credential.secret);
	return 0;
}

/* A registry that refuses is an answer, too. */
static int
test_credential(struct run *run, struct error *err)
{
	struct credential credential;
	struct docker_login login;
	bool accepted;

	if (credential_get(
		run->store, run->subject, &run->arena, &credential, err) < 0)
		return -1;
	run->result = json_object_new_object();
	json_put_boolean(run->result, "success", false);
	if (credentials_login(run->agent->credentials, &credential, &run->arena,
		&login, err) < 0 ||
	    host_check(credential.host, err) < 0)
		return -1;
	accepted = docker_login_check(run->agent->docker, &login, err) == 0;
	if (!accepted && strcmp(err->code, "REGISTRY_DENIED") != 0)
		return -1;
	json_put_boolean(run->result, "success", accepted);
	json_put_text(run->result, "message",
	    accepted ? "The registry accepts the credentials"
		     : "The registry refuses the credentials");
	if (!accepted)
		json_put_text(run->result, "code", "REGISTRY_DENIED");
	return 0;
}

const struct job_kind credential_jobs[] = {
	{ JOB_CREDENTIAL_CREATE, credential_id_is_valid, create_credential,
	    LANE_ENGINE, false },
	{ JOB_CREDENTIAL_UPDATE, credential_id_is_valid, update_credential,
	    LANE_ENGINE, false },
	{ JOB_CREDENTIAL_DELETE, credential_id_is_valid, delete_credential,
	    LANE_ENGINE, false },
	{ JOB_CREDENTIAL_TEST, credential_id_is_valid, test_credential,
	    LANE_ENGINE, false },
	{ 0 },
};
