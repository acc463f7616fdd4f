/*
 * Scope-bound ownership with the compiler's cleanup attribute.
 *
 * A type that is closed or freed has an auto_x macro beside its declaration,
 * made with CLEANUP(). TAKE() hands the value over and leaves NULL behind.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#define CLEANUP(function) __attribute__((cleanup(function)))

/* The value of the pointer variable, which is NULL afterwards. */
#define TAKE(pointer)                                   \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = (__typeof__(pointer))0;     \
		taken_;                                 \
	})

/* Frees what a char *, struct x * or void * variable points at. */
void cleanup_free(void *variable);
#define auto_free CLEANUP(cleanup_free)

/* Closes the descriptor in an int variable unless it is negative. */
void cleanup_fd(int *variable);
#define auto_fd CLEANUP(cleanup_fd)

/* The descriptor in the variable, which is -1 afterwards. */
int take_fd(int *variable);

#endif
