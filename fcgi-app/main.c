/*
 * flatrun-fcgi: a pool process. Opens what handlers need, starts threads that
 * accept on the listening socket (descriptor 0, from spawn-fcgi), and ends
 * when told to, after the requests under way.
 */

#include "config.h"

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "compose/compose.h"
#include "docker/docker.h"
#include "handlers/change.h"
#include "handlers/routes.h"
#include "http/cache.h"
#include "http/connection.h"
#include "http/dispatch.h"
#include "http/lookout.h"
#include "http/stream.h"
#include "http/turns.h"
#include "jobs/jobs.h"
#include "settings/settings.h"
#include "store/store.h"
#include "store/watch.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LISTENING_SOCKET 0
#define SPARE_STREAM_THREADS 4 /* to say that there is no place */
#define FAILED_START_DELAY_MS 1000
#define WAITING_THREADS 2
#define IDLE_THREAD_MS 10000
#define INTERRUPT_INTERVAL_MS 50

struct pool;

/* One of the threads. */
struct worker {
	struct pool *pool;
	pthread_t thread;
	struct store *store;   /* its connection, or NULL */
	atomic_bool accepting; /* waits for a connection, has none */
};

struct pool {
	struct app app;
	struct arena arena;
	struct settings *settings;
	struct compose_policy policy;
	bool streams;
	struct turns *turns;
	struct worker *workers;
	size_t worker_maximum;
	pthread_mutex_t starting; /* of worker_count */
	size_t worker_count;
	atomic_size_t running;
};

static int start_thread(struct pool *pool);

/* What a thread that rests gives back. */
static void
on_idle(void *context)
{
	struct worker *worker = context;

	store_close(TAKE(worker->store));
	memory_return();
}

/* false: no connection, or none that begins a request. */
static bool
accept_request(struct worker *worker, struct connection *connection)
{
	struct pool *pool = worker->pool;
	bool accepted = false;

	turns_take(pool->turns, on_idle, worker);
	if (!atomic_load(&pool->app.stopping)) {
		atomic_store(&worker->accepting, true);
		accepted = connection_wait(connection);
		atomic_store(&worker->accepting, false);
	}
	if (!turns_pass(pool->turns))
		start_thread(pool); /* else one that works comes back */
	return accepted && connection_begin(connection);
}

static void *
run_thread(void *context)
{
	struct worker *worker = context;
	struct pool *pool = worker->pool;
	struct connection *connection = connection_new(LISTENING_SOCKET);

	while (!atomic_load(&pool->app.stopping))
		if (accept_request(worker, connection))
			dispatch(&pool->app, route_tables, connection,
			    &worker->store);
	store_close(worker->store);
	connection_free(connection);
	atomic_fetch_sub(&pool->running, 1);
	return NULL;
}

static int
read_token_key(struct pool *pool, struct error *err)
{
	auto_buffer struct buffer text = BUFFER(1024);
	const char *secret = pool->settings->auth.jwt_secret;
	auto_fd int directory = -1;

	if (*secret == '\0') {
		directory =
		    file_open_root(arena_printf(&pool->arena, "%s/secrets",
				       pool->settings->state_directory),
			err);
		if (directory < 0 ||
		    file_read(directory, "jwt.key", &text, err) < 0)
			return error_wrap(err, "cannot read the token key");
		while (text.length > 0 && text.bytes[text.length - 1] == '\n')
			buffer_truncate(&text, text.length - 1);
		secret = arena_strdup(&pool->arena, buffer_string(&text));
	}
	if (strlen(secret) < TOKEN_KEY_MINIMUM)
		return error_set(err, ERR_INTERNAL, NULL,
		    "the token key has fewer than %d bytes", TOKEN_KEY_MINIMUM);
	pool->app.token_key =
	    (struct token_key){ .bytes = (const unsigned char *)secret,
		    .length = strlen(secret) };
	return 0;
}

static int
open_app(struct pool *pool, struct error *err)
{
	struct app *app = &pool->app;

	app->settings = pool->settings;
	pool->policy =
	    (struct compose_policy){ .allow = pool->settings->policy.allow,
		    .bind_paths = pool->settings->policy.bind_paths };
	if (read_token_key(pool, err) < 0 || connection_init(err) < 0 ||
	    compose_open(pool->settings->deployments_path, &pool->policy, false,
		&app->compose, err) < 0 ||
	    docker_open(arena_printf(&pool->arena, "%s/agent/engine.sock",
			    pool->settings->run_directory),
		&app->docker, err) < 0)
		return -1;
	docker_limit_readers(
	    app->docker, (unsigned int)(pool->settings->api.threads + 1) / 2);
	app->jobs = jobs_open(pool->settings->run_directory,
	    (int)(pool->settings->api.threads / 2));
	app->cache = cache_new();
	app->watch = store_watch_new(pool->settings->database_directory);
	app->replay = change_replay;
	if (!pool->streams)
		return 0;
	app->streams = stream_places_new((size_t)pool->settings->api.streams,
	    (size_t)pool->settings->api.streams_per_key);
	app->lookout = lookout_new(pool->settings->database_directory);
	return 0;
}

