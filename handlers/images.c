/* /images: what the mirror has of Docker's images. */

#include "docker/docker.h"
#include "docker/reference.h"
#include "handlers/listing.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "http/reply.h"
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

const struct route image_routes[] = {
	{ "GET", "/images", ROLE_VIEWER, list_images },
	{ "GET", "/images/:id", ROLE_VIEWER, get_image },
	{ 0 },
};
