/* /images: what the mirror has of Docker's images. */

#include "docker/docker.h"
#include "docker/reference.h"
#include "handlers/change.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/protocol.h"
#include "store/credentials.h"
#include "store/mirror.h"

#include <string.h>

static struct json_object *
render_image(const struct mirror_image *image, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	struct json_object *tags = rendering_array(image->tags);
	struct json_object *users = rendering_array(image->containers);

	json_put_text(object, "id", image->id);
	json_put(object, "tags", tags);
	json_put(object, "digests", rendering_array(image->digests));
	json_put_integer(object, "size", image->size_bytes);
	json_put_text(
	    object, "created", rendering_time(arena, image->created_at));
	json_put_integer(
	    object, "containers", (int64_t)json_object_array_length(users));
	json_put(object, "used_by", users);
	json_put_boolean(
	    object, "dangling", json_object_array_length(tags) == 0);
	return object;
}

struct image_filter {
	const char *dangling; /* "true" or "false", NULL: any */
	bool wanted;
	const char *name;
};

static bool
has_part(struct json_object *names, const char *part)
{
	size_t i;

	for (i = 0; i < json_object_array_length(names); i++)
		if (strstr(json_object_get_string(
			       json_object_array_get_idx(names, i)),
			part) != NULL)
			return true;
	return false;
}

static bool
is_wanted(struct json_object *image, const struct image_filter *filter)
{
	if (filter->dangling != NULL &&
	    json_boolean(image, "dangling", false) != filter->wanted)
		return false;
	return filter->name == NULL ||
	       has_part(json_member(image, "tags"), filter->name) ||
	       has_part(json_member(image, "digests"), filter->name);
}

static int
list_images(struct request *request, struct reply *reply, struct error *err)
{
	struct image_filter filter = {
		.dangling = request_query(request, "dangling"),
		.name = request_query(request, "name"),
	};
	struct mirror_image *images;
	struct json_object *all;
	struct listing listing;
	size_t count, i;

	if (request_query_boolean(
		request, "dangling", false, &filter.wanted, err) < 0 ||
	    listing_begin_docker(request, reply, "images", &listing, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	if (mirror_image_list(
		request->store, request->arena, &images, &count, err) < 0)
		return -1;
	all = json_object_new_array();
	for (i = 0; i < count; i++) {
		struct json_object *image =
		    render_image(&images[i], request->arena);

		if (is_wanted(image, &filter))
			json_object_array_add(all, image);
		else
			json_object_put(image);
	}
	return listing_finish(request, reply, &listing, all, NULL);
}

/* The path parameter: an id, the beginning of one, or a reference. */
static int
image_subject(
    const struct request *request, const char **out, struct error *err)
{
	*out = request_parameter(request, "id");
	if (!docker_id_is_valid(*out) && !docker_reference_is_valid(*out))
		return error_field(err, "id", "INVALID_IMAGE",
		    "id must be the id of an image or " REFERENCE_EXPECTED);
	return 0;
}

static int
get_image(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_image image;
	struct json_object *object;
	struct listing listing;
	const char *subject;

	if (image_subject(request, &subject, err) < 0 ||
	    listing_begin_one(request, reply, "image", &listing, err) < 0)
		return -1;
	if (mirror_image_find(
		request->store, subject, request->arena, &image, err) < 0)
		return -1;
	if (listing.complete)
		return 0;
	object = render_image(&image, request->arena);
	json_put(object, "labels", rendering_object(image.labels));
	return listing_finish_one(request, reply, &listing, object);
}

struct pull_input {
	const char *name, *credential_id;
};

static const struct field pull_fields[] = {
	CODED_FIELD(struct pull_input, name, REQUIRED,
	    docker_reference_is_valid, REFERENCE_EXPECTED, "INVALID_IMAGE"),
	STRING_FIELD(struct pull_input, credential_id, OPTIONAL,
	    credential_id_is_valid, "a credential's id"),
	{ 0 },
};

static int
pull_image(struct request *request, struct reply *reply, struct error *err)
{
	struct pull_input input = { 0 };
	struct change change = {
		.kind = JOB_IMAGE_PULL,
		.status = 200,
		.message = "Image pulled",
		.output_name = "output",
	};

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.subject = input.name;
	change.arguments = json_object_new_object();
	if (input.credential_id != NULL)
		json_put_text(
		    change.arguments, "credential_id", input.credential_id);
	return change_run(request, reply, &change, err);
}

static int
remove_image(struct request *request, struct reply *reply, struct error *err)
{
	struct change change = {
		.kind = JOB_IMAGE_REMOVE,
		.subject = request_parameter(request, "id"),
		.status = 200,
		.message = "Image removed",
		.member = "id",
	};
	bool force;

	if (!docker_image_is_valid(change.subject))
		return error_field(err, "id", "INVALID_IMAGE",
		    "id must be the id of an image or " REFERENCE_EXPECTED);
	if (request_query_boolean(request, "force", false, &force, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "force", force);
	return change_run(request, reply, &change, err);
}

struct cleanup_input {
	bool dry_run, all;
};

static const struct field cleanup_fields[] = {
	BOOL_FIELD(struct cleanup_input, dry_run, OPTIONAL),
	BOOL_FIELD(struct cleanup_input, all, OPTIONAL),
	{ 0 },
};

static int
clean_up_images(struct request *request, struct reply *reply, struct error *err)
{
	struct cleanup_input input = { 0 };
	struct change change = {
		.kind = JOB_IMAGE_CLEANUP,
		.subject = IMAGE_CLEANUP_SUBJECT,
		.status = 200,
		.message = "System image cleanup complete",
	};

	if (request_decode(request, &input, err) < 0)
		return -1;
	change.arguments = json_object_new_object();
	json_put_boolean(change.arguments, "dry_run", input.dry_run);
	json_put_boolean(change.arguments, "all", input.all);
	return change_run(request, reply, &change, err);
}

const struct route image_routes[] = {
	{ "GET", "/images", ROLE_VIEWER, list_images },
	{ "POST", "/images/pull", ROLE_OPERATOR, pull_image,
	    .body = pull_fields, .body_required = true },
	{ "POST", "/images/cleanup", ROLE_OPERATOR, clean_up_images,
	    .body = cleanup_fields },
	{ "DELETE", "/images/:id", ROLE_OPERATOR, remove_image },
	{ "GET", "/images/:id", ROLE_VIEWER, get_image },
	{ 0 },
};
