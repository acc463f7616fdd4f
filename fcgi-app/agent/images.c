#include "agent/images.h"

#include "agent/agent.h"
#include "agent/cleanup.h"
#include "agent/credentials.h"
#include "agent/mirror.h"
#include "agent/pull-progress.h"
#include "base/host.h"
#include "base/log.h"
#include "docker/docker.h"
#include "docker/reference.h"
#include "jobs/protocol.h"
#include "store/credentials.h"
#include "store/mirror.h"
#include "json/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct pull_arguments {
	const char *credential_id;
};

static const struct field pull_fields[] = {
	STRING_FIELD(struct pull_arguments, credential_id, OPTIONAL,
	    credential_id_is_valid, "a credential's id"),
	{ 0 },
};

/* The credential to use: the one asked for, else the one for the host. */
static int
choose_credential(struct run *run, const char *id, const char *host,
    struct credential *out, bool *found, struct error *err)
{
	*found = true;
	if (id == NULL || *id == '\0')
		return credential_find_for_host(
		    run->store, host, &run->arena, out, found, err);
	return credential_get(run->store, id, &run->arena, out, err);
}

/*
 * A password goes to the registry that it is for, and to no other, whoever
 * asks for that.
 */
static int
check_credential_host(
    const struct credential *credential, const char *host, struct error *err)
{
	return strcasecmp(credential->host, host) == 0
		   ? 0
		   : error_field(err, "credential_id", "INVALID_REQUEST",
			 "the credential is for another registry, '%s'",
			 credential->host);
}

static int
find_login(struct run *run, const struct docker_reference *reference,
    struct docker_login *out, bool *found, struct error *err)
{
	struct pull_arguments arguments = { 0 };
	struct credential credential;

	if (run_decode(run, pull_fields, &arguments, err) < 0 ||
	    choose_credential(run, arguments.credential_id, reference->host,
		&credential, found, err) < 0)
		return -1;
	json_put_boolean(run->result, "used_credential", *found);
	if (!*found)
		return 0;
	json_put_text(run->result, "credential_id", credential.id);
	if (check_credential_host(&credential, reference->host, err) < 0)
		return -1;
	return credentials_login(
	    run->agent->credentials, &credential, &run->arena, out, err);
}

struct pulling {
	struct run *run;
	struct pull_state state;
};

static void
on_progress(void *context, const struct docker_pull_progress *progress)
{
	struct pulling *pulling = context;
	struct run *run = pulling->run;

	pull_state_note(&pulling->state, progress, &run->output);
	run_store_output(run);
	/* There may be a hundred layers, and ten of these a second. */
	if (run_progress_is_due(run))
		run_progress(run, pull_state_to_json(&pulling->state), false);
}

