#include "store/store.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const migrations[] = {
#include "store/schema/001-start.inc"
	,
#include "store/schema/002-jobs.inc"
	,
#include "store/schema/003-docker.inc"
	,
#include "store/schema/004-registries.inc"
	,
#include "store/schema/005-health.inc"
	,
#include "store/schema/006-versions.inc"
	,
#include "store/schema/007-revisions.inc"
	,
#include "store/schema/008-templates.inc"
	,
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

#define FILE_NAME "flatrun.db"
#define WAL_RETRY_MS 10

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/*
 * A connection is one thread's: no mutexes. Statistics cost a lock at each
 * allocation, and the look-aside buffers 48 KiB a connection.
 */
static void
configure_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 128, 32);
	/* Else each connection takes 100 KiB before its first query. */
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	sqlite3_initialize();
}

/* Where SQLite only knows that a system call failed. */
static void
fail_io(struct store *store, struct error *err)
{
	int number = sqlite3_system_errno(store->db);

	if (number == ENOSPC || number == EDQUOT)
		error_set(
		    err, ERR_STORAGE_FULL, NULL, "no room left on the disk");
	else
		error_set(err, ERR_UNAVAILABLE, "STATE_CORRUPT",
		    "the state database cannot be read or written");
}

int
store_fail(struct store *store, struct error *err)
{
	int code = sqlite3_errcode(store->db);

	switch (code & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		error_set(err, ERR_UNAVAILABLE, "STATE_BUSY",
		    "the state database is busy");
		break;
	case SQLITE_FULL:
		error_set(
		    err, ERR_STORAGE_FULL, NULL, "no room left on the disk");
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(err, ERR_UNAVAILABLE, "STATE_CORRUPT",
		    "the state database is damaged");
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_NOMEM:
		error_set(err, ERR_UNAVAILABLE, NULL,
		    "the state database cannot be opened");
		break;
	case SQLITE_IOERR:
		fail_io(store, err);
		break;
	default:
		error_set(err, ERR_INTERNAL, NULL, "the state database failed");
	}
	return error_detail(err, "sqlite: %s", sqlite3_errmsg(store->db));
}

static int
execute(struct store *store, const char *sql, struct error *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(store, err);
	return 0;
}

int
store_prepare(
    struct store *store, const char *sql, sqlite3_stmt **out, struct error *err)
{
	size_t i;

	for (i = 0; i < store->statement_count; i++) {
		if (store->statements[i].sql != sql)
			continue;
		*out = store->statements[i].statement;
		sqlite3_reset(*out);
		sqlite3_clear_bindings(*out);
		return 0;
	}
	if (i == STATEMENT_MAXIMUM)
		return error_set(
		    err, ERR_INTERNAL, NULL, "too many statements");
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
		out, NULL) != SQLITE_OK)
		return store_fail(store, err);
	store->statements[i].sql = sql;
	store->statements[i].statement = *out;
	store->statement_count++;
	return 0;
}

void
store_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

int
store_step(
    struct store *store, sqlite3_stmt *statement, bool *row, struct error *err)
{
	int code = sqlite3_step(statement);

	*row = code == SQLITE_ROW;
	if (code == SQLITE_ROW)
		return 0;
	if (code != SQLITE_DONE)
		store_fail(store, err);
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? 0 : -1;
}

int
store_run(struct store *store, sqlite3_stmt *statement, struct error *err)
{
	bool row;

	if (store_step(store, statement, &row, err) < 0)
		return -1;
	if (row)
		sqlite3_reset(statement);
	return 0;
}

void
store_finish(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
}

char *
store_column_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	int length = sqlite3_column_bytes(statement, column);

	return text ? arena_strndup(arena, text, (size_t)length) : NULL;
}

int
store_begin(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "BEGIN IMMEDIATE", &statement, err) < 0 ||
	    store_run(store, statement, err) < 0)
		return -1;
	store->in_transaction = true;
	return 0;
}

