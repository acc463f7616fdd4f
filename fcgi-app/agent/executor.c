#include "agent/executor.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "settings/settings.h"
#include "store/jobs.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAXIMUM 256
#define FINISH_TRIES 5
#define RETRY_PAUSE_MS 1000
#define OUTPUT_INTERVAL_MS 1000
#define PROGRESS_INTERVAL_MS 500
#define DRAIN_MS 30000
#define RETRY_AFTER_S 1
#define ENGINE_THREADS 16
#define EXEC_THREADS 16
#define IDLE_THREAD_S 10

/* A job that is queued or running; kept until it is on record as finished. */
struct pending {
	struct pending *next;
	char *id, *subject, *actor, *request_id;
	struct json_object *arguments, *conditions;
	const struct job_kind *kind;
	bool running;
	atomic_bool cancel;
};

/* One thread of a lane, or the place for one. */
struct slot {
	struct executor *executor;
	enum job_lane lane;
	pthread_t thread;
	bool started; /* and not joined */
	bool ended;   /* the thread looks at nothing any more */
};

struct lane {
	pthread_cond_t queued;
	struct slot *slots;
	size_t slot_count, resting;
};

struct executor {
	struct agent *agent;
	const struct job_kind *const *tables;
	void (*on_finished)(void *context, const char *job_id);
	void *context;
	job_guard *guard;
	atomic_bool stopping;

	pthread_mutex_t lock; /* of what follows */
	struct lane lanes[LANE_COUNT];
	struct pending *first;
	size_t count;
	int64_t drained_at_ms; /* not 0: nothing new is taken or begun, and
				  then what still runs is cancelled */
};

static void
free_pending(struct pending *pending)
{
	json_object_put(pending->arguments);
	json_object_put(pending->conditions);
	free(pending->id);
	free(pending->subject);
	free(pending->actor);
	free(pending->request_id);
	free(pending);
}

/* The oldest of the lane that waits; lock is held. */
static struct pending *
next_waiting(struct executor *executor, enum job_lane lane)
{
	struct pending *pending;

	if (executor->drained_at_ms != 0)
		return NULL;
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		if (!pending->running && pending->kind->lane == lane)
			return pending;
	return NULL;
}

