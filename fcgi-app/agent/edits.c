#include "agent/edits.h"

#include "agent/agent.h"
#include "agent/deployment.h"
#include "agent/updates.h"
#include "compose/edit.h"
#include "docker/reference.h"
#include "jobs/protocol.h"
#include "json/fields.h"

#define REASON_MAXIMUM 500

struct image_arguments {
	const char *service, *image, *reason;
	bool apply, pull;
};

static const struct field image_fields[] = {
	CODED_FIELD(struct image_arguments, service, REQUIRED,
	    compose_name_is_valid, COMPOSE_NAME_EXPECTED, "INVALID_NAME"),
	CODED_FIELD(struct image_arguments, image, REQUIRED,
	    docker_reference_is_valid, "an image reference", "INVALID_IMAGE"),
	TEXT_FIELD(struct image_arguments, reason, OPTIONAL, REASON_MAXIMUM),
	BOOL_FIELD(struct image_arguments, apply, OPTIONAL),
	BOOL_FIELD(struct image_arguments, pull, OPTIONAL),
	{ 0 },
};

static int
set_image(struct run *run, struct error *err)
{
	struct image_arguments arguments = { 0 };
	struct compose_edit edit = { .arena = &run->arena };
	const char *pull[2] = { NULL, NULL };
	struct compose_files files;
	struct update update = { 0 };

	if (run_decode(run, image_fields, &arguments, err) < 0 ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
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
	return update_apply(run, &update, err);
}

const struct job_kind edit_jobs[] = {
	{ JOB_SET_IMAGE, compose_name_is_valid, set_image, .plannable = true },
	{ 0 },
};
