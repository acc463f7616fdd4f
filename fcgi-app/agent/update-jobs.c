#include "agent/update-jobs.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/going-back.h"
#include "agent/revisions.h"
#include "agent/updates.h"
#include "compose/update-arguments.h"
#include "jobs/protocol.h"
#include "store/revisions.h"

#include <string.h>

/* Zero is no time at all, not what is configured. */
static int64_t
milliseconds(int64_t seconds)
{
	return seconds == 0 ? 1 : seconds * 1000;
}

static int
update_deployment(struct run *run, struct error *err)
{
	struct update_arguments arguments = UPDATE_ARGUMENTS;
	struct probe_arguments probe = { 0 };
	struct update update = { 0 };

	if (run_decode(run, update_argument_fields, &arguments, err) < 0 ||
	    probe_arguments_decode(arguments.probe, &run->arena, &probe, err) <
		0)
		return -1;
	update.compose = arguments.compose_content;
	update.reason = arguments.reason;
	update.apply = arguments.apply || arguments.deploy;
	update.probe = probe;
	if (arguments.settle_seconds >= 0)
		update.settle_ms = milliseconds(arguments.settle_seconds);
	update.timeout_ms = arguments.timeout_seconds * 1000;
	return update_apply(run, &update, err);
}

static bool
is_same(const struct revision *left, const struct revision *right)
{
	struct compose_files files = revision_files(right);

	return revision_has_files(left, &files) && left->images != NULL &&
	       right->images != NULL &&
	       strcmp(left->images, right->images) == 0;
}

/*
 * The newest that was healthy and is something else. One that put another back
 * stands where that one does: two rollbacks go back by two.
 */
static int
find_earlier(struct run *run, struct revision *out, struct error *err)
{
	struct revision current;
	int64_t before;
	bool found;

	if (store_revision_current(run->store, run->subject, &run->arena,
		&current, &found, err) < 0)
		return -1;
	before =
	    found && current.restores > 0 ? current.restores : current.number;
	while (found) {
		if (store_revision_before(run->store, run->subject, before,
			&run->arena, out, &found, err) < 0)
			return -1;
		if (found && out->state == REVISION_APPLIED &&
		    !is_same(out, &current))
			return 0;
		before = found ? out->number : before;
	}
	return error_set(err, ERR_CONFLICT, "NO_EARLIER_REVISION",
	    "there is no earlier revision that was healthy");
}

static int
find_target(
    struct run *run, int64_t number, struct revision *out, struct error *err)
{
	return number > 0 ? store_revision_get(run->store, run->subject, number,
				&run->arena, out, err)
			  : find_earlier(run, out, err);
}

static int
rollback_deployment(struct run *run, struct error *err)
{
	struct rollback_arguments arguments = ROLLBACK_ARGUMENTS;
	struct revision target;
	struct update update = { .revision = &target, .apply = true };
	bool found;

	if (run_decode(run, rollback_argument_fields, &arguments, err) < 0)
		return -1;
	if (arguments.resume && run->plan == NULL)
		return going_back_resume(run, &found, err);
	if (find_target(run, arguments.revision, &target, err) < 0)
		return -1;
	update.reason =
	    arguments.reason != NULL
		? arguments.reason
		: arena_printf(&run->arena, "rollback to revision %lld",
		      (long long)target.number);
	if (arguments.settle_seconds >= 0)
		update.settle_ms = milliseconds(arguments.settle_seconds);
	update.timeout_ms = arguments.timeout_seconds * 1000;
	return update_apply(run, &update, err);
}

const struct job_kind update_jobs[] = {
	{ JOB_UPDATE, compose_name_is_valid, update_deployment,
	    .plannable = true },
	{ JOB_ROLLBACK, compose_name_is_valid, rollback_deployment,
	    .plannable = true },
	{ 0 },
};
