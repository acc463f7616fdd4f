#include "docker/diagnosis.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "docker/docker-private.h"

#include <string.h>

/* Programs print what they like: the end of it, as text. */
static const char *
clean_output(const char *text, struct arena *arena)
{
	auto_buffer struct buffer clean =
	    BUFFER(3 * (size_t)HEALTH_OUTPUT_MAXIMUM + 1);
	size_t length = strlen(text), skipped = 0;

	if (length > HEALTH_OUTPUT_MAXIMUM)
		skipped = length - HEALTH_OUTPUT_MAXIMUM;
	utf8_append_repaired(&clean, text + skipped, length - skipped);
	return arena_strdup(arena, buffer_string(&clean));
}

static void
read_health(struct json_object *state, struct arena *arena,
    struct docker_diagnosis *out)
{
	struct json_object *health = json_member(state, "Health");
	struct json_object *log, *newest;
	size_t count;

	out->health = docker_row_text(health, "Status");
	if (strcmp(out->health, "none") == 0)
		out->health = "";
	out->failing_streak = (int)json_int(health, "FailingStreak", 0);
	log = docker_row_list(health, "Log", &count);
	if (count == 0)
		return;
	newest = json_object_array_get_idx(log, count - 1);
	out->health_exit_code = (int)json_int(newest, "ExitCode", 0);
	out->health_output =
	    clean_output(docker_row_text(newest, "Output"), arena);
}

static void
read_diagnosis(struct json_object *answer, struct arena *arena,
    struct docker_diagnosis *out)
{
	struct json_object *state = json_member(answer, "State");
	struct json_object *policy =
	    json_member(json_member(answer, "HostConfig"), "RestartPolicy");
	const char *name = docker_row_text(answer, "Name");

	*out = (struct docker_diagnosis){
		.id = docker_row_text(answer, "Id"),
		.name = name[0] == '/' ? name + 1 : name,
		.state = docker_row_text(state, "Status"),
		.running = json_boolean(state, "Running", false),
		.exit_code = (int)json_int(state, "ExitCode", 0),
		.oom_killed = json_boolean(state, "OOMKilled", false),
		.error = docker_row_text(state, "Error"),
		.restart_count = (int)json_int(answer, "RestartCount", 0),
		.restart_policy = docker_row_text(policy, "Name"),
		.started_at = docker_row_time(state, "StartedAt"),
		.finished_at = docker_row_time(state, "FinishedAt"),
		.health_output = "",
	};
	if (out->restart_policy[0] == '\0')
		out->restart_policy = "no";
	read_health(state, arena, out);
}

int
docker_container_diagnose(struct docker *docker, const char *id,
    struct arena *arena, struct docker_diagnosis *out, struct error *err)
{
	struct docker_call call = {
		.method = "GET",
		.timeout_ms = READ_TIMEOUT_MS,
		.noun = "container",
		.id = id,
	};
	struct json_object *answer;
	int failed;

	if (docker_check_id(id, err) < 0 ||
	    docker_reading_begin(docker, err) < 0)
		return -1;
	call.path = arena_printf(arena, "/containers/%s/json", id);
	failed = docker_call_tree(
	    docker, &call, json_type_object, arena, &answer, err);
	docker_reading_end(docker);
	if (failed)
		return -1;
	read_diagnosis(answer, arena, out);
	return 0;
}

static void
put_time(struct json_object *object, const char *name, int64_t at_s,
    struct arena *arena)
{
	json_put_text(
	    object, name, at_s > 0 ? clock_text_ms(arena, at_s * 1000) : NULL);
}

struct json_object *
docker_diagnosis_render(
    const struct docker_diagnosis *diagnosis, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	bool has_ended = diagnosis->finished_at > 0 || !diagnosis->running;
	bool is_checked = diagnosis->health[0] != '\0';

	json_put_text(object, "container_id",
	    arena_printf(arena, "%.12s", diagnosis->id));
	json_put_text(object, "container_name", diagnosis->name);
	json_put_text(object, "state", diagnosis->state);
	json_put(object, "exit_code",
	    has_ended ? json_object_new_int(diagnosis->exit_code) : NULL);
	json_put_boolean(object, "oom_killed", diagnosis->oom_killed);
	json_put_text(object, "error",
	    diagnosis->error[0] != '\0' ? diagnosis->error : NULL);
	json_put_integer(object, "restart_count", diagnosis->restart_count);
	json_put_text(object, "restart_policy", diagnosis->restart_policy);
	put_time(object, "started_at", diagnosis->started_at, arena);
	put_time(object, "finished_at", diagnosis->finished_at, arena);
	json_put_text(object, "health", is_checked ? diagnosis->health : NULL);
	json_put_integer(object, "failing_streak", diagnosis->failing_streak);
	json_put(object, "health_exit_code",
	    is_checked ? json_object_new_int(diagnosis->health_exit_code)
		       : NULL);
	json_put_text(object, "health_output",
	    is_checked ? diagnosis->health_output : NULL);
	return object;
}
