#include "agent/seal.h"

#include "base/file.h"
#include "settings/settings.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE "seal"

static int
make_key(int secrets, struct seal_key *out, struct error *err)
{
	random_bytes(out->bytes, sizeof out->bytes);
	return file_write(
	    secrets, KEY_FILE, out->bytes, sizeof out->bytes, 0600, err);
}

int
seal_open(
    const struct settings *settings, struct seal_key *out, struct error *err)
{
	auto_fd int state = file_open_root(settings->state_directory, err);
	auto_buffer struct buffer key = BUFFER(4096);
	auto_fd int secrets = -1;

	if (state < 0 || file_make_directory(state, "secrets", 0750, err) < 0 ||
	    (secrets = file_open(
		 state, "secrets", O_RDONLY | O_DIRECTORY, 0, err)) < 0)
		return -1;
	if (file_read(secrets, KEY_FILE, &key, err) < 0 &&
	    err->kind != ERR_NOT_FOUND)
		return -1;
	/* A damaged one is made anew: hashes that were given out then match
	 * nothing, which is what they do when files change, too. */
	if (key.length != sizeof out->bytes)
		return make_key(secrets, out, err);
	memcpy(out->bytes, key.bytes, sizeof out->bytes);
	OPENSSL_cleanse(key.bytes, key.length);
	return 0;
}

void
seal_add(struct buffer *sealed, const char *text)
{
	if (text == NULL)
		buffer_text(sealed, "-;");
	else
		buffer_printf(sealed, "%zu:%s;", strlen(text), text);
}

void
seal_finish(const struct seal_key *key, const struct buffer *sealed,
    char out[SEAL_TEXT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
	size_t i;

	HMAC(EVP_sha256(), key->bytes, sizeof key->bytes,
	    (const unsigned char *)buffer_string(sealed), sealed->length,
	    digest, NULL);
	for (i = 0; i < (SEAL_TEXT_SIZE - 1) / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