int
store_commit(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store, "COMMIT", &statement, err) < 0 ||
	    store_run(store, statement, err) < 0) {
		store_rollback(store);
		return -1;
	}
	store->in_transaction = false;
	return 0;
}

void
store_rollback(struct store *store)
{
	size_t i;

	/* Unfinished reads would keep the transaction open. */
	for (i = 0; i < store->statement_count; i++)
		sqlite3_reset(store->statements[i].statement);
	if (store->in_transaction)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->in_transaction = false;
}

static int
read_version(struct store *store, int *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store, "PRAGMA user_version", &statement, err) < 0 ||
	    store_step(store, statement, &row, err) < 0)
		return -1;
	*out = row ? sqlite3_column_int(statement, 0) : 0;
	store_finish(statement);
	return 0;
}

static int
check_version(int version, bool may_migrate, struct error *err)
{
	if (version > SCHEMA_VERSION)
		return error_set(err, ERR_UNAVAILABLE, "STATE_NEWER",
		    "the state database is of a newer version (schema %d, this "
		    "program knows %d)",
		    version, SCHEMA_VERSION);
	if (version < SCHEMA_VERSION && !may_migrate)
		return error_set(err, ERR_UNAVAILABLE, "STATE_OLD",
		    "the state database waits for the agent to bring it up to "
		    "date");
	return 0;
}

/* All steps in one transaction: the schema is the old or the new one. */
static int
migrate(struct store *store, struct error *err)
{
	char pragma[48];
	int version, i;

	if (store_begin(store, err) < 0)
		return -1;
	/* Another process may have been quicker. */
	if (read_version(store, &version, err) < 0 ||
	    check_version(version, true, err) < 0) {
		store_rollback(store);
		return -1;
	}
	for (i = version; i < SCHEMA_VERSION; i++) {
		if (execute(store, migrations[i], err) < 0) {
			store_rollback(store);
			return -1;
		}
	}
	snprintf(
	    pragma, sizeof pragma, "PRAGMA user_version = %d", SCHEMA_VERSION);
	if (execute(store, pragma, err) < 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static int
prepare_schema(struct store *store, enum store_role role, struct error *err)
{
	bool may_migrate = role == STORE_ADMIN || role == STORE_AGENT;
	int version;

	if (read_version(store, &version, err) < 0 ||
	    check_version(version, may_migrate, err) < 0)
		return -1;
	if (version == SCHEMA_VERSION)
		return 0;
	/* Without its log the file must not pass for one that is new. */
	return migrate(store, err) < 0 ? -1 : store_checkpoint(store, err);
}

/*
 * SQLite would create it with the umask's mode and the caller's group. Workers
 * may write to the directory: a link of theirs must not lead root elsewhere.
 */
static int
create_file(const char *directory, struct error *err)
{
	auto_fd int parent =
	    open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -1;
	struct stat status;

	if (parent < 0 || fstat(parent, &status) < 0)
		return error_errno(err, "cannot create the state database");
	fd = openat(parent, FILE_NAME,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return error_errno(err, "cannot create the state database");
	if (geteuid() == 0 &&
	    (fchmod(fd, 0660) < 0 || fchown(fd, (uid_t)-1, status.st_gid) < 0))
		return error_errno(err, "cannot create the state database");
	return 0;
}

static int
configure(struct store *store, enum store_role role, struct error *err)
{
	int off = 0;

	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_extended_result_codes(store->db, 1);
	/*
	 * SQLite before 3.51.3 can corrupt the file when one connection
	 * checkpoints while another writes: only store_checkpoint() does, which
	 * holds the write lock.
	 */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &off);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &off);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &off);
	if (execute(store,
		"PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; "
		"PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON",
		err) < 0)
		return -1;
	if (role == STORE_MIRROR)
		return execute(store,
		    "PRAGMA cache_size = -256; PRAGMA synchronous = NORMAL",
		    err);
	/* A failed login is not worth the wait for the disk. */
	if (role == STORE_READER)
		return execute(store,
		    "PRAGMA cache_size = -32; PRAGMA synchronous = NORMAL",
		    err);
	return execute(
	    store, "PRAGMA cache_size = -32; PRAGMA synchronous = FULL", err);
}

