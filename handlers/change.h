/*
 * A change that a handler asks the agent for, and the answer to it: 200 (or
 * 201) when it is done, 202 with the job's Location when the client does not
 * want to wait any longer, the job's error when it failed.
 */
#ifndef HANDLERS_CHANGE_H
#define HANDLERS_CHANGE_H

#include "http/reply.h"
#include "http/request.h"

struct change {
	const char *kind;              /* JOB_… */
	const char *subject;           /* name of the deployment, checked */
	struct json_object *arguments; /* taken over; NULL: none */
	int status;                    /* 200 or 201 */
	const char *message;           /* "Deployment started" */
	const char *output_name;       /* member for the programs' output */
};

int change_run(struct request *request, struct reply *reply,
    const struct change *change, struct error *err);

/* The path parameter "name", checked: ERR_INVALID INVALID_NAME. */
int change_subject(
    const struct request *request, const char **out, struct error *err);

#endif
