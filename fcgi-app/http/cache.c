#include "http/cache.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_COUNT 16
#define BYTES_MAXIMUM (8 * 1024 * 1024)

struct entry {
	char *key;
	char *etag;
	struct body *body;
	uint64_t used; /* number of the last use */
};

struct cache {
	pthread_mutex_t lock;
	struct entry entries[ENTRY_COUNT];
	size_t bytes;
	uint64_t uses;
};

struct body *
body_new(const char *text, size_t length)
{
	struct body *body = xmalloc(sizeof *body + length + 1);

	atomic_init(&body->references, 1);
	body->length = length;
	memcpy(body->text, text, length);
	body->text[length] = '\0';
	return body;
}

struct body *
body_share(struct body *body)
{
	atomic_fetch_add(&body->references, 1);
	return body;
}

void
body_release(struct body *body)
{
	if (body != NULL && atomic_fetch_sub(&body->references, 1) == 1)
		free(body);
}

struct cache *
cache_new(void)
{
	struct cache *cache = xcalloc(1, sizeof *cache);

	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static void
clear_entry(struct cache *cache, struct entry *entry)
{
	if (entry->body == NULL)
		return;
	cache->bytes -= entry->body->length;
	body_release(entry->body);
	free(entry->key);
	free(entry->etag);
	memset(entry, 0, sizeof *entry);
}

void
cache_free(struct cache *cache)
{
	size_t i;

	if (cache == NULL)
		return;
	for (i = 0; i < ENTRY_COUNT; i++)
		clear_entry(cache, &cache->entries[i]);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct entry *
find_entry(struct cache *cache, const char *key)
{
	size_t i;

	for (i = 0; i < ENTRY_COUNT; i++)
		if (cache->entries[i].body != NULL &&
		    strcmp(cache->entries[i].key, key) == 0)
			return &cache->entries[i];
	return NULL;
}

struct body *
cache_find(struct cache *cache, const char *key, const char *etag)
{
	struct body *found = NULL;
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = find_entry(cache, key);
	if (entry != NULL && strcmp(entry->etag, etag) == 0) {
		entry->used = ++cache->uses;
		found = body_share(entry->body);
	}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

/* An unused entry, or the one used the longest ago. */
static struct entry *
least_used(struct cache *cache)
{
	struct entry *least = &cache->entries[0];
	size_t i;

	for (i = 0; i < ENTRY_COUNT; i++) {
		struct entry *entry = &cache->entries[i];

		if (entry->body == NULL)
			continue;
		if (least->body == NULL || entry->used < least->used)
			least = entry;
	}
	return least;
}

static struct entry *
unused(struct cache *cache)
{
	size_t i;

	for (i = 0; i < ENTRY_COUNT; i++)
		if (cache->entries[i].body == NULL)
			return &cache->entries[i];
	return NULL;
}

void
cache_put(
    struct cache *cache, const char *key, const char *etag, struct body *body)
{
	struct entry *entry;

	if (body->length > BYTES_MAXIMUM / 2)
		return;
	pthread_mutex_lock(&cache->lock);
	entry = find_entry(cache, key);
	if (entry != NULL)
		clear_entry(cache, entry);
	while (cache->bytes + body->length > BYTES_MAXIMUM ||
	       unused(cache) == NULL)
		clear_entry(cache, least_used(cache));
	entry = unused(cache);
	entry->key = xstrdup(key);
	entry->etag = xstrdup(etag);
	entry->body = body_share(body);
	entry->used = ++cache->uses;
	cache->bytes += body->length;
	pthread_mutex_unlock(&cache->lock);
}
