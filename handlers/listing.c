#include "handlers/listing.h"

#include "app.h"
#include "base/buffer.h"
#include "settings/settings.h"
#include "store/mirror.h"

#include <string.h>

/* The query as it was, so that each view is kept apart. */
static const char *
format_key(const struct request *request, const char *key)
{
	auto_buffer struct buffer text = BUFFER(4096);
	size_t i;

	buffer_text(&text, key);
	for (i = 0; i < request->query_count; i++)
		buffer_printf(&text, "\x1f%s\x1e%s", request->query[i].name,
		    request->query[i].value);
	return text.overflowed
		   ? NULL
		   : arena_strdup(request->arena, buffer_string(&text));
}

/*
 * A stale list is rendered each time, without an ETag: it says its age.
 */
static int
answer_known(struct request *request, struct reply *reply,
    struct listing *listing, struct error *err)
{
	int64_t generation;

	if (mirror_generation(request->store, &generation, err) < 0)
		return -1;
	listing->etag = arena_printf(request->arena, "\"%llx-%llx%s\"",
	    (unsigned long long)generation,
	    (unsigned long long)listing->heartbeat.docker_generation,
	    listing->heartbeat.docker_up ? "" : "-down");
	if (reply_not_modified(request, reply, listing->etag)) {
		listing->complete = true;
		return 0;
	}
	if (listing->cache_key != NULL)
		reply->body = cache_find(
		    request->app->cache, listing->cache_key, listing->etag);
	if (reply->body != NULL) {
		reply->status = 200;
		listing->complete = true;
	}
	return 0;
}

static int
begin(struct request *request, struct reply *reply, struct listing *listing,
    struct error *err)
{
	if (listing->heartbeat.stale) {
		reply_header(reply, "Warning", "110 - \"Response is Stale\"");
		reply_header(reply, "Cache-Control", "no-store");
		return 0;
	}
	return answer_known(request, reply, listing, err);
}

static int
begin_page(struct request *request, const char *key, struct listing *out,
    struct error *err)
{
	memset(out, 0, sizeof *out);
	out->key = key;
	if (request_query_integer(request, "limit", LISTING_MAXIMUM, 1,
		LISTING_MAXIMUM, &out->limit, err) < 0 ||
	    request_query_integer(
		request, "offset", 0, 0, 999999999, &out->offset, err) < 0)
		return -1;
	heartbeat_read(request->app->settings->run_directory, &out->heartbeat);
	out->cache_key = format_key(request, key);
	return 0;
}

int
listing_begin(struct request *request, struct reply *reply, const char *key,
    struct listing *out, struct error *err)
{
	return begin_page(request, key, out, err) < 0
		   ? -1
		   : begin(request, reply, out, err);
}

static int
check_docker(const struct heartbeat *heartbeat, struct error *err)
{
	if (!heartbeat->stale && !heartbeat->docker_up)
		return error_set(err, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
		    "Docker does not answer");
	return 0;
}

int
listing_begin_docker(struct request *request, struct reply *reply,
    const char *key, struct listing *out, struct error *err)
{
	if (begin_page(request, key, out, err) < 0 ||
	    check_docker(&out->heartbeat, err) < 0)
		return -1;
	return begin(request, reply, out, err);
}

int
listing_begin_one(struct request *request, struct reply *reply, const char *key,
    struct listing *out, struct error *err)
{
	memset(out, 0, sizeof *out);
	out->key = key;
	heartbeat_read(request->app->settings->run_directory, &out->heartbeat);
	if (check_docker(&out->heartbeat, err) < 0)
		return -1;
	return begin(request, reply, out, err);
}

int
listing_check_docker(
    struct request *request, struct reply *reply, struct error *err)
{
	struct heartbeat heartbeat;

	heartbeat_read(request->app->settings->run_directory, &heartbeat);
	reply_header(reply, "Cache-Control", "no-store");
	if (heartbeat.stale)
		reply_header(reply, "Warning", "110 - \"Response is Stale\"");
	return check_docker(&heartbeat, err);
}

static struct json_object *
take_page(struct json_object *all, int64_t offset, int64_t limit)
{
	size_t total = json_object_array_length(all), i;
	struct json_object *page;

	if (offset == 0 && (size_t)limit >= total)
		return json_object_get(all);
	page = json_object_new_array();
	for (i = (size_t)offset; i < total && i < (size_t)(offset + limit); i++)
		json_object_array_add(
		    page, json_object_get(json_object_array_get_idx(all, i)));
	return page;
}

static void
tell_freshness(struct json_object *extras, const struct heartbeat *heartbeat)
{
	if (heartbeat->stale) {
		json_put_boolean(extras, "stale", true);
		json_put(extras, "stale_age_ms",
		    heartbeat->age_ms >= 0
			? json_object_new_int64(heartbeat->age_ms)
			: NULL);
	} else if (!heartbeat->docker_up) {
		json_put_boolean(extras, "degraded", true);
	}
}

int
listing_finish(struct request *request, struct reply *reply,
    const struct listing *listing, struct json_object *all,
    struct json_object *extras)
{
	auto_json struct json_object *list = all;
	struct payload payload = {
		.key = listing->key,
		.data = take_page(list, listing->offset, listing->limit),
		.extras = extras ? extras : json_object_new_object(),
	};

	if (request->app->settings->api.envelope != ENVELOPE_DATA)
		json_put(
		    payload.extras, "items", json_object_get(payload.data));
	json_put_integer(
	    payload.extras, "total", (int64_t)json_object_array_length(list));
	json_put_integer(payload.extras, "limit", listing->limit);
	json_put_integer(payload.extras, "offset", listing->offset);
	tell_freshness(payload.extras, &listing->heartbeat);
	reply_payload(request, reply, 200, &payload);
	if (listing->etag != NULL && listing->cache_key != NULL)
		cache_put(request->app->cache, listing->cache_key,
		    listing->etag, reply->body);
	return 0;
}

int
listing_finish_one(struct request *request, struct reply *reply,
    const struct listing *listing, struct json_object *object)
{
	struct payload payload = {
		.key = listing->key,
		.data = object,
		.extras = json_object_new_object(),
	};

	tell_freshness(payload.extras, &listing->heartbeat);
	return reply_payload(request, reply, 200, &payload);
}
