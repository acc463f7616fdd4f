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
 * Answers with the part of all (taken over) that limit and offset name, plus
 * items, total, limit and offset, and extras (taken over, or NULL).
 */
int listing_finish(struct request *request, struct reply *reply,
    const struct listing *listing, struct json_object *all,
    struct json_object *extras);

#endif
