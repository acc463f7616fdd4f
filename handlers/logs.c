#include "handlers/logs.h"

#include "app.h"
#include "base/clock.h"
#include "http/authenticate.h"
#include "http/connection.h"
#include "http/lookout.h"
#include "http/stream.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_MAXIMUM 10000 /* lines, of all containers together */
#define BYTES_MAXIMUM (4 * 1024 * 1024)
#define LINE_COST 64 /* bytes that a line counts for besides its own */
#define STAMP_SIZE 40
#define TO_MILLISECONDS 23
#define STAMP_LENGTH 30 /* 2026-01-31T23:59:59.123456789Z */
#define RETRY_MS 1000
#define REOPEN_MS 2000

/* The query. */

static int
parse_time(const char *text, int64_t *out_ms)
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
query_time(const struct request *request, const char *name, int64_t *out_ms,
    struct error *err)
{
	const char *text = request_query(request, name);

	if (text == NULL || parse_time(text, out_ms) == 0)
		return 0;
	return error_field(err, name, NULL,
	    "%s must be a time (RFC 3339), Unix seconds or a duration such as "
	    "10m",
	    name);
}

static int
query_stream(const struct request *request, enum docker_log_stream *out,
    struct error *err)
{
	const char *text = request_query(request, "stream");

	if (text == NULL || strcmp(text, "both") == 0)
		*out = DOCKER_LOG_BOTH;
	else if (strcmp(text, "stdout") == 0)
		*out = DOCKER_LOG_STDOUT;
	else if (strcmp(text, "stderr") == 0)
		*out = DOCKER_LOG_STDERR;
	else
		return error_field(err, "stream", NULL,
		    "stream must be stdout, stderr or both");
	return 0;
}

static int
query_tail(const struct request *request, int *out, struct error *err)
{
	const char *text = request_query(request, "tail");
	int64_t lines = 0;

	if ((text == NULL || strcmp(text, "all") != 0) &&
	    request_query_integer(
		request, "tail", 100, 1, TAIL_MAXIMUM, &lines, err) < 0)
		return -1;
	*out = (int)lines;
	return 0;
}

int
logs_query(
    const struct request *request, struct log_query *out, struct error *err)
{
	*out = (struct log_query){ 0 };
	if (query_tail(request, &out->tail, err) < 0 ||
	    query_time(request, "since", &out->since_ms, err) < 0 ||
	    query_time(request, "until", &out->until_ms, err) < 0 ||
	    query_stream(request, &out->stream, err) < 0 ||
	    request_query_boolean(
		request, "timestamps", false, &out->timestamps, err) < 0 ||
	    request_query_boolean(request, "follow", false, &out->follow, err) <
		0)
		return -1;
	if (out->follow && request_query(request, "until") != NULL)
		return error_field(err, "until", NULL,
		    "until does not go with follow, which has no end");
	return 0;
}

void
logs_add_source(struct log_sources *sources, struct arena *arena,
    const struct mirror_container *container)
{
	struct log_source *list =
	    arena_array(arena, sources->count + 1, sizeof *list);
	const char *state = container->state;

	if (sources->count > 0)
		memcpy(list, sources->list, sources->count * sizeof *list);
	list[sources->count++] = (struct log_source){
		.id = container->id,
		.name = container->name,
		.service = container->service,
		.is_running = strcmp(state, "running") == 0 ||
			      strcmp(state, "paused") == 0 ||
			      strcmp(state, "restarting") == 0,
	};
	sources->list = list;
}

/* Lines may have any byte in them, NUL too. */
static void
put_bytes(struct json_object *object, const char *name, const char *bytes,
    size_t length)
{
	json_put(object, name, json_object_new_string_len(bytes, (int)length));
}

struct record {
	const struct log_source *source;
	const char *timestamp, *stream, *text;
	size_t length;
};

