/* flatrun-agent: owns every change. See agent.h for its parts. */

#include "config.h"

#include "agent/actions.h"
#include "agent/agent.h"
#include "agent/conditions.h"
#include "agent/containers.h"
#include "agent/credentials.h"
#include "agent/deployments.h"
#include "agent/deploys.h"
#include "agent/directories.h"
#include "agent/edits.h"
#include "agent/environment.h"
#include "agent/exec.h"
#include "agent/executor.h"
#include "agent/file-jobs.h"
#include "agent/files.h"
#include "agent/gate.h"
#include "agent/health.h"
#include "agent/images.h"
#include "agent/imports.h"
#include "agent/logins.h"
#include "agent/mirror.h"
#include "agent/networks.h"
#include "agent/plan.h"
#include "agent/recovery.h"
#include "agent/registries.h"
#include "agent/samples.h"
#include "agent/server.h"
#include "agent/services.h"
#include "agent/templates.h"
#include "agent/update-jobs.h"
#include "agent/upkeep.h"
#include "agent/volumes.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "docker/docker.h"
#include "jobs/heartbeat.h"
#include "settings/settings.h"
#include "store/store.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILED_START_DELAY_MS 1000
#define LOCK_WAIT_MS 2000
#define LOCK_POLL_MS 20
#define GATE_SPARE_LINKS 100
#define GATE_LINKS_PER_STREAM 8
#define OTHER_FILES 1024

/* Everything main() opened, in the order it is closed in reverse. */
struct parts {
	struct agent agent;
	struct arena arena;
	struct settings *settings;
	struct store *store;
	struct gate *gate;
	struct files *files;
	struct directories *directories;
	struct samples *samples;
	struct health *health;
	struct upkeep *upkeep;
	struct server *server;
	int lock;
	int heartbeat;
	atomic_bool asked_to_stop;
};

/* The one thing that a signal handler can reach. */
static struct server *signalled_server;
static atomic_bool *signalled_stop;

static void
on_signal(int number)
{
	int saved = errno;

	(void)number;
	atomic_store(signalled_stop, true);
	server_wake(signalled_server);
	errno = saved;
}

static void
handle_signals(struct parts *parts)
{
	struct sigaction action = { .sa_handler = on_signal };

	signalled_server = parts->server;
	signalled_stop = &parts->asked_to_stop;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int
agent_compose_program(
    struct agent *agent, struct compose_program *out, struct error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int failed = 0;

	pthread_mutex_lock(&lock);
	/* It may have been upgraded, or installed after us. */
	if (agent->program.path[0] == '\0' ||
	    access(agent->program.path, X_OK) < 0)
		failed = compose_find_program(
		    getenv("FLATRUN_COMPOSE"), &agent->program, err);
	if (!failed)
		*out = agent->program;
	pthread_mutex_unlock(&lock);
	return failed;
}

static int
find_worker(struct agent *agent, const char *user, struct error *err)
{
	struct passwd entry, *found = NULL;
	char memory[4096];

	if (getpwnam_r(user, &entry, memory, sizeof memory, &found) != 0 ||
	    found == NULL)
		return error_set(err, ERR_UNAVAILABLE, NULL,
		    "user: there is no user '%s'", user);
	agent->worker_uid = found->pw_uid;
	agent->worker_gid = found->pw_gid;
	return 0;
}

/*
 * A child of an agent that was killed a moment ago may not have got to know
 * of it, nor have let go of what it has from its parent.
 */
static bool
is_locked_by_others(int fd)
{
	int64_t until_ms = clock_monotonic_ms() + LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_monotonic_ms() >= until_ms)
			return true;
		clock_sleep_ms(LOCK_POLL_MS);
	}
	return false;
}

/* Two agents on one state would run two jobs on one deployment. */
static int
lock_state(struct parts *parts, struct error *err)
{
	const char *path = arena_printf(
	    &parts->arena, "%s/agent.lock", parts->settings->state_directory);

	parts->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (parts->lock < 0)
		return error_errno(err, "cannot open %s", path);
	if (is_locked_by_others(parts->lock))
		return error_set(err, ERR_CONFLICT, NULL,
		    "another agent runs on %s",
		    parts->settings->state_directory);
	return 0;
}

static int
open_state(struct parts *parts, struct error *err)
{
	const struct settings *settings = parts->settings;
	struct agent *agent = &parts->agent;

	agent->settings = settings;
	agent->policy =
	    (struct compose_policy){ .allow = settings->policy.allow,
		    .bind_paths = settings->policy.bind_paths };
	agent->mark = arena_printf(
	    &parts->arena, "FLATRUN_AGENT=%s", settings->state_directory);
	if (find_worker(agent, settings->user, err) < 0 ||
	    lock_state(parts, err) < 0 ||
	    store_find(settings->database_directory, err) < 0 ||
	    store_open(settings->database_directory, STORE_AGENT, &parts->store,
		err) < 0 ||
	    store_quick_check(parts->store, err) < 0 ||
	    seal_open(settings, &agent->seal_key, err) < 0 ||
	    compose_open(settings->deployments_path, &agent->policy, true,
		&agent->compose, err) < 0 ||
	    docker_open(settings->docker_socket, &agent->docker, err) < 0)
		return -1;
	if (credentials_open(settings, parts->store, &agent->credentials, err) <
		0 ||
	    logins_tidy(settings, err) < 0)
		return -1;
	if (recovery_run(agent, parts->store, err) < 0)
		return -1;
	templates_load(agent, parts->store);
	return 0;
}

