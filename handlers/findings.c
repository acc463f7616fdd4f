#include "handlers/findings.h"

#include <string.h>

#define LOOP_S 60 /* restarted less than this ago */
#define SIGNAL_BASE 128
#define LINE_MAXIMUM 300

void
finding_add(struct json_object *problems, const struct finding *finding)
{
	struct json_object *problem = json_object_new_object();

	json_put_text(problem, "severity", finding->severity);
	json_put_text(problem, "code", finding->code);
	json_put_text(problem, "service", finding->service);
	json_put_text(problem, "container", finding->container);
	json_put_text(problem, "message", finding->message);
	json_put_text(problem, "hint", finding->hint);
	json_object_array_add(problems, problem);
}

/* What the container of one service is found out to be. */
struct patient {
	const struct docker_diagnosis *is;
	const char *service;
	struct arena *arena;
	struct json_object *problems;
};

static void
add_problem(const struct patient *patient, const char *severity,
    const char *code, const char *message, const char *hint)
{
	struct finding finding = { .severity = severity,
		.code = code,
		.service = patient->service,
		.container = patient->is->name,
		.message = message,
		.hint = hint };

	finding_add(patient->problems, &finding);
}

/* As shells and Docker have exit codes. */
static const char *
explain_exit(const struct patient *patient, int code)
{
	switch (code) {
	case 0:
		return "it ended by itself";
	case 126:
		return "its command cannot be executed";
	case 127:
		return "its command was not found in the image";
	case SIGNAL_BASE + 9:
		return "it was killed (SIGKILL)";
	case SIGNAL_BASE + 11:
		return "it accessed memory that is not its own (SIGSEGV)";
	case SIGNAL_BASE + 15:
		return "it was told to end (SIGTERM)";
	default:
		break;
	}
	return code > SIGNAL_BASE && code < SIGNAL_BASE + 65
		   ? arena_printf(patient->arena, "it ended by signal %d",
			 code - SIGNAL_BASE)
		   : "it failed";
}

/* What `docker stop` makes of a program, too: no crash. */
static bool
was_told_to_end(int code)
{
	return code == 0 || code == SIGNAL_BASE + 9 || code == SIGNAL_BASE + 15;
}

static const char *
first_line(struct arena *arena, const char *text)
{
	size_t length = strcspn(text, "\r\n");

	return arena_strndup(
	    arena, text, length < LINE_MAXIMUM ? length : LINE_MAXIMUM);
}

static void
find_start_failure(const struct patient *patient)
{
	const char *said = first_line(patient->arena, patient->is->error);
	bool port = strstr(said, "port is already allocated") != NULL ||
		    strstr(said, "address already in use") != NULL;

	add_problem(patient, "error", port ? "PORT_IN_USE" : "START_FAILED",
	    arena_printf(patient->arena, "'%s' could not be started: %s",
		patient->service, said),
	    port ? "publish another port, or stop what has this one" : NULL);
}

static void
find_end(const struct patient *patient)
{
	int code = patient->is->exit_code;
	const char *policy = patient->is->restart_policy;
	bool once =
	    strcmp(policy, "no") == 0 || strcmp(policy, "on-failure") == 0;

	if (code == 0 && once)
		return;
	if (was_told_to_end(code))
		add_problem(patient, "warning", "STOPPED",
		    arena_printf(patient->arena, "'%s' is stopped: %s",
			patient->service, explain_exit(patient, code)),
		    "start the deployment");
	else
		add_problem(patient, "error", "CRASHED",
		    arena_printf(patient->arena,
			"'%s' ended with exit code %d: %s", patient->service,
			code, explain_exit(patient, code)),
		    "see the end of its log");
}

static void
find_loop(const struct patient *patient)
{
	add_problem(patient, "error", "RESTART_LOOP",
	    arena_printf(patient->arena,
		"'%s' was started again %d times; it ended with exit code %d: "
		"%s",
		patient->service, patient->is->restart_count,
		patient->is->exit_code,
		explain_exit(patient, patient->is->exit_code)),
	    "see the end of its log");
}

/* What the state alone says. */
static void
find_by_state(const struct patient *patient, int64_t now_s)
{
	const struct docker_diagnosis *is = patient->is;

	if (strcmp(is->state, "restarting") == 0 ||
	    (is->running && is->restart_count > 0 &&
		now_s - is->started_at < LOOP_S))
		find_loop(patient);
	else if (strcmp(is->state, "paused") == 0)
		add_problem(patient, "warning", "PAUSED",
		    arena_printf(
			patient->arena, "'%s' is paused", patient->service),
		    NULL);
	else if (strcmp(is->state, "created") == 0 && is->error[0] == '\0')
		add_problem(patient, "warning", "NOT_STARTED",
		    arena_printf(patient->arena,
			"'%s' was created but never started", patient->service),
		    "start the deployment");
	else if (!is->running && is->error[0] == '\0' && !is->oom_killed)
		find_end(patient);
}

static void
find_by_health(const struct patient *patient)
{
	const struct docker_diagnosis *is = patient->is;

	if (strcmp(is->health, "unhealthy") == 0)
		add_problem(patient, "error", "UNHEALTHY",
		    arena_printf(patient->arena,
			"the health check of '%s' failed %d times: exit code "
			"%d%s%s",
			patient->service, is->failing_streak,
			is->health_exit_code,
			is->health_output[0] != '\0' ? ": " : "",
			first_line(patient->arena, is->health_output)),
		    NULL);
	else if (strcmp(is->health, "starting") == 0)
		add_problem(patient, "info", "STARTING",
		    arena_printf(patient->arena,
			"the health check of '%s' has not passed yet",
			patient->service),
		    NULL);
}

void
findings_of_container(const struct docker_diagnosis *diagnosis,
    const char *service, int64_t now_s, struct arena *arena,
    struct json_object *problems)
{
	struct patient patient = { .is = diagnosis,
		.service = service,
		.arena = arena,
		.problems = problems };

	if (diagnosis->oom_killed)
		add_problem(&patient, "error", "OUT_OF_MEMORY",
		    arena_printf(arena,
			"'%s' was killed: it used more memory "
			"than it may",
			service),
		    "raise its memory limit, or let it use less");
	if (!diagnosis->running && diagnosis->error[0] != '\0')
		find_start_failure(&patient);
	find_by_state(&patient, now_s);
	if (diagnosis->running)
		find_by_health(&patient);
}
