#include "base/host.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define NAME_MAXIMUM 255

struct network {
	uint32_t address;
	unsigned int bits;
};

static const struct network refused_networks[] = {
	{ 0x00000000, 8 },  /* 0.0.0.0/8: this host */
	{ 0xA9FE0000, 16 }, /* 169.254.0.0/16: link-local, metadata */
	{ 0x646464C8, 32 }, /* 100.100.100.200: metadata at Alibaba's */
	{ 0xA83F8110, 32 }, /* 168.63.129.16: metadata at Azure's */
	{ 0xC00000C0, 32 }, /* 192.0.0.192: metadata at Oracle's */
	{ 0xE0000000, 4 },  /* 224.0.0.0/4: multicast */
	{ 0xF0000000, 4 },  /* 240.0.0.0/4: reserved, broadcast */
};

static bool
is_refused_v4(uint32_t address)
{
	size_t i;

	for (i = 0; i < sizeof refused_networks / sizeof refused_networks[0];
	     i++) {
		const struct network *network = &refused_networks[i];

		if ((address ^ network->address) >> (32 - network->bits) == 0)
			return true;
	}
	return false;
}

static uint32_t
read_v4(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	       (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool
is_refused_v6(const uint8_t *bytes)
{
	static const uint8_t zero[16];
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xFF, 0x9B };
	static const uint8_t metadata[16] = { 0xFD, 0x00, 0x0E, 0xC2, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x02, 0x54 };

	if (memcmp(bytes, zero, 16) == 0 || memcmp(bytes, metadata, 16) == 0 ||
	    bytes[0] == 0xFF || (bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80))
		return true;
	/* ::1 is all zeroes before its last byte, and allowed. */
	if (memcmp(bytes, zero, 15) == 0 && bytes[15] == 1)
		return false;
	/* Mapped, compatible, translated, and 6to4. */
	if ((memcmp(bytes, zero, 10) == 0 && bytes[10] == 0xFF &&
		bytes[11] == 0xFF) ||
	    memcmp(bytes, zero, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
		return is_refused_v4(read_v4(bytes + 12));
	return bytes[0] == 0x20 && bytes[1] == 0x02 &&
	       is_refused_v4(read_v4(bytes + 2));
}

bool
host_address_is_refused(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return is_refused_v4(
		    ntohl(((const struct sockaddr_in *)(const void *)address)
			      ->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return is_refused_v6(
		    ((const struct sockaddr_in6 *)(const void *)address)
			->sin6_addr.s6_addr);
	return true;
}

/* The name or address alone; -1 when it is too long. */
static int
cut_port(const char *host, char name[NAME_MAXIMUM + 1])
{
	const char *colon = strchr(host, ':');
	size_t length = strlen(host);

	if (*host == '[') {
		host++;
		length = strcspn(host, "]");
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		length = (size_t)(colon - host);
	}
	if (length > NAME_MAXIMUM)
		return -1;
	memcpy(name, host, length);
	name[length] = '\0';
	return 0;
}

int
host_check(const char *host, struct error *err)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses = NULL, *one;
	char name[NAME_MAXIMUM + 1];
	bool refused;

	refused = cut_port(host, name) < 0;
	if (!refused && getaddrinfo(name, NULL, &hints, &addresses) != 0)
		return 0;
	for (one = addresses; one != NULL; one = one->ai_next)
		refused |= host_address_is_refused(one->ai_addr);
	if (addresses != NULL)
		freeaddrinfo(addresses);
	return refused ? error_set(err, ERR_FORBIDDEN, "HOST_NOT_ALLOWED",
			     "the host has an address that is not allowed")
		       : 0;
}
