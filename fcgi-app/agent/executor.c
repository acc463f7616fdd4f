#include "agent/executor.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "settings/settings.h"
#include "store/jobs.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAXIMUM 256
#define FINISH_TRIES 5
#define RETRY_PAUSE_MS 1000
#define OUTPUT_INTERVAL_MS 1000
#define DRAIN_MS 30000
#define RETRY_AFTER_S 1

/* A job that is queued or running; kept until it is on record as finished. */
struct pending {
	struct pending *next;
	char *id, *subject, *actor, *request_id;
	struct json_object *arguments;
	const struct job_kind *kind;
	bool running;
};

struct executor {
	struct agent *agent;
	const struct job_kind *kinds;
	void (*on_finished)(void *context, const char *job_id);
	void *context;
	atomic_bool stopping; /* also what running children are cancelled by */
	pthread_t *threads;
	size_t thread_count;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t queued;
	struct pending *first;
	size_t count;
	int64_t drained_at_ms; /* not 0: nothing new is taken or begun, and
				  then what still runs is cancelled */
};

static void
free_pending(struct pending *pending)
{
	json_object_put(pending->arguments);
	free(pending->id);
	free(pending->subject);
	free(pending->actor);
	free(pending->request_id);
	free(pending);
}

/* The oldest that waits; lock is held. */
static struct pending *
next_waiting(struct executor *executor)
{
	struct pending *pending;

	if (executor->drained_at_ms != 0)
		return NULL;
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		if (!pending->running)
			return pending;
	return NULL;
}

static struct pending *
take_next(struct executor *executor)
{
	struct pending *pending = NULL;

	pthread_mutex_lock(&executor->lock);
	while (!atomic_load(&executor->stopping) &&
	       (pending = next_waiting(executor)) == NULL)
		pthread_cond_wait(&executor->queued, &executor->lock);
	if (atomic_load(&executor->stopping))
		pending = NULL;
	if (pending != NULL)
		pending->running = true;
	pthread_mutex_unlock(&executor->lock);
	return pending;
}

static void
forget(struct executor *executor, struct pending *pending)
{
	struct pending **at;

	pthread_mutex_lock(&executor->lock);
	for (at = &executor->first; *at != pending; at = &(*at)->next)
		;
	*at = pending->next;
	executor->count--;
	pthread_mutex_unlock(&executor->lock);
}

static bool
is_draining(struct executor *executor)
{
	bool draining;

	pthread_mutex_lock(&executor->lock);
	draining = executor->drained_at_ms != 0;
	pthread_mutex_unlock(&executor->lock);
	return draining;
}

/*
 * Output as valid text, for the caller to free: programs may write anything,
 * and a text of the store ends at its first NUL.
 */
