#include "templates/fetch.h"

#include "base/host.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONNECT_MS 10000L
#define TOTAL_MS 120000L
#define IDLE_S 20L /* without 100 bytes a second */
#define REDIRECTS_MAXIMUM 3

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

struct download {
	const struct template_archive *archive;
	CURL *easy;
	struct buffer bytes;
	bool refused; /* the address */
	char url[2048];
};

static void
begin_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int
fail(struct error *err, const char *why)
{
	return error_set(
	    err, ERR_UPSTREAM, "TEMPLATE_SOURCE_UNAVAILABLE", "%s", why);
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct download *download = context;

	return buffer_append(&download->bytes, bytes, size * count) < 0
		   ? CURL_WRITEFUNC_ERROR
		   : size * count;
}

/* The address that is connected to, not one that was looked up before. */
static curl_socket_t
on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct download *download = context;

	(void)purpose;
	if (host_address_is_refused(&address->addr)) {
		download->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
}

static int
on_progress(
    void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct download *download = context;

	(void)a, (void)b, (void)c, (void)d;
	return download->archive->cancel != NULL &&
	       atomic_load(download->archive->cancel);
}

static void
set_options(struct download *download)
{
	CURL *easy = download->easy;

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(
	    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (download->archive->ca != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, download->archive->ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 100L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, IDLE_S);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
	    (curl_off_t)TEMPLATE_ARCHIVE_MAXIMUM);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "flatrun");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, download);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, download);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, download);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

/* What curl says of a failure may name anything: only what it means. */
static int
explain(const struct download *download, CURLcode code, struct error *err)
{
	if (download->refused)
		return error_set(err, ERR_FORBIDDEN, "HOST_NOT_ALLOWED",
		    "the host has an address that is not allowed");
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return error_set(err, ERR_CONFLICT, "JOB_CANCELLED",
		    "the job was cancelled");
	if (download->bytes.overflowed || code == CURLE_FILESIZE_EXCEEDED)
		fail(err, "the archive is too large");
	else if (code == CURLE_COULDNT_RESOLVE_HOST)
		fail(err, "the host's name is not known");
	else if (code == CURLE_COULDNT_CONNECT)
		fail(err, "the host does not take connections");
	else if (code == CURLE_PEER_FAILED_VERIFICATION ||
		 code == CURLE_SSL_CACERT_BADFILE)
		fail(err, "the host's certificate is not trusted");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		fail(err, "the host is too slow");
	else
		fail(err, "the transfer failed");
	return error_detail(err, "%s", curl_easy_strerror(code));
}

static char *
part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK
		   ? text
		   : NULL;
}

static bool
is_same_part(CURLU *left, CURLU *right, CURLUPart part)
{
	char *one = part_of(left, part), *other = part_of(right, part);
	bool same = one != NULL && other != NULL && strcasecmp(one, other) == 0;

	curl_free(one);
	curl_free(other);
	return same;
}

/* Scheme, host and port. */
static bool
is_same_host(const char *left, const char *right)
{
	CURLU *one = curl_url(), *other = curl_url();
	bool same = curl_url_set(one, CURLUPART_URL, left, 0) == CURLUE_OK &&
		    curl_url_set(other, CURLUPART_URL, right, 0) == CURLUE_OK &&
		    is_same_part(one, other, CURLUPART_SCHEME) &&
		    is_same_part(one, other, CURLUPART_HOST) &&
		    is_same_part(one, other, CURLUPART_PORT);

	curl_url_cleanup(one);
	curl_url_cleanup(other);
	return same;
}

/* *again: there is another URL to ask now. */
static int
ask(struct download *download, bool *again, struct error *err)
{
	char *next = NULL;
	long status = 0;
	CURLcode code;

	buffer_truncate(&download->bytes, 0);
	curl_easy_setopt(download->easy, CURLOPT_URL, download->url);
	code = curl_easy_perform(download->easy);
	if (code != CURLE_OK)
		return explain(download, code, err);
	curl_easy_getinfo(download->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(download->easy, CURLINFO_REDIRECT_URL, &next);
	*again = next != NULL;
	if (next != NULL) {
		if (!is_same_host(download->url, next) ||
		    strlen(next) >= sizeof download->url)
			return fail(err, "the host sends us to another one");
		snprintf(download->url, sizeof download->url, "%s", next);
		return 0;
	}
	if (status != 200) {
		fail(err, "the host has no such archive");
		return error_detail(err, "status %ld", status);
	}
	return 0;
}

static int
ask_all(struct download *download, struct error *err)
{
	bool again = true;
	int asked;

	for (asked = 0; again; asked++) {
		if (asked > REDIRECTS_MAXIMUM)
			return fail(err, "the host sends us around");
		if (ask(download, &again, err) < 0)
			return -1;
	}
	return 0;
}

static int
check_sum(const struct download *download, struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int length = 0, i;

	if (!EVP_Digest(buffer_string(&download->bytes), download->bytes.length,
		digest, &length, EVP_sha256(), NULL))
		return error_set(
		    err, ERR_INTERNAL, NULL, "cannot hash the archive");
	for (i = 0; i < length; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
	return strcmp(text, download->archive->sha256) == 0
		   ? 0
		   : fail(err, "the archive's SHA-256 is another one");
}

int
template_fetch(const struct template_archive *archive, struct arena *arena,
    struct template_texts *out, struct error *err)
{
	struct download download = { .archive = archive,
		.bytes = BUFFER(TEMPLATE_ARCHIVE_MAXIMUM) };
	int failed;

	pthread_once(&curl_once, begin_curl);
	memset(out, 0, sizeof *out);
	snprintf(download.url, sizeof download.url, "%s", archive->url);
	download.easy = curl_easy_init();
	if (download.easy == NULL)
		return error_set(
		    err, ERR_INTERNAL, NULL, "cannot start libcurl");
	set_options(&download);
	failed = ask_all(&download, err) < 0 || check_sum(&download, err) < 0 ||
		 template_read_archive(download.bytes.bytes,
		     download.bytes.length, arena, out, err) < 0;
	curl_easy_cleanup(download.easy);
	buffer_clear(&download.bytes);
	return failed ? -1 : 0;
}
