/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http.h - one HTTP request and its answer.
 *
 * Owns libcurl and knows no protocol above HTTP.  Follows no redirect, asks no
 * proxy and reads no .netrc, so that a secret in a header goes to the address
 * that was configured and to no other.  TLS is 1.2 or newer, with ciphers that
 * HTTP/2 allows (RFC 7540 appendix A), and certificates and names are verified.
 * Connections are kept for the next request.  A struct http belongs to one thread
 * at a time.
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
	HTTP_ERROR_UNTRUSTED, /* a certificate: the server's, or ours cannot be used; nothing was
				 sent */
	HTTP_ERROR_FAILED,    /* anything else: a wrong address… */
};
/* After BROKEN, TIMEOUT and TOO_LARGE the server may have done what was asked. */
#define HTTP_ERROR (http_error_quark())
GQuark http_error_quark(void);

/* Makes the library ready; once, while the process has one thread.  Returns FALSE if it cannot. */
gboolean http_init(void);

/* Files in PEM; NULL or "" where there is none. */
struct http_tls {
	const char *ca; /* who may have signed the server's certificate; none: the system's */
	const char *certificate; /* of our own, with its chain */
	const char *key;	 /* of that certificate, not encrypted */
};

/* Returns a client without a connection.  tls: copied; NULL is allowed.  Free with http_free(). */
struct http *http_new(const struct http_tls *tls);

/* What is posted; all of it is borrowed. */
struct http_request {
	const char *url;	    /* http: or https: */
	const char *const *headers; /* lines "Name: value", NULL-terminated */
	const char *body;
	gsize length;	  /* of the body */
	guint timeout_ms; /* for all of it */
	gsize max_bytes;  /* of the answer's body */
};

struct http_answer {
	guint status;	  /* HTTP's code */
	char *type;	  /* value of Content-Type, raw bytes; "" if there is none */
	GByteArray *body; /* may hold anything */
};

/* Posts.  Returns FALSE with an HTTP_ERROR; else *ret_answer is to be cleared. */
gboolean http_post(struct http *http, const struct http_request *request,
		   struct http_answer *ret_answer, GError **error);

/* Frees what an answer owns; one of zeros is allowed. */
void http_answer_clear(struct http_answer *answer);

/* Closes the connection.  NULL is allowed. */
void http_free(struct http *http);

typedef struct http http_t;
typedef struct http_answer http_answer_t;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(http_answer_t, http_answer_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(http_t, http_free)
#endif
