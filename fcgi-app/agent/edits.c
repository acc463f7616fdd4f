#include "agent/edits.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/updates.h"
#include "compose/adapt.h"
#include "compose/edit.h"
#include "compose/update-arguments.h"
#include "jobs/protocol.h"

#include <string.h>

/* Zero is no time at all, not what is configured. */
static void
set_times(struct update *update, int64_t settle_s, int64_t timeout_s)
{
	if (settle_s >= 0)
		update->settle_ms = settle_s > 0 ? settle_s * 1000 : 1;
	update->timeout_ms = timeout_s * 1000;
}

static int
set_image(struct run *run, struct error *err)
{
	struct image_arguments arguments = IMAGE_ARGUMENTS;
	struct compose_edit edit = { .arena = &run->arena };
	/* A plan looks at it later. */
	const char **pull = arena_array(&run->arena, 2, sizeof *pull);
	struct compose_files files;
	struct update update = { 0 };

	if (run_decode(run, image_argument_fields, &arguments, err) < 0 ||
	    probe_arguments_decode(
		arguments.probe, &run->arena, &update.probe, err) < 0)
		return -1;
	if (arguments.service == NULL)
		return error_field(err, "service", NULL, "service is required");
	if (compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) < 0)
		return -1;
	edit.text = files.compose;
	edit.length = files.compose_length;
	if (compose_edit_image(&edit, arguments.service, arguments.image, err) <
	    0)
		return -1;
	pull[0] = arguments.service;
	update.compose = edit.text;
	update.reason = arguments.reason;
	update.apply = arguments.apply;
	update.pull = arguments.pull ? pull : NULL;
	set_times(&update, arguments.settle_seconds, arguments.timeout_seconds);
	return update_apply(run, &update, err);
}

static int
edit_mounts(
    struct run *run, const struct field *fields, bool adds, struct error *err)
{
	struct mount_arguments arguments = MOUNT_ARGUMENTS;
	struct compose_edit edit = { .arena = &run->arena };
	struct compose_files files;
	struct update update = { 0 };

	if (run_decode(run, fields, &arguments, err) < 0 ||
	    probe_arguments_decode(
		arguments.probe, &run->arena, &update.probe, err) < 0 ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
		err) < 0)
		return -1;
	edit.text = files.compose;
	edit.length = files.compose_length;
	if (adds ? compose_adapt_mount(&edit, arguments.service,
		       &(struct adapt_mount){ .id = arguments.id,
			   .is_volume = arguments.type != NULL &&
					strcmp(arguments.type, "volume") == 0,
			   .read_only = arguments.read_only,
			   .container_path = arguments.container_path },
		       err) < 0
		 : compose_adapt_unmount(&edit, arguments.service,
		       arguments.container_path, err) < 0)
		return -1;
	update.compose = edit.text;
	update.reason = arguments.reason;
	update.apply = arguments.apply;
	set_times(&update, arguments.settle_seconds, arguments.timeout_seconds);
	return update_apply(run, &update, err);
}

static int
add_mount(struct run *run, struct error *err)
{
	return edit_mounts(run, mount_argument_fields, true, err);
}

static int
remove_mount(struct run *run, struct error *err)
{
	return edit_mounts(run, unmount_argument_fields, false, err);
}

const struct job_kind edit_jobs[] = {
	{ JOB_SET_IMAGE, compose_name_is_valid, set_image, .plannable = true },
	{ JOB_MOUNT, compose_name_is_valid, add_mount, .plannable = true },
	{ JOB_UNMOUNT, compose_name_is_valid, remove_mount, .plannable = true },
	{ 0 },
};
