/*
 * Virtual hosts: one file per deployment beneath a directory that the host's
 * nginx includes. The agent alone writes there.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "base/error.h"

#include <stdbool.h>

/*
 * Removes DIRECTORY/NAME.conf and tells nginx, by the pid in pid_file, to
 * take it up. *removed tells whether there was one; a directory or an nginx
 * that is not there is fine.
 */
int proxy_remove_vhost(const char *directory, const char *pid_file,
    const char *name, bool *removed, struct error *err);

#endif
