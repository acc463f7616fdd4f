/* The grammar of names, byte by byte. */
#include "compose/compose.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool
compose_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 63 && *name != '-' && *name != '_' &&
	       strspn(name, LOWER DIGITS "_-") == length;
}

bool
compose_variable_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 128 && strchr(DIGITS, *name) == NULL &&
	       strspn(name, UPPER LOWER DIGITS "_") == length;
}