/* Takes over fields, one for all: an empty object costs more than a line. */
static struct json_object *
render_record(const struct record *from, struct json_object *fields)
{
	struct json_object *record = json_object_new_object();

	json_put_text(record, "timestamp", from->timestamp);
	json_put_text(record, "service", from->source->service);
	json_put_text(record, "container", from->source->name);
	json_put_text(record, "stream", from->stream);
	json_put_text(record, "level", "");
	put_bytes(record, "message", from->text, from->length);
	json_put(record, "fields", fields);
	put_bytes(record, "raw", from->text, from->length);
	return record;
}

/* Reading: of each container the newest lines are kept, until all can be
 * merged. */

struct kept_line {
	size_t source, order;
	size_t length;
	const char *stream;
	char timestamp[STAMP_SIZE];
	char text[];
};

struct kept_log {
	struct kept_line **ring; /* of collection->keep */
	size_t first, count, cost;
	bool is_cut;    /* older lines had to go */
	bool has_older; /* what came began before since */
};

struct collection {
	struct kept_log *logs; /* one a container */
	size_t log_count, keep, cost_maximum, order;
	bool counts; /* a line over keep is missed, not just older than tail */
	char since[CLOCK_TEXT_SIZE]; /* "": none, or the Engine's concern */
	struct kept_line **merged;
};

static void
drop_oldest(struct kept_log *log, size_t keep)
{
	struct kept_line *oldest = log->ring[log->first];

	log->first = (log->first + 1) % keep;
	log->count--;
	log->cost -= oldest->length + LINE_COST;
	free(oldest);
}

static void
add_line(struct collection *collection, struct kept_log *log,
    const struct docker_log_line *line)
{
	size_t keep = collection->keep;
	struct kept_line *kept = xmalloc(sizeof *kept + line->length);

	kept->source = line->source;
	kept->order = collection->order++;
	kept->length = line->length;
	kept->stream = line->stream;
	snprintf(
	    kept->timestamp, sizeof kept->timestamp, "%s", line->timestamp);
	memcpy(kept->text, line->text, line->length);
	if (log->count == keep) {
		log->is_cut |= collection->counts;
		drop_oldest(log, keep);
	}
	log->ring[(log->first + log->count++) % keep] = kept;
	log->cost += kept->length + LINE_COST;
	while (log->cost > collection->cost_maximum && log->count > 1) {
		log->is_cut = true;
		drop_oldest(log, keep);
	}
}

static bool
keep_line(void *context, const struct docker_log_line *line)
{
	struct collection *collection = context;
	struct kept_log *log = &collection->logs[line->source];

	if (strncmp(line->timestamp, collection->since, TO_MILLISECONDS) < 0) {
		log->has_older = true;
		return true;
	}
	add_line(collection, log, line);
	return true;
}
/* Docker writes nine digits of a second in UTC: texts sort as times do. */
static int
compare_lines(const void *left, const void *right)
{
	const struct kept_line *const *a = left, *const *b = right;
	int order = strcmp((*a)->timestamp, (*b)->timestamp);

	if (order != 0)
		return order;
	return ((*a)->order > (*b)->order) - ((*a)->order < (*b)->order);
}

/* All lines in the order of time; their count. */
static size_t
merge_lines(struct collection *collection, struct arena *arena)
{
	size_t total = 0, count = 0, i, j;

	for (i = 0; i < collection->log_count; i++)
		total += collection->logs[i].count;
	collection->merged =
	    arena_array(arena, total + 1, sizeof(struct kept_line *));
	for (i = 0; i < collection->log_count; i++) {
		struct kept_log *log = &collection->logs[i];

		for (j = 0; j < log->count; j++)
			collection->merged[count++] =
			    log->ring[(log->first + j) % collection->keep];
	}
	if (count > 0)
		qsort(collection->merged, count, sizeof(struct kept_line *),
		    compare_lines);
	return count;
}

static void
free_lines(void *context)
{
	struct collection *collection = context;
	size_t i;

	for (i = 0; i < collection->log_count; i++) {
		struct kept_log *log = &collection->logs[i];

		while (log->count > 0)
			drop_oldest(log, collection->keep);
		log->is_cut = log->has_older = false;
	}
}

