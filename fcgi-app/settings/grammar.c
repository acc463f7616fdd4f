#include "settings/grammar.h"

#include <arpa/inet.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define PATH_MAXIMUM 200
/* sun_path has 108 bytes; the longest socket adds "/http/workers.sock". */
#define RUN_PATH_MAXIMUM 80
#define HOST_MAXIMUM 253
#define URL_MAXIMUM 1000

static bool
consists_of(const char *text, const char *characters, size_t maximum)
{
	size_t length = strlen(text);

	return length > 0 && length <= maximum &&
	       strspn(text, characters) == length;
}

int
number_parse(const char *text, int64_t *out)
{
	int64_t value = 0;

	if (!consists_of(text, DIGITS, 18))
		return -1;
	for (; *text != '\0'; text++)
		value = value * 10 + (*text - '0');
	*out = value;
	return 0;
}

bool
path_is_valid(const char *text)
{
	const char *part = text;

	if (*text != '/' ||
	    !consists_of(text, UPPER LOWER DIGITS "._+@-/", PATH_MAXIMUM))
		return false;
	while (part != NULL) {
		size_t length = strcspn(++part, "/");

		if ((length == 1 && *part == '.') ||
		    (length == 2 && strncmp(part, "..", 2) == 0))
			return false;
		part = strchr(part, '/');
	}
	return true;
}

bool
run_path_is_valid(const char *text)
{
	return path_is_valid(text) && strlen(text) <= RUN_PATH_MAXIMUM;
}

bool
log_path_is_valid(const char *text)
{
	return strcmp(text, "off") == 0 || path_is_valid(text);
}

bool
user_is_valid(const char *text)
{
	return consists_of(text, LOWER DIGITS "_-", 32) &&
	       strchr(DIGITS "-", *text) == NULL;
}

static bool
address_is_valid(const char *text, int *out_bits)
{
	unsigned char address[sizeof(struct in6_addr)];

	*out_bits = 32;
	if (inet_pton(AF_INET, text, address) == 1)
		return true;
	*out_bits = 128;
	/* inet_pton() takes "::ffff:1.2.3.4" too: that is an address. */
	return inet_pton(AF_INET6, text, address) == 1;
}

bool
listen_host_is_valid(const char *text)
{
	int bits;

	return strcmp(text, "localhost") == 0 || address_is_valid(text, &bits);
}

bool
host_is_loopback(const char *text)
{
	struct in_addr address;
	struct in6_addr address6;

	if (strcmp(text, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, text, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &address6) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&address6);
}

bool
host_name_is_valid(const char *text)
{
	const char *label = text;

	if (!consists_of(text, UPPER LOWER DIGITS "-.", HOST_MAXIMUM))
		return false;
	for (;;) {
		size_t length = strcspn(label, ".");

		if (length < 1 || length > 63 || label[0] == '-' ||
		    label[length - 1] == '-')
			return false;
		if (label[length] == '\0')
			break;
		label += length + 1;
	}
	/* A numeric last label would be an address, and then a wrong one. */
	return strspn(label, DIGITS) != strlen(label);
}

bool
server_name_is_valid(const char *text)
{
	int bits;

	return host_name_is_valid(text) || address_is_valid(text, &bits);
}

static bool
port_is_valid(const char *text)
{
	int64_t port;

	return number_parse(text, &port) == 0 && *text != '0' &&
	       port <= UINT16_MAX;
}

/* Copies length bytes into text; false when they do not fit. */
static bool
cut(const char *from, size_t length, char text[HOST_MAXIMUM + 1])
{
	if (length > HOST_MAXIMUM)
		return false;
	memcpy(text, from, length);
	text[length] = '\0';
	return true;
}

bool
origin_is_valid(const char *text)
{
	char host[HOST_MAXIMUM + 1];
	const char *end;
	int bits;

	if (strncmp(text, "https://", 8) == 0)
		text += 8;
	else if (strncmp(text, "http://", 7) == 0)
		text += 7;
	else
		return false;
	if (*text == '[') {
		end = strchr(text, ']');
		if (end == NULL ||
		    !cut(text + 1, (size_t)(end - text - 1), host))
			return false;
		if (!address_is_valid(host, &bits) || bits != 128)
			return false;
		end++;
	} else {
		end = text + strcspn(text, ":");
		if (!cut(text, (size_t)(end - text), host))
			return false;
		if (!server_name_is_valid(host))
			return false;
	}
	return *end == '\0' || (*end == ':' && port_is_valid(end + 1));
}

bool
origin_pattern_is_valid(const char *text)
{
	return strcmp(text, "*") == 0 || origin_is_valid(text);
}

bool
network_is_valid(const char *text)
{
	char address[HOST_MAXIMUM + 1];
	const char *slash = strchr(text, '/');
	int64_t prefix;
	int bits;

	if (slash == NULL)
		return address_is_valid(text, &bits);
	if (!cut(text, (size_t)(slash - text), address) ||
	    !address_is_valid(address, &bits))
		return false;
	return number_parse(slash + 1, &prefix) == 0 && prefix <= bits;
}

bool
word_is_valid(const char *text)
{
	return consists_of(text, LOWER DIGITS "_-.", 64);
}

bool
line_is_valid(const char *text)
{
	size_t length = strlen(text), i;

	for (i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return length <= 512;
}

bool
network_name_is_valid(const char *text)
{
	return strlen(text) > 1 &&
	       consists_of(text, UPPER LOWER DIGITS "_.-", 128) &&
	       strchr("_.-", *text) == NULL;
}

bool
sha256_is_valid(const char *text)
{
	return strlen(text) == 64 && consists_of(text, DIGITS "abcdef", 64);
}

bool
https_url_is_valid(const char *text)
{
	char origin[HOST_MAXIMUM + 1];
	size_t length, i;

	if (strncmp(text, "https://", 8) != 0)
		return false;
	length = 8 + strcspn(text + 8, "/");
	if (text[length] != '/' || !cut(text, length, origin) ||
	    !origin_is_valid(origin))
		return false;
	for (i = length; text[i] != '\0'; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '#')
			return false;
	return i <= URL_MAXIMUM;
}
