/* What the parts of agent/files.h share. */
#ifndef AGENT_FILES_PRIVATE_H
#define AGENT_FILES_PRIVATE_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json.h"

struct agent;

/* One connection's question, and the answer to it. */
struct question {
	struct agent *agent;
	struct arena arena;
	int fd; /* of the connection */
	struct json_object *asked;
	struct json_object *answer; /* to fill */
	int descriptor;             /* to pass with it, or -1 */
};

typedef int question_answerer(struct question *question, struct error *err);

/* The one for "ask"; NULL: there is none. *out_heavy: it takes long. */
question_answerer *files_answerer(const char *ask, bool *out_heavy);

#endif
