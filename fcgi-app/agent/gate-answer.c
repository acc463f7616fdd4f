#include "agent/gate-private.h"
#include "json/json.h"

#include <string.h>

static void
write_answer(int status, const char *reason, struct json_object *body,
    struct buffer *out)
{
	size_t length = 0;
	const char *text = json_serialize(body, &length);

	buffer_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
	    status, reason, length);
	buffer_append(out, text, length);
}

void
gate_answer_message(
    int status, const char *reason, const char *message, struct buffer *out)
{
	auto_json struct json_object *body = json_object_new_object();

	json_put_text(body, "message", message);
	write_answer(status, reason, body, out);
}

/* The status of "HTTP/1.x NNN …", or 0; *body is what follows the head. */
static int
read_head(const char *answer, size_t length, const char **out_body)
{
	const char *end = memmem(answer, length, "\r\n\r\n", 4);
	int status = 0, i;

	if (end == NULL || length < 13 || strncmp(answer, "HTTP/1.", 7) != 0 ||
	    answer[8] != ' ')
		return 0;
	for (i = 9; i < 12; i++) {
		if (answer[i] < '0' || answer[i] > '9')
			return 0;
		status = 10 * status + answer[i] - '0';
	}
	*out_body = end + 4;
	return status;
}

static void
copy_number(struct json_object *from, struct json_object *to, const char *name)
{
	json_put_integer(to, name, json_int(from, name, 0));
}

/* What the container may use, and when it is started again. */
static struct json_object *
reduce_host(struct json_object *host)
{
	struct json_object *out = json_object_new_object();
	struct json_object *policy = json_object_new_object();

	copy_number(host, out, "Memory");
	copy_number(host, out, "MemorySwap");
	copy_number(host, out, "NanoCpus");
	copy_number(host, out, "CpuQuota");
	copy_number(host, out, "CpuPeriod");
	copy_number(host, out, "CpuShares");
	json_put_text(policy, "Name",
	    json_text(json_member(host, "RestartPolicy"), "Name"));
	json_put(out, "RestartPolicy", policy);
	return out;
}

/* What the newest check said; the Engine keeps five. */
static struct json_object *
reduce_health(struct json_object *health)
{
	struct json_object *log = json_member(health, "Log");
	struct json_object *out = json_object_new_object();
	struct json_object *out_log = json_object_new_array();
	struct json_object *check, *newest = NULL;

	json_put_text(out, "Status", json_text(health, "Status"));
	copy_number(health, out, "FailingStreak");
	if (json_object_is_type(log, json_type_array) &&
	    json_object_array_length(log) > 0)
		newest = json_object_array_get_idx(
		    log, json_object_array_length(log) - 1);
	if (newest != NULL) {
		check = json_object_new_object();
		copy_number(newest, check, "ExitCode");
		json_put_text(check, "Output", json_text(newest, "Output"));
		json_object_array_add(out_log, check);
	}
	json_put(out, "Log", out_log);
	return out;
}

static struct json_object *
reduce_state(struct json_object *state)
{
	struct json_object *health = json_member(state, "Health");
	struct json_object *out = json_object_new_object();

	json_put_text(out, "Status", json_text(state, "Status"));
	json_put_boolean(out, "Running", json_boolean(state, "Running", false));
	json_put_boolean(
	    out, "OOMKilled", json_boolean(state, "OOMKilled", false));
	copy_number(state, out, "ExitCode");
	json_put_text(out, "Error", json_text(state, "Error"));
	json_put_text(out, "StartedAt", json_text(state, "StartedAt"));
	json_put_text(out, "FinishedAt", json_text(state, "FinishedAt"));
	if (json_object_is_type(health, json_type_object))
		json_put(out, "Health", reduce_health(health));
	return out;
}

/* What a worker may know; everything else may hold secrets. */
static struct json_object *
reduce(struct json_object *container)
{
	struct json_object *out = json_object_new_object();
	struct json_object *config = json_object_new_object();

	json_put_text(out, "Id", json_text(container, "Id"));
	json_put_text(out, "Name", json_text(container, "Name"));
	json_put_boolean(config, "Tty",
	    json_boolean(json_member(container, "Config"), "Tty", false));
	json_put(out, "Config", config);
	copy_number(container, out, "RestartCount");
	json_put(out, "State", reduce_state(json_member(container, "State")));
	json_put(out, "HostConfig",
	    reduce_host(json_member(container, "HostConfig")));
	return out;
}

void
gate_answer_inspection(const char *answer, size_t length, struct buffer *out)
{
	auto_json struct json_object *container = NULL;
	auto_json struct json_object *reduced = NULL;
	struct error ignored;
	const char *body = answer;
	int status = read_head(answer, length, &body);

	if (status == 404) {
		gate_answer_message(404, "Not Found", "No such container", out);
		return;
	}
	if (status != 200 ||
	    json_parse_trusted(body, length - (size_t)(body - answer),
		&container, &ignored) < 0 ||
	    json_text(container, "Id") == NULL) {
		gate_answer_message(502, "Bad Gateway",
		    "the Engine did not describe the container", out);
		return;
	}
	reduced = reduce(container);
	write_answer(200, "OK", reduced, out);
}
