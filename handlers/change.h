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
	const char *subject;           /* name or id of the object, checked */
	struct json_object *arguments; /* taken over; NULL: none */
	int status;                    /* 200 or 201 */
	const char *message;           /* "Deployment started" */
	/* Member for the output of programs; NULL: none. */
	const char *output_name;
	/* Member of the answer that names the object; NULL: "name". */
	const char *member;
	/* Its value, as the client wrote it; NULL: the subject. */
	const char *shown;
	bool at_once; /* 202, unless the client says how long it waits */
};

/*
 * The members of the job's result are in the answer, also in that of a failed
 * one. If-Match and If-None-Match are looked at by the job, for changes of
 * deployments; with ?plan=true the answer is 200 with what would be done, and
 * with ?plan_id=… it is done only if that still holds. A request with an
 * Idempotency-Key is answered from the job that it was the first time.
 */
int change_run(struct request *request, struct reply *reply,
    const struct change *change, struct error *err);

/*
 * For struct app's replay: answers a request whose Idempotency-Key is on record
 * as it was answered, or would have been; else leaves reply as it is.
 */
int change_replay(
    struct request *request, struct reply *reply, struct error *err);

/* The path parameter "name", checked: ERR_INVALID INVALID_NAME. */
int change_subject(
    const struct request *request, const char **out, struct error *err);

#endif
