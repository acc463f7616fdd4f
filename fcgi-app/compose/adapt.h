/*
 * Changes of a Compose text that a form asks for: ports, mounts and a
 * database for the deployment, by the edits of edit.h. Which service is meant
 * follows from the file: the primary one (document_primary_service()).
 */
#ifndef COMPOSE_ADAPT_H
#define COMPOSE_ADAPT_H

#include "compose/edit.h"

#include <stddef.h>
#include <stdint.h>

struct adapt_port {
	int64_t container_port;
	const char *host_port; /* "" or NULL: not published, only exposed */
};

/*
 * The primary service's "ports" and "expose" become these; nothing changes
 * when there are none. ERR_INVALID INVALID_PORT.
 */
int compose_adapt_ports(struct compose_edit *edit,
    const struct adapt_port *ports, size_t count, struct error *err);

struct adapt_mount {
	const char *id; /* a named volume, or the directory ./id */
	bool is_volume;
	bool enabled;
	bool read_only;             /* of a new one */
	const char *container_path; /* NULL: only what is there changes */
};

/*
 * What services mount from "./id" or the volume "id" is taken out, or becomes
 * the one that it shall be; a new one is added to the primary service.
 */
int compose_adapt_mounts(struct compose_edit *edit,
    const struct adapt_mount *mounts, size_t count, struct error *err);

/*
 * One more mount of the service (NULL: the primary one), behind those it has.
 * ERR_NOT_FOUND SERVICE_NOT_FOUND; ERR_CONFLICT ALREADY_MOUNTED: something is
 * at that path.
 */
int compose_adapt_mount(struct compose_edit *edit, const char *service,
    const struct adapt_mount *mount, struct error *err);
/* Takes out what is at the path. ERR_NOT_FOUND MOUNT_NOT_FOUND. */
int compose_adapt_unmount(struct compose_edit *edit, const char *service,
    const char *container_path, struct error *err);

struct adapt_database {
	const char *type; /* mysql, mariadb, postgres(ql), mongo(db) */
	const char *name, *user, *password, *root_password; /* NULL: none */
};

bool compose_database_type_is_valid(const char *type);

/*
 * Adds a service "db" with the volume "db_data", on the network "database"
 * that the primary service joins. A service "db" that is there already stays
 * as it is.
 */
int compose_adapt_database(struct compose_edit *edit,
    const struct adapt_database *database, struct error *err);

#endif
