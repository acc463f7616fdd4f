#include "jobs/heartbeat.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x666c6174626561ULL

/* The monotonic clock counts from boot and is the same for all processes. */
struct beat {
	uint64_t magic;
	int64_t beaten_at_ms;
	int64_t docker_up;
	int64_t docker_generation;
};

static const char *
file_path(const char *run_directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/agent/heartbeat", run_directory);
	return path;
}

int
heartbeat_open(const char *run_directory)
{
	char path[PATH_MAX];
	int fd = open(file_path(run_directory, path),
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd >= 0)
		fchmod(fd, 0644);
	return fd;
}

int
heartbeat_write(int fd, bool docker_up, int64_t docker_generation)
{
	struct beat beat = { .magic = MAGIC,
		.beaten_at_ms = clock_monotonic_ms(),
		.docker_up = docker_up,
		.docker_generation = docker_generation };

	return pwrite(fd, &beat, sizeof beat, 0) == (ssize_t)sizeof beat ? 0
									 : -1;
}

void
heartbeat_read(const char *run_directory, struct heartbeat *out)
{
	char path[PATH_MAX];
	auto_fd int fd =
	    open(file_path(run_directory, path), O_RDONLY | O_CLOEXEC);
	struct beat beat;

	memset(out, 0, sizeof *out);
	out->age_ms = -1;
	out->stale = true;
	if (fd < 0 || read(fd, &beat, sizeof beat) != (ssize_t)sizeof beat ||
	    beat.magic != MAGIC)
		return;
	out->age_ms = clock_monotonic_ms() - beat.beaten_at_ms;
	/* A beat from the future is one of before a reboot. */
	out->stale = out->age_ms < 0 || out->age_ms > HEARTBEAT_STALE_MS;
	out->docker_up = !out->stale && beat.docker_up;
	out->docker_generation = beat.docker_generation;
}
