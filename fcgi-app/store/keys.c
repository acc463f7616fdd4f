#include "store/keys.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"
#include "store/store-private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define HASH_SIZE 32
#define SECRET_SIZE 32

static const char *const role_names[] = {
	[ROLE_PUBLIC] = "public",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

int
role_parse(const char *name, enum role *out)
{
	int i;

	for (i = ROLE_VIEWER; i <= ROLE_ADMIN; i++) {
		if (strcmp(role_names[i], name) != 0)
			continue;
		*out = (enum role)i;
		return 0;
	}
	return -1;
}

const char *
role_name(enum role role)
{
	return role_names[role];
}

bool
key_name_is_valid(const char *name)
{
	size_t length = strlen(name), i;

	if (length < 1 || length > 64 || !utf8_is_valid(name, length))
		return false;
	for (i = 0; i < length; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F)
			return false;
	return true;
}

static void
hash_text(const char *text, unsigned char hash[HASH_SIZE])
{
	EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
}

/* RFC 4648, section 5, without padding. */
static void
encode_base64url(const unsigned char *bytes, size_t length, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	unsigned int bits = 0;
	int held = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*out++ = alphabet[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*out++ = alphabet[bits << (6 - held) & 63];
	*out = '\0';
}

int
store_key_create(struct store *store, const char *name, enum role role,
    char text[KEY_TEXT_SIZE], struct arena *arena, struct api_key *out,
    struct error *err)
{
	unsigned char secret[SECRET_SIZE], hash[HASH_SIZE];
	char id[13];
	sqlite3_stmt *statement;

	if (!key_name_is_valid(name))
		return error_field(err, "name", "INVALID_NAME",
		    "name must be 1 to 64 printable characters");
	random_bytes(secret, sizeof secret);
	memcpy(text, "fr_", sizeof "fr_");
	encode_base64url(secret, sizeof secret, text + 3);
	OPENSSL_cleanse(secret, sizeof secret);
	hash_text(text, hash);
	random_hex(id, 12);
	*out = (struct api_key){
		.id = arena_strdup(arena, id),
		.name = arena_strdup(arena, name),
		.prefix = arena_printf(arena, "%.12s...", text),
		.role = role,
		.created_at = clock_wall_s(),
	};
	if (store_prepare(store,
		"INSERT INTO api_keys (id, name, hash, prefix, role, "
		"created_at) VALUES (?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, out->id);
	store_bind_text(statement, 2, out->name);
	sqlite3_bind_blob(statement, 3, hash, sizeof hash, SQLITE_STATIC);
	store_bind_text(statement, 4, out->prefix);
	store_bind_text(statement, 5, role_name(role));
	sqlite3_bind_int64(statement, 6, out->created_at);
	return store_run(store, statement, err);
}

#define KEY_COLUMNS                                                 \
	"SELECT id, name, prefix, role, created_at, last_used_at, " \
	"revoked_at, hash FROM api_keys "

static struct api_key
read_key(sqlite3_stmt *row, struct arena *arena)
{
	struct api_key key = {
		.id = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.prefix = store_column_text(row, 2, arena),
		.role = ROLE_VIEWER,
		.created_at = sqlite3_column_int64(row, 4),
		.last_used_at = sqlite3_column_int64(row, 5),
		.revoked_at = sqlite3_column_int64(row, 6),
	};

	role_parse((const char *)sqlite3_column_text(row, 3), &key.role);
	return key;
}

int
store_key_list(struct store *store, struct arena *arena, struct api_key **out,
    size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, KEY_COLUMNS "ORDER BY created_at DESC, id",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_key, out, out_count, err);
}

int
store_key_revoke(struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(store,
		"UPDATE api_keys SET revoked_at = ? "
		"WHERE id = ? AND revoked_at = 0",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, clock_wall_s());
	store_bind_text(statement, 2, id);
	if (store_run(store, statement, err) < 0)
		return -1;
	if (sqlite3_changes(store->db) > 0)
		return 0;
	if (store_prepare(store, "SELECT 1 FROM api_keys WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (store_step(store, statement, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "KEY_NOT_FOUND",
		    "there is no API key '%.40s'", id);
	store_finish(statement);
	return 0;
}

/*
 * Goes over all keys, whatever matches: the time tells nothing of the hashes.
 */
int
store_key_find(struct store *store, const char *text, struct arena *arena,
    struct api_key *out, bool *found, struct error *err)
{
	unsigned char hash[HASH_SIZE];
	sqlite3_stmt *statement;
	bool row;

	*found = false;
	hash_text(text, hash);
	if (store_prepare(
		store, KEY_COLUMNS "WHERE revoked_at = 0", &statement, err) < 0)
		return -1;
	for (;;) {
		if (store_step(store, statement, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (sqlite3_column_bytes(statement, 7) != HASH_SIZE ||
		    CRYPTO_memcmp(sqlite3_column_blob(statement, 7), hash,
			HASH_SIZE) != 0)
			continue;
		*out = read_key(statement, arena);
		*found = true;
	}
}

int
store_key_find_id(struct store *store, const char *id, struct arena *arena,
    struct api_key *out, bool *found, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, KEY_COLUMNS "WHERE id = ? AND revoked_at = 0",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (store_step(store, statement, found, err) < 0)
		return -1;
	if (*found) {
		*out = read_key(statement, arena);
		store_finish(statement);
	}
	return 0;
}

static int
note_use(struct store *store, const char *id, int64_t now_s, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE api_keys SET last_used_at = ? WHERE id = ?", &statement,
		err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, now_s);
	store_bind_text(statement, 2, id);
	return store_run(store, statement, err);
}

int
store_key_touch(struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *statement;
	int64_t now_s = clock_wall_s();
	struct error refused;
	int failed;
	bool due;

	if (store_prepare(store,
		"SELECT 1 FROM api_keys WHERE id = ? AND last_used_at < ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	sqlite3_bind_int64(statement, 2, now_s - 60);
	if (store_step(store, statement, &due, err) < 0)
		return -1;
	if (!due)
		return 0;
	store_finish(statement);
	sqlite3_busy_timeout(store->db, 0);
	failed = note_use(store, id, now_s, &refused);
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	if (!failed || strcmp(refused.code, "STATE_BUSY") == 0)
		return 0;
	*err = refused;
	return -1;
}
