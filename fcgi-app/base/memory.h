/*
 * How the heap and the stacks of a process behave: for many shallow threads
 * and now and then a large request, whose memory goes back to the system.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Once, before the first thread. */
void memory_configure(void);

/* Gives free memory in the middle of the heap back, too. Takes a millisecond:
 * for threads that have nothing else to do. */
void memory_return(void);

#endif
