#include "agent/logins.h"

#include "agent/agent.h"
#include "agent/credentials.h"
#include "base/file.h"
#include "base/log.h"
#include "docker/docker.h"
#include "settings/settings.h"
#include "store/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "registry-logins"
#define ROOT_CONFIG "/root/.docker/config.json"
#define ROOT_PLUGINS "/root/.docker/cli-plugins"
#define CONFIG_MAXIMUM (1024U * 1024)

static int
open_run_directory(const struct settings *settings, struct error *err)
{
	return file_open_root(settings->run_directory, err);
}

int
logins_tidy(const struct settings *settings, struct error *err)
{
	auto_fd int run = open_run_directory(settings, err);

	return run < 0 ? -1 : file_remove_tree(run, DIRECTORY, err);
}

static int
read_root_config(struct buffer *out)
{
	auto_fd int fd = open(ROOT_CONFIG, O_RDONLY | O_CLOEXEC);
	char bytes[4096];
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, bytes, sizeof bytes)) > 0 ||
	       (got < 0 && errno == EINTR))
		if (got > 0 && buffer_append(out, bytes, (size_t)got) < 0)
			return -1;
	return got < 0 ? -1 : 0;
}

/* What root has, if it can be read, without what needs files beside it. */
static struct json_object *
copy_root_config(void)
{
	auto_buffer struct buffer text = BUFFER(CONFIG_MAXIMUM);
	struct json_object *config = NULL;
	struct error ignored;

	if (read_root_config(&text) < 0 ||
	    json_parse_trusted(
		buffer_string(&text), text.length, &config, &ignored) < 0 ||
	    !json_object_is_type(config, json_type_object)) {
		json_object_put(config);
		config = json_object_new_object();
	}
	json_object_object_del(config, "currentContext");
	if (text.length > 0)
		OPENSSL_cleanse(text.bytes, text.length);
	return config;
}

/* The member, an object; made anew when it is none. */
static struct json_object *
object_member(struct json_object *object, const char *name)
{
	struct json_object *member = json_member(object, name);

	if (!json_object_is_type(member, json_type_object)) {
		member = json_object_new_object();
		json_put(object, name, member);
	}
	return member;
}

static void
add_plugins(struct json_object *config)
{
	struct json_object *directories =
	    json_member(config, "cliPluginsExtraDirs");

	if (access(ROOT_PLUGINS, X_OK) < 0)
		return;
	if (!json_object_is_type(directories, json_type_array)) {
		directories = json_object_new_array();
		json_put(config, "cliPluginsExtraDirs", directories);
	}
	json_object_array_add(
	    directories, json_object_new_string(ROOT_PLUGINS));
}

void
logins_put(struct json_object *config, const struct docker_login *login)
{
	const char *address = docker_login_address(login->host);
	struct json_object *entry = json_object_new_object();
	auto_buffer struct buffer text = BUFFER(CONFIG_MAXIMUM);
	unsigned char *encoded;

	buffer_printf(&text, "%s:%s", login->username, login->password);
	encoded = xmalloc(4 * ((text.length + 2) / 3) + 1);
	EVP_EncodeBlock(encoded, (const unsigned char *)buffer_string(&text),
	    (int)text.length);
	json_put_text(entry, "auth", (const char *)encoded);
	OPENSSL_cleanse(encoded, strlen((const char *)encoded));
	OPENSSL_cleanse(text.bytes, text.length);
	free(encoded);
	json_put(object_member(config, "auths"), address, entry);
	/* No helper is asked for it: the Docker client would believe that. */
	if (json_member(config, "credsStore") != NULL ||
	    json_member(config, "credHelpers") != NULL)
		json_put_text(
		    object_member(config, "credHelpers"), address, "");
}

/* Of several for one host, the one that a pull would take. */
static int
is_chosen(struct run *run, const struct credential *credential, bool *out,
    struct error *err)
{
	struct credential chosen;

	if (credential_find_for_host(run->store, credential->host, &run->arena,
		&chosen, out, err) < 0)
		return -1;
	*out = *out && strcmp(chosen.id, credential->id) == 0;
	return 0;
}

/* One without a password is left out: it may not be needed at all. */
static int
put_logins(struct run *run, struct json_object *config,
    const struct credential *credentials, size_t count, struct error *err)
{
	struct docker_login login;
	struct error failure;
	size_t i;
	bool chosen;

	for (i = 0; i < count; i++) {
		if (is_chosen(run, &credentials[i], &chosen, err) < 0)
			return -1;
		if (!chosen)
			continue;
		if (credentials_login(run->agent->credentials, &credentials[i],
			&run->arena, &login, &failure) < 0)
			log_error(LOG_WARNING, "a credential is not usable",
			    &failure);
		else
			logins_put(config, &login);
	}
	return 0;
}

static int
write_config(struct run *run, struct json_object *config, struct error *err)
{
	auto_fd int top = open_run_directory(run->agent->settings, err);
	auto_fd int all = -1, own = -1;
	size_t length;
	const char *text = json_serialize(config, &length);

	if (top < 0 || file_make_directory(top, DIRECTORY, 0700, err) < 0 ||
	    (all = file_open(top, DIRECTORY, O_RDONLY | O_DIRECTORY, 0, err)) <
		0 ||
	    file_make_directory(all, run->id, 0700, err) < 0 ||
	    (own = file_open(all, run->id, O_RDONLY | O_DIRECTORY, 0, err)) < 0)
		return -1;
	return file_write(own, "config.json", text, length, 0600, err);
}

int
logins_write(struct run *run, const char **out, struct error *err)
{
	auto_json struct json_object *config = NULL;
	struct credential *credentials;
	size_t count;

	*out = NULL;
	if (credential_list(
		run->store, &run->arena, &credentials, &count, err) < 0)
		return -1;
	if (count == 0)
		return 0;
	config = copy_root_config();
	add_plugins(config);
	if (put_logins(run, config, credentials, count, err) < 0)
		return -1;
	if (write_config(run, config, err) < 0) {
		logins_remove(run);
		return -1;
	}
	*out = arena_printf(&run->arena, "%s/" DIRECTORY "/%s",
	    run->agent->settings->run_directory, run->id);
	return 0;
}

void
logins_remove(struct run *run)
{
	struct error err;
	auto_fd int top = open_run_directory(run->agent->settings, &err);
	auto_fd int all = -1;

	if (top < 0)
		return;
	all = file_open(top, DIRECTORY, O_RDONLY | O_DIRECTORY, 0, &err);
	if (all < 0 || file_remove_tree(all, run->id, &err) < 0)
		log_error(
		    LOG_WARNING, "cannot remove a login of Compose", &err);
}
