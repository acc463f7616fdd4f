#include "agent/deployment.h"

#include "agent/agent.h"
#include "agent/directories.h"
#include "agent/mirror.h"
#include "agent/version.h"
#include "base/log.h"

#include <string.h>

/* The project whose containers they are, although the files cannot run. */
static const char *
project_of_files(struct run *run, const struct compose_files *files)
{
	struct document *document;
	struct error ignored;

	return document_parse(files->compose, files->compose_length,
		   &run->arena, &document, &ignored) < 0
		   ? run->subject
		   : compose_project_name(document, run->subject);
}

int
deployment_load(struct run *run, struct deployment *out, struct error *err)
{
	struct compose *compose = run->agent->compose;

	memset(out, 0, sizeof *out);
	if (compose_read(compose, run->subject, &run->arena, &out->files, err) <
	    0)
		return -1;
	out->project = run->subject;
	if (compose_check(compose, run->subject, out->files.compose,
		out->files.compose_length, out->files.environment, &run->arena,
		&out->document, err) < 0) {
		out->document = NULL;
		out->project = project_of_files(run, &out->files);
		return 0;
	}
	out->project = compose_project_name(out->document, run->subject);
	return 0;
}

int
deployment_load_runnable(
    struct run *run, struct deployment *out, struct error *err)
{
	if (deployment_load(run, out, err) < 0)
		return -1;
	return out->document != NULL ? 0 : -1;
}

/* For whoever goes on changing it: the version to name next time. */
static void
tell_version(struct run *run)
{
	char version[SEAL_TEXT_SIZE];
	struct compose_files files;
	struct error ignored;

	if (run->result == NULL ||
	    compose_read(run->agent->compose, run->subject, &run->arena, &files,
		&ignored) < 0)
		return;
	version_of_files(run->agent, &files, version);
	json_put_text(run->result, "version", version);
}

void
deployment_refresh(struct run *run, const char *project)
{
	struct error err;

	if (run->plan != NULL)
		return;
	if (directories_refresh(run->agent, run->store, run->subject, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a deployment", &err);
	if (mirror_refresh_project(
		run->agent->mirror, run->store, project, &err) < 0)
		log_error(LOG_WARNING, "cannot refresh a project", &err);
	tell_version(run);
}
