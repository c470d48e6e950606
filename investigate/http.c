/* SPDX-License-Identifier: BSD-2-Clause */
#include "http.h"

#include <curl/curl.h>
#include <string.h>

/* ECDHE or DHE, and AEAD, for TLS 1.2; all of TLS 1.3 is so. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL"

G_DEFINE_QUARK(mailtrace_http_error, http_error)

struct http {
	CURL *curl;
	char *ca, *certificate, *key; /* files; NULL for none */
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

static char *
file_or_null(const char *path)
{
	return path && *path ? g_strdup(path) : NULL;
}

struct http *
http_new(const struct http_tls *tls)
{
	struct http *http = g_new0(struct http, 1);

	http->curl = curl_easy_init();
	g_assert(http->curl);
	if (tls) {
		http->ca = file_or_null(tls->ca);
		http->certificate = file_or_null(tls->certificate);
		http->key = file_or_null(tls->key);
	}
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	g_free(http->ca);
	g_free(http->certificate);
	g_free(http->key);
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
	case CURLE_SSL_CONNECT_ERROR: /* a server that ends hangs up in the handshake */
		return HTTP_ERROR_CONNECT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return HTTP_ERROR_UNTRUSTED;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return HTTP_ERROR_BROKEN;
	default:
		return HTTP_ERROR_FAILED;
	}
}

static void
set_up_tls(struct http *http)
{
	curl_easy_setopt(http->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(http->curl, CURLOPT_SSL_CIPHER_LIST, CIPHERS);
	if (http->ca) {
		curl_easy_setopt(http->curl, CURLOPT_CAINFO, http->ca);
		curl_easy_setopt(http->curl, CURLOPT_CAPATH, NULL); /* or the system's count, too */
	}
	if (http->certificate) {
		curl_easy_setopt(http->curl, CURLOPT_SSLCERT, http->certificate);
		curl_easy_setopt(http->curl, CURLOPT_SSLKEY, http->key);
		/* Else OpenSSL would ask at the terminal for that of an encrypted key. */
		curl_easy_setopt(http->curl, CURLOPT_KEYPASSWD, "");
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
	curl_easy_setopt(http->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	set_up_tls(http);
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

static void
take_answer(struct http *http, struct body *body, struct http_answer *ret_answer)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(http->curl, CURLINFO_CONTENT_TYPE, &type);
	ret_answer->status = (guint)status;
	ret_answer->type = g_strdup(type ? type : "");
	ret_answer->body = g_steal_pointer(&body->bytes);
}

gboolean
http_post(struct http *http, const struct http_request *request, struct http_answer *ret_answer,
	  GError **error)
{
	struct body body = {g_byte_array_new(), request->max_bytes};
	struct curl_slist *list = list_of(request->headers);
	gboolean good;

	set_up(http);
	curl_easy_setopt(http->curl, CURLOPT_URL, request->url);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &body);
	good = perform(http, &body, error);
	if (good)
		take_answer(http, &body, ret_answer);
	else
		g_byte_array_unref(body.bytes);
	curl_slist_free_all(list);
	return good;
}

void
http_answer_clear(struct http_answer *answer)
{
	g_clear_pointer(&answer->type, g_free);
	g_clear_pointer(&answer->body, g_byte_array_unref);
}
