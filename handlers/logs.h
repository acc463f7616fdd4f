/*
 * Logs of containers, whoever they are asked for: their last lines, merged,
 * or the lines to come as server-sent events.
 *
 *	tail=100          1 to 10000 lines of each container, or "all"
 *	since=, until=    RFC 3339, Unix seconds, or how long ago: "10m"
 *	stream=both       stdout, stderr
 *	timestamps=false  in the text
 *	follow=false      events "log", each with a record as its data; "end"
 *when there will be no more. Their ids, sent back as Last-Event-ID, go on after
 *that line.
 *
 * No more than 10000 lines, or 4 MiB of them, are given: the newest.
 */
#ifndef HANDLERS_LOGS_H
#define HANDLERS_LOGS_H

#include "docker/docker.h"
#include "http/reply.h"
#include "http/request.h"
#include "store/mirror.h"

struct log_query {
	int tail; /* per container; 0: all there is room for */
	int64_t since_ms, until_ms; /* 0: none */
	enum docker_log_stream stream;
	bool timestamps, follow;
};

/* ERR_INVALID with the parameter at fault as its field. */
int logs_query(
    const struct request *request, struct log_query *out, struct error *err);

/* A container as its lines name it. */
struct log_source {
	const char *id, *name;
	const char *service; /* "" outside Compose */
	bool is_running;
};

struct log_sources {
	struct log_source *list;
	size_t count;
};

/* Adds the container to sources, which began as zeroes. */
void logs_add_source(struct log_sources *sources, struct arena *arena,
    const struct mirror_container *container);

/*
 * Puts "logs", "records" and "truncated" into object. with_service: each line
 * of the text begins with the name of its service.
 */
int logs_read(struct request *request, const struct log_sources *sources,
    const struct log_query *query, bool with_service,
    struct json_object *object, struct error *err);

/*
 * What is followed may change: subject is asked whenever the mirror did. It
 * fills sources from the store, which is not the request's; ERR_NOT_FOUND
 * ends the stream with "end".
 */
struct log_subject {
	int (*find)(const void *context, struct store *store,
	    struct arena *arena, struct log_sources *sources,
	    struct error *err);
	const void *context;
};

/* Takes a place among the streams and keeps it until there is an end. */
int logs_follow(struct request *request, struct reply *reply,
    const struct log_query *query, const struct log_subject *subject,
    struct error *err);

#endif
