/* Connections, versions, deadlines, the breaker and what errors mean. */
#include "base/clock.h"
#include "base/utf8.h"
#include "docker/docker-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Every Engine from 20.10 on speaks 1.41. Engines from 29 on refuse what is
 * older than 1.44; nothing we use changed between the two.
 */
#define RETRY_AFTER_S 1
#define API_MINOR_OLDEST 41
#define API_MINOR_NEWEST 44

#define BREAKER_TIMEOUTS 3
#define BREAKER_PAUSE_MS 5000
#define MESSAGE_MAXIMUM 300

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

/* Without TLS: the socket speaks plain HTTP, and TLS costs memory. */
static void
start_curl(void)
{
	curl_started = curl_global_init(CURL_GLOBAL_NOTHING);
}

int
docker_open(const char *socket_path, struct docker **out, struct error *err)
{
	struct docker *docker;

	pthread_once(&curl_once, start_curl);
	if (curl_started != CURLE_OK)
		return error_set(
		    err, ERR_INTERNAL, NULL, "cannot start libcurl");
	docker = xcalloc(1, sizeof *docker);
	docker->socket_path = xstrdup(socket_path);
	pthread_mutex_init(&docker->lock, NULL);
	*out = docker;
	return 0;
}

void
docker_close(struct docker *docker)
{
	if (docker == NULL)
		return;
	while (docker->idle_count > 0)
		curl_easy_cleanup(docker->idle[--docker->idle_count]);
	pthread_mutex_destroy(&docker->lock);
	free(docker->socket_path);
	free(docker);
}

void
docker_limit_readers(struct docker *docker, unsigned int maximum)
{
	docker->readers_maximum = maximum;
}

int
docker_reading_begin(struct docker *docker, struct error *err)
{
	bool has_room;

	pthread_mutex_lock(&docker->lock);
	has_room = docker->readers_maximum == 0 ||
		   docker->readers < docker->readers_maximum;
	if (has_room)
		docker->readers++;
	pthread_mutex_unlock(&docker->lock);
	if (has_room)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "OVERLOADED",
	    "too many requests wait for Docker");
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

void
docker_reading_end(struct docker *docker)
{
	pthread_mutex_lock(&docker->lock);
	docker->readers--;
	pthread_mutex_unlock(&docker->lock);
}

int
docker_check_id(const char *id, struct error *err)
{
	if (docker_id_is_valid(id))
		return 0;
	return error_field(err, "id", "INVALID_ID",
	    "an id is 1 to 128 of a-z, A-Z, 0-9, '_', '.' and '-', beginning "
	    "with a letter or a digit");
}

void
docker_query_text(struct buffer *query, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			buffer_char(query, *text);
		else
			buffer_printf(query, "%%%02X", (unsigned char)*text);
}

/* A handle that may still have its connection, or a new one. */
static CURL *
take_handle(struct docker *docker)
{
	CURL *easy = NULL;

	pthread_mutex_lock(&docker->lock);
	if (docker->idle_count > 0)
		easy = docker->idle[--docker->idle_count];
	pthread_mutex_unlock(&docker->lock);
	return easy ? easy : curl_easy_init();
}

static void
give_handle(struct docker *docker, CURL *easy)
{
	curl_easy_reset(easy); /* keeps the connection */
	pthread_mutex_lock(&docker->lock);
	if (docker->idle_count < IDLE_HANDLES_MAXIMUM) {
		docker->idle[docker->idle_count++] = easy;
		easy = NULL;
	}
	pthread_mutex_unlock(&docker->lock);
	if (easy != NULL)
		curl_easy_cleanup(easy);
}

void
docker_configure(struct docker *docker, CURL *easy, const char *url)
{
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, docker->socket_path);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
}

static int
fail_unavailable(struct error *err)
{
	return error_set(err, ERR_UNAVAILABLE, "DOCKER_UNAVAILABLE",
	    "Docker does not answer");
}

static int
fail_timeout(struct error *err)
{
	return error_set(err, ERR_TIMEOUT, "DOCKER_TIMEOUT",
	    "Docker took too long to answer");
}

/* A restarted Engine may be another version, so that is asked again. */
static void
forget_version(struct docker *docker)
{
	pthread_mutex_lock(&docker->lock);
	docker->api_minor = 0;
	pthread_mutex_unlock(&docker->lock);
}

int
docker_transfer_failed(
    struct docker *docker, CURL *easy, CURLcode code, struct error *err)
{
	long status = 0;

	if (easy != NULL)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	/* libcurl calls a wrong chunk a reading error, too. */
	if (code == CURLE_RECV_ERROR && status != 0)
		code = CURLE_PARTIAL_FILE;
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		fail_timeout(err);
		break;
	case CURLE_COULDNT_CONNECT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		forget_version(docker);
		fail_unavailable(err);
		break;
	case CURLE_WRITE_ERROR:
		error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is too large");
		break;
	case CURLE_ABORTED_BY_CALLBACK:
		error_set(err, ERR_CONFLICT, "CANCELLED",
		    "nobody waits for Docker's answer any more");
		break;
	default:
		error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	}
	return error_detail(err, "%s", curl_easy_strerror(code));
}

