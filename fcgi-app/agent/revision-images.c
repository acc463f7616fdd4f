#include "agent/revision-images.h"

#include "agent/agent.h"
#include "agent/credentials.h"
#include "docker/reference.h"

#include <string.h>

static const struct compose_service *
find_service(const struct document *document, const char *name)
{
	const struct compose_service *services;
	size_t count, i;

	if (document == NULL)
		return NULL;
	services = document_services(document, &count);
	for (i = 0; i < count; i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	return NULL;
}

/* Docker says the id for a name that has come to stand for another image. */
static const char *
image_name(
    const struct document *document, const struct docker_container *container)
{
	const struct compose_service *service =
	    find_service(document, container->service);

	if (service != NULL && service->image[0] != '\0')
		return service->image;
	return strncmp(container->image, "sha256:", 7) == 0 ? ""
							    : container->image;
}

static struct json_object *
list_digests(struct run *run, const char *id)
{
	struct json_object *list = json_object_new_array();
	struct docker_image image;
	struct error ignored;
	size_t i;

	if (docker_image_get(
		run->agent->docker, id, &run->arena, &image, &ignored) == 0)
		for (i = 0; i < image.digest_count; i++)
			json_object_array_add(
			    list, json_object_new_string(image.digests[i]));
	return list;
}

/* A service may have several containers, of which one speaks for all. */
static bool
is_described(struct json_object *images, const char *service)
{
	size_t i;

	for (i = 0; i < json_object_array_length(images); i++)
		if (strcmp(json_text(
			       json_object_array_get_idx(images, i), "service"),
			service) == 0)
			return true;
	return false;
}

const char *
revision_images_describe(struct run *run, const struct document *document,
    const struct docker_container *containers, size_t count)
{
	auto_json struct json_object *images = json_object_new_array();
	size_t i;

	for (i = 0; i < count; i++) {
		struct json_object *one;

		if (is_described(images, containers[i].service))
			continue;
		one = json_object_new_object();
		json_put_text(one, "service", containers[i].service);
		json_put_text(
		    one, "image", image_name(document, &containers[i]));
		json_put_text(one, "image_id", containers[i].image_id);
		json_put(
		    one, "digests", list_digests(run, containers[i].image_id));
		json_object_array_add(images, one);
	}
	return arena_strdup(&run->arena, json_serialize(images, NULL));
}

static int
pull_digest(struct run *run, const char *digest, struct error *err)
{
	struct docker_reference reference;
	struct credential credential;
	struct docker_login login;
	struct docker_pull pull = { .reference = &reference,
		.cancel = run->cancel };
	bool found, is_new;

	if (docker_reference_parse(digest, &run->arena, &reference, err) < 0 ||
	    credential_find_for_host(run->store, reference.host, &run->arena,
		&credential, &found, err) < 0)
		return -1;
	if (found) {
		if (credentials_login(run->agent->credentials, &credential,
			&run->arena, &login, err) < 0)
			return -1;
		pull.login = &login;
	}
	return docker_image_pull(run->agent->docker, &pull, &is_new, err);
}

/* By any of its digests, for the registries may not all be there. */
static int
pull_again(struct run *run, struct json_object *image, struct error *err)
{
	struct json_object *digests = json_member(image, "digests");
	size_t count = json_object_is_type(digests, json_type_array)
			   ? json_object_array_length(digests)
			   : 0;
	struct error failure;
	size_t i;

	for (i = 0; i < count; i++)
		if (pull_digest(run,
			json_object_get_string(
			    json_object_array_get_idx(digests, i)),
			&failure) == 0)
			return 0;
	return error_set(err, ERR_UPSTREAM, "IMAGE_GONE",
	    "the image of service '%s' is neither here nor in a registry",
	    json_text(image, "service"));
}

static bool
stands_for(struct run *run, const char *name, const char *id)
{
	struct docker_image image;
	struct error ignored;

	return docker_image_get(run->agent->docker, name, &run->arena, &image,
		   &ignored) == 0 &&
	       strcmp(image.id, id) == 0;
}

static int
restore_one(struct run *run, struct json_object *one, struct error *err)
{
	const char *name = json_text(one, "image");
	const char *id = json_text(one, "image_id");
	struct docker_reference reference;
	struct docker_image image;
	struct error failure;

	if (name == NULL || id == NULL ||
	    docker_reference_parse(name, &run->arena, &reference, &failure) <
		0 ||
	    stands_for(run, name, id))
		return 0;
	if (docker_image_get(
		run->agent->docker, id, &run->arena, &image, &failure) < 0) {
		if (failure.kind != ERR_NOT_FOUND) {
			*err = failure;
			return -1;
		}
		if (pull_again(run, one, err) < 0)
			return -1;
	}
	/* A digest stands for one image for good. */
	return reference.digest[0] != '\0'
		   ? 0
		   : docker_image_tag(run->agent->docker, id, &reference, err);
}

int
revision_images_restore(struct run *run, const char *images, struct error *err)
{
	auto_json struct json_object *list = NULL;
	struct error ignored;
	size_t i;

	if (images == NULL ||
	    json_parse_trusted(images, strlen(images), &list, &ignored) < 0 ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	for (i = 0; i < json_object_array_length(list); i++)
		if (restore_one(run, json_object_array_get_idx(list, i), err) <
		    0)
			return -1;
	return 0;
}

int
revision_images_missing(struct run *run, const struct document *document,
    const char *const **out, struct error *err)
{
	const struct compose_service *services;
	const char **missing;
	size_t count, missing_count = 0, i;
	struct docker_image image;
	struct error failure;

	services = document_services(document, &count);
	missing = arena_array(&run->arena, count + 1, sizeof *missing);
	for (i = 0; i < count; i++) {
		if (services[i].image[0] == '\0' || services[i].has_build ||
		    services[i].has_profiles ||
		    docker_image_get(run->agent->docker, services[i].image,
			&run->arena, &image, &failure) == 0)
			continue;
		/* What is no reference is Compose's to refuse. */
		if (failure.kind != ERR_NOT_FOUND &&
		    failure.kind != ERR_INVALID) {
			*err = failure;
			return -1;
		}
		missing[missing_count++] = services[i].name;
	}
	*out = missing;
	return 0;
}
