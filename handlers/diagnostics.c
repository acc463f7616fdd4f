/*
 * /deployments/:name/diagnostics: why a deployment is not healthy, as data.
 *
 * From the mirror, and from Docker by the agent's gate: one look at each
 * container, and the end of the log of those that have a problem.
 */
#include "app.h"
#include "base/clock.h"
#include "docker/diagnosis.h"
#include "handlers/deployments.h"
#include "handlers/findings.h"
#include "handlers/rendering.h"
#include "handlers/routes.h"
#include "jobs/heartbeat.h"
#include "jobs/render.h"
#include "settings/settings.h"
#include "store/checks.h"
#include "store/mirror.h"

#include <string.h>

#define CONTAINERS_MAXIMUM 64
#define LOG_LINES 20

/* What is found out about one deployment. */
struct examination {
	struct request *request;
	struct arena *arena;
	struct mirror_deployment deployment;
	struct mirror_container *containers;
	size_t container_count;
	struct json_object *problems, *services, *last_job;
	/* Containers with a problem, and where their lines go. */
	const char *troubled[CONTAINERS_MAXIMUM];
	struct json_object *lines[CONTAINERS_MAXIMUM];
	size_t troubled_count;
};

static void
add_finding(struct examination *examination, const char *severity,
    const char *code, const char *service, const char *message,
    const char *hint)
{
	struct finding finding = { .severity = severity,
		.code = code,
		.service = service,
		.message = message,
		.hint = hint };

	finding_add(examination->problems, &finding);
}

/* false: Docker knows nothing of it now, which is a problem of its own. */
static bool
examine_container(struct examination *examination,
    const struct mirror_container *container, struct json_object *entry)
{
	struct docker_diagnosis diagnosis;
	struct json_object *rendered;
	struct error err;
	size_t before = json_object_array_length(examination->problems);

	if (docker_container_diagnose(examination->request->app->docker,
		container->id, examination->arena, &diagnosis, &err) < 0)
		return false;
	findings_of_container(&diagnosis, container->service, clock_wall_s(),
	    examination->arena, examination->problems);
	rendered = docker_diagnosis_render(&diagnosis, examination->arena);
	json_object_object_foreach(rendered, name, value)
	    json_put(entry, name, json_object_get(value));
	json_object_put(rendered);
	if (json_object_array_length(examination->problems) > before &&
	    examination->troubled_count < CONTAINERS_MAXIMUM) {
		struct json_object *lines = json_object_new_array();

		json_put(entry, "log_tail", lines);
		examination->lines[examination->troubled_count] = lines;
		examination->troubled[examination->troubled_count++] =
		    container->id;
	}
	return true;
}

static struct json_object *
add_service(
    struct examination *examination, const char *name, const char *image)
{
	struct json_object *entry = json_object_new_object();

	json_put_text(entry, "service", name);
	json_put_text(entry, "image", image);
	json_object_array_add(examination->services, entry);
	return entry;
}

/* One entry for each container, or one for a service that has none. */
static void
examine_service(struct examination *examination, struct json_object *service)
{
	const char *name = json_text(service, "name");
	const char *image = json_text(service, "image");
	bool found = false;
	size_t i;

	for (i = 0; i < examination->container_count; i++) {
		const struct mirror_container *container =
		    &examination->containers[i];
		struct json_object *entry;

		if (strcmp(container->service, name) != 0)
			continue;
		found = true;
		entry = add_service(examination, name, image);
		if (!examine_container(examination, container, entry))
			json_put_text(entry, "state", container->state);
	}
	if (found)
		return;
	json_put_text(add_service(examination, name, image), "state", NULL);
	if (examination->container_count > 0)
		add_finding(examination, "warning", "NO_CONTAINER", name,
		    arena_printf(examination->arena,
			"the service '%s' has no container", name),
		    "start the deployment");
}

static bool
keep_line(void *context, const struct docker_log_line *line)
{
	struct examination *examination = context;

	json_object_array_add(examination->lines[line->source],
	    json_object_new_string_len(line->text, (int)line->length));
	return true;
}

/* Whatever cannot be read leaves its list empty. */
static void
read_logs(struct examination *examination)
{
	struct docker_log_options options = { .tail = LOG_LINES };
	struct error ignored;

	if (examination->troubled_count > 0)
		docker_logs_read(examination->request->app->docker,
		    examination->troubled, examination->troubled_count,
		    &options, keep_line, examination, &ignored);
}

static int
examine_check(struct examination *examination, struct error *err)
{
	const char *name = examination->deployment.name;
	struct check_record check;
	bool found;

	if (store_check_find(examination->request->store, name,
		examination->arena, &check, &found, err) < 0)
		return -1;
	if (found && strcmp(check.status, "healthy") != 0)
		add_finding(examination,
		    strcmp(check.status, "unhealthy") == 0 ? "error" : "info",
		    strcmp(check.status, "unhealthy") == 0 ? "CHECK_FAILED"
							   : "CHECK_PENDING",
		    NULL,
		    check.reason[0] != '\0' ? check.reason
					    : "it has not been asked yet",
		    "healthcheck in service.yml says what is asked");
	return 0;
}

