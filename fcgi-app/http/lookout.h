/*
 * What answers that stay open look at every second, looked at once for all of
 * a process: the mirror's generation, and whether a key is in force. Hundreds
 * of them then need one connection to the store between them.
 *
 * Callable from any thread. What cannot be read now is taken to be as it was.
 */
#ifndef HTTP_LOOKOUT_H
#define HTTP_LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>

struct store;
struct lookout;

/* Nothing is opened before it is asked for. */
struct lookout *lookout_new(const char *database_directory);
void lookout_free(struct lookout *lookout);

/* Half a second old at most; -1 when it was never read. */
int64_t lookout_generation(struct lookout *lookout);

/* Whether the store has the key; a second old at most. */
bool lookout_has_key(struct lookout *lookout, const char *key_id);

/*
 * The connection itself, for a short reading; NULL when there is none. Others
 * wait meanwhile: lookout_unlock() it soon, in both cases.
 */
struct store *lookout_lock(struct lookout *lookout);
void lookout_unlock(struct lookout *lookout);

#endif
