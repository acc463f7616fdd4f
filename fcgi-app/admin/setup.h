/*
 * What a first start needs: directories, secrets, a certificate, the database.
 *
 * Whatever is there stays, but for owner and mode of our own directories,
 * which are put right. Two runs at once wait for each other.
 */
#ifndef ADMIN_SETUP_H
#define ADMIN_SETUP_H

#include "base/arena.h"
#include "base/error.h"
#include "settings/settings.h"

#include <sys/types.h>

/* Who owns what: numbers of the users in the settings. */
struct setup_owners {
	uid_t user;        /* settings.user, whom workers run as */
	gid_t user_group;  /* its group */
	gid_t nginx_group; /* the group of settings.nginx.user */
};

/* ERR_INVALID when one of the users does not exist. */
int setup_find_owners(const struct settings *settings, struct setup_owners *out,
    struct error *err);

/* All of it. Only root can. */
int setup_run(const struct settings *settings,
    const struct setup_owners *owners, struct arena *arena, struct error *err);

#endif
