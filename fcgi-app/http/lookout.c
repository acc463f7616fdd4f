#include "http/lookout.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/keys.h"
#include "store/mirror.h"
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_AGE_MS 500
#define KEY_AGE_MS 1000
#define KEY_SLOTS 64 /* two keys in one slot cost a query, no more */
#define KEY_ID_SIZE 64

struct watched_key {
	char id[KEY_ID_SIZE];
	int64_t looked_at_ms; /* 0: never */
	bool is_there;
};

struct lookout {
	pthread_mutex_t lock; /* of all that follows */
	char *directory;
	struct store *store;
	int64_t generation, generation_looked_at_ms;
	struct watched_key keys[KEY_SLOTS];
};

struct lookout *
lookout_new(const char *database_directory)
{
	struct lookout *lookout = xcalloc(1, sizeof *lookout);

	pthread_mutex_init(&lookout->lock, NULL);
	lookout->directory = xstrdup(database_directory);
	lookout->generation = -1;
	return lookout;
}

void
lookout_free(struct lookout *lookout)
{
	if (lookout == NULL)
		return;
	store_close(lookout->store);
	pthread_mutex_destroy(&lookout->lock);
	free(lookout->directory);
	free(lookout);
}

/* The lock is held. */
static struct store *
open_store(struct lookout *lookout)
{
	struct error ignored;

	if (lookout->store != NULL && store_has_moved(lookout->store))
		store_close(TAKE(lookout->store));
	if (lookout->store == NULL &&
	    store_open(lookout->directory, STORE_READER, &lookout->store,
		&ignored) < 0)
		return NULL;
	return lookout->store;
}

/* A connection whose files went away would fail for ever. */
static void
close_broken(struct lookout *lookout)
{
	store_close(TAKE(lookout->store));
}

static void
look_at_generation(struct lookout *lookout, int64_t now)
{
	struct store *store = open_store(lookout);
	struct error ignored;

	lookout->generation_looked_at_ms = now;
	if (store != NULL &&
	    mirror_generation(store, &lookout->generation, &ignored) < 0)
		close_broken(lookout);
}

int64_t
lookout_generation(struct lookout *lookout)
{
	int64_t now = clock_monotonic_ms(), generation;

	pthread_mutex_lock(&lookout->lock);
	if (lookout->generation < 0 ||
	    now >= lookout->generation_looked_at_ms + GENERATION_AGE_MS)
		look_at_generation(lookout, now);
	generation = lookout->generation;
	pthread_mutex_unlock(&lookout->lock);
	return generation;
}

static void
look_at_key(struct lookout *lookout, struct watched_key *slot, int64_t now)
{
	auto_arena struct arena arena = { 0 };
	struct store *store = open_store(lookout);
	struct api_key key;
	struct error ignored;
	bool found;

	slot->looked_at_ms = now;
	if (store == NULL)
		return;
	if (store_key_find_id(store, slot->id, &arena, &key, &found, &ignored) <
	    0)
		close_broken(lookout);
	else
		slot->is_there = found;
}

static struct watched_key *
find_slot(struct lookout *lookout, const char *key_id)
{
	unsigned int hash = 5381;
	const char *byte;

	for (byte = key_id; *byte != '\0'; byte++)
		hash = hash * 33 + (unsigned char)*byte;
	return &lookout->keys[hash % KEY_SLOTS];
}

bool
lookout_has_key(struct lookout *lookout, const char *key_id)
{
	struct watched_key *slot = find_slot(lookout, key_id);
	int64_t now = clock_monotonic_ms();
	bool is_there;

	if (strlen(key_id) >= sizeof slot->id)
		return false;
	pthread_mutex_lock(&lookout->lock);
	if (strcmp(slot->id, key_id) != 0) {
		/* Who asks was let in before. */
		*slot = (struct watched_key){ .is_there = true };
		memcpy(slot->id, key_id, strlen(key_id));
	}
	if (slot->looked_at_ms == 0 || now >= slot->looked_at_ms + KEY_AGE_MS)
		look_at_key(lookout, slot, now);
	is_there = slot->is_there;
	pthread_mutex_unlock(&lookout->lock);
	return is_there;
}

struct store *
lookout_lock(struct lookout *lookout)
{
	pthread_mutex_lock(&lookout->lock);
	return open_store(lookout);
}

void
lookout_unlock(struct lookout *lookout)
{
	pthread_mutex_unlock(&lookout->lock);
}
