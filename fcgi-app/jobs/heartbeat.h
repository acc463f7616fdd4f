/*
 * The agent's sign of life: RUN/agent/heartbeat, written once a second, read
 * by workers at each list. On a memory file system: no disk is touched.
 */
#ifndef JOBS_HEARTBEAT_H
#define JOBS_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_STALE_MS 3000

struct heartbeat {
	int64_t age_ms; /* -1: there is none */
	bool stale;     /* older than HEARTBEAT_STALE_MS, or none */
	bool docker_up; /* as the agent saw it last; false when stale */
	int64_t docker_generation; /* grows when docker_up changes */
};

/* Opens the file for writing, 0644; -1 with errno. */
int heartbeat_open(const char *run_directory);
int heartbeat_write(int fd, bool docker_up, int64_t docker_generation);

void heartbeat_read(const char *run_directory, struct heartbeat *out);

#endif
