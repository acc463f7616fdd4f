#include "store/samples.h"

#include "store/store-private.h"

int
store_sample_put(
    struct store *store, const struct sample *sample, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT OR REPLACE INTO samples VALUES "
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, sample->container_id);
	sqlite3_bind_int64(statement, 2, sample->sampled_at_ms);
	sqlite3_bind_double(statement, 3, sample->cpu_percent);
	sqlite3_bind_int64(statement, 4, sample->memory_usage);
	sqlite3_bind_int64(statement, 5, sample->memory_limit);
	sqlite3_bind_int64(statement, 6, sample->network_rx);
	sqlite3_bind_int64(statement, 7, sample->network_tx);
	sqlite3_bind_int64(statement, 8, sample->block_read);
	sqlite3_bind_int64(statement, 9, sample->block_write);
	sqlite3_bind_int64(statement, 10, sample->pids);
	return store_run(store, statement, err);
}

int
store_samples_prune(struct store *store, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"DELETE FROM samples WHERE container_id NOT IN "
		"(SELECT id FROM containers WHERE state = 'running')",
		&statement, err) < 0)
		return -1;
	return store_run(store, statement, err);
}

#define NUMBERS                                                            \
	"s.sampled_at_ms, s.cpu_percent, s.memory_usage, s.memory_limit, " \
	"s.network_rx, s.network_tx, s.block_read, s.block_write, s.pids "

static void
read_numbers(sqlite3_stmt *row, struct sample *out)
{
	out->sampled_at_ms = sqlite3_column_int64(row, 0);
	out->cpu_percent = sqlite3_column_double(row, 1);
	out->memory_usage = sqlite3_column_int64(row, 2);
	out->memory_limit = sqlite3_column_int64(row, 3);
	out->network_rx = sqlite3_column_int64(row, 4);
	out->network_tx = sqlite3_column_int64(row, 5);
	out->block_read = sqlite3_column_int64(row, 6);
	out->block_write = sqlite3_column_int64(row, 7);
	out->pids = sqlite3_column_int64(row, 8);
}

static struct sample
read_sample(sqlite3_stmt *row, struct arena *arena)
{
	struct sample sample = {
		.container_id = store_column_text(row, 9, arena),
		.name = store_column_text(row, 10, arena),
		.service = store_column_text(row, 11, arena),
		.project = store_column_text(row, 12, arena),
	};

	read_numbers(row, &sample);
	return sample;
}

int
store_sample_list(struct store *store, const char *project, struct arena *arena,
    struct sample **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		project ? "SELECT " NUMBERS
			  ", s.container_id, c.name, c.service, c.project "
			  "FROM containers c "
			  "JOIN samples s ON s.container_id = c.id "
			  "WHERE c.project = ? AND c.state = 'running' "
			  "ORDER BY c.service, c.name"
			: "SELECT " NUMBERS
			  ", s.container_id, c.name, c.service, c.project "
			  "FROM samples s "
			  "JOIN containers c ON c.id = s.container_id "
			  "WHERE c.state = 'running' "
			  "ORDER BY c.service, c.name",
		&statement, err) < 0)
		return -1;
	if (project != NULL)
		store_bind_text(statement, 1, project);
	return STORE_READ_ROWS(
	    store, statement, arena, read_sample, out, out_count, err);
}

int
store_sample_find(struct store *store, const char *container_id,
    struct sample *out, struct error *err)
{
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT " NUMBERS "FROM samples s WHERE s.container_id = ?",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, container_id);
	if (store_step(store, statement, &row, err) < 0)
		return -1;
	if (row) {
		read_numbers(statement, out);
		store_finish(statement);
	}
	return 0;
}
