#include "store/credentials.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "store/store-private.h"

#include <string.h>

#define ID_LENGTH 12
#define USERNAME_MAXIMUM 255
#define EMAIL_MAXIMUM 254

bool
credential_id_is_valid(const char *id)
{
	return strlen(id) == ID_LENGTH &&
	       strspn(id, "0123456789abcdef") == ID_LENGTH;
}

static bool
is_printable(const char *text, size_t maximum)
{
	size_t length = strlen(text), i;

	for (i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return length <= maximum && utf8_is_valid(text, length);
}

/* What is before the first ':' is the user in HTTP's basic scheme. */
bool
credential_username_is_valid(const char *username)
{
	return *username != '\0' && strchr(username, ':') == NULL &&
	       is_printable(username, USERNAME_MAXIMUM);
}

bool
credential_email_is_valid(const char *email)
{
	return is_printable(email, EMAIL_MAXIMUM);
}

#define CREDENTIAL_COLUMNS                                        \
	"SELECT id, name, registry_type, host, username, email, " \
	"is_default, secret, created_at, updated_at FROM credentials "

static struct credential
read_credential(sqlite3_stmt *row, struct arena *arena)
{
	return (struct credential){
		.id = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.registry_type = store_column_text(row, 2, arena),
		.host = store_column_text(row, 3, arena),
		.username = store_column_text(row, 4, arena),
		.email = store_column_text(row, 5, arena),
		.is_default = sqlite3_column_int(row, 6) != 0,
		.secret = sqlite3_column_int64(row, 7),
		.created_at = sqlite3_column_int64(row, 8),
		.updated_at = sqlite3_column_int64(row, 9),
	};
}

int
credential_list(struct store *store, struct arena *arena,
    struct credential **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, CREDENTIAL_COLUMNS "ORDER BY name, id",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_credential, out, out_count, err);
}

static int
find_one(struct store *store, sqlite3_stmt *statement, struct arena *arena,
    struct credential *out, bool *found, struct error *err)
{
	if (store_step(store, statement, found, err) < 0)
		return -1;
	if (!*found)
		return 0;
	*out = read_credential(statement, arena);
	store_finish(statement);
	return 0;
}

int
credential_get(struct store *store, const char *id, struct arena *arena,
    struct credential *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(
		store, CREDENTIAL_COLUMNS "WHERE id = ?", &statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (find_one(store, statement, arena, out, &found, err) < 0)
		return -1;
	return found ? 0
		     : error_set(err, ERR_NOT_FOUND, "CREDENTIAL_NOT_FOUND",
			   "Credential not found");
}

int
credential_find_for_host(struct store *store, const char *host,
    struct arena *arena, struct credential *out, bool *found, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		CREDENTIAL_COLUMNS "WHERE host = ? COLLATE NOCASE "
				   "ORDER BY is_default DESC, created_at, id "
				   "LIMIT 1",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, host);
	return find_one(store, statement, arena, out, found, err);
}

/* Whether another has the name. */
static int
check_name(
    struct store *store, const struct credential *credential, struct error *err)
{
	sqlite3_stmt *statement;
	bool found;

	if (store_prepare(store,
		"SELECT 1 FROM credentials WHERE name = ? AND id != ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, credential->name);
	store_bind_text(statement, 2, credential->id);
	if (store_step(store, statement, &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	store_finish(statement);
	return error_set(err, ERR_CONFLICT, "ALREADY_EXISTS",
	    "another credential has this name");
}

static int
take_default(
    struct store *store, const struct credential *credential, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"UPDATE credentials SET is_default = 0 "
		"WHERE host = ? AND id != ? AND is_default != 0",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, credential->host);
	store_bind_text(statement, 2, credential->id);
	return store_run(store, statement, err);
}

int
credential_put(
    struct store *store, struct credential *credential, struct error *err)
{
	sqlite3_stmt *statement;

	credential->updated_at = clock_wall_s();
	if (credential->created_at == 0)
		credential->created_at = credential->updated_at;
	if (check_name(store, credential, err) < 0 ||
	    (credential->is_default &&
		take_default(store, credential, err) < 0) ||
	    store_prepare(store,
		"INSERT OR REPLACE INTO credentials (id, name, registry_type, "
		"host, username, email, is_default, secret, created_at, "
		"updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, credential->id);
	store_bind_text(statement, 2, credential->name);
	store_bind_text(statement, 3, credential->registry_type);
	store_bind_text(statement, 4, credential->host);
	store_bind_text(statement, 5, credential->username);
	store_bind_text(statement, 6, credential->email);
	sqlite3_bind_int(statement, 7, credential->is_default);
	sqlite3_bind_int64(statement, 8, credential->secret);
	sqlite3_bind_int64(statement, 9, credential->created_at);
	sqlite3_bind_int64(statement, 10, credential->updated_at);
	return store_run(store, statement, err);
}

int
credential_delete(struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "DELETE FROM credentials WHERE id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, id);
	if (store_run(store, statement, err) < 0)
		return -1;
	return sqlite3_changes(store->db) > 0
		   ? 0
		   : error_set(err, ERR_NOT_FOUND, "CREDENTIAL_NOT_FOUND",
			 "Credential not found");
}
