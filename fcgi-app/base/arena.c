#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	void (*release)(void *); /* NULL: memory follows the header */
	void *object;
	_Alignas(max_align_t) unsigned char memory[];
};

static void
die_without_memory(void)
{
	static const char text[] =
	    "{\"level\":\"error\",\"message\":\"out of memory\"}\n";

	fwrite(text, 1, sizeof text - 1, stderr);
	abort();
}

void *
xmalloc(size_t size_bytes)
{
	void *memory = malloc(size_bytes ? size_bytes : 1);

	if (memory == NULL)
		die_without_memory();
	return memory;
}

void *
xcalloc(size_t count, size_t size_bytes)
{
	void *memory = calloc(count ? count : 1, size_bytes ? size_bytes : 1);

	if (memory == NULL)
		die_without_memory();
	return memory;
}

void *
xrealloc(void *memory, size_t size_bytes)
{
	void *larger = realloc(memory, size_bytes ? size_bytes : 1);

	if (larger == NULL)
		die_without_memory();
	return larger;
}

char *
xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xmalloc(size), text, size);
}

static struct arena_block *
add_block(struct arena *arena, size_t size_bytes)
{
	struct arena_block *block;

	if (size_bytes > SIZE_MAX - sizeof *block)
		die_without_memory();
	block = xcalloc(1, sizeof *block + size_bytes);
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void
arena_clear(struct arena *arena)
{
	struct arena_block *block;

	while ((block = arena->blocks) != NULL) {
		arena->blocks = block->next;
		if (block->release != NULL)
			block->release(block->object);
		free(block);
	}
}

void *
arena_alloc(struct arena *arena, size_t size_bytes)
{
	return add_block(arena, size_bytes)->memory;
}

void *
arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, size_bytes, &total))
		die_without_memory();
	return arena_alloc(arena, total);
}

void *
arena_grow(struct arena *arena, void *elements, size_t count, size_t *allocated,
    size_t size_bytes)
{
	void *larger;

	if (count < *allocated)
		return elements;
	*allocated = *allocated ? *allocated * 2 : 16;
	larger = arena_array(arena, *allocated, size_bytes);
	if (count > 0)
		memcpy(larger, elements, count * size_bytes);
	return larger;
}

char *
arena_strndup(struct arena *arena, const char *bytes, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	memcpy(copy, bytes, length);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		die_without_memory();
	text = arena_alloc(arena, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void
arena_defer(struct arena *arena, void (*release)(void *), void *object)
{
	struct arena_block *block = add_block(arena, 0);

	block->release = release;
	block->object = object;
}