/* NULL: the thread is to end, since there was nothing to do for a while. */
static struct pending *
take_next(struct executor *executor, struct slot *slot)
{
	struct lane *lane = &executor->lanes[slot->lane];
	struct pending *pending = NULL;
	struct timespec until;
	bool waited_long = false;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_THREAD_S;
	pthread_mutex_lock(&executor->lock);
	while (!atomic_load(&executor->stopping) &&
	       (pending = next_waiting(executor, slot->lane)) == NULL &&
	       !waited_long) {
		lane->resting++;
		waited_long = pthread_cond_timedwait(&lane->queued,
				  &executor->lock, &until) == ETIMEDOUT;
		lane->resting--;
	}
	if (atomic_load(&executor->stopping))
		pending = NULL;
	if (pending != NULL)
		pending->running = true;
	else
		slot->ended = true;
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

bool
run_progress_is_due(const struct run *run)
{
	return clock_monotonic_ms() - run->progress_at_ms >=
	       PROGRESS_INTERVAL_MS;
}

void
run_progress(struct run *run, struct json_object *progress, bool last)
{
	auto_json struct json_object *taken = progress;
	struct error ignored;

	if (!last && !run_progress_is_due(run))
		return;
	run->progress_at_ms = clock_monotonic_ms();
	store_job_progress(
	    run->store, run->id, json_serialize(taken, NULL), &ignored);
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

static int
fail_cancelled(struct error *err)
{
	return error_set(
	    err, ERR_CONFLICT, "JOB_CANCELLED", "the job was cancelled");
}

static int
begin(struct executor *executor, struct run *run, struct pending *pending,
    struct error *err)
{
	if (store_job_start(run->store, run->id, err) < 0)
		return -1;
	if (executor->guard != NULL &&
	    executor->guard(run, pending->kind, err) < 0)
		return -1;
	return pending->kind->body(run, err);
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
		.conditions = pending->conditions,
		.output = BUFFER(JOB_OUTPUT_MAXIMUM),
		.stored_at_ms = clock_monotonic_ms(),
		.cancel = &pending->cancel,
	};
	int64_t started_ms = clock_monotonic_ms();
	struct error err;
	bool failed;

	failed = atomic_load(&pending->cancel)
		     ? fail_cancelled(&err) < 0
		     : begin(executor, &run, pending, &err) < 0;
	/* What ended only because it was told to. */
	if (failed && atomic_load(&executor->stopping))
		error_set(&err, ERR_UNAVAILABLE, "JOB_INTERRUPTED",
		    "the service stopped while the job was under way");
	else if (failed && atomic_load(&pending->cancel))
		fail_cancelled(&err);
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

static void
end_thread(struct executor *executor, struct slot *slot)
{
	pthread_mutex_lock(&executor->lock);
	slot->ended = true;
	pthread_mutex_unlock(&executor->lock);
}

static void *
run_thread(void *context)
{
	struct slot *slot = context;
	struct executor *executor = slot->executor;
	auto_store struct store *store = NULL;
	struct pending *pending;

	while ((pending = take_next(executor, slot)) != NULL) {
		if (store == NULL)
			store = open_store(executor);
		if (store == NULL) {
			forget(executor, pending);
			free_pending(pending);
			end_thread(executor, slot);
			break;
		}
		run_job(executor, store, pending);
		forget(executor, pending);
		executor->on_finished(executor->context, pending->id);
		free_pending(pending);
	}
	return NULL;
}

static size_t
count_waiting(const struct executor *executor, enum job_lane lane)
{
	const struct pending *pending;
	size_t count = 0;

	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		count += !pending->running && pending->kind->lane == lane;
	return count;
}

/* Makes sure that one more job of the lane will be run; lock is held. */
static int
provide_thread(
    struct executor *executor, enum job_lane which, struct error *err)
{
	struct lane *lane = &executor->lanes[which];
	struct slot *free_slot = NULL;
	size_t i, running = 0;

	if (count_waiting(executor, which) < lane->resting)
		return 0;
	for (i = 0; i < lane->slot_count; i++) {
		if (lane->slots[i].started && lane->slots[i].ended) {
			pthread_join(lane->slots[i].thread, NULL);
			lane->slots[i].started = false;
		}
		running += lane->slots[i].started;
		if (!lane->slots[i].started)
			free_slot = &lane->slots[i];
	}
	if (free_slot == NULL)
		return 0;
	free_slot->ended = false;
	free_slot->started = pthread_create(&free_slot->thread, NULL,
				 run_thread, free_slot) == 0;
	return free_slot->started || running > 0
		   ? 0
		   : error_set(
			 err, ERR_UNAVAILABLE, NULL, "cannot start a thread");
}

static void
open_lane(struct executor *executor, enum job_lane which, size_t maximum)
{
	struct lane *lane = &executor->lanes[which];
	pthread_condattr_t monotonic;
	size_t i;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&lane->queued, &monotonic);
	pthread_condattr_destroy(&monotonic);
	lane->slots = xcalloc(maximum, sizeof *lane->slots);
	lane->slot_count = maximum;
	for (i = 0; i < maximum; i++)
		lane->slots[i] =
		    (struct slot){ .executor = executor, .lane = which };
}

static void
close_lane(struct lane *lane)
{
	size_t i;

	for (i = 0; i < lane->slot_count; i++)
		if (lane->slots[i].started)
			pthread_join(lane->slots[i].thread, NULL);
	pthread_cond_destroy(&lane->queued);
	free(lane->slots);
}

struct executor *
executor_new(struct agent *agent, const struct job_kind *const *tables,
    void (*on_finished)(void *context, const char *job_id), void *context)
{
	struct executor *executor = xcalloc(1, sizeof *executor);

	executor->agent = agent;
	executor->tables = tables;
	executor->on_finished = on_finished;
	executor->context = context;
	pthread_mutex_init(&executor->lock, NULL);
	open_lane(
	    executor, LANE_PROGRAMS, (size_t)agent->settings->job_parallel);
	open_lane(executor, LANE_PULLS, (size_t)agent->settings->job_parallel);
	open_lane(executor, LANE_ENGINE, ENGINE_THREADS);
	open_lane(executor, LANE_EXEC, EXEC_THREADS);
	return executor;
}

void
executor_guard(struct executor *executor, job_guard *guard)
{
	executor->guard = guard;
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
	int i;

	while (!executor_drain(executor))
		clock_sleep_ms(50);
	pthread_mutex_lock(&executor->lock);
	atomic_store(&executor->stopping, true);
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		atomic_store(&pending->cancel, true);
	for (i = 0; i < LANE_COUNT; i++)
		pthread_cond_broadcast(&executor->lanes[i].queued);
	pthread_mutex_unlock(&executor->lock);
	for (i = 0; i < LANE_COUNT; i++)
		close_lane(&executor->lanes[i]);
	/* What never started is found as interrupted at the next start. */
	while ((pending = executor->first) != NULL) {
		executor->first = pending->next;
		free_pending(pending);
	}
	pthread_mutex_destroy(&executor->lock);
	free(executor);
}

const struct job_kind *
executor_find_kind(const struct executor *executor, const char *name)
{
	const struct job_kind *const *table, *kind;

	for (table = executor->tables; *table != NULL; table++)
		for (kind = *table; kind->name != NULL; kind++)
			if (strcmp(kind->name, name) == 0)
				return kind;
	return NULL;
}

static size_t
class_length(const struct job_kind *kind)
{
	return strcspn(kind->name, ".");
}

/* Whether one of the two has to end before the other may begin. */
static bool
excludes(const struct pending *pending, const struct job_kind *kind,
    const char *subject)
{
	size_t length = class_length(kind);

	return length == class_length(pending->kind) &&
	       strncmp(pending->kind->name, kind->name, length) == 0 &&
	       strcmp(pending->subject, subject) == 0 &&
	       !(pending->kind->shared && kind->shared);
}

/* DEPLOYMENT_BUSY, CONTAINER_BUSY, … */
static int
fail_busy(const struct pending *pending, struct error *err)
{
	int length = (int)class_length(pending->kind);
	char code[sizeof err->code];
	size_t i;

	snprintf(code, sizeof code, "%.*s_BUSY", length, pending->kind->name);
	for (i = 0; code[i] != '\0'; i++)
		if (code[i] >= 'a' && code[i] <= 'z')
			code[i] -= 'a' - 'A';
	error_set(err, ERR_CONFLICT, code,
	    "An action is already running for this %.*s", length,
	    pending->kind->name);
	snprintf(err->related, sizeof err->related, "%s", pending->id);
	return -1;
}

/* lock is held. */
static int
check_room(struct executor *executor, const struct job_kind *kind,
    const char *subject, struct error *err)
{
	struct pending *pending;

	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		if (excludes(pending, kind, subject))
			return fail_busy(pending, err);
	if (executor->drained_at_ms != 0)
		error_set(err, ERR_UNAVAILABLE, "AGENT_UNAVAILABLE",
		    "the agent is about to end");
	else if (executor->count >= QUEUE_MAXIMUM)
		error_set(err, ERR_UNAVAILABLE, "OVERLOADED",
		    "too many changes are under way");
	else
		return provide_thread(executor, kind->lane, err);
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
	pthread_cond_signal(&executor->lanes[pending->kind->lane].queued);
}

/*
 * Whether the request was taken before: *out_id is its job, if that has ended.
 * So a client that lost an answer can ask again.
 */
static int
find_earlier(struct store *store, const struct submission *submission,
    struct arena *arena, const char **out_id, struct error *err)
{
	struct job job;
	bool found;

	*out_id = NULL;
	if (submission->idempotency_key == NULL)
		return 0;
	if (store_job_by_key(store, submission->actor,
		submission->idempotency_key, arena, &job, &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	if (job_check_replay(&job, submission->fingerprint, err) < 0)
		return -1;
	*out_id = job.id;
	return 0;
}

/* lock is held. */
static int
enqueue(struct executor *executor, struct store *store,
    const struct job_kind *kind, const struct submission *submission,
    struct arena *arena, const char **out_id, struct error *err)
{
	struct job job = { .kind = submission->kind,
		.subject = submission->subject,
		.actor = submission->actor,
		.request_id = submission->request_id,
		.idempotency_key = submission->idempotency_key,
		.fingerprint = submission->fingerprint,
		.answer = submission->answer };
	struct pending *pending;

	if (check_room(executor, kind, submission->subject, err) < 0 ||
	    insert_job(store, &job, arena, err) < 0)
		return -1;
	pending = xcalloc(1, sizeof *pending);
	pending->id = xstrdup(job.id);
	pending->subject = xstrdup(submission->subject);
	pending->actor = xstrdup(submission->actor);
	pending->request_id = xstrdup(submission->request_id);
	pending->arguments = json_object_get(submission->arguments);
	pending->conditions = json_object_get(submission->conditions);
	pending->kind = kind;
	append(executor, pending);
	*out_id = job.id;
	return 0;
}

int
executor_submit(struct executor *executor, struct store *store,
    const struct submission *submission, struct arena *arena,
    const char **out_id, struct error *err)
{
	const struct job_kind *kind =
	    executor_find_kind(executor, submission->kind);
	int failed;

	if (kind == NULL)
		return error_set(
		    err, ERR_INVALID, NULL, "there is no such kind of job");
	if (!kind->subject_is_valid(submission->subject))
		return error_field(
		    err, "name", "INVALID_NAME", "the name is out of grammar");
	/* The lock is held while the row is written: one submitter wins. */
	pthread_mutex_lock(&executor->lock);
	failed = find_earlier(store, submission, arena, out_id, err);
	if (!failed && *out_id == NULL)
		failed = enqueue(
		    executor, store, kind, submission, arena, out_id, err);
	pthread_mutex_unlock(&executor->lock);
	return failed;
}

/* Not begun: it ends here. Without a record its thread will end it. */
static void
end_waiting(
    struct executor *executor, struct store *store, struct pending *pending)
{
	struct pending **at;
	struct error failure, err;

	fail_cancelled(&failure);
	if (store_job_finish(store, pending->id, "", NULL, &failure, &err) < 0)
		return;
	for (at = &executor->first; *at != pending; at = &(*at)->next)
		;
	*at = pending->next;
	executor->count--;
	executor->on_finished(executor->context, pending->id);
	free_pending(pending);
}

bool
executor_cancel(
    struct executor *executor, struct store *store, const char *job_id)
{
	struct pending *pending;
	bool found;

	pthread_mutex_lock(&executor->lock);
	for (pending = executor->first; pending != NULL;
	     pending = pending->next)
		if (strcmp(pending->id, job_id) == 0)
			break;
	found = pending != NULL;
	if (found) {
		atomic_store(&pending->cancel, true);
		if (!pending->running)
			end_waiting(executor, store, pending);
	}
	pthread_mutex_unlock(&executor->lock);
	return found;
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