/* The mirror after a change; what fails here is repeated by its keeper. */
static void
refresh_images(struct run *run)
{
	struct error err;

	if (mirror_refresh_images(run->agent->mirror, run->store, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh the images", &err);
}

/* How the mirror has it: by the digest where there is one. */
static const char *
pulled_name(const struct docker_reference *reference, struct arena *arena)
{
	bool has_digest = reference->digest[0] != '\0';

	return arena_printf(arena, "%s%c%s", reference->name,
	    has_digest ? '@' : ':',
	    has_digest ? reference->digest : reference->tag);
}

static void
describe_pulled(
    struct run *run, const struct docker_reference *reference, bool is_new)
{
	struct mirror_image image;
	struct error ignored;

	json_put_boolean(run->result, "downloaded", is_new);
	json_put_text(run->result, "pull_status",
	    is_new ? "Downloaded newer image" : "Image is up to date");
	if (mirror_image_find(run->store, pulled_name(reference, &run->arena),
		&run->arena, &image, &ignored) == 0)
		json_put_text(run->result, "id", image.id);
}

static int
pull_with(struct run *run, const struct docker_reference *reference,
    const struct docker_login *login, struct error *err)
{
	auto_free struct pulling *pulling = xcalloc(1, sizeof *pulling);
	struct docker_pull pull = {
		.reference = reference,
		.login = login,
		.cancel = run->cancel,
		.on_progress = on_progress,
		.context = pulling,
	};
	bool is_new;
	int failed;

	pulling->run = run;
	failed = docker_image_pull(run->agent->docker, &pull, &is_new, err);
	if (!failed)
		pull_state_finish(&pulling->state);
	run_progress(run, pull_state_to_json(&pulling->state), true);
	/* What was fetched before it failed may have replaced a tag. */
	refresh_images(run);
	if (!failed)
		describe_pulled(run, reference, is_new);
	return failed;
}

/* Docker Hub is often reached by a mirror, and does not resolve itself. */
static int
check_host(const struct docker_reference *reference, struct error *err)
{
	return strcmp(reference->host, "docker.io") == 0
		   ? 0
		   : host_check(reference->host, err);
}

static int
pull_image(struct run *run, struct error *err)
{
	struct docker_reference reference;
	struct docker_login login;
	bool has_login;

	run->result = json_object_new_object();
	json_put_text(run->result, "name", run->subject);
	json_put_boolean(run->result, "used_credential", false);
	if (docker_reference_parse(run->subject, &run->arena, &reference, err) <
		0 ||
	    find_login(run, &reference, &login, &has_login, err) < 0 ||
	    check_host(&reference, err) < 0)
		return -1;
	return pull_with(run, &reference, has_login ? &login : NULL, err);
}

struct remove_arguments {
	bool force;
};

static const struct field remove_fields[] = {
	BOOL_FIELD(struct remove_arguments, force, OPTIONAL),
	{ 0 },
};

/* The names of the containers, running or not, that were made of it. */
static int
list_users(struct run *run, const char *image_id, struct json_object **out,
    struct error *err)
{
	struct docker_container *containers;
	size_t count, i;

	if (docker_container_list(run->agent->docker, NULL, &run->arena,
		&containers, &count, err) < 0)
		return -1;
	*out = json_object_new_array();
	for (i = 0; i < count; i++)
		if (strcmp(containers[i].image_id, image_id) == 0)
			json_object_array_add(
			    *out, json_object_new_string(containers[i].name));
	return 0;
}

/* What Docker calls a conflict: who uses the image is told, if somebody. */
static int
explain_conflict(struct run *run, const char *image_id, struct error *err)
{
	struct json_object *users;
	struct error conflict = *err;

	if (list_users(run, image_id, &users, err) < 0)
		return -1;
	if (json_object_array_length(users) == 0) {
		json_object_put(users);
		*err = conflict;
		return -1;
	}
	run->result = json_object_new_object();
	json_put(run->result, "used_by", users);
	return error_set(err, ERR_CONFLICT, "IN_USE", "the image is in use");
}

static struct json_object *
list_names(const char *const *names, size_t count)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	return list;
}

static int
remove_image(struct run *run, struct error *err)
{
	struct remove_arguments arguments = { 0 };
	struct docker_image_removal removal;
	struct mirror_image image;

	if (run_decode(run, remove_fields, &arguments, err) < 0 ||
	    mirror_refresh_images(run->agent->mirror, run->store, err) < 0 ||
	    mirror_image_find(
		run->store, run->subject, &run->arena, &image, err) < 0)
		return -1;
	if (docker_image_remove(run->agent->docker, run->subject,
		arguments.force, &run->arena, &removal, err) < 0)
		return err->kind == ERR_CONFLICT
			   ? explain_conflict(run, image.id, err)
			   : -1;
	refresh_images(run);
	run->result = json_object_new_object();
	json_put(run->result, "untagged",
	    list_names(removal.untagged, removal.untagged_count));
	json_put(run->result, "deleted",
	    list_names(removal.deleted, removal.deleted_count));
	return 0;
}

struct cleanup_arguments {
	bool dry_run, all;
};

static const struct field cleanup_fields[] = {
	BOOL_FIELD(struct cleanup_arguments, dry_run, OPTIONAL),
	BOOL_FIELD(struct cleanup_arguments, all, OPTIONAL),
	{ 0 },
};

static int
clean_up_images(struct run *run, struct error *err)
{
	struct cleanup_arguments arguments = { 0 };
	struct image_cleanup cleanup = { 0 };
	int failed;

	if (run_decode(run, cleanup_fields, &arguments, err) < 0)
		return -1;
	cleanup.all = arguments.all;
	cleanup.dry_run = arguments.dry_run;
	run->result = json_object_new_object();
	failed = cleanup_images(run, &cleanup, run->result, err);
	if (!arguments.dry_run)
		refresh_images(run);
	return failed;
}

static bool
is_cleanup_subject(const char *subject)
{
	return strcmp(subject, IMAGE_CLEANUP_SUBJECT) == 0;
}

const struct job_kind image_jobs[] = {
	{ JOB_IMAGE_PULL, docker_reference_is_valid, pull_image, LANE_PULLS,
	    false },
	{ JOB_IMAGE_REMOVE, docker_image_is_valid, remove_image, LANE_ENGINE,
	    false },
	{ JOB_IMAGE_CLEANUP, is_cleanup_subject, clean_up_images, LANE_PROGRAMS,
	    false },
	{ 0 },
};
