/*
 * /events: what changes, as server-sent events, while it does.
 *
 * The id of an event is its number in the store. A client that comes back with
 * Last-Event-ID gets what it missed; when that is no longer on record, a
 * "reset" says that it has to read the lists again.
 */

#include "store/events.h"
#include "app.h"
#include "base/clock.h"
#include "compose/compose.h"
#include "handlers/routes.h"
#include "http/lookout.h"
#include "http/reply.h"
#include "http/stream.h"
#include "jobs/heartbeat.h"
#include "settings/settings.h"
#include "store/watch.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_ID 12
#define BATCH 100
#define LOOK_MS 1000

struct subscription {
	struct request *request;
	struct stream stream;
	const char *types;      /* "deployment,job"; NULL: all */
	const char *deployment; /* NULL: all */
	int64_t last;           /* number of the newest event sent or seen */
	int docker_up;          /* as was told; -1: not yet */
};

static bool
has_type(const char *types, const char *type)
{
	size_t length = strlen(type);
	const char *at = types;

	while (at != NULL && (at = strstr(at, type)) != NULL) {
		if ((at == types || at[-1] == ',') &&
		    (at[length] == ',' || at[length] == '\0'))
			return true;
		at += length;
	}
	return types == NULL;
}

static bool
types_are_valid(const char *types)
{
	static const char *const known[] = { "deployment", "container", "job",
		"docker" };
	const char *at = types;
	size_t i;

	for (;;) {
		size_t length = strcspn(at, ",");

		for (i = 0; i < sizeof known / sizeof known[0]; i++)
			if (strlen(known[i]) == length &&
			    strncmp(known[i], at, length) == 0)
				break;
		if (i == sizeof known / sizeof known[0])
			return false;
		if (at[length] == '\0')
			return true;
		at += length + 1;
	}
}

static const char *
deployment_of(const struct event *event)
{
	if (strcmp(event->type, "deployment") == 0 ||
	    strncmp(event->kind, "deployment.", 11) == 0)
		return event->name;
	return event->deployment;
}

static bool
is_wanted(const struct subscription *subscription, const struct event *event)
{
	if (!has_type(subscription->types, event->type))
		return false;
	return subscription->deployment == NULL ||
	       strcmp(deployment_of(event), subscription->deployment) == 0;
}

static struct json_object *
render_event(const struct event *event, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	bool is_job = strcmp(event->type, "job") == 0;
	bool is_container = strcmp(event->type, "container") == 0;

	json_put_text(object, "type", event->type);
	json_put_text(object, "time", clock_text_ms(arena, event->at_ms));
	if (is_job) {
		json_put_text(object, "id", event->id);
		json_put_text(object, "job_id", event->id);
		json_put_text(object, "kind", event->kind);
		json_put_text(object, "subject", event->name);
	} else {
		json_put_text(object, "name", event->name);
	}
	if (is_container) {
		json_put_text(
		    object, "id", arena_strndup(arena, event->id, SHORT_ID));
		json_put_text(object, "state", event->status);
	} else {
		json_put_text(object, "status", event->status);
	}
	/* What is removed has none any more. */
	if (is_container || event->health[0] != '\0')
		json_put_text(object, "health", event->health);
	if (deployment_of(event)[0] != '\0')
		json_put_text(object,
		    is_container ? "deployment_name" : "deployment",
		    deployment_of(event));
	if (event->error_code[0] != '\0')
		json_put_text(object, "error_code", event->error_code);
	return object;
}

