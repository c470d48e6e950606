/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http.h - one HTTP request and its answer.
 *
 * Owns libcurl and knows no protocol above HTTP.  Follows no redirect, asks no
 * proxy and reads no .netrc, so that a secret in a header goes to the address
 * that was configured and to no other; certificates are verified.  Connections
 * are kept for the next request.  A struct http belongs to one thread at a
 * time.
 */
#ifndef MAILTRACE_HTTP_H
#define MAILTRACE_HTTP_H

#include <glib.h>

struct http;

enum http_error {
	HTTP_ERROR_CONNECT,   /* no connection: nothing was sent */
	HTTP_ERROR_BROKEN,    /* it broke before the answer's end */
	HTTP_ERROR_TIMEOUT,   /* the time was over */
	HTTP_ERROR_TOO_LARGE, /* the answer is over its cap */
	HTTP_ERROR_FAILED,    /* anything else: a wrong address, a certificate… */
};
#define HTTP_ERROR (http_error_quark())
GQuark http_error_quark(void);

/* Makes the library ready; once, while the process has one thread.  Returns FALSE if it cannot. */
gboolean http_init(void);

/* Returns a client without a connection.  Free with http_free(). */
struct http *http_new(void);

/*
 * Posts length bytes of body to a URL (http: or https:).  headers:
 * NULL-terminated lines "Name: value".  timeout_ms: for all of it.  max_bytes:
 * of the answer's body.  Returns NULL with an HTTP_ERROR; else the body, which
 * may hold anything, with *ret_status the answer's code.  Free with
 * g_byte_array_unref().
 */
GByteArray *http_post(struct http *http, const char *url, const char *const *headers,
		      const char *body, gsize length, guint timeout_ms, gsize max_bytes,
		      guint *ret_status, GError **error);

/* Closes the connection.  NULL is allowed. */
void http_free(struct http *http);

typedef struct http http_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(http_t, http_free)
#endif
