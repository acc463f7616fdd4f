#include "base/utf8.h"

#include <string.h>

static bool
is_tail(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t
utf8_character_length(const char *bytes, size_t length)
{
	const unsigned char *byte = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xBF;
	size_t size, i;

	if (length == 0)
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] >= 0xC2 && byte[0] <= 0xDF)
		size = 2;
	else if (byte[0] >= 0xE0 && byte[0] <= 0xEF)
		size = 3;
	else if (byte[0] >= 0xF0 && byte[0] <= 0xF4)
		size = 4;
	else
		return 0;
	/* RFC 3629, section 4: these leads narrow the second byte. */
	if (byte[0] == 0xE0)
		low = 0xA0;
	else if (byte[0] == 0xED)
		high = 0x9F;
	else if (byte[0] == 0xF0)
		low = 0x90;
	else if (byte[0] == 0xF4)
		high = 0x8F;
	if (size > length || byte[1] < low || byte[1] > high)
		return 0;
	for (i = 2; i < size; i++)
		if (!is_tail(byte[i]))
			return 0;
	return size;
}

bool
utf8_is_valid(const char *bytes, size_t length)
{
	size_t size;

	for (; length > 0; bytes += size, length -= size)
		if ((size = utf8_character_length(bytes, length)) == 0)
			return false;
	return true;
}

int
utf8_append_repaired(struct buffer *buffer, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t size = utf8_character_length(bytes, length);
		int failed = size > 0
				 ? buffer_append(buffer, bytes, size)
				 : buffer_append(buffer, "\xEF\xBF\xBD", 3);

		if (failed)
			return -1;
		if (size == 0)
			size = 1;
		bytes += size;
		length -= size;
	}
	return 0;
}

int
utf8_append_printable(
    struct buffer *buffer, const char *text, size_t maximum_bytes)
{
	size_t length = strlen(text), i = buffer->length;
	int failed;

	if (length > maximum_bytes) {
		length = maximum_bytes;
		while (length > 0 && is_tail((unsigned char)text[length]))
			length--;
	}
	failed = utf8_append_repaired(buffer, text, length);
	for (; i < buffer->length; i++)
		if ((unsigned char)buffer->bytes[i] < ' ' ||
		    buffer->bytes[i] == 127)
			buffer->bytes[i] = ' ';
	return failed;
}