/* Room for as many lines of each as there may be of all. */
static struct collection *
make_collection(
    const struct log_query *query, size_t sources, struct arena *arena)
{
	struct collection *collection = arena_alloc(arena, sizeof *collection);
	size_t share = TAIL_MAXIMUM / sources, i;
	size_t wanted = query->tail > 0 ? (size_t)query->tail : SIZE_MAX;

	if (share < 1)
		share = 1;
	collection->counts = share < wanted;
	collection->keep = share < wanted ? share : wanted;
	collection->cost_maximum = BYTES_MAXIMUM / sources;
	collection->logs =
	    arena_array(arena, sources, sizeof *collection->logs);
	for (i = 0; i < sources; i++)
		collection->logs[i].ring = arena_array(
		    arena, collection->keep, sizeof(struct kept_line *));
	collection->log_count = sources;
	arena_defer(arena, free_lines, collection);
	return collection;
}

/*
 * The Engine takes the tail first and then leaves out what was not asked for,
 * so it is asked for more: of one stream all that we ever give.
 */
static int
read_tail(struct docker *docker, const char *const *ids,
    const struct log_query *query, struct collection *collection,
    struct error *err)
{
	struct docker_log_options options = {
		.tail = (int)collection->keep + collection->counts,
		.since_ms = query->since_ms,
		.stream = query->stream,
	};

	if (query->stream != DOCKER_LOG_BOTH)
		options.tail = TAIL_MAXIMUM;
	return docker_logs_read(docker, ids, collection->log_count, &options,
	    keep_line, collection, err);
}

/* Nothing that is still older can be wanted. */
static bool
has_enough(const struct collection *collection)
{
	size_t i;

	for (i = 0; i < collection->log_count; i++) {
		const struct kept_log *log = &collection->logs[i];

		if (!log->has_older && !log->is_cut &&
		    log->count < collection->keep)
			return false;
	}
	return true;
}

/*
 * What was written up to a time is at an unknown distance from the end, where
 * the Engine reads quickly: it is looked for there first. Reading a whole log
 * can take longer than there is time.
 */
static int
read_until(struct docker *docker, const char *const *ids,
    const struct log_query *query, struct collection *collection,
    struct error *err)
{
	static const int tails[] = { TAIL_MAXIMUM, 10 * TAIL_MAXIMUM, -1 };
	size_t i;

	if (query->since_ms > 0)
		clock_format_ms(query->since_ms, collection->since);
	for (i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		struct docker_log_options options = {
			.tail = tails[i],
			.until_ms = query->until_ms,
			.stream = query->stream,
		};

		free_lines(collection);
		if (docker_logs_read(docker, ids, collection->log_count,
			&options, keep_line, collection, err) < 0)
			return -1;
		if (has_enough(collection))
			break;
	}
	return 0;
}

static int
read_lines(struct request *request, const struct log_sources *sources,
    const struct log_query *query, struct collection *collection,
    struct error *err)
{
	const char **ids =
	    arena_array(request->arena, sources->count, sizeof *ids);
	size_t i;

	for (i = 0; i < sources->count; i++)
		ids[i] = sources->list[i].id;
	return query->until_ms > 0 ? read_until(request->app->docker, ids,
					 query, collection, err)
				   : read_tail(request->app->docker, ids, query,
					 collection, err);
}

static void
append_line(struct buffer *text, const struct log_source *source,
    const struct kept_line *line, bool with_service, bool with_timestamp)
{
	if (with_service)
		buffer_printf(text, "%s  | ", source->service);
	if (with_timestamp)
		buffer_printf(text, "%s ", line->timestamp);
	buffer_append(text, line->text, line->length);
	buffer_char(text, '\n');
}

static bool
is_cut(const struct collection *collection)
{
	size_t i;

	for (i = 0; i < collection->log_count; i++)
		if (collection->logs[i].is_cut)
			return true;
	return false;
}

