/* Registries: pulls, credentials, and what their refusals mean. */
#include "base/clock.h"
#include "docker/docker-private.h"
#include "docker/progress.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PULL_IDLE_MS (120 * 1000)
#define PULL_TOTAL_MS (60 * 60 * 1000)
#define CANCEL_INTERVAL_MS 250
#define LOGIN_TIMEOUT_MS (60 * 1000)
#define LOGIN_MAXIMUM (64U * 1024)

struct meaning {
	const char *words; /* in what the Engine says */
	enum error_kind kind;
	const char *code;
};

/* In the order in which they are looked for. */
static const struct meaning meanings[] = {
	{ "no space left on device", ERR_STORAGE_FULL, NULL },
	{ "invalid reference format", ERR_INVALID, "INVALID_IMAGE" },
	/* The Engine's own, of its files. */
	{ "permission denied", ERR_UPSTREAM, "DOCKER_ERROR" },
	{ "unauthorized", ERR_FORBIDDEN, "REGISTRY_DENIED" },
	{ "denied", ERR_FORBIDDEN, "REGISTRY_DENIED" },
	{ "no basic auth credentials", ERR_FORBIDDEN, "REGISTRY_DENIED" },
	{ "authentication required", ERR_FORBIDDEN, "REGISTRY_DENIED" },
	{ "incorrect username or password", ERR_FORBIDDEN, "REGISTRY_DENIED" },
	{ "toomanyrequests", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "too many requests", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "dial tcp", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "connection refused", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "connection reset", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "no such host", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "server misbehaving", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "timeout", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "deadline exceeded", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "request canceled", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "unexpected http status: 5", ERR_UNAVAILABLE,
	    "REGISTRY_UNAVAILABLE" },
	/* The body that came was not the one that the manifest tells of. */
	{ "unexpected eof", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ ": eof", ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE" },
	{ "manifest unknown", ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
	{ "name unknown", ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
	{ "no matching manifest", ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
	{ "not found", ERR_NOT_FOUND, "IMAGE_NOT_FOUND" },
	{ NULL, ERR_UPSTREAM, "DOCKER_ERROR" },
};

void
docker_registry_refusal(long status, const char *message, struct error *err)
{
	const struct meaning *meaning = meanings;

	while (meaning->words != NULL &&
	       strcasestr(message, meaning->words) == NULL)
		meaning++;
	error_fill(err, meaning->kind, meaning->code, "%s", message);
	if (meaning->words == NULL && status == 401)
		error_fill(
		    err, ERR_FORBIDDEN, "REGISTRY_DENIED", "%s", message);
	if (meaning->words == NULL && status == 503)
		error_fill(err, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE", "%s",
		    message);
	if (meaning->words == NULL && status == 404)
		error_fill(
		    err, ERR_NOT_FOUND, "IMAGE_NOT_FOUND", "%s", message);
	error_add_detail(err, "status %ld", status);
}

/* Docker Hub's has a name that no reference has. */
const char *
docker_login_address(const char *host)
{
	return strcmp(host, "docker.io") == 0 ? "https://index.docker.io/v1/"
					      : host;
}

static struct json_object *
describe_login(const struct docker_login *login)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "username", login->username);
	json_put_text(object, "password", login->password);
	if (login->email != NULL && login->email[0] != '\0')
		json_put_text(object, "email", login->email);
	json_put_text(
	    object, "serveraddress", docker_login_address(login->host));
	return object;
}

int
docker_login_check(
    struct docker *docker, const struct docker_login *login, struct error *err)
{
	auto_json struct json_object *content = describe_login(login);
	auto_buffer struct buffer answer = BUFFER(REFUSAL_MAXIMUM);
	struct docker_call call = {
		.method = "POST",
		.path = "/auth",
		.timeout_ms = LOGIN_TIMEOUT_MS,
		.noun = "registry",
		.content = json_serialize(content, NULL),
		.explain = docker_registry_refusal,
		.waits_for_others = true,
	};

	if (docker_call(docker, &call, &answer, err) == 0)
		return 0;
	/* The Engine itself answers at once: it waits for the registry. */
	if (err->kind == ERR_TIMEOUT && err->retry_after_s == 0)
		return error_set(err, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE",
		    "the registry took too long to answer");
	return -1;
}

/* "X-Registry-Auth: " and the login in base64url, with its padding. */
static int
build_header(
    const struct docker_login *login, struct buffer *header, struct error *err)
{
	auto_json struct json_object *object = describe_login(login);
	size_t length, start, i;
	const char *text = json_serialize(object, &length);
	unsigned char *encoded;

	if (length > LOGIN_MAXIMUM / 2)
		return error_set(
		    err, ERR_TOO_LARGE, NULL, "the credentials are too large");
	buffer_text(header, "X-Registry-Auth: ");
	start = header->length;
	encoded = xmalloc(4 * ((length + 2) / 3) + 1);
	EVP_EncodeBlock(encoded, (const unsigned char *)text, (int)length);
	buffer_text(header, (const char *)encoded);
	for (i = start; i < header->length; i++)
		if (header->bytes[i] == '+')
			header->bytes[i] = '-';
		else if (header->bytes[i] == '/')
			header->bytes[i] = '_';
	OPENSSL_cleanse(encoded, header->length - start);
	free(encoded);
	return 0;
}

struct pulling {
	const struct docker_pull *pull;
	struct progress progress;
	int64_t heard_at_ms, ends_at_ms;
	bool is_cancelled, is_late, has_failed, is_done, is_new;
	struct error err; /* when it has failed */
};

/* The last thing an Engine says of a pull that went well. */
static void
note_status(struct pulling *pulling, const char *status)
{
	if (strncmp(status, "Status: ", 8) != 0)
		return;
	pulling->is_done = true;
	pulling->is_new = strstr(status, "up to date") == NULL;
}

static void
hear(void *context, const struct progress_message *message)
{
	struct pulling *pulling = context;
	const struct docker_pull *pull = pulling->pull;
	struct docker_pull_progress progress = {
		.id = message->id,
		.status = message->status,
		.current = message->current,
		.total = message->total,
	};

	if (pulling->has_failed)
		return;
	if (message->failure != NULL) {
		pulling->has_failed = true;
		docker_registry_refusal(200,
		    *message->failure ? message->failure : "the pull failed",
		    &pulling->err);
		return;
	}
	note_status(pulling, message->status);
	if (pull->on_progress != NULL)
		pull->on_progress(pull->context, &progress);
}

static int
receive_progress(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	struct pulling *pulling = stream->context;

	pulling->heard_at_ms = clock_monotonic_ms();
	return progress_feed(&pulling->progress, bytes, length, err);
}

/* false: the pull is to be broken off. */
static bool
may_go_on(void *context)
{
	struct pulling *pulling = context;
	const struct docker_pull *pull = pulling->pull;
	int64_t now = clock_monotonic_ms();
	int64_t idle_ms = pull->idle_ms > 0 ? pull->idle_ms : PULL_IDLE_MS;

	pulling->is_cancelled =
	    pull->cancel != NULL && atomic_load(pull->cancel);
	pulling->is_late =
	    now >= pulling->heard_at_ms + idle_ms || now >= pulling->ends_at_ms;
	return !pulling->is_cancelled && !pulling->is_late;
}

/* What it means that the stream ended without an error of its own. */
static int
judge_end(const struct pulling *pulling, const struct docker_stream *stream,
    struct error *err)
{
	if (pulling->is_cancelled)
		return error_set(
		    err, ERR_CONFLICT, "JOB_CANCELLED", "cancelled");
	if (pulling->is_late)
		return error_set(err, ERR_UNAVAILABLE, "REGISTRY_UNAVAILABLE",
		    "the registry is too slow");
	if (stream->refused || pulling->has_failed) {
		*err = stream->refused ? stream->err : pulling->err;
		return -1;
	}
	if (!pulling->is_done || !progress_is_complete(&pulling->progress))
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "the pull ended before the image was there");
	return 0;
}

static int
run_pull(struct docker *docker, struct pulling *pulling,
    struct docker_stream *stream, const char *path, struct error *err)
{
	struct docker_follow follow = {
		.streams = stream,
		.count = 1,
		.wake_fd = -1,
		.idle_ms = CANCEL_INTERVAL_MS,
		/* Its own limits come first: these are not the Engine's. */
		.deadline_ms = INT64_MAX,
		.on_idle = may_go_on,
		.context = pulling,
	};

	if (docker_ready(docker, err) < 0 ||
	    docker_stream_open(docker, stream, path, "image", NULL, err) < 0 ||
	    docker_streams_run(docker, &follow, err) < 0)
		return -1;
	return judge_end(pulling, stream, err);
}

static void
build_path(const struct docker_reference *reference, struct buffer *path)
{
	buffer_text(path, "/images/create?fromImage=");
	docker_query_text(path, reference->name);
	buffer_text(path, "&tag=");
	docker_query_text(
	    path, reference->digest[0] ? reference->digest : reference->tag);
}

int
docker_image_pull(struct docker *docker, const struct docker_pull *pull,
    bool *out_is_new, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(4096);
	auto_buffer struct buffer header = BUFFER(LOGIN_MAXIMUM);
	int64_t now = clock_monotonic_ms();
	struct pulling pulling = {
		.pull = pull,
		.heard_at_ms = now,
		.ends_at_ms =
		    now + (pull->total_ms > 0 ? pull->total_ms : PULL_TOTAL_MS),
	};
	struct docker_stream stream = {
		.on_bytes = receive_progress,
		.context = &pulling,
		.content = "",
		.explain = docker_registry_refusal,
	};
	int failed;

	build_path(pull->reference, &path);
	if (pull->login != NULL) {
		if (build_header(pull->login, &header, err) < 0)
			return -1;
		stream.headers = curl_slist_append(NULL, header.bytes);
		OPENSSL_cleanse(header.bytes, header.length);
	}
	progress_init(&pulling.progress, hear, &pulling);
	failed = run_pull(docker, &pulling, &stream, path.bytes, err);
	docker_stream_close(&stream);
	progress_clear(&pulling.progress);
	curl_slist_free_all(stream.headers);
	if (!failed)
		*out_is_new = pulling.is_new;
	return failed;
}