/* More than a batch comes in several. */
static int
send_new(struct subscription *subscription, bool *more)
{
	auto_arena struct arena arena = { 0 };
	struct lookout *lookout = subscription->request->app->lookout;
	struct store *store = lookout_lock(lookout);
	struct event *events;
	struct error ignored;
	size_t count, i;
	int failed;

	*more = false;
	failed =
	    store == NULL || store_event_list(store, subscription->last, BATCH,
				 &arena, &events, &count, &ignored) < 0;
	lookout_unlock(lookout);
	/* What cannot be read now can be later. */
	if (failed)
		return 0;
	for (i = 0; i < count; i++) {
		subscription->last = events[i].number;
		if (!is_wanted(subscription, &events[i]))
			continue;
		if (stream_send_object(&subscription->stream,
			arena_printf(
			    &arena, "%lld", (long long)events[i].number),
			events[i].type, render_event(&events[i], &arena)) < 0)
			return -1;
	}
	*more = count == BATCH;
	return 0;
}

/* Not on record, since nothing writes when the agent is dead: without an id. */
static int
tell_docker(struct subscription *subscription)
{
	struct json_object *object;
	struct heartbeat heartbeat;

	if (subscription->deployment != NULL ||
	    !has_type(subscription->types, "docker"))
		return 0;
	heartbeat_read(
	    subscription->request->app->settings->run_directory, &heartbeat);
	if (subscription->docker_up == heartbeat.docker_up)
		return 0;
	subscription->docker_up = heartbeat.docker_up;
	object = json_object_new_object();
	json_put_text(object, "type", "docker");
	json_put_text(object, "status", heartbeat.docker_up ? "up" : "down");
	json_put_boolean(object, "stale", heartbeat.stale);
	return stream_send_object(
	    &subscription->stream, NULL, "docker", object);
}

static int
say(struct subscription *subscription, const char *event)
{
	struct json_object *object = json_object_new_object();
	struct arena *arena = subscription->request->arena;

	json_put_text(object, "type", event);
	return stream_send_object(&subscription->stream,
	    arena_printf(arena, "%lld", (long long)subscription->last), event,
	    object);
}

/*
 * Where to begin: after Last-Event-ID if all since then is on record, else at
 * the end. A first event tells the client's id before anything happens.
 */
static int
begin(struct subscription *subscription, int64_t oldest, int64_t newest)
{
	const char *text = subscription->request->last_event_id;
	size_t digits = text ? strspn(text, "0123456789") : 0;
	int64_t last = -1;

	if (digits > 0 && digits <= 18 && text[digits] == '\0')
		last = strtoll(text, NULL, 10);
	if (last >= oldest - 1 && last <= newest) {
		subscription->last = last;
		return 0;
	}
	subscription->last = newest;
	return say(subscription, text != NULL ? "reset" : "ready");
}

static void
follow(struct subscription *subscription)
{
	struct request *request = subscription->request;
	bool more;

	for (;;) {
		if (tell_docker(subscription) < 0 ||
		    send_new(subscription, &more) < 0 ||
		    !stream_goes_on(&subscription->stream, request))
			return;
		if (!more)
			store_watch_wait_event(
			    request->app->watch, subscription->last, LOOK_MS);
	}
}

static int
stream_events(struct request *request, struct reply *reply, struct error *err)
{
	struct subscription subscription = {
		.request = request,
		.types = request_query(request, "types"),
		.deployment = request_query(request, "deployment"),
		.docker_up = -1,
	};
	int64_t oldest, newest;

	if (subscription.types != NULL && !types_are_valid(subscription.types))
		return error_field(err, "types", NULL,
		    "types must be of deployment, container, job and docker, "
		    "with commas between");
	if (subscription.deployment != NULL &&
	    !compose_name_is_valid(subscription.deployment))
		return error_field(err, "deployment", "INVALID_NAME",
		    "deployment must be " COMPOSE_NAME_EXPECTED);
	if (store_event_range(request->store, &oldest, &newest, err) < 0 ||
	    stream_begin(request, reply, &subscription.stream, err) < 0)
		return -1;
	request_close_store(request);
	if (begin(&subscription, oldest, newest) == 0)
		follow(&subscription);
	stream_end(&subscription.stream);
	return 0;
}

const struct route event_routes[] = {
	{ "GET", "/events", ROLE_VIEWER, stream_events },
	{ 0 },
};
