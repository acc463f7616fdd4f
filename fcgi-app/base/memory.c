#include "base/memory.h"

#include <malloc.h>
#include <pthread.h>

#define STACK_SIZE (256 * 1024)
#define ARENA_COUNT 2
#define MMAP_THRESHOLD (128 * 1024)
#define TRIM_THRESHOLD (256 * 1024)

void
memory_configure(void)
{
	pthread_attr_t attributes;

	mallopt(M_ARENA_MAX, ARENA_COUNT);
	/* Set at all, they no longer grow with the largest block freed. */
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
	/* Where a sanitizer has the heap, glibc's own would otherwise be set up
	 * by the first thread that trims, and by two at once it breaks. */
	malloc_trim(0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}

void
memory_return(void)
{
	malloc_trim(0);
}