int
logs_read(struct request *request, const struct log_sources *sources,
    const struct log_query *query, bool with_service,
    struct json_object *object, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(4 * BYTES_MAXIMUM);
	auto_json struct json_object *no_fields = json_object_new_object();
	struct json_object *records = json_object_new_array();
	struct collection *collection = NULL;
	size_t count = 0, i;

	json_put(object, "records", records);
	if (sources->count > 0) {
		collection =
		    make_collection(query, sources->count, request->arena);
		if (read_lines(request, sources, query, collection, err) < 0)
			return -1;
		count = merge_lines(collection, request->arena);
	}
	for (i = 0; i < count; i++) {
		const struct kept_line *line = collection->merged[i];
		const struct log_source *source = &sources->list[line->source];

		append_line(
		    &text, source, line, with_service, query->timestamps);
		json_object_array_add(
		    records, render_record(&(struct record){ .source = source,
					       .timestamp = line->timestamp,
					       .stream = line->stream,
					       .text = line->text,
					       .length = line->length },
				 json_object_get(no_fields)));
	}
	put_bytes(object, "logs", buffer_string(&text), text.length);
	json_put_boolean(object, "truncated",
	    text.overflowed || (collection != NULL && is_cut(collection)));
	return 0;
}

/* Following. */

/* A moment of a log: several lines may have the same. */
struct position {
	char stamp[STAMP_SIZE];
	unsigned int lines; /* that were sent with it */
};

struct followed_log {
	struct log_source source; /* texts of its own; id NULL: a free row */
	struct position sent;
	unsigned int to_skip; /* lines with the stamp of sent */
	bool catches_up;      /* lines that were sent may come again */
	bool is_open, is_known, has_ended;
	int64_t ended_at_generation, ended_at_ms;
};

struct follower {
	struct request *request;
	struct stream stream;
	const struct log_query *query;
	const struct log_subject *subject;
	struct followed_log *logs;
	size_t log_count;
	struct position newest; /* of all logs */
	int64_t generation;     /* that logs were found at; -1: look again */
	bool gone;              /* the client is */
	bool no_subject, ended;
};

static void
forget_log(struct followed_log *log)
{
	free((void *)(uintptr_t)log->source.id);
	free((void *)(uintptr_t)log->source.name);
	free((void *)(uintptr_t)log->source.service);
	memset(log, 0, sizeof *log);
}

/* Whether the line was sent before it came again; else notes that it is. */
static bool
was_sent(struct followed_log *log, const char *stamp)
{
	int order = strcmp(stamp, log->sent.stamp);

	if (order < 0)
		return log->catches_up;
	if (order == 0 && log->to_skip > 0) {
		log->to_skip--;
		return true;
	}
	if (order > 0) {
		snprintf(log->sent.stamp, sizeof log->sent.stamp, "%s", stamp);
		log->sent.lines = 0;
		log->to_skip = 0;
		log->catches_up = false;
	}
	log->sent.lines++;
	return false;
}

/* "STAMP", and "STAMP/2" for the second line that has it. */
static void
format_position(const struct position *position, char *out, size_t size)
{
	if (position->lines > 1)
		snprintf(out, size, "%s/%u", position->stamp, position->lines);
	else
		snprintf(out, size, "%s", position->stamp);
}

/* Any other time than one of ours is made one: texts are compared. */
static int
parse_position(const char *text, struct position *out)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char shown[CLOCK_TEXT_SIZE];
	int64_t time_ms;

	*out = (struct position){ .lines = 1 };
	if (length >= sizeof out->stamp)
		return -1;
	memcpy(out->stamp, text, length);
	if (clock_parse(out->stamp, &time_ms) < 0)
		return -1;
	if (length != STAMP_LENGTH || text[length - 1] != 'Z')
		snprintf(out->stamp, sizeof out->stamp, "%.23s000000Z",
		    clock_format_ms(time_ms, shown));
	if (slash != NULL)
		out->lines = (unsigned int)strtoul(slash + 1, NULL, 10);
	return 0;
}