/* Docker's own words: {"message": …}, on one printable line, cut. */
static const char *
read_message(const struct buffer *body, struct buffer *out)
{
	auto_json struct json_object *answer = NULL;
	struct error ignored;
	const char *text;

	if (body->length == 0 ||
	    json_parse_trusted(body->bytes, body->length, &answer, &ignored) <
		0 ||
	    (text = json_text(answer, "message")) == NULL || *text == '\0')
		return "Docker refused";
	utf8_append_printable(out, text, MESSAGE_MAXIMUM);
	return buffer_string(out);
}

static int
fail_not_found(const char *noun, const char *id, struct error *err)
{
	char code[sizeof err->code];
	size_t i;

	snprintf(code, sizeof code, "%s_NOT_FOUND", noun);
	for (i = 0; code[i] != '\0'; i++)
		if (code[i] >= 'a' && code[i] <= 'z')
			code[i] -= 'a' - 'A';
	return error_set(
	    err, ERR_NOT_FOUND, code, "there is no %s '%s'", noun, id);
}

int
docker_refused(long status, const char *noun, const char *id,
    const struct buffer *body, struct error *err)
{
	auto_buffer struct buffer message = BUFFER(3 * MESSAGE_MAXIMUM);
	const char *text;

	if (status == 404 && id != NULL)
		return fail_not_found(noun, id, err);
	/* The agent's gate says these when the Engine behind it does not. */
	if (status == 503)
		return fail_unavailable(err);
	if (status == 504)
		return fail_timeout(err);
	text = read_message(body, &message);
	/* 403: the object is in use or one of Docker's own. */
	if (status == 409 || status == 403)
		return error_set(err, ERR_CONFLICT, "CONFLICT", "%s", text);
	error_set(err, ERR_UPSTREAM, "DOCKER_ERROR", "%s", text);
	return error_detail(err, "status %ld", status);
}

int
docker_refused_by(docker_refusal *refusal, long status,
    const struct buffer *body, struct error *err)
{
	auto_buffer struct buffer message = BUFFER(3 * MESSAGE_MAXIMUM);

	refusal(status, read_message(body, &message), err);
	return -1;
}

/*
 * The breaker. When it is due to try again, one caller goes ahead and the
 * others keep failing until that one knows more.
 */
static int
enter(struct docker *docker, struct error *err)
{
	int64_t now = clock_monotonic_ms(), left = 0;

	pthread_mutex_lock(&docker->lock);
	if (docker->timeouts >= BREAKER_TIMEOUTS) {
		left = docker->retry_at_ms - now;
		if (left <= 0)
			docker->retry_at_ms = now + BREAKER_PAUSE_MS;
	}
	pthread_mutex_unlock(&docker->lock);
	if (left <= 0)
		return 0;
	fail_timeout(err);
	err->retry_after_s = (unsigned int)(left + 999) / 1000;
	return -1;
}

void
docker_leave(struct docker *docker, int result, const struct error *err)
{
	pthread_mutex_lock(&docker->lock);
	if (result == 0 || err->kind != ERR_TIMEOUT)
		docker->timeouts = 0;
	else if (++docker->timeouts >= BREAKER_TIMEOUTS)
		docker->retry_at_ms = clock_monotonic_ms() + BREAKER_PAUSE_MS;
	pthread_mutex_unlock(&docker->lock);
}

static size_t
receive_body(char *bytes, size_t size, size_t count, void *context)
{
	struct buffer *body = context;

	return buffer_append(body, bytes, size * count) < 0 ? 0 : size * count;
}

/* Finds N in "Api-Version: 1.N"; the bytes have no NUL. */
static size_t
receive_header(char *bytes, size_t size, size_t count, void *context)
{
	static const char name[] = "Api-Version: 1.";
	int *minor = context;
	size_t length = size * count, i = sizeof name - 1;

	if (length <= i || strncasecmp(bytes, name, i) != 0)
		return length;
	*minor = 0;
	for (; i < length && *minor < 1000; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			break;
		*minor = 10 * *minor + bytes[i] - '0';
	}
	return length;
}

/* Runs the prepared handle; the status when there was an answer. */
static int
perform(struct docker *docker, CURL *easy, int64_t timeout_ms,
    struct buffer *body, long *status, struct error *err)
{
	CURLcode code;