static int
fail_missing(struct error *err)
{
	return error_set(err, ERR_UNAVAILABLE, "STATE_MISSING",
	    "the state database is missing");
}

int
store_find(const char *directory, struct error *err)
{
	auto_fd int parent =
	    open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent >= 0 &&
	    faccessat(parent, FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return fail_missing(err);
}

static int
fail_resolve(struct error *err)
{
	return errno == ENOENT
		   ? fail_missing(err)
		   : error_errno(err, "cannot open the state database");
}

static int
fail_open(struct store *store, const char *directory, struct error *err)
{
	return store_find(directory, err) < 0 ? -1 : store_fail(store, err);
}

static int
open_file(struct store *store, const char *directory, struct error *err)
{
	char real[PATH_MAX], path[sizeof real + sizeof FILE_NAME];

	/* The directory may be reached by a link, the file may not. */
	if (realpath(directory, real) == NULL)
		return fail_resolve(err);
	snprintf(path, sizeof path, "%s/" FILE_NAME, real);
	if (sqlite3_open_v2(path, &store->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return fail_open(store, directory, err);
	return 0;
}

/*
 * SQLite does not wait for who reads a new database at the same moment: it
 * says at once that it is busy.
 */
static int
enter_wal(struct store *store, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + BUSY_TIMEOUT_MS;
	struct error refused;

	while (execute(store, "PRAGMA journal_mode = WAL", &refused) < 0) {
		if (strcmp(refused.code, "STATE_BUSY") != 0 ||
		    clock_monotonic_ms() >= until_ms) {
			*err = refused;
			return -1;
		}
		clock_sleep_ms(WAL_RETRY_MS);
	}
	return 0;
}

static int
open_connection(struct store *store, const char *directory,
    enum store_role role, struct error *err)
{
	bool creates = role == STORE_ADMIN || role == STORE_AGENT;

	if ((creates && create_file(directory, err) < 0) ||
	    open_file(store, directory, err) < 0 ||
	    configure(store, role, err) < 0)
		return -1;
	if (creates && enter_wal(store, err) < 0)
		return -1;
	return prepare_schema(store, role, err);
}

int
store_open(const char *directory, enum store_role role, struct store **out,
    struct error *err)
{
	struct store *store = xcalloc(1, sizeof *store);

	pthread_once(&configured, configure_sqlite);
	if (open_connection(store, directory, role, err) < 0) {
		store_close(store);
		return -1;
	}
	*out = store;
	return 0;
}

void
store_close(struct store *store)
{
	size_t i;

	if (store == NULL)
		return;
	store_rollback(store);
	for (i = 0; i < store->statement_count; i++)
		sqlite3_finalize(store->statements[i].statement);
	sqlite3_close(store->db);
	free(store);
}

void
store_release(struct store **store)
{
	store_close(*store);
}

bool
store_has_moved(struct store *store)
{
	int moved = 0;

	return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED,
		   &moved) == SQLITE_OK &&
	       moved != 0;
}

int
store_quick_check(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;
	const char *verdict;
	bool row;
	int failed = 0;

	if (store_prepare(store, "PRAGMA quick_check(1)", &statement, err) <
		0 ||
	    store_step(store, statement, &row, err) < 0)
		return -1;
	verdict = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	if (verdict == NULL || strcmp(verdict, "ok") != 0) {
		error_set(err, ERR_UNAVAILABLE, "STATE_CORRUPT",
		    "the state database is damaged");
		failed = error_detail(
		    err, "quick_check: %s", verdict ? verdict : "no answer");
	}
	store_finish(statement);
	return failed;
}

int
store_checkpoint(struct store *store, struct error *err)
{
	/*
	 * RESTART holds the write lock; a busy reader only postpones it. The
	 * log keeps its size: on a full disk there is room for what is
	 * written over its beginning.
	 */
	int code = sqlite3_wal_checkpoint_v2(
	    store->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);

	if (code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY)
		return 0;
	return store_fail(store, err);
}
