#include "admin/certificate.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

#define DAY_S (24L * 60 * 60)
#define COMMON_NAME_MAXIMUM 64

static void
release_certificate(X509 **certificate)
{
	X509_free(*certificate);
}
#define auto_certificate CLEANUP(release_certificate)

static void
release_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define auto_key CLEANUP(release_key)

static void
release_bio(BIO **bio)
{
	BIO_free(*bio);
}
#define auto_bio CLEANUP(release_bio)

static int
fail(struct error *err)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof text);
	error_set(err, ERR_INTERNAL, NULL, "cannot make a certificate");
	return error_detail(err, "%s", text);
}

static int
add_name(GENERAL_NAMES *names, const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
	ASN1_IA5STRING *host;

	if (name == NULL)
		return -1;
	if (address != NULL) {
		GENERAL_NAME_set0_value(name, GEN_IPADD, address);
	} else {
		host = ASN1_IA5STRING_new();
		if (host == NULL || !ASN1_STRING_set(host, text, -1)) {
			ASN1_IA5STRING_free(host);
			GENERAL_NAME_free(name);
			return -1;
		}
		GENERAL_NAME_set0_value(name, GEN_DNS, host);
	}
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return 0;
	GENERAL_NAME_free(name);
	return -1;
}

static int
add_names(X509 *certificate, const char *const *names)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	int failed = list == NULL;

	for (; !failed && *names != NULL; names++)
		failed = add_name(list, *names) < 0;
	failed = failed || !X509_add1_ext_i2d(certificate, NID_subject_alt_name,
			       list, 0, X509V3_ADD_DEFAULT);
	GENERAL_NAMES_free(list);
	return failed ? -1 : 0;
}

static int
add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int added;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (extension == NULL)
		return -1;
	added = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return added ? 0 : -1;
}

static int
set_serial(X509 *certificate)
{
	uint64_t serial;

	random_bytes(&serial, sizeof serial);
	/* Positive, and never zero. */
	serial = (serial >> 2) | 1;
	return ASN1_INTEGER_set_uint64(
		   X509_get_serialNumber(certificate), serial)
		   ? 0
		   : -1;
}

static int
set_subject(X509 *certificate, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);

	if (strlen(name) > COMMON_NAME_MAXIMUM)
		name = "localhost";
	if (!X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0) ||
	    !X509_set_issuer_name(certificate, subject))
		return -1;
	return 0;
}

static int
fill(X509 *certificate, EVP_PKEY *key, const char *const *names)
{
	/* From an hour ago: clocks of clients differ. */
	if (!X509_set_version(certificate, X509_VERSION_3) ||
	    set_serial(certificate) < 0 ||
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(certificate),
		CERTIFICATE_DAYS * DAY_S) == NULL ||
	    !X509_set_pubkey(certificate, key) ||
	    set_subject(certificate, names[0]) < 0 ||
	    add_names(certificate, names) < 0)
		return -1;
	if (add_extension(
		certificate, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(
		certificate, NID_key_usage, "critical,digitalSignature") < 0 ||
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") < 0 ||
	    add_extension(certificate, NID_subject_key_identifier, "hash") < 0)
		return -1;
	return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -1;
}

static int
append_bio(BIO *bio, struct buffer *out)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	return length > 0 ? buffer_append(out, bytes, (size_t)length) : -1;
}

int
certificate_make(const char *const *names, struct buffer *out_certificate,
    struct buffer *out_key, struct error *err)
{
	auto_certificate X509 *certificate = X509_new();
	auto_key EVP_PKEY *key = EVP_EC_gen("P-256");
	auto_bio BIO *certificate_text = BIO_new(BIO_s_mem());
	auto_bio BIO *key_text = BIO_new(BIO_s_secmem());

	if (certificate == NULL || key == NULL || certificate_text == NULL ||
	    key_text == NULL || fill(certificate, key, names) < 0 ||
	    !PEM_write_bio_X509(certificate_text, certificate) ||
	    !PEM_write_bio_PrivateKey(
		key_text, key, NULL, NULL, 0, NULL, NULL) ||
	    append_bio(certificate_text, out_certificate) < 0 ||
	    append_bio(key_text, out_key) < 0)
		return fail(err);
	return 0;
}

bool
certificate_is_current(const char *pem, size_t length)
{
	auto_bio BIO *text =
	    length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
	auto_certificate X509 *certificate =
	    text != NULL ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;

	ERR_clear_error();
	return certificate != NULL &&
	       X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}
