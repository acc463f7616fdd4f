#include "agent/probe.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 64
#define WAIT_MS 100

/* One probe under way. */
struct attempt {
	const struct probe *probe;
	struct probe_result *result;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer answer;
	int64_t started_ms;
};

/* More than is searched is not wanted, but no failure either. */
static size_t
on_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct attempt *attempt = context;
	size_t length = size * count;
	size_t room = PROBE_ANSWER_MAXIMUM - attempt->answer.length;

	if (attempt->probe->contains == NULL)
		return length;
	buffer_append(&attempt->answer, bytes, length < room ? length : room);
	return length <= room ? length : CURL_WRITEFUNC_ERROR;
}

static void
set_options(struct attempt *attempt)
{
	const struct probe *probe = attempt->probe;
	char url[2200], header[300];

	snprintf(url, sizeof url, "http://%s:%d%s", probe->address, probe->port,
	    probe->type == PROBE_HTTP ? probe->path : "/");
	curl_easy_setopt(attempt->easy, CURLOPT_URL, url);
	curl_easy_setopt(attempt->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(attempt->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(attempt->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(attempt->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(attempt->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(attempt->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(attempt->easy, CURLOPT_USERAGENT, "flatrun-probe");
	curl_easy_setopt(attempt->easy, CURLOPT_TIMEOUT_MS,
	    (long)(probe->timeout_ms > 0 ? probe->timeout_ms
					 : PROBE_TIMEOUT_MS));
	curl_easy_setopt(attempt->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(attempt->easy, CURLOPT_WRITEDATA, attempt);
	curl_easy_setopt(attempt->easy, CURLOPT_PRIVATE, attempt);
	if (probe->type == PROBE_TCP)
		curl_easy_setopt(attempt->easy, CURLOPT_CONNECT_ONLY, 1L);
	if (probe->host == NULL)
		return;
	snprintf(header, sizeof header, "Host: %s", probe->host);
	attempt->headers = curl_slist_append(NULL, header);
	curl_easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, attempt->headers);
}

static void
begin_probe(CURLM *multi, struct attempt *attempt, const struct probe *probe,
    struct probe_result *result)
{
	*attempt = (struct attempt){ .probe = probe,
		.result = result,
		.easy = curl_easy_init(),
		.answer = BUFFER(PROBE_ANSWER_MAXIMUM),
		.started_ms = clock_monotonic_ms() };
	*result = (struct probe_result){ .reason = "it was not asked" };
	if (attempt->easy == NULL)
		return;
	set_options(attempt);
	curl_multi_add_handle(multi, attempt->easy);
}

static bool
status_is_good(const struct probe *probe, int status)
{
	size_t i;

	if (probe->status_count == 0)
		return status >= 200 && status < 400;
	for (i = 0; i < probe->status_count; i++)
		if (probe->statuses[i] == status)
			return true;
	return false;
}

static void
judge_answer(struct attempt *attempt)
{
	const struct probe *probe = attempt->probe;
	struct probe_result *result = attempt->result;

	if (!status_is_good(probe, result->status))
		snprintf(result->reason, sizeof result->reason,
		    "GET %.80s answered %d", probe->path, result->status);
	else if (probe->contains != NULL &&
		 memmem(buffer_string(&attempt->answer), attempt->answer.length,
		     probe->contains, strlen(probe->contains)) == NULL)
		snprintf(result->reason, sizeof result->reason,
		    "the answer to GET %.80s lacks the expected text",
		    probe->path);
	else
		result->passed = true;
}

/* What curl says of a failure may name anything: only what it means. */
static void
explain_no_answer(struct attempt *attempt, CURLcode code)
{
	struct probe_result *result = attempt->result;
	int port = attempt->probe->port;

	if (code == CURLE_COULDNT_CONNECT)
		snprintf(result->reason, sizeof result->reason,
		    "nothing listens at port %d", port);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(result->reason, sizeof result->reason,
		    "there was no answer from port %d in time", port);
	else
		snprintf(result->reason, sizeof result->reason,
		    "port %d does not speak HTTP", port);
}

static void
judge_attempt(struct attempt *attempt, CURLcode code)
{
	struct probe_result *result = attempt->result;
	long status = 0;

	result->reason[0] = '\0';
	result->duration_ms = clock_monotonic_ms() - attempt->started_ms;
	curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	result->status = (int)status;
	/* Broken off by on_answer(): there was more than enough. */
	if (code == CURLE_WRITE_ERROR)
		code = CURLE_OK;
	if (code != CURLE_OK)
		explain_no_answer(attempt, code);
	else if (attempt->probe->type == PROBE_TCP)
		result->passed = true;
	else
		judge_answer(attempt);
}

static void
end_attempt(CURLM *multi, struct attempt *attempt)
{
	curl_multi_remove_handle(multi, attempt->easy);
	curl_easy_cleanup(attempt->easy);
	curl_slist_free_all(attempt->headers);
	buffer_clear(&attempt->answer);
	attempt->easy = NULL;
}

static void
take_results(CURLM *multi)
{
	struct attempt *attempt;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&attempt);
		judge_attempt(attempt, message->data.result);
		end_attempt(multi, attempt);
	}
}

static void
run_some(CURLM *multi, const struct probe *probes, size_t count,
    struct probe_result *results, const atomic_bool *cancel)
{
	struct attempt attempts[AT_ONCE];
	int running = 1;
	size_t i;

	for (i = 0; i < count; i++)
		begin_probe(multi, &attempts[i], &probes[i], &results[i]);
	while (running > 0 && (cancel == NULL || !atomic_load(cancel))) {
		curl_multi_perform(multi, &running);
		take_results(multi);
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
	}
	for (i = 0; i < count; i++)
		if (attempts[i].easy != NULL)
			end_attempt(multi, &attempts[i]);
}

void
probe_run(const struct probe *probes, size_t count,
    struct probe_result *results, const atomic_bool *cancel)
{
	CURLM *multi = curl_multi_init();
	size_t some;

	for (; count > 0; count -= some) {
		some = count < AT_ONCE ? count : AT_ONCE;
		run_some(multi, probes, some, results, cancel);
		probes += some;
		results += some;
	}
	curl_multi_cleanup(multi);
}
