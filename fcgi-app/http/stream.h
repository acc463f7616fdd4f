/*
 * Server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html): answers
 * that stay open. They have a pool of processes of their own, and there only as
 * many as the pool has places, some per API key.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "base/error.h"
#include "http/reply.h"
#include "http/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_HEARTBEAT_MS 15000

/* The places of a stream pool. */
struct stream_places;
struct stream_places *stream_places_new(size_t total, size_t per_key);
void stream_places_free(struct stream_places *places);

struct stream {
	struct connection *connection;
	struct stream_places *places;
	const char *actor;
	unsigned int number; /* of the process's streams, counted up */
	int64_t sent_at_ms;  /* monotonic */
};

/*
 * Takes a place and sends the head. ERR_UNAVAILABLE TOO_MANY_STREAMS; also in
 * a process that is not of the stream pool. End it with stream_end().
 */
int stream_begin(struct request *request, struct reply *reply,
    struct stream *out, struct error *err);
void stream_end(struct stream *stream);

/*
 * One event; id and event may be NULL, data may have several lines. -1: the
 * client has gone, or did not read for ten seconds.
 *
 * With many streams open, what one sends after a pause may wait up to a quarter
 * of a second: what hundreds wait for, such as a line of a log that all follow,
 * would else go out in one burst that holds up every other request.
 */
int stream_send(struct stream *stream, const char *id, const char *event,
    const char *data, size_t length);
/* The same with an object as the data, which is taken over. */
int stream_send_object(struct stream *stream, const char *id, const char *event,
    struct json_object *object);
/* A comment, when nothing was sent for STREAM_HEARTBEAT_MS. */
int stream_keep_alive(struct stream *stream);

/*
 * To be asked about every second: keeps the stream alive; false when the
 * client has gone, its key is no longer in force, or the process ends.
 */
bool stream_goes_on(struct stream *stream, struct request *request);

#endif
