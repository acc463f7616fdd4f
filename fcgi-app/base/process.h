/*
 * Programs started by argv, without a shell.
 *
 * The child gets exactly the environment and directory it is given, an empty
 * standard input (or the given text), one pipe for both output streams, a
 * process group of its own, default signals and no other descriptor but those
 * it is given. It is killed when the starting thread dies.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_DESCRIPTORS_MAXIMUM 4

struct process_options {
	const char *const *argv; /* argv[0] is an absolute path */
	const char *const
	    *environment;      /* all of it, "NAME=value", NULL-ended */
	const char *directory; /* NULL: "/" */
	const char *input;     /* standard input; NULL: /dev/null */
	size_t input_length;
	/* It has them as 3, 4, …; they stay the caller's. */
	const int *descriptors;
	size_t descriptor_count;   /* at most PROCESS_DESCRIPTORS_MAXIMUM */
	int64_t timeout_ms;        /* of the whole run; 0: none */
	const atomic_bool *cancel; /* looked at twice a second; may be NULL */
	/* Called with output as it comes, in the calling thread; may be NULL.
	 */
	void (*on_output)(void *context, const char *bytes, size_t length);
	void *context;
};

struct process_result {
	int exit_code; /* -1 when it ended by a signal */
	int signal;    /* 0 when it exited */
	bool timed_out;
	bool cancelled;
};

/*
 * Runs the program and waits for it. On a timeout or cancellation the whole
 * process group gets SIGTERM, ten seconds later SIGKILL. Returns 0 when the
 * program ran, however it ended; -1 when it could not be started.
 */
int process_run(const struct process_options *options,
    struct process_result *out, struct error *err);

/*
 * The same for a program whose output is read as it is needed: on_output and
 * input are not looked at. argv and the like have to live until it is finished.
 */
struct process;
int process_start(const struct process_options *options, struct process **out,
    struct error *err);
/* The next bytes of its output; 0 at the end of it, or of the time it has. */
size_t process_read(struct process *process, void *bytes, size_t size);
/* Kills what still runs of it, and frees it. */
void process_finish(struct process *process, struct process_result *out);

/*
 * Kills every process whose environment has the entry "NAME=value", with its
 * process group: what a crashed parent left behind. Those in containers, which
 * may say anything, are not meant. Returns how many.
 */
int process_kill_marked(const char *entry);

#endif