static const char *
run_path(struct parts *parts, const char *name)
{
	return arena_printf(
	    &parts->arena, "%s/agent/%s", parts->settings->run_directory, name);
}

static const struct job_kind *const job_tables[] = {
	deployment_jobs,
	environment_jobs,
	file_jobs,
	import_jobs,
	update_jobs,
	edit_jobs,
	plan_jobs,
	service_jobs,
	deploy_jobs,
	action_jobs,
	container_jobs,
	exec_jobs,
	network_jobs,
	volume_jobs,
	image_jobs,
	credential_jobs,
	registry_jobs,
	template_jobs,
	NULL,
};

/* Each stream may follow the logs of several containers. */
static int
start_gate(struct parts *parts, struct error *err)
{
	size_t maximum =
	    GATE_SPARE_LINKS +
	    GATE_LINKS_PER_STREAM * (size_t)parts->settings->api.streams;

	limits_allow_files(2 * maximum + OTHER_FILES);
	return gate_start(run_path(parts, "engine.sock"),
	    parts->settings->docker_socket, maximum, parts->agent.worker_uid,
	    parts->agent.worker_gid, &parts->gate, err);
}

static int
start_threads(struct parts *parts, struct error *err)
{
	struct agent *agent = &parts->agent;

	if (server_open(agent, &parts->server, err) < 0)
		return -1;
	agent->server = parts->server;
	handle_signals(parts);
	parts->heartbeat = heartbeat_open(parts->settings->run_directory);
	if (parts->heartbeat < 0)
		return error_errno(err, "cannot write the heartbeat");
	if (start_gate(parts, err) < 0 ||
	    files_start(agent, &parts->files, err) < 0 ||
	    mirror_start(agent, &agent->mirror, err) < 0 ||
	    directories_start(agent, &parts->directories, err) < 0 ||
	    samples_start(agent, &parts->samples, err) < 0 ||
	    health_start(agent, &parts->health, err) < 0 ||
	    upkeep_start(agent, &parts->upkeep, err) < 0)
		return -1;
	agent->executor =
	    executor_new(agent, job_tables, server_job_finished, parts->server);
	executor_guard(agent->executor, conditions_check);
	recovery_resume(agent, parts->store);
	return 0;
}

static void
on_tick(void *context)
{
	struct parts *parts = context;

	/* Nothing is changed that cannot be put on record. */
	if (store_has_moved(parts->store) ||
	    atomic_load(&parts->agent.state_lost))
		atomic_store(&parts->asked_to_stop, true);
	/* Until then whoever waits for a job is told of its end. */
	if (atomic_load(&parts->asked_to_stop) &&
	    executor_drain(parts->agent.executor))
		atomic_store(&parts->agent.stopping, true);
	heartbeat_write(parts->heartbeat,
	    mirror_docker_is_up(parts->agent.mirror),
	    mirror_docker_generation(parts->agent.mirror));
}

static void
stop(struct parts *parts)
{
	executor_stop(parts->agent.executor);
	upkeep_stop(parts->upkeep);
	health_stop(parts->health);
	samples_stop(parts->samples);
	directories_stop(parts->directories);
	mirror_stop(parts->agent.mirror);
	files_stop(parts->files);
	gate_stop(parts->gate);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	server_close(parts->server);
	close(parts->heartbeat);
	credentials_close(parts->agent.credentials);
	docker_close(parts->agent.docker);
	compose_close(parts->agent.compose);
	store_close(parts->store);
	close(parts->lock);
	arena_clear(&parts->arena);
}

static void
warn(void *context, unsigned int line, const char *text)
{
	(void)context;
	log_event(LOG_WARNING, "configuration", LOG_NUMBER("line", line),
	    LOG_TEXT("text", text));
}

static int
run_agent(const char *config, struct error *err)
{
	static struct parts parts;
	bool lost;

	parts.lock = parts.heartbeat = -1;
	memory_configure();
	umask(022);
	if (settings_load(
		config, &parts.arena, warn, NULL, &parts.settings, err) < 0)
		return -1;
	log_set_level(parts.settings->log_level);
	if (open_state(&parts, err) < 0 || start_threads(&parts, err) < 0)
		return -1;
	log_event(
	    LOG_INFO, "agent started", LOG_TEXT("version", PACKAGE_VERSION));
	server_run(parts.server, parts.store, on_tick, &parts);
	log_message(LOG_INFO, "agent stopping");
	lost = store_has_moved(parts.store) ||
	       atomic_load(&parts.agent.state_lost);
	stop(&parts);
	if (lost)
		return error_set(err, ERR_UNAVAILABLE, "STATE_CORRUPT",
		    "the state database went away or is damaged");
	return 0;
}

static void
print_usage(FILE *to)
{
	fputs("Usage: flatrun-agent [-c FILE]\n"
	      "Runs the changes of the FlatRun service, in the foreground.\n\n"
	      "  -c, --config FILE  configuration (" SETTINGS_DEFAULT_PATH ")\n"
	      "      --version      print the version\n"
	      "      --help         print this\n",
	    to);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *config = NULL;
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'v':
			puts("flatrun-agent " PACKAGE_VERSION);
			return 0;
		case 'h':
			print_usage(stdout);
			return 0;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (run_agent(config, &err) == 0)
		return 0;
	log_error(LOG_ERROR, "agent cannot run", &err);
	/* Whoever restarts us at once must not make a busy loop of it. */
	clock_sleep_ms(FAILED_START_DELAY_MS);
	return 1;
}
