#include "store/throttle.h"

#include "base/clock.h"
#include "store/store-private.h"

int
store_throttle_check(
    struct store *store, const char *address, struct error *err)
{
	int64_t now = clock_wall_ms(), oldest, failures, left;
	sqlite3_stmt *statement;
	bool row;

	/* Failures from the future are those of a clock that was set back. */
	if (store_prepare(store,
		"SELECT count(*), min(failed_at_ms) FROM login_failures "
		"WHERE address = ? AND failed_at_ms > ? AND failed_at_ms <= ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, address);
	sqlite3_bind_int64(statement, 2, now - THROTTLE_WINDOW_MS);
	sqlite3_bind_int64(statement, 3, now);
	if (store_step(store, statement, &row, err) < 0)
		return -1;
	failures = row ? sqlite3_column_int64(statement, 0) : 0;
	oldest = row ? sqlite3_column_int64(statement, 1) : 0;
	store_finish(statement);
	if (failures < THROTTLE_FAILURES)
		return 0;
	error_set(err, ERR_RATE_LIMITED, NULL,
	    "too many failed logins from this address");
	left = oldest + THROTTLE_WINDOW_MS - now;
	err->retry_after_s = (unsigned int)(left / 1000 + 1);
	return -1;
}

int
store_throttle_note(struct store *store, const char *address, struct error *err)
{
	int64_t now = clock_wall_ms();
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"DELETE FROM login_failures "
		"WHERE failed_at_ms <= ? OR failed_at_ms > ?",
		&statement, err) < 0)
		return -1;
	sqlite3_bind_int64(statement, 1, now - THROTTLE_WINDOW_MS);
	sqlite3_bind_int64(statement, 2, now);
	if (store_run(store, statement, err) < 0)
		return -1;
	if (store_prepare(store, "INSERT INTO login_failures VALUES (?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, address);
	sqlite3_bind_int64(statement, 2, now);
	return store_run(store, statement, err);
}
