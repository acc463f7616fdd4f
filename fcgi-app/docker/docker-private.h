/*
 * What the files of docker/ share: one call with a bounded answer, and
 * streams that are followed.
 */
#ifndef DOCKER_DOCKER_PRIVATE_H
#define DOCKER_DOCKER_PRIVATE_H

#include "base/buffer.h"
#include "docker/docker.h"

#include <curl/curl.h>
#include <pthread.h>

#define ANSWER_MAXIMUM (32U * 1024 * 1024)
#define REFUSAL_MAXIMUM (64U * 1024)
#define CONNECT_TIMEOUT_MS 1000
#define READ_TIMEOUT_MS 5000
#define CHANGE_TIMEOUT_MS 120000
#define IDLE_HANDLES_MAXIMUM 4

#define PROJECT_LABEL "com.docker.compose.project"
#define SERVICE_LABEL "com.docker.compose.service"

struct docker {
	char *socket_path;
	pthread_mutex_t lock; /* of all that follows */
	CURL *idle[IDLE_HANDLES_MAXIMUM];
	size_t idle_count;
	int api_minor;         /* the version is 1.N; 0: not negotiated */
	unsigned int timeouts; /* in a row */
	int64_t retry_at_ms;   /* the breaker: calls fail until then */
	unsigned int readers, readers_maximum; /* 0: no limit */
};

/* What a refusal means, where docker_refused() does not know: fills err. */
typedef void docker_refusal(
    long status, const char *message, struct error *err);

struct docker_call {
	const char *method; /* GET, POST, DELETE */
	const char *path;   /* what follows the version, query included */
	int64_t timeout_ms;
	const char *noun;        /* "container", for what is said about a 404 */
	const char *id;          /* of the object, checked; NULL: none */
	bool is_reference;       /* id is one of an image, checked already */
	docker_refusal *explain; /* NULL: docker_refused() */
	const char *content;     /* JSON, the body of a POST; NULL: none */
	/* The Engine waits for others: a timeout says nothing about itself. */
	bool waits_for_others;
	const atomic_bool *cancel; /* looked at once a second; NULL: none */
};

/*
 * One call; 2xx and 304 are success. body may hold up to its maximum, which
 * is ANSWER_MAXIMUM for lists.
 */
int docker_call(struct docker *docker, const struct docker_call *call,
    struct buffer *body, struct error *err);
/* The same for an answer in JSON, which the caller releases. */
int docker_call_json(struct docker *docker, const struct docker_call *call,
    struct json_object **out, struct error *err);

/* The same, but it must be of the type and lives as long as the arena. */
int docker_call_tree(struct docker *docker, const struct docker_call *call,
    enum json_type type, struct arena *arena, struct json_object **out,
    struct error *err);

/*
 * Reads what may be missing or of another type: then "", an empty object, an
 * empty list (NULL) or 0. Times are RFC 3339; Unix seconds.
 */
const char *docker_row_text(struct json_object *row, const char *name);
struct json_object *docker_row_object(
    struct json_object *row, const char *name, struct arena *arena);
struct json_object *docker_row_list(
    struct json_object *row, const char *name, size_t *out_count);
int64_t docker_row_time(struct json_object *row, const char *name);

int docker_check_id(const char *id, struct error *err);

/* One more thread that reads, until it ends: docker_limit_readers(). */
int docker_reading_begin(struct docker *docker, struct error *err);
void docker_reading_end(struct docker *docker);

/* What a registry's refusal means, by the Engine's words for it. */
void docker_registry_refusal(
    long status, const char *message, struct error *err);

/* Appends text, percent-encoded for a query. */
void docker_query_text(struct buffer *query, const char *text);

/*
 * A call whose answer is consumed as it comes: a GET, or a POST when there is
 * content. headers are the caller's and outlive the stream. on_bytes returns -1
 * with err filled to break it off as failed; or sets ended before it returns
 * -1, to break it off as done.
 */
struct docker_stream {
	int (*on_bytes)(struct docker_stream *stream, const char *bytes,
	    size_t length, struct error *err);
	/* The answer is complete, or (refused) an error; may be NULL. */
	void (*on_end)(struct docker_stream *stream);
	void *context;
	const char *content;        /* body of a POST; NULL: a GET */
	struct curl_slist *headers; /* more than curl's own; NULL: none */
	docker_refusal *explain;    /* NULL: docker_refused() */
	bool ended;   /* the end came, or on_bytes wants no more */
	bool refused; /* the Engine answered with an error, now in err */
	struct error err;
	/* The folder's own: */
	CURL *easy;
	const char *noun, *id;
	struct buffer refusal;
	bool has_head;
	int64_t joined_at_ms;
	struct docker_stream *next; /* of those that run */
};

/* Prepares stream for path, after docker_ready(); noun and id as in a call. */
int docker_stream_open(struct docker *docker, struct docker_stream *stream,
    const char *path, const char *noun, const char *id, struct error *err);
void docker_stream_close(struct docker_stream *stream);

struct docker_follow {
	struct docker_stream *streams;
	size_t count;
	size_t parallel;     /* connections at once; 0: all */
	int64_t deadline_ms; /* on the monotonic clock, for all; 0: none */
	int wake_fd;         /* -1, or ends it when it hangs up */
	int64_t idle_ms;     /* on_idle is called at least that often */
	bool (*on_idle)(void *context); /* may be NULL */
	void *context;
	bool stopped; /* set by on_bytes, with -1, to end all */
	bool waits;   /* goes on when no stream is left: others may join */
	/* The folder's own: */
	CURLM *multi;
	struct docker_stream *running;
};

/*
 * Runs the streams until all have ended or were refused, or something stopped
 * it. -1 when one broke or the Engine was too slow with its first bytes.
 */
int docker_streams_run(
    struct docker *docker, struct docker_follow *follow, struct error *err);
/* Within on_idle: one more, which docker_stream_open() prepared. */
int docker_stream_join(struct docker_follow *follow,
    struct docker_stream *stream, struct error *err);

/*
 * What client.c does for streams, too. docker_ready() asks the breaker and
 * makes the version known; docker_leave() tells the breaker what came of it.
 */
int docker_ready(struct docker *docker, struct error *err);
void docker_leave(struct docker *docker, int result, const struct error *err);
int docker_url(struct docker *docker, const char *path, struct buffer *url);
void docker_configure(struct docker *docker, CURL *easy, const char *url);
/* Makes it a POST; content outlives the transfer. */
void docker_post(CURL *easy, const char *content);
/* easy NULL: there is none to ask. */
int docker_transfer_failed(
    struct docker *docker, CURL *easy, CURLcode code, struct error *err);
int docker_refused(long status, const char *noun, const char *id,
    const struct buffer *body, struct error *err);
int docker_refused_by(docker_refusal *refusal, long status,
    const struct buffer *body, struct error *err);

#endif
