/*
 * What a new deployment has from the template that it is made of: environment
 * with secrets of its own, files, metadata.
 */
#ifndef AGENT_CREATION_H
#define AGENT_CREATION_H

#include "agent/executor.h"
#include "compose/compose.h"
#include "json/json.h"

struct creation {
	const char *template_id; /* NULL or "": none */
	struct compose_variable *variables;
	size_t variable_count;
	struct compose_file *files;
	size_t file_count;
	struct json_object *template_metadata; /* or NULL */
};

/*
 * Adds what the template has; variables are those of the client, which win.
 * ERR_INVALID TEMPLATE_NOT_FOUND. The texts are in the run's arena.
 */
int creation_use_template(
    struct run *run, struct creation *creation, struct error *err);
void creation_clear(struct creation *creation);
#define auto_creation CLEANUP(creation_clear)

/* Adds what the template says to the metadata, the client's or the default. */
void creation_complete_metadata(const struct creation *creation,
    struct json_object *metadata, bool is_default);

/*
 * What comes after the files: the first revision, the proxy's network, a start
 * when it is asked for, the result and the mirror. A start that fails leaves
 * the deployment, stopped: the client is told and can correct it, start it or
 * delete it.
 */
void creation_finish(struct run *run, const char *project, bool start);

#endif