static bool
send_line(void *context, const struct docker_log_line *line)
{
	struct follower *follower = context;
	struct followed_log *log = &follower->logs[line->source];
	auto_json struct json_object *record = NULL;
	char id[2 * STAMP_SIZE];
	const char *text;
	size_t length;

	if (was_sent(log, line->timestamp))
		return true;
	/* A late line of another container does not turn the clock back. */
	if (strcmp(log->sent.stamp, follower->newest.stamp) >= 0)
		follower->newest = log->sent;
	format_position(&follower->newest, id, sizeof id);
	record = render_record(&(struct record){ .source = &log->source,
				   .timestamp = line->timestamp,
				   .stream = line->stream,
				   .text = line->text,
				   .length = line->length },
	    json_object_new_object());
	text = json_serialize(record, &length);
	if (stream_send(
		&follower->stream, id[0] ? id : NULL, "log", text, length) < 0)
		follower->gone = true;
	return !follower->gone;
}

static void
end_followed_log(
    const struct follower *follower, struct followed_log *log, bool refused)
{
	log->is_open = false;
	log->has_ended = true;
	log->ended_at_generation = follower->generation;
	log->ended_at_ms =
	    refused ? INT64_MAX - REOPEN_MS : clock_monotonic_ms();
}

static void
note_end(void *context, size_t number, const struct error *err)
{
	struct follower *follower = context;

	end_followed_log(follower, &follower->logs[number], err != NULL);
}

/*
 * The first time, and when its container runs again. The mirror may have told
 * that before the end of the log came: then it is tried after a while, too.
 */
static bool
is_to_be_opened(const struct follower *follower, const struct followed_log *log)
{
	if (log->source.id == NULL || log->is_open)
		return false;
	if (!log->has_ended)
		return true;
	return log->source.is_running &&
	       (log->ended_at_generation != follower->generation ||
		   clock_monotonic_ms() >= log->ended_at_ms + REOPEN_MS);
}

static struct followed_log *
find_log(struct follower *follower, const char *id)
{
	size_t i;

	for (i = 0; i < follower->log_count; i++)
		if (follower->logs[i].source.id != NULL &&
		    strcmp(follower->logs[i].source.id, id) == 0)
			return &follower->logs[i];
	return NULL;
}

static struct followed_log *
add_log(struct follower *follower, const struct log_source *source)
{
	struct followed_log *log = NULL;
	size_t i;

	for (i = 0; i < follower->log_count && log == NULL; i++)
		if (follower->logs[i].source.id == NULL)
			log = &follower->logs[i];
	if (log == NULL) {
		follower->logs = xrealloc(follower->logs,
		    (follower->log_count + 1) * sizeof *follower->logs);
		log = &follower->logs[follower->log_count++];
	}
	*log = (struct followed_log){
		.source = { .id = xstrdup(source->id),
		    .name = xstrdup(source->name),
		    .service = xstrdup(source->service) },
		.sent = follower->newest,
	};
	return log;
}

/* Those of the present sources; the others go once their log has ended. */
static void
update_logs(struct follower *follower, const struct log_sources *sources)
{
	struct followed_log *log;
	size_t i;

	for (i = 0; i < follower->log_count; i++)
		follower->logs[i].is_known = false;
	for (i = 0; i < sources->count; i++) {
		log = find_log(follower, sources->list[i].id);
		if (log == NULL)
			log = add_log(follower, &sources->list[i]);
		log->is_known = true;
		log->source.is_running = sources->list[i].is_running;
	}
	for (i = 0; i < follower->log_count; i++) {
		log = &follower->logs[i];
		if (log->source.id != NULL && !log->is_known && !log->is_open)
			forget_log(log);
	}
}

static void
find_logs(struct follower *follower, int64_t generation)
{
	auto_arena struct arena arena = { 0 };
	struct lookout *lookout = follower->request->app->lookout;
	struct log_sources sources = { 0 };
	struct error err = { 0 };
	struct store *store = lookout_lock(lookout);
	int result = -1;

	if (store != NULL)
		result = follower->subject->find(
		    follower->subject->context, store, &arena, &sources, &err);
	lookout_unlock(lookout);
	if (result == 0)
		update_logs(follower, &sources);
	else if (store != NULL && err.kind == ERR_NOT_FOUND)
		follower->no_subject = true;
	else
		return; /* it is looked for again */
	follower->generation = generation;
}

