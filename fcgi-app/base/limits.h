/* What the system lets this process, and those it starts, have. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stddef.h>

/*
 * Lets there be so many open files, or as many as the hard limit allows where
 * we may not raise that. A higher limit stays as it is.
 */
void limits_allow_files(size_t count);

#endif
