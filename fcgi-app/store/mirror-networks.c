#include "store/mirror.h"

#include "store/mirror-private.h"
#include "store/store-private.h"

#include <string.h>

int
mirror_network_put(struct store *store, const struct mirror_network *network,
    bool *changed, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"INSERT INTO networks VALUES "
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
		"driver = excluded.driver, scope = excluded.scope, "
		"internal = excluded.internal, "
		"attachable = excluded.attachable, ipv6 = excluded.ipv6, "
		"subnet = excluded.subnet, gateway = excluded.gateway, "
		"created_at = excluded.created_at, labels = excluded.labels, "
		"options = excluded.options "
		"WHERE (name, driver, scope, internal, attachable, ipv6, "
		"subnet, gateway, created_at, labels, options) IS NOT "
		"(excluded.name, excluded.driver, excluded.scope, "
		"excluded.internal, excluded.attachable, excluded.ipv6, "
		"excluded.subnet, excluded.gateway, excluded.created_at, "
		"excluded.labels, excluded.options)",
		&statement, err) < 0)
		return -1;
	store_bind_text(statement, 1, network->id);
	store_bind_text(statement, 2, network->name);
	store_bind_text(statement, 3, network->driver);
	store_bind_text(statement, 4, network->scope);
	sqlite3_bind_int(statement, 5, network->internal);
	sqlite3_bind_int(statement, 6, network->attachable);
	sqlite3_bind_int(statement, 7, network->ipv6);
	store_bind_text(statement, 8, network->subnet);
	store_bind_text(statement, 9, network->gateway);
	sqlite3_bind_int64(statement, 10, network->created_at);
	store_bind_text(statement, 11, network->labels);
	store_bind_text(statement, 12, network->options);
	return mirror_run(store, statement, changed, err);
}

int
mirror_networks_retain(struct store *store, const char *const *ids,
    size_t count, bool *changed, struct error *err)
{
	return mirror_retain(store, ids, count,
	    "DELETE FROM networks WHERE id NOT IN "
	    "(SELECT id FROM temp.retained)",
	    changed, err);
}

static struct mirror_network
read_network(sqlite3_stmt *row, struct arena *arena)
{
	return (struct mirror_network){
		.id = store_column_text(row, 0, arena),
		.name = store_column_text(row, 1, arena),
		.driver = store_column_text(row, 2, arena),
		.scope = store_column_text(row, 3, arena),
		.internal = sqlite3_column_int(row, 4) != 0,
		.attachable = sqlite3_column_int(row, 5) != 0,
		.ipv6 = sqlite3_column_int(row, 6) != 0,
		.subnet = store_column_text(row, 7, arena),
		.gateway = store_column_text(row, 8, arena),
		.created_at = sqlite3_column_int64(row, 9),
		.labels = store_column_text(row, 10, arena),
		.options = store_column_text(row, 11, arena),
		.containers = store_column_text(row, 12, arena),
	};
}

int
mirror_network_list(struct store *store, struct arena *arena,
    struct mirror_network **out, size_t *out_count, struct error *err)
{
	sqlite3_stmt *statement;

	if (store_prepare(store,
		"WITH attached AS (SELECT "
		"json_extract(n.value, '$.network_id') AS network, "
		"json_object('name', c.name, "
		"'ipv4', json_extract(n.value, '$.ipv4'), 'mac_address', "
		"json_extract(n.value, '$.mac_address')) AS container "
		"FROM containers c, json_each(c.networks) n "
		"WHERE json_extract(n.value, '$.attached') "
		"ORDER BY network, c.name), "
		"used AS MATERIALIZED (SELECT network, "
		"json_group_array(json(container)) AS containers "
		"FROM attached GROUP BY network) "
		"SELECT n.*, coalesce(used.containers, '[]') FROM networks n "
		"LEFT JOIN used ON used.network = n.id ORDER BY n.name, n.id",
		&statement, err) < 0)
		return -1;
	return STORE_READ_ROWS(
	    store, statement, arena, read_network, out, out_count, err);
}

enum match { MATCH_BEGINNING, MATCH_NAME, MATCH_ID };

static bool
matches(const struct mirror_network *network, const char *reference,
    enum match match)
{
	if (match == MATCH_ID)
		return strcmp(network->id, reference) == 0;
	if (match == MATCH_NAME)
		return strcmp(network->name, reference) == 0;
	return mirror_is_id_beginning(reference) &&
	       strncmp(network->id, reference, strlen(reference)) == 0;
}

int
mirror_network_find(struct store *store, const char *reference,
    struct arena *arena, struct mirror_network *out, struct error *err)
{
	struct mirror_network *networks;
	size_t count, found, i;
	int match;

	if (mirror_network_list(store, arena, &networks, &count, err) < 0)
		return -1;
	for (match = MATCH_ID; match >= MATCH_BEGINNING; match--) {
		for (found = i = 0; i < count; i++) {
			if (!matches(&networks[i], reference, match))
				continue;
			*out = networks[i];
			found++;
		}
		if (found == 1)
			return 0;
		/* Docker allows two of one name. */
		if (found > 1)
			return error_set(err, ERR_CONFLICT, "AMBIGUOUS_ID",
			    "several networks have this name or id");
	}
	return error_set(
	    err, ERR_NOT_FOUND, "NETWORK_NOT_FOUND", "Network not found");
}
