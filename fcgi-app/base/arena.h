/*
 * Memory with one lifetime: everything allocated from an arena is freed with
 * it. Each allocation is a block of its own, so that AddressSanitizer sees
 * where one ends.
 *
 * One thread at a time. Out of memory ends the process: the supervisor starts
 * it anew.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

struct arena {
	struct arena_block *blocks;
};

/* An empty arena is all zeroes: struct arena arena = { 0 }; */
void arena_clear(struct arena *arena);
#define auto_arena CLEANUP(arena_clear)

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
/* count elements of size_bytes each; the product is checked. */
void *arena_array(struct arena *arena, size_t count, size_t size_bytes);

/*
 * Room for one more element after count: elements itself while *allocated is
 * enough, else a larger copy. Start with NULL, 0 and *allocated 0.
 */
void *arena_grow(struct arena *arena, void *elements, size_t count,
    size_t *allocated, size_t size_bytes);

/* NULL gives NULL. */
char *arena_strdup(struct arena *arena, const char *text);
/* Copies length bytes and ends them with a NUL. */
char *arena_strndup(struct arena *arena, const char *bytes, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls release(object) when the arena is cleared, in reverse order. */
void arena_defer(struct arena *arena, void (*release)(void *), void *object);

/* malloc() and strdup() that end the process when there is no memory. */
void *xmalloc(size_t size_bytes);
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *memory, size_t size_bytes);
char *xstrdup(const char *text);

#endif
