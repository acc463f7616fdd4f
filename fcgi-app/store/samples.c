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

static struct sample
read_sample(sqlite3_stmt *row, struct arena *arena)
{
	return (struct sample){
		.container_id = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.service = store_column_text(row, 2, arena),
		.sampled_at_ms = sqlite3_column_int64(row, 3),
		.cpu_percent = sqlite3_column_double(row, 4),
		.memory_usage = sqlite3_column_int64(row, 5),
		.memory_limit = sqlite3_column_int64(row, 6),
		.network_rx = sqlite3_column_int64(row, 7),
		.network_tx = sqlite3_column_int64(row, 8),
		.block_read = sqlite3_column_int64(row, 9),
		.block_write = sqlite3_column_int64(row, 10),
		.pids = sqlite3_column_int64(row, 11),
	};
}

int
store_sample_list(struct store *store, const char *project, struct arena *arena,
    struct sample **out, size_t *out_count, struct error *err)
{
	struct sample *samples = NULL;
	size_t count = 0, allocated = 0;
	sqlite3_stmt *statement;
	bool row;

	if (store_prepare(store,
		"SELECT s.container_id, c.name, c.service, s.sampled_at_ms, "
		"s.cpu_percent, s.memory_usage, s.memory_limit, s.network_rx, "
		"s.network_tx, s.block_read, s.block_write, s.pids "
		"FROM samples s JOIN containers c ON c.id = s.container_id "
		"WHERE c.project = ? AND c.state = 'running' "
		"ORDER BY c.service, c.name",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, project);
	for (;;) {
		if (store_step(store, statement, &row, err) < 0)
			return -1;
		if (!row)
			break;
		samples = arena_grow(
		    arena, samples, count, &allocated, sizeof *samples);
		samples[count++] = read_sample(statement, arena);
	}
	*out = samples;
	*out_count = count;
	return 0;
}