static void
close_app(struct pool *pool)
{
	lookout_free(pool->app.lookout);
	stream_places_free(pool->app.streams);
	store_watch_free(pool->app.watch);
	cache_free(pool->app.cache);
	jobs_close(pool->app.jobs);
	docker_close(pool->app.docker);
	compose_close(pool->app.compose);
	turns_free(pool->turns);
	free(pool->workers);
	arena_clear(&pool->arena);
}

/* One more thread, unless there are all; the lock is not held. */
static int
start_thread(struct pool *pool)
{
	struct worker *worker;
	int failed = 0;

	pthread_mutex_lock(&pool->starting);
	if (pool->worker_count < pool->worker_maximum &&
	    !atomic_load(&pool->app.stopping)) {
		worker = &pool->workers[pool->worker_count];
		worker->pool = pool;
		atomic_fetch_add(&pool->running, 1);
		failed =
		    pthread_create(&worker->thread, NULL, run_thread, worker);
		if (failed)
			atomic_fetch_sub(&pool->running, 1);
		else
			pool->worker_count++;
	}
	pthread_mutex_unlock(&pool->starting);
	return failed;
}

/* The first ones; the others when they are needed. */
static int
start_threads(struct pool *pool, struct error *err)
{
	int i;

	pool->worker_maximum =
	    pool->streams
		? (size_t)pool->settings->api.streams + SPARE_STREAM_THREADS
		: (size_t)pool->settings->api.threads;
	pool->turns = turns_new(WAITING_THREADS, IDLE_THREAD_MS);
	pool->workers = xcalloc(pool->worker_maximum, sizeof *pool->workers);
	pthread_mutex_init(&pool->starting, NULL);
	for (i = 0; i < WAITING_THREADS; i++)
		if (start_thread(pool) != 0)
			return error_set(err, ERR_UNAVAILABLE, NULL,
			    "cannot start a thread");
	return 0;
}

/* Does nothing but end a blocking accept(). */
static void
on_interrupt(int number)
{
	(void)number;
}

/*
 * Signals are main()'s: threads inherit the mask. multiwatch passes SIGTERM on
 * as SIGQUIT, whatever it is told.
 */
static void
block_signals(sigset_t *out)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR2, &interrupt, NULL);
	sigemptyset(out);
	sigaddset(out, SIGTERM);
	sigaddset(out, SIGINT);
	sigaddset(out, SIGQUIT);
	sigaddset(out, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, out, NULL);
}

/*
 * The socket is shared with the other processes of the pool, so it cannot be
 * shut down: waiting threads are interrupted until none is left. One that
 * answers a request is left alone: its writes to nginx would be cut short.
 */
static void
stop_threads(struct pool *pool)
{
	size_t i;

	atomic_store(&pool->app.stopping, true);
	connection_stop();
	turns_end(pool->turns);
	store_watch_wake(pool->app.watch);
	/* Nobody is starting a thread any more. */
	pthread_mutex_lock(&pool->starting);
	pthread_mutex_unlock(&pool->starting);
	while (atomic_load(&pool->running) > 0) {
		for (i = 0; i < pool->worker_count; i++)
			if (atomic_load(&pool->workers[i].accepting))
				pthread_kill(pool->workers[i].thread, SIGUSR2);
		clock_sleep_ms(INTERRUPT_INTERVAL_MS);
	}
	for (i = 0; i < pool->worker_count; i++)
		pthread_join(pool->workers[i].thread, NULL);
}

static int
run_pool(const char *config, bool streams, struct error *err)
{
	static struct pool pool;
	sigset_t signals;
	int number;

	pool.streams = streams;
	/* Without the supervisor nobody would end us, and we hold the socket.
	 */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	memory_configure();
	block_signals(&signals);
	if (settings_load(
		config, &pool.arena, NULL, NULL, &pool.settings, err) < 0)
		return -1;
	log_set_level(pool.settings->log_level);
	if (open_app(&pool, err) < 0 || start_threads(&pool, err) < 0)
		return -1;
	log_event(LOG_INFO, "pool process started",
	    LOG_TEXT("version", PACKAGE_VERSION),
	    LOG_NUMBER("threads", pool.worker_maximum));
	sigwait(&signals, &number);
	stop_threads(&pool);
	close_app(&pool);
	return 0;
}

static void
print_usage(FILE *to)
{
	fputs("Usage: flatrun-fcgi [-c FILE] [--streams]\n"
	      "Answers the FlatRun API by FastCGI on descriptor 0.\n\n"
	      "  -c, --config FILE  configuration (" SETTINGS_DEFAULT_PATH ")\n"
	      "      --streams      be a process of the stream pool\n"
	      "      --version      print the version\n"
	      "      --help         print this\n",
	    to);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "streams", no_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *config = NULL;
	bool streams = false;
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 's':
			streams = true;
			break;
		case 'v':
			puts("flatrun-fcgi " PACKAGE_VERSION);
			return 0;
		case 'h':
			print_usage(stdout);
			return 0;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (run_pool(config, streams, &err) == 0)
		return 0;
	log_error(LOG_ERROR, "pool process cannot start", &err);
	/* Whoever restarts us at once must not make a busy loop of it. */
	clock_sleep_ms(FAILED_START_DELAY_MS);
	return 1;
}
