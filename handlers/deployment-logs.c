/* /deployments/:name/logs: of its containers, merged, or followed. */

#include "app.h"
#include "base/clock.h"
#include "compose/compose.h"
#include "docker/docker.h"
#include "handlers/change.h"
#include "handlers/routes.h"
#include "http/authenticate.h"
#include "http/connection.h"
#include "http/reply.h"
#include "http/stream.h"
#include "store/mirror.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_MAXIMUM 10000 /* lines, of all containers together */
#define BYTES_MAXIMUM (4 * 1024 * 1024)
#define RETRY_MS 1000

struct log_query {
	const char *service; /* NULL: all */
	bool follow, timestamps;
	struct docker_log_options options;
};

/* The containers whose logs are asked for. */
struct log_sources {
	const char **ids; /* NULL-ended */
	const char **services, **names;
	size_t count;
};

/* RFC 3339, Unix seconds, or how long ago: "10m". */
static int
parse_since(const char *text, int64_t *out_ms)
{
	size_t digits = strspn(text, "0123456789");
	int64_t ago_ms;

	if (digits > 0 && digits < 12 && text[digits] == '\0') {
		*out_ms = strtoll(text, NULL, 10) * 1000;
		return 0;
	}
	if (clock_parse_duration(text, &ago_ms) == 0) {
		*out_ms = clock_wall_ms() - ago_ms;
		return 0;
	}
	return clock_parse(text, out_ms);
}

static int
parse_query(
    const struct request *request, struct log_query *out, struct error *err)
{
	const char *since = request_query(request, "since");
	const char *tail = request_query(request, "tail");
	int64_t lines = TAIL_MAXIMUM;

	memset(out, 0, sizeof *out);
	out->service = request_query(request, "service");
	if (out->service != NULL && !compose_name_is_valid(out->service))
		return error_field(err, "service", "INVALID_NAME",
		    "service must be " COMPOSE_NAME_EXPECTED);
	if (tail == NULL || strcmp(tail, "all") != 0)
		if (request_query_integer(
			request, "tail", 100, 1, TAIL_MAXIMUM, &lines, err) < 0)
			return -1;
	if (since != NULL && parse_since(since, &out->options.since_ms) < 0)
		return error_field(err, "since", NULL,
		    "since must be a time (RFC 3339), Unix seconds or a "
		    "duration such as 10m");
	out->options.tail = (int)lines;
	return request_query_boolean(
		   request, "follow", false, &out->follow, err) < 0 ||
		       request_query_boolean(request, "timestamps", false,
			   &out->timestamps, err) < 0
		   ? -1
		   : 0;
}

static int
find_sources(struct request *request,
    const struct mirror_deployment *deployment, const struct log_query *query,
    struct arena *arena, struct log_sources *out, struct error *err)
{
	struct mirror_container *containers;
	size_t count, i;

	if (mirror_container_list(request->store, deployment->project, arena,
		&containers, &count, err) < 0)
		return -1;
	out->ids = arena_array(arena, count + 1, sizeof *out->ids);
	out->services = arena_array(arena, count + 1, sizeof *out->services);
	out->names = arena_array(arena, count + 1, sizeof *out->names);
	out->count = 0;
	for (i = 0; i < count; i++) {
		if (query->service != NULL &&
		    strcmp(containers[i].service, query->service) != 0)
			continue;
		out->ids[out->count] = containers[i].id;
		out->services[out->count] = containers[i].service;
		out->names[out->count] = containers[i].name;
		out->count++;
	}
	return 0;
}

static bool
has_service(const struct mirror_deployment *deployment, const char *name)
{
	auto_json struct json_object *services = NULL;
	struct error ignored;
	size_t i;

	if (json_parse_trusted(deployment->services,
		strlen(deployment->services), &services, &ignored) < 0 ||
	    services == NULL)
		return false;
	for (i = 0; i < json_object_array_length(services); i++) {
		const char *known =
		    json_text(json_object_array_get_idx(services, i), "name");

		if (known != NULL && strcmp(known, name) == 0)
			return true;
	}
	return false;
}

/* Lines of all containers, kept until they can be merged. */
struct log_line {
	const char *timestamp, *text, *stream;
	size_t source, order;
};

struct collection {
	struct arena *arena;
	struct log_line *lines;
	size_t count, allocated;
};

