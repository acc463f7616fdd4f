/*
 * Rendered bodies of lists, kept per process until the generation moves on.
 *
 * A key is the route with its query; the ETag says of which generation the
 * body is. A few entries, bounded in bytes, the least used goes first.
 * Callable from any thread; bodies are shared and counted.
 */
#ifndef HTTP_CACHE_H
#define HTTP_CACHE_H

#include <stdatomic.h>
#include <stddef.h>

struct cache;

struct body {
	atomic_int references;
	size_t length;
	char text[]; /* NUL-terminated */
};

struct body *body_new(const char *text, size_t length);
struct body *body_share(struct body *body);
void body_release(struct body *body); /* NULL is fine */

struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* The caller releases the body; NULL when there is none with this ETag. */
struct body *cache_find(struct cache *cache, const char *key, const char *etag);
void cache_put(
    struct cache *cache, const char *key, const char *etag, struct body *body);

#endif
