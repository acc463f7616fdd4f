/* Programs run in containers. */
#include "docker/docker-private.h"
#include "docker/frames.h"

#define IDLE_MS 250

static struct json_object *
text_array(const char *const *texts)
{
	struct json_object *array = json_object_new_array();

	for (; *texts != NULL; texts++)
		json_object_array_add(array, json_object_new_string(*texts));
	return array;
}

static struct json_object *
format_exec(const struct docker_exec *exec)
{
	struct json_object *content = json_object_new_object();

	json_put_boolean(content, "AttachStdin", false);
	json_put_boolean(content, "AttachStdout", true);
	json_put_boolean(content, "AttachStderr", true);
	json_put_boolean(content, "Tty", false);
	json_put(content, "Cmd", text_array(exec->arguments));
	if (exec->environment != NULL)
		json_put(content, "Env", text_array(exec->environment));
	if (exec->user != NULL)
		json_put_text(content, "User", exec->user);
	if (exec->directory != NULL)
		json_put_text(content, "WorkingDir", exec->directory);
	return content;
}

int
docker_exec_create(struct docker *docker, const struct docker_exec *exec,
    struct arena *arena, const char **out_id, struct error *err)
{
	auto_json struct json_object *content = format_exec(exec);
	struct docker_call call = {
		.method = "POST",
		.path =
		    arena_printf(arena, "/containers/%s/exec", exec->container),
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
		.id = exec->container,
		.content = json_serialize(content, NULL),
	};
	struct json_object *answer;

	if (docker_call_tree(
		docker, &call, json_type_object, arena, &answer, err) < 0) {
		/* Stopped or paused. */
		if (err->kind == ERR_CONFLICT)
			error_set(err, ERR_CONFLICT, "CONTAINER_NOT_RUNNING",
			    "the container is not running");
		return -1;
	}
	*out_id = docker_row_text(answer, "Id");
	if (!docker_id_is_valid(*out_id))
		return error_set(err, ERR_UPSTREAM, "DOCKER_ERROR",
		    "Docker's answer is broken");
	return 0;
}

static int
read_output(struct docker_stream *stream, const char *bytes, size_t length,
    struct error *err)
{
	return frames_feed(stream->context, bytes, length, err);
}

int
docker_exec_run(struct docker *docker, const char *exec_id,
    void (*on_bytes)(void *context, const char *bytes, size_t length),
    bool (*on_idle)(void *context), void *context, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(512);
	struct frames frames;
	struct curl_slist *headers;
	struct docker_stream stream = {
		.on_bytes = read_output,
		.context = &frames,
		.content = "{\"Detach\":false,\"Tty\":false}",
	};
	struct docker_follow follow = {
		.streams = &stream,
		.count = 1,
		.wake_fd = -1,
		.idle_ms = IDLE_MS,
		.on_idle = on_idle,
		.context = context,
	};
	int result;

	if (docker_check_id(exec_id, err) < 0 || docker_ready(docker, err) < 0)
		return -1;
	buffer_printf(&path, "/exec/%s/start", exec_id);
	frames_init_bytes(&frames, on_bytes, context);
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	stream.headers = headers;
	result = docker_stream_open(
	    docker, &stream, path.bytes, "exec", exec_id, err);
	if (result == 0)
		result = docker_streams_run(docker, &follow, err);
	if (result == 0 && stream.refused) {
		*err = stream.err;
		result = -1;
	}
	docker_stream_close(&stream);
	curl_slist_free_all(headers);
	frames_clear(&frames);
	return result;
}

int
docker_exec_inspect(struct docker *docker, const char *exec_id,
    struct docker_exec_state *out, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct docker_call call = {
		.method = "GET",
		.path = arena_printf(&arena, "/exec/%s/json", exec_id),
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "exec",
		.id = exec_id,
	};
	struct json_object *answer;

	if (docker_call_tree(
		docker, &call, json_type_object, &arena, &answer, err) < 0)
		return -1;
	*out = (struct docker_exec_state){
		.running = json_boolean(answer, "Running", false),
		.exit_code = (int)json_int(answer, "ExitCode", -1),
		.pid = json_int(answer, "Pid", 0),
	};
	return 0;
}
