/*
 * Lists from the mirror: ETag and 304, the rendered body kept per generation,
 * limit and offset, and the truth about how fresh it is.
 *
 *	struct listing listing;
 *	if (listing_begin(request, reply, "containers", &listing, err) < 0)
 *		return -1;
 *	if (listing.complete)
 *		return 0;
 *	… read the mirror, make the array …
 *	return listing_finish(request, reply, &listing, array, extras);
 *
 * Of one object there is neither a page nor a body that is kept: it is looked
 * up before listing.complete is asked, as what is gone has no ETag.
 */
#ifndef HANDLERS_LISTING_H
#define HANDLERS_LISTING_H

#include "http/reply.h"
#include "http/request.h"
#include "jobs/heartbeat.h"

#define LISTING_MAXIMUM 10000

struct listing {
	const char *key; /* clients' key of the array */
	struct heartbeat heartbeat;
	const char *etag;
	const char *cache_key;
	int64_t limit, offset;
	bool complete; /* answered from the cache, or 304 */
};

/* Reads limit and offset; they and the whole query are part of the key. */
int listing_begin(struct request *request, struct reply *reply, const char *key,
    struct listing *out, struct error *err);

/*
 * The same for what Docker has: that cannot be told without it.
 * ERR_UNAVAILABLE DOCKER_UNAVAILABLE; an old list says that it is stale.
 */
int listing_begin_docker(struct request *request, struct reply *reply,
    const char *key, struct listing *out, struct error *err);
/* The same for one object of Docker's. */
int listing_begin_one(struct request *request, struct reply *reply,
    const char *key, struct listing *out, struct error *err);
/* That alone, for what has no ETag. */
int listing_check_docker(
    struct request *request, struct reply *reply, struct error *err);

/*
 * Answers with the part of all (taken over) that limit and offset name, plus
 * items, total, limit and offset, and extras (taken over, or NULL).
 */
int listing_finish(struct request *request, struct reply *reply,
    const struct listing *listing, struct json_object *all,
    struct json_object *extras);
/* Answers with the object, which is taken over. */
int listing_finish_one(struct request *request, struct reply *reply,
    const struct listing *listing, struct json_object *object);

#endif
