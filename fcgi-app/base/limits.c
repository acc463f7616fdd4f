#include "base/limits.h"

#include <sys/resource.h>

void
limits_allow_files(size_t count)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= count)
		return;
	raised = (struct rlimit){ .rlim_cur = count, .rlim_max = count };
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < count &&
	    setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= count)
		limit.rlim_cur = count;
	else
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