static bool
collect_line(void *context, const struct docker_log_line *line)
{
	struct collection *collection = context;

	collection->lines =
	    arena_grow(collection->arena, collection->lines, collection->count,
		&collection->allocated, sizeof *collection->lines);
	collection->lines[collection->count] = (struct log_line){
		.timestamp = arena_strdup(collection->arena, line->timestamp),
		.text =
		    arena_strndup(collection->arena, line->text, line->length),
		.stream = line->stream,
		.source = line->source,
		.order = collection->count,
	};
	collection->count++;
	return true;
}

/* Docker writes nine digits of a second in UTC: texts sort as times do. */
static int
compare_lines(const void *left, const void *right)
{
	const struct log_line *a = left, *b = right;
	int order = strcmp(a->timestamp, b->timestamp);

	return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* An empty object costs more than a line: fields is one for all of them. */
static struct json_object *
render_record(const char *timestamp, const char *service, const char *name,
    const char *stream, const char *text, struct json_object *fields)
{
	struct json_object *record = json_object_new_object();

	json_put_text(record, "timestamp", timestamp);
	json_put_text(record, "service", service);
	json_put_text(record, "container", name);
	json_put_text(record, "stream", stream);
	json_put_text(record, "level", "");
	json_put_text(record, "message", text);
	json_put(record, "fields", json_object_get(fields));
	json_put_text(record, "raw", text);
	return record;
}

/* As many lines of each as there is room for; true when that is fewer. */
static bool
share_lines(struct docker_log_options *options, size_t sources)
{
	int share = TAIL_MAXIMUM / (int)sources;

	if (share < 1)
		share = 1;
	if (options->tail <= share)
		return false;
	options->tail = share;
	return true;
}

static int
reply_logs(struct request *request, struct reply *reply, const char *name,
    const struct log_sources *sources, const struct log_query *query,
    struct error *err)
{
	struct collection collection = { .arena = request->arena };
	auto_buffer struct buffer text = BUFFER(4 * BYTES_MAXIMUM);
	struct payload payload = { 0 };
	struct docker_log_options options = query->options;
	auto_json struct json_object *no_fields = NULL;
	struct json_object *records;
	bool truncated = false, shared = false;
	size_t i;

	if (sources->count > 0)
		shared = share_lines(&options, sources->count);
	if (sources->count > 0 &&
	    docker_logs_read(request->app->docker, sources->ids, sources->count,
		&options, BYTES_MAXIMUM / sources->count, -1, collect_line,
		NULL, &collection, &truncated, err) < 0)
		return -1;
	truncated |= shared && collection.count >= (size_t)options.tail;
	if (collection.count > 0)
		qsort(collection.lines, collection.count,
		    sizeof *collection.lines, compare_lines);
	records = json_object_new_array();
	no_fields = json_object_new_object();
	for (i = 0; i < collection.count; i++) {
		const struct log_line *line = &collection.lines[i];
		const char *service = sources->services[line->source];

		buffer_printf(&text, "%s  | %s%s%s\n", service,
		    query->timestamps ? line->timestamp : "",
		    query->timestamps ? " " : "", line->text);
		json_object_array_add(
		    records, render_record(line->timestamp, service,
				 sources->names[line->source], line->stream,
				 line->text, no_fields));
	}
	payload.data = json_object_new_object();
	json_put_text(payload.data, "name", name);
	json_put_text(payload.data, "logs", buffer_string(&text));
	json_put_text(payload.data, "source", "containers");
	json_put(payload.data, "records", records);
	json_put_boolean(
	    payload.data, "truncated", truncated || text.overflowed);
	return reply_payload(request, reply, 200, &payload);
}

/* Following. */

struct follower {
	struct request *request;
	struct stream stream;
	const struct mirror_deployment *deployment;
	struct log_query query;
	struct log_sources sources;
	char last[64];  /* timestamp of the newest line sent */
	char after[64]; /* lines up to this one were sent before */
	int64_t generation;
	bool gone; /* the client is */
};

static bool
send_line(void *context, const struct docker_log_line *line)
{
	struct follower *follower = context;
	auto_json struct json_object *no_fields = json_object_new_object();
	auto_json struct json_object *record = NULL;
	const char *text;
	size_t length;

	if (strcmp(line->timestamp, follower->after) <= 0)
		return true;
	record = render_record(line->timestamp,
	    follower->sources.services[line->source],
	    follower->sources.names[line->source], line->stream, line->text,
	    no_fields);
	text = json_serialize(record, &length);
	if (stream_send(
		&follower->stream, line->timestamp, "log", text, length) < 0)
		follower->gone = true;
	if (strcmp(line->timestamp, follower->last) > 0)
		snprintf(follower->last, sizeof follower->last, "%s",
		    line->timestamp);
	return !follower->gone;
}

/* Ends the reading when containers have come or gone. */
static bool
watch_containers(void *context)
{
	struct follower *follower = context;
	int64_t generation;
	struct error ignored;

	if (stream_keep_alive(&follower->stream) < 0 ||
	    !authenticate_still(follower->request))
		follower->gone = true;
	if (follower->gone || atomic_load(&follower->request->app->stopping))
		return false;
	return mirror_generation(
		   follower->request->store, &generation, &ignored) < 0 ||
	       generation == follower->generation;
}

static bool
is_gone(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

	return poll(&poller, 1, RETRY_MS) > 0;
}

/* Reads until the set of containers changes, the client goes or Docker does. */
static void
follow_once(struct follower *follower)
{
	auto_arena struct arena arena = { 0 };
	struct request *request = follower->request;
	int fd = connection_fd(request->connection);
	bool truncated;
	struct error err;

	memcpy(follower->after, follower->last, sizeof follower->after);
	if (mirror_generation(request->store, &follower->generation, &err) <
		0 ||
	    find_sources(request, follower->deployment, &follower->query,
		&arena, &follower->sources, &err) < 0)
		follower->sources.count = 0;
	if (follower->sources.count > 0)
		docker_logs_read(request->app->docker, follower->sources.ids,
		    follower->sources.count, &follower->query.options, 0, fd,
		    send_line, watch_containers, follower, &truncated, &err);
	/* What was sent is not asked for again. */
	if (follower->last[0] != '\0') {
		clock_parse(follower->last, &follower->query.options.since_ms);
		follower->query.options.tail = -1;
	}
	if (!follower->gone && (stream_keep_alive(&follower->stream) < 0 ||
				   !authenticate_still(request)))
		follower->gone = true;
	if (!follower->gone)
		follower->gone = is_gone(fd);
}

static int
follow_logs(struct request *request, struct reply *reply,
    const struct mirror_deployment *deployment, const struct log_query *query,
    struct error *err)
{
	struct follower follower = {
		.request = request, .deployment = deployment, .query = *query
	};
	int64_t resumed_ms;

	if (stream_begin(request, reply, &follower.stream, err) < 0)
		return -1;
	follower.query.options.follow = true;
	if (request->last_event_id != NULL &&
	    strlen(request->last_event_id) < sizeof follower.last &&
	    clock_parse(request->last_event_id, &resumed_ms) == 0) {
		snprintf(follower.last, sizeof follower.last, "%s",
		    request->last_event_id);
		follower.query.options.since_ms = resumed_ms;
		follower.query.options.tail = -1;
	}
	while (!follower.gone && !atomic_load(&request->app->stopping))
		follow_once(&follower);
	stream_end(&follower.stream);
	return 0;
}

static int
get_logs(struct request *request, struct reply *reply, struct error *err)
{
	struct mirror_deployment deployment;
	struct log_sources sources;
	struct log_query query;
	const char *name;

	if (change_subject(request, &name, err) < 0 ||
	    parse_query(request, &query, err) < 0 ||
	    mirror_deployment_get(
		request->store, name, request->arena, &deployment, err) < 0 ||
	    find_sources(request, &deployment, &query, request->arena, &sources,
		err) < 0)
		return -1;
	if (query.service != NULL && sources.count == 0 &&
	    !has_service(&deployment, query.service))
		return error_set(err, ERR_NOT_FOUND, "SERVICE_NOT_FOUND",
		    "the deployment has no service '%s'", query.service);
	return query.follow
		   ? follow_logs(request, reply, &deployment, &query, err)
		   : reply_logs(request, reply, name, &sources, &query, err);
}

const struct route deployment_log_routes[] = {
	{ "GET", "/deployments/:name/logs", ROLE_VIEWER, get_logs },
	{ 0 },
};
