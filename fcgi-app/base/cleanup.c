#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void
cleanup_free(void *variable)
{
	free(*(void **)variable);
}

void
cleanup_fd(int *variable)
{
	int saved = errno;

	if (*variable >= 0)
		close(*variable);
	errno = saved;
}

int
take_fd(int *variable)
{
	int fd = *variable;

	*variable = -1;
	return fd;
}