/* What was sent is not sent again, what was missed comes first. */
static int
open_log(struct follower *follower, struct followed_log *log,
    struct docker_logs *logs, struct error *err)
{
	struct docker_log_options options = {
		.tail = follower->query->tail ? follower->query->tail
					      : TAIL_MAXIMUM,
		.since_ms = follower->query->since_ms,
		.stream = follower->query->stream,
	};

	log->catches_up = log->sent.stamp[0] != '\0';
	log->to_skip = log->sent.lines;
	if (log->catches_up) {
		options.tail = TAIL_MAXIMUM;
		clock_parse(log->sent.stamp, &options.since_ms);
	}
	return docker_logs_add(logs, log->source.id,
	    (size_t)(log - follower->logs), &options, err);
}

/* What is not open, the first time or because its container runs again. */
static void
open_logs(struct follower *follower, struct docker_logs *logs)
{
	struct followed_log *log;
	struct error err;
	size_t i;

	for (i = 0; i < follower->log_count; i++) {
		log = &follower->logs[i];
		if (!is_to_be_opened(follower, log))
			continue;
		if (open_log(follower, log, logs, &err) == 0)
			log->is_open = true;
		else if (err.kind == ERR_NOT_FOUND)
			end_followed_log(follower, log, true);
	}
}

static bool
has_open_log(const struct follower *follower)
{
	size_t i;

	for (i = 0; i < follower->log_count; i++)
		if (follower->logs[i].is_open)
			return true;
	return false;
}

static bool
watch_logs(void *context, struct docker_logs *logs)
{
	struct follower *follower = context;
	struct request *request = follower->request;
	int64_t generation;

	if (stream_keep_alive(&follower->stream) < 0 ||
	    !authenticate_still(request))
		follower->gone = true;
	if (follower->gone || follower->no_subject ||
	    atomic_load(&request->app->stopping))
		return false;
	generation = lookout_generation(request->app->lookout);
	if (generation != follower->generation)
		find_logs(follower, generation);
	/* What is on its way then has until the next time. */
	if (follower->no_subject)
		return has_open_log(follower);
	open_logs(follower, logs);
	return true;
}

static bool
hangs_up(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

	return poll(&poller, 1, RETRY_MS) > 0;
}

/* Until the client or what it follows has gone, or Docker does not answer. */
static void
follow_once(struct follower *follower)
{
	const struct docker_log_listener listener = {
		.on_line = send_line,
		.on_end = note_end,
		.on_idle = watch_logs,
		.context = follower,
	};
	int fd = connection_fd(follower->request->connection);
	struct error err;
	size_t i;

	if (docker_logs_follow(
		follower->request->app->docker, fd, &listener, &err) == 0) {
		follower->ended = follower->no_subject;
		follower->gone |= !follower->no_subject;
		return;
	}
	for (i = 0; i < follower->log_count; i++)
		follower->logs[i].is_open = false;
	if (hangs_up(fd))
		follower->gone = true;
}

static void
say_end(struct follower *follower)
{
	static const char reason[] = "{\"reason\":\"removed\"}";

	if (follower->ended && !follower->gone)
		stream_send(
		    &follower->stream, NULL, "end", reason, sizeof reason - 1);
}

int
logs_follow(struct request *request, struct reply *reply,
    const struct log_query *query, const struct log_subject *subject,
    struct error *err)
{
	struct follower follower = { .request = request,
		.query = query,
		.subject = subject,
		.generation = -1 };
	size_t i;

	if (stream_begin(request, reply, &follower.stream, err) < 0)
		return -1;
	/* Hundreds that follow would have hundreds of connections. */
	request_close_store(request);
	if (request->last_event_id != NULL &&
	    parse_position(request->last_event_id, &follower.newest) < 0)
		follower.newest = (struct position){ 0 };
	while (!follower.gone && !follower.ended)
		follow_once(&follower);
	say_end(&follower);
	stream_end(&follower.stream);
	for (i = 0; i < follower.log_count; i++)
		forget_log(&follower.logs[i]);
	free(follower.logs);
	return 0;
}