/* The newest change, when it failed. */
static int
examine_last_job(struct examination *examination, struct error *err)
{
	struct job_filter filter = { .class_name = "deployment",
		.subject = examination->deployment.name,
		.limit = 1 };
	struct job *jobs;
	size_t count;
	int64_t total;

	if (store_job_list(examination->request->store, &filter,
		examination->arena, &jobs, &count, &total, err) < 0)
		return -1;
	if (count > 0)
		examination->last_job =
		    job_render(&jobs[0], false, examination->arena);
	if (count > 0 && jobs[0].failed)
		add_finding(examination, "warning", "JOB_FAILED", NULL,
		    arena_printf(examination->arena, "the last %s failed: %s",
			job_action(&jobs[0]), error_public(&jobs[0].error)),
		    arena_printf(examination->arena,
			"GET /api/jobs/%s has its output", jobs[0].id));
	return 0;
}

static void
examine_services(struct examination *examination)
{
	auto_json struct json_object *services =
	    rendering_array(examination->deployment.services);
	size_t i;

	for (i = 0; i < json_object_array_length(services); i++)
		examine_service(
		    examination, json_object_array_get_idx(services, i));
}

/* Problems come as they were found: the first error is the summary. */
static const char *
summarise(const struct examination *examination, const char *status,
    bool *out_healthy)
{
	struct json_object *problems = examination->problems;
	size_t i;

	*out_healthy = false;
	for (i = 0; i < json_object_array_length(problems); i++) {
		struct json_object *problem =
		    json_object_array_get_idx(problems, i);

		if (strcmp(json_text(problem, "severity"), "error") == 0)
			return json_text(problem, "message");
	}
	if (strcmp(status, "running") != 0)
		return "the deployment does not run";
	*out_healthy = strcmp(examination->deployment.health, "starting") != 0;
	if (!*out_healthy)
		return "the deployment is starting";
	return json_object_array_length(problems) > 0
		   ? json_text(
			 json_object_array_get_idx(problems, 0), "message")
		   : "there is nothing wrong with it";
}

static const char *
find_status(const struct examination *examination)
{
	size_t i;

	for (i = 0; i < examination->container_count; i++)
		if (strcmp(examination->containers[i].state, "running") == 0)
			return "running";
	return "stopped";
}

static void
examine_docker(struct examination *examination, bool docker_up)
{
	if (examination->deployment.problem[0] != '\0')
		add_finding(examination, "error", "CANNOT_RUN", NULL,
		    examination->deployment.problem,
		    "correct the deployment's files");
	if (docker_up) {
		examine_services(examination);
		read_logs(examination);
	} else {
		add_finding(examination, "error", "DOCKER_UNAVAILABLE", NULL,
		    "Docker does not answer", NULL);
	}
}

/* The members in the order in which people read them. */
static void
render(const struct examination *examination, const char *status,
    struct json_object *data)
{
	bool healthy;
	const char *summary = summarise(examination, status, &healthy);

	json_put_text(data, "deployment", examination->deployment.name);
	json_put_text(data, "status", status);
	json_put_text(data, "health",
	    strcmp(status, "unknown") == 0 ? status
					   : examination->deployment.health);
	json_put_boolean(data, "healthy", healthy);
	json_put_text(data, "summary", summary);
	json_put_text(data, "checked_at",
	    clock_text_ms(examination->arena, clock_wall_ms()));
	json_put(data, "problems", json_object_get(examination->problems));
	json_put(data, "services", json_object_get(examination->services));
	json_put(data, "last_job", json_object_get(examination->last_job));
}

static int
examine(struct examination *examination, struct json_object *data,
    struct error *err)
{
	struct heartbeat heartbeat;

	heartbeat_read(
	    examination->request->app->settings->run_directory, &heartbeat);
	examine_docker(examination, heartbeat.docker_up && !heartbeat.stale);
	if (examine_check(examination, err) < 0 ||
	    examine_last_job(examination, err) < 0)
		return -1;
	render(examination,
	    heartbeat.docker_up ? find_status(examination) : "unknown", data);
	return 0;
}

static int
find(struct examination *examination, struct error *err)
{
	struct request *request = examination->request;

	return deployment_find(request, &examination->deployment, err) < 0
		   ? -1
		   : mirror_container_list(request->store,
			 examination->deployment.project, request->arena,
			 &examination->containers,
			 &examination->container_count, err);
}

static int
get_diagnostics(struct request *request, struct reply *reply, struct error *err)
{
	struct examination examination = { .request = request,
		.arena = request->arena,
		.problems = json_object_new_array(),
		.services = json_object_new_array() };
	struct payload payload = { .data = json_object_new_object() };
	int failed = find(&examination, err) < 0 ||
		     examine(&examination, payload.data, err) < 0;

	json_object_put(examination.problems);
	json_object_put(examination.services);
	json_object_put(examination.last_job);
	if (failed) {
		json_object_put(payload.data);
		return -1;
	}
	return reply_payload(request, reply, 200, &payload);
}

const struct route diagnostics_routes[] = {
	{ "GET", "/deployments/:name/diagnostics", ROLE_VIEWER,
	    get_diagnostics },
	{ 0 },
};