static char *
output_text(struct run *run)
{
	struct buffer text = BUFFER(3 * JOB_OUTPUT_MAXIMUM);
	size_t i;

	utf8_append_repaired(
	    &text, buffer_string(&run->output), run->output.length);
	for (i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0')
			text.bytes[i] = '?';
	return buffer_take(&text);
}

void
run_store_output(struct run *run)
{
	int64_t now = clock_monotonic_ms();
	auto_free char *output = NULL;
	struct error ignored;

	if (now - run->stored_at_ms < OUTPUT_INTERVAL_MS ||
	    run->output.length == run->stored_length)
		return;
	run->stored_at_ms = now;
	run->stored_length = run->output.length;
	output = output_text(run);
	store_job_output(run->store, run->id, output, &ignored);
}

static bool
may_pass(const struct error *err)
{
	return err->kind == ERR_STORAGE_FULL ||
	       strcmp(err->code, "STATE_BUSY") == 0;
}

/* On a full disk the log has to be used again before its time. */
static void
make_room(struct store *store, const struct error *err)
{
	struct error ignored;

	if (err->kind == ERR_STORAGE_FULL)
		store_checkpoint(store, &ignored);
}

/*
 * A full disk is waited for, and so the deployment stays busy: without this
 * record its job would seem to run until the agent's next start.
 */
static void
record_end(
    struct executor *executor, struct run *run, const struct error *failure)
{
	const char *result =
	    run->result ? json_serialize(run->result, NULL) : NULL;
	auto_free char *output = output_text(run);
	struct error err;
	int tries = 0;

	while (store_job_finish(
		   run->store, run->id, output, result, failure, &err) < 0) {
		if (++tries % FINISH_TRIES == 0) {
			log_error(
			    LOG_ERROR, "cannot record the end of a job", &err);
			if (!may_pass(&err))
				return;
		}
		if (is_draining(executor))
			return;
		make_room(run->store, &err);
		clock_sleep_ms(RETRY_PAUSE_MS);
	}
}

static void
run_job(struct executor *executor, struct store *store, struct pending *pending)
{
	struct run run = {
		.agent = executor->agent,
		.store = store,
		.id = pending->id,
		.subject = pending->subject,
		.actor = pending->actor,
		.request_id = pending->request_id,
		.arguments = pending->arguments,
		.output = BUFFER(JOB_OUTPUT_MAXIMUM),
		.stored_at_ms = clock_monotonic_ms(),
		.cancel = &executor->stopping,
	};
	int64_t started_ms = clock_monotonic_ms();
	struct error err;
	bool failed;

	failed = store_job_start(store, run.id, &err) < 0 ||
		 pending->kind->body(&run, &err) < 0;
	/* What ended only because the agent ends was interrupted. */
	if (failed && atomic_load(&executor->stopping))
		error_set(&err, ERR_UNAVAILABLE, "JOB_INTERRUPTED",
		    "the service stopped while the job was under way");
	record_end(executor, &run, failed ? &err : NULL);
	log_event(failed ? LOG_WARNING : LOG_INFO, "job",
	    LOG_TEXT("job_id", run.id), LOG_TEXT("kind", pending->kind->name),
	    LOG_TEXT("subject", run.subject), LOG_TEXT("actor", run.actor),
	    LOG_TEXT("request_id", run.request_id),
	    LOG_NUMBER("duration_ms", clock_monotonic_ms() - started_ms),
	    LOG_TEXT("code", failed ? error_code(&err) : NULL),
	    LOG_TEXT("error", failed ? err.message : NULL),
	    LOG_TEXT("detail", failed && err.detail[0] ? err.detail : NULL));
	json_object_put(run.result);
	buffer_clear(&run.output);
	arena_clear(&run.arena);
}

/* NULL: stopping. */
static struct store *
open_store(struct executor *executor)
{
	struct store *store = NULL;
	struct error err;

	while (store_open(executor->agent->settings->database_directory,
		   STORE_JOBS, &store, &err) < 0) {
		log_error(LOG_ERROR, "cannot open the store", &err);
		if (is_draining(executor))
			return NULL;
		clock_sleep_ms(RETRY_PAUSE_MS);
	}
	return store;
}

static void *
run_thread(void *context)
{
	struct executor *executor = context;
	auto_store struct store *store = NULL;
	struct pending *pending;

	while ((pending = take_next(executor)) != NULL) {
		if (store == NULL)
			store = open_store(executor);
		if (store == NULL) {
			forget(executor, pending);
			free_pending(pending);
			break;
		}
		run_job(executor, store, pending);
		forget(executor, pending);
		executor->on_finished(executor->context, pending->id);
		free_pending(pending);
	}
	return NULL;
}

int
executor_start(struct agent *agent, const struct job_kind *kinds,
    void (*on_finished)(void *context, const char *job_id), void *context,
    struct executor **out, struct error *err)
{
	struct executor *executor = xcalloc(1, sizeof *executor);
	size_t wanted = (size_t)agent->settings->job_parallel;

	*out = executor;
	executor->agent = agent;
	executor->kinds = kinds;
	executor->on_finished = on_finished;
	executor->context = context;
	executor->threads = xcalloc(wanted, sizeof *executor->threads);
	pthread_mutex_init(&executor->lock, NULL);
	pthread_cond_init(&executor->queued, NULL);
	for (; executor->thread_count < wanted; executor->thread_count++)
		if (pthread_create(&executor->threads[executor->thread_count],
			NULL, run_thread, executor) != 0)
			return error_set(err, ERR_UNAVAILABLE, NULL,
			    "cannot start a thread");
	return 0;
}

bool
executor_drain(struct executor *executor)
{
	int64_t now = clock_monotonic_ms();
	struct pending *pending;
	bool running = false, late;

	pthread_mutex_lock(&executor->lock);
	if (executor->drained_at_ms == 0)
		executor->drained_at_ms = now + DRAIN_MS;
	late = now >= executor->drained_at_ms;
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		running |= pending->running;
	pthread_mutex_unlock(&executor->lock);
	return !running || late;
}

void
executor_stop(struct executor *executor)
{
	struct pending *pending;
	size_t i;

	while (!executor_drain(executor))
		clock_sleep_ms(50);
	pthread_mutex_lock(&executor->lock);
	atomic_store(&executor->stopping, true);
	pthread_cond_broadcast(&executor->queued);
	pthread_mutex_unlock(&executor->lock);
	for (i = 0; i < executor->thread_count; i++)
		pthread_join(executor->threads[i], NULL);
	/* What never started is found as interrupted at the next start. */
	while ((pending = executor->first) != NULL) {
		executor->first = pending->next;
		free_pending(pending);
	}
	pthread_cond_destroy(&executor->queued);
	pthread_mutex_destroy(&executor->lock);
	free(executor->threads);
	free(executor);
}

static const struct job_kind *
find_kind(const struct executor *executor, const char *name)
{
	const struct job_kind *kind;

	for (kind = executor->kinds; kind->name != NULL; kind++)
		if (strcmp(kind->name, name) == 0)
			return kind;
	return NULL;
}

/* lock is held. */
static int
check_room(struct executor *executor, const char *subject, struct error *err)
{
	struct pending *pending;

	for (pending = executor->first; pending != NULL;
	     pending = pending->next) {
		if (strcmp(pending->subject, subject) != 0)
			continue;
		error_set(err, ERR_CONFLICT, "DEPLOYMENT_BUSY",
		    "An action is already running for this deployment");
		snprintf(err->related, sizeof err->related, "%s", pending->id);
		return -1;
	}
	if (executor->drained_at_ms != 0)
		error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
		    "the agent is about to end");
	else if (executor->count >= QUEUE_MAXIMUM)
		error_set(err, ERR_UNAVAILABLE, "OVERLOADED",
		    "too many changes are under way");
	else
		return 0;
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

static int
insert_job(struct store *store, struct job *job, struct arena *arena,
    struct error *err)
{
	if (store_job_insert(store, job, arena, err) == 0)
		return 0;
	if (err->kind != ERR_STORAGE_FULL)
		return -1;
	make_room(store, err);
	return store_job_insert(store, job, arena, err);
}

static void
append(struct executor *executor, struct pending *pending)
{
	struct pending **at = &executor->first;

	while (*at != NULL)
		at = &(*at)->next;
	*at = pending;
	executor->count++;
	pthread_cond_signal(&executor->queued);
}

int
executor_submit(struct executor *executor, struct store *store,
    const char *kind_name, const char *subject, const char *actor,
    const char *request_id, struct json_object *arguments, struct arena *arena,
    const char **out_id, struct error *err)
{
	const struct job_kind *kind = find_kind(executor, kind_name);
	struct job job = { .kind = kind_name,
		.subject = subject,
		.actor = actor,
		.request_id = request_id };
	struct pending *pending;
	int failed;

	if (kind == NULL)
		return error_set(
		    err, ERR_INVALID, NULL, "there is no such kind of job");
	if (!kind->subject_is_valid(subject))
		return error_field(
		    err, "name", "INVALID_NAME", "the name is out of grammar");
	/* The lock is held while the row is written: one submitter wins. */
	pthread_mutex_lock(&executor->lock);
	failed = check_room(executor, subject, err);
	if (!failed)
		failed = insert_job(store, &job, arena, err);
	if (!failed) {
		pending = xcalloc(1, sizeof *pending);
		pending->id = xstrdup(job.id);
		pending->subject = xstrdup(subject);
		pending->actor = xstrdup(actor);
		pending->request_id = xstrdup(request_id);
		pending->arguments = json_object_get(arguments);
		pending->kind = kind;
		append(executor, pending);
		*out_id = job.id;
	}
	pthread_mutex_unlock(&executor->lock);
	return failed;
}

bool
executor_has(struct executor *executor, const char *job_id)
{
	struct pending *pending;

	pthread_mutex_lock(&executor->lock);
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		if (strcmp(pending->id, job_id) == 0)
			break;
	pthread_mutex_unlock(&executor->lock);
	return pending != NULL;
}