	/* 0 would mean no limit to libcurl. */
	if (timeout_ms < 1)
		timeout_ms = 1;
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (timeout_ms < CONNECT_TIMEOUT_MS)
		curl_easy_setopt(
		    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		return docker_transfer_failed(docker, easy, code, err);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
	return 0;
}

int
docker_ping(struct docker *docker, int64_t timeout_ms, struct error *err)
{
	auto_buffer struct buffer body = BUFFER(REFUSAL_MAXIMUM);
	CURL *easy = take_handle(docker);
	long status = 0;
	int minor = 0, result;

	if (easy == NULL)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "no memory for a connection");
	docker_configure(docker, easy, "http://docker/_ping");
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &minor);
	result = perform(docker, easy, timeout_ms, &body, &status, err);
	give_handle(docker, easy);
	if (result < 0)
		return -1;
	if (status != 200)
		return docker_refused(status, "", NULL, &body, err);
	if (minor < API_MINOR_OLDEST)
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "this Docker is too old: API version 1.%d or later is "
		    "needed",
		    API_MINOR_OLDEST);
	pthread_mutex_lock(&docker->lock);
	docker->api_minor = minor < API_MINOR_NEWEST ? minor : API_MINOR_NEWEST;
	pthread_mutex_unlock(&docker->lock);
	return 0;
}

static int
negotiate(struct docker *docker, int64_t deadline_ms, struct error *err)
{
	bool is_known;

	pthread_mutex_lock(&docker->lock);
	is_known = docker->api_minor != 0;
	pthread_mutex_unlock(&docker->lock);
	if (is_known)
		return 0;
	return docker_ping(docker, deadline_ms - clock_monotonic_ms(), err);
}

/* Whoever negotiated may have been told to forget it since: the oldest. */
int
docker_url(struct docker *docker, const char *path, struct buffer *url)
{
	int minor;

	pthread_mutex_lock(&docker->lock);
	minor = docker->api_minor ? docker->api_minor : API_MINOR_OLDEST;
	pthread_mutex_unlock(&docker->lock);
	return buffer_printf(url, "http://docker/v1.%d%s", minor, path);
}

int
docker_ready(struct docker *docker, struct error *err)
{
	if (enter(docker, err) < 0)
		return -1;
	if (negotiate(docker, clock_monotonic_ms() + READ_TIMEOUT_MS, err) == 0)
		return 0;
	docker_leave(docker, -1, err);
	return -1;
}

void
docker_post(CURL *easy, const char *content)
{
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, content);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(content));
}

/* The headers it gives back, or NULL, are the caller's to free. */
static struct curl_slist *
set_method(CURL *easy, const struct docker_call *call)
{
	struct curl_slist *headers = NULL;

	if (strcmp(call->method, "POST") == 0)
		docker_post(easy, call->content != NULL ? call->content : "");
	else if (strcmp(call->method, "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	if (call->content == NULL)
		return NULL;
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	return headers;
}

static int
look_for_cancel(void *context, curl_off_t to_receive, curl_off_t received,
    curl_off_t to_send, curl_off_t sent)
{
	const atomic_bool *cancel = context;

	(void)to_receive;
	(void)received;
	(void)to_send;
	(void)sent;
	return atomic_load(cancel);
}

static void
set_cancel(CURL *easy, const atomic_bool *cancel)
{
	if (cancel == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_for_cancel);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, cancel);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

/* Whether the answer is one of success; else err says what it is. */
static int
call_engine(struct docker *docker, const struct docker_call *call,
    struct buffer *body, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + call->timeout_ms;
	auto_buffer struct buffer url = BUFFER(ANSWER_MAXIMUM);
	struct curl_slist *headers;
	CURL *easy;
	long status = 0;
	int result;

	if (negotiate(docker, deadline_ms, err) < 0)
		return -1;
	docker_url(docker, call->path, &url);
	if ((easy = take_handle(docker)) == NULL)
		return error_set(
		    err, ERR_UNAVAILABLE, NULL, "no memory for a connection");
	docker_configure(docker, easy, url.bytes);
	headers = set_method(easy, call);
	set_cancel(easy, call->cancel);
	result = perform(docker, easy, deadline_ms - clock_monotonic_ms(), body,
	    &status, err);
	give_handle(docker, easy);
	curl_slist_free_all(headers);
	if (result < 0)
		return -1;
	if ((status >= 200 && status < 300) || status == 304)
		return 0;
	if (call->explain != NULL)
		return docker_refused_by(call->explain, status, body, err);
	return docker_refused(status, call->noun, call->id, body, err);
}

int
docker_call(struct docker *docker, const struct docker_call *call,
    struct buffer *body, struct error *err)
{
	struct error failure;
	int result;

	if (call->id != NULL && !call->is_reference &&
	    docker_check_id(call->id, err) < 0)
		return -1;
	if (enter(docker, err) < 0)
		return -1;
	result = call_engine(docker, call, body, &failure);
	docker_leave(docker, call->waits_for_others ? 0 : result, &failure);
	if (result < 0)
		*err = failure;
	return result;
}

int
docker_call_json(struct docker *docker, const struct docker_call *call,
    struct json_object **out, struct error *err)
{
	auto_buffer struct buffer body = BUFFER(ANSWER_MAXIMUM);

	if (docker_call(docker, call, &body, err) < 0)
		return -1;
	if (json_parse_trusted(buffer_string(&body), body.length, out, err) < 0)
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	return 0;
}
