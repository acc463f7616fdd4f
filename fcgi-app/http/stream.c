#include "http/stream.h"

#include "app.h"
#include "base/clock.h"
#include "http/authenticate.h"
#include "http/connection.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MAXIMUM (256 * 1024)
#define RETRY_AFTER_S 5
#define MANY_STREAMS 64
#define SPREAD_MS 250
#define SPREAD_STEP 37 /* no common divisor with SPREAD_MS */

struct stream_places {
	pthread_mutex_t lock;
	size_t total, per_key, taken;
	unsigned int begun;   /* streams so far */
	const char *actors[]; /* of the taken places, borrowed */
};

struct stream_places *
stream_places_new(size_t total, size_t per_key)
{
	struct stream_places *places =
	    xcalloc(1, sizeof *places + total * sizeof places->actors[0]);

	pthread_mutex_init(&places->lock, NULL);
	places->total = total;
	places->per_key = per_key;
	return places;
}

void
stream_places_free(struct stream_places *places)
{
	if (places == NULL)
		return;
	pthread_mutex_destroy(&places->lock);
	free(places);
}

static bool
take_place(
    struct stream_places *places, const char *actor, unsigned int *out_number)
{
	size_t same = 0, i;
	bool free_place;

	pthread_mutex_lock(&places->lock);
	for (i = 0; i < places->taken; i++)
		same += strcmp(places->actors[i], actor) == 0;
	free_place = places->taken < places->total && same < places->per_key;
	if (free_place)
		places->actors[places->taken++] = actor;
	*out_number = places->begun++;
	pthread_mutex_unlock(&places->lock);
	return free_place;
}

/* By address: the same key may hold several places. */
static void
leave_place(struct stream_places *places, const char *actor)
{
	size_t i;

	pthread_mutex_lock(&places->lock);
	for (i = 0; i < places->taken; i++) {
		if (places->actors[i] != actor)
			continue;
		places->actors[i] = places->actors[--places->taken];
		break;
	}
	pthread_mutex_unlock(&places->lock);
}

int
stream_begin(struct request *request, struct reply *reply, struct stream *out,
    struct error *err)
{
	struct stream_places *places = request->app->streams;
	/* nginx keeps the head back until a first byte of the body comes. */
	const char *head = arena_printf(request->arena,
	    "Status: 200 OK\r\nContent-Type: text/event-stream\r\n"
	    "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
	    "X-Request-Id: %s\r\n\r\n"
	    ": open\n\n",
	    request->id);

	unsigned int number = 0;

	if (places == NULL ||
	    !take_place(places, request->identity.actor, &number)) {
		error_set(err, ERR_UNAVAILABLE, "TOO_MANY_STREAMS",
		    "too many streams are open");
		err->retry_after_s = RETRY_AFTER_S;
		return -1;
	}
	*out = (struct stream){ .connection = request->connection,
		.places = places,
		.actor = request->identity.actor,
		.number = number,
		.sent_at_ms = clock_monotonic_ms() };
	reply->status = 200;
	reply->streamed = true;
	connection_write(out->connection, head, strlen(head));
	connection_flush(out->connection);
	return 0;
}

void
stream_end(struct stream *stream)
{
	leave_place(stream->places, stream->actor);
}

static int
send_text(struct stream *stream, const struct buffer *text)
{
	stream->sent_at_ms = clock_monotonic_ms();
	if (text->overflowed ||
	    connection_write(stream->connection, text->bytes, text->length) < 0)
		return -1;
	return connection_flush(stream->connection);
}

/* Every line of the data gets its own "data:": no line can be an event. */
static void
append_data(struct buffer *text, const char *data, size_t length)
{
	const char *end = data + length;

	for (;;) {
		const char *stop = data;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		buffer_text(text, "data: ");
		buffer_append(text, data, (size_t)(stop - data));
		buffer_char(text, '\n');
		if (stop == end)
			break;
		if (*stop == '\r' && stop + 1 < end && stop[1] == '\n')
			stop++;
		data = stop + 1;
	}
}

static bool
has_many(struct stream_places *places)
{
	bool many;

	pthread_mutex_lock(&places->lock);
	many = places->taken > MANY_STREAMS;
	pthread_mutex_unlock(&places->lock);
	return many;
}

/* Each stream has a moment of its own within every SPREAD_MS. */
static void
await_moment(const struct stream *stream)
{
	int64_t now = clock_monotonic_ms();
	int64_t moment = (int64_t)stream->number * SPREAD_STEP % SPREAD_MS;

	if (now - stream->sent_at_ms < SPREAD_MS || !has_many(stream->places))
		return;
	clock_sleep_ms((moment - now % SPREAD_MS + SPREAD_MS) % SPREAD_MS);
}

int
stream_send(struct stream *stream, const char *id, const char *event,
    const char *data, size_t length)
{
	auto_buffer struct buffer text = BUFFER(EVENT_MAXIMUM);

	await_moment(stream);
	if (id != NULL)
		buffer_printf(&text, "id: %s\n", id);
	if (event != NULL)
		buffer_printf(&text, "event: %s\n", event);
	append_data(&text, data, length);
	buffer_char(&text, '\n');
	return send_text(stream, &text);
}

int
stream_send_object(struct stream *stream, const char *id, const char *event,
    struct json_object *object)
{
	auto_json struct json_object *taken = object;
	size_t length;
	const char *text = json_serialize(taken, &length);

	return stream_send(stream, id, event, text, length);
}

int
stream_keep_alive(struct stream *stream)
{
	auto_buffer struct buffer text = BUFFER(16);

	if (clock_monotonic_ms() - stream->sent_at_ms < STREAM_HEARTBEAT_MS)
		return 0;
	buffer_text(&text, ": ping\n\n");
	return send_text(stream, &text);
}

static bool
has_gone(const struct stream *stream)
{
	struct pollfd poller = { .fd = connection_fd(stream->connection),
		.events = POLLRDHUP };

	return poll(&poller, 1, 0) > 0;
}

bool
stream_goes_on(struct stream *stream, struct request *request)
{
	return !atomic_load(&request->app->stopping) && !has_gone(stream) &&
	       authenticate_still(request) && stream_keep_alive(stream) == 0;
}
