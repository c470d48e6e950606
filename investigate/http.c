/* SPDX-License-Identifier: BSD-2-Clause */
#include "http.h"

#include <curl/curl.h>
#include <string.h>

G_DEFINE_QUARK(mailtrace_http_error, http_error)

struct http {
	CURL *curl;
	char reason[CURL_ERROR_SIZE]; /* libcurl's own words */
};

/* Where an answer's body goes. */
struct body {
	GByteArray *bytes;
	gsize max_bytes;
	gboolean too_large;
};

gboolean
http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct http *
http_new(void)
{
	struct http *http = g_new0(struct http, 1);

	http->curl = curl_easy_init();
	g_assert(http->curl);
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	g_free(http);
}

static size_t
on_body(char *chunk, size_t size, size_t count, void *data)
{
	struct body *body = data;
	gsize length = size * count;

	if (length > body->max_bytes - body->bytes->len) {
		body->too_large = TRUE;
		return CURL_WRITEFUNC_ERROR;
	}
	g_byte_array_append(body->bytes, (const guint8 *)chunk, (guint)length);
	return length;
}

static enum http_error
error_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_ERROR_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return HTTP_ERROR_CONNECT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return HTTP_ERROR_BROKEN;
	default:
		return HTTP_ERROR_FAILED;
	}
}

/* What does not depend on a request; curl_easy_reset() keeps connections. */
static void
set_up(struct http *http)
{
	curl_easy_reset(http->curl);
	http->reason[0] = '\0';
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->reason);
	curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(http->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(http->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(http->curl, CURLOPT_NOPROXY, "*");
	/* Name look-ups would time out by SIGALRM, which threads share. */
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, on_body);
}

static struct curl_slist *
list_of(const char *const *headers)
{
	/* Without it libcurl waits for a "100 Continue" on larger bodies. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (; *headers; headers++)
		list = curl_slist_append(list, *headers);
	return list;
}

static gboolean
perform(struct http *http, struct body *body, GError **error)
{
	CURLcode code = curl_easy_perform(http->curl);

	if (code == CURLE_OK)
		return TRUE;
	if (body->too_large)
		g_set_error(error, HTTP_ERROR, HTTP_ERROR_TOO_LARGE,
			    "the answer is over %" G_GSIZE_FORMAT " bytes", body->max_bytes);
	else
		g_set_error_literal(error, HTTP_ERROR, error_of(code),
				    *http->reason ? http->reason : curl_easy_strerror(code));
	return FALSE;
}

GByteArray *
http_post(struct http *http, const char *url, const char *const *headers, const char *body,
	  gsize length, guint timeout_ms, gsize max_bytes, guint *ret_status, GError **error)
{
	struct body answer = {g_byte_array_new(), max_bytes};
	struct curl_slist *list = list_of(headers);
	long status = 0;
	gboolean good;

	set_up(http);
	curl_easy_setopt(http->curl, CURLOPT_URL, url);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &answer);
	good = perform(http, &answer, error);
	curl_slist_free_all(list);
	if (!good) {
		g_byte_array_unref(answer.bytes);
		return NULL;
	}
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = (guint)status;
	return answer.bytes;
}
