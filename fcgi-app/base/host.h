/*
 * Hosts that clients name and that programs of ours then connect to.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Whether it is an address that no service for others has: unspecified,
 * link-local, multicast, broadcast, or where clouds keep a machine's
 * credentials; also when IPv6 carries such an IPv4 address.
 */
bool host_address_is_refused(const struct sockaddr *address);

/*
 * ERR_FORBIDDEN HOST_NOT_ALLOWED when one of the host's addresses is refused.
 * host: a name or an address, "[…]" around one of IPv6 or not, with or without
 * a port. A name that does not resolve passes: whoever connects will say so.
 * May take as long as the resolver.
 */
int host_check(const char *host, struct error *err);

#endif
