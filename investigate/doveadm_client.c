/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "doveadm_client.h"

#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "doveadm_answer.h"
#include "http.h"
#include "json.h"

#define HTTP_OK 200
#define HTTP_UNAUTHORIZED 401
#define RETRY_US (200 * 1000)
#define MAX_BROKEN 3

struct doveadm {
	struct http *http;
	char *url;
	char *authorization; /* a header line, with the key in it */
};

static const char *const mail_fields[] = {
	"mailbox",	  "mailbox-guid",	"uid", "guid", "flags", "size.physical",
	"hdr.message-id", "hdr.x-mailtrace-id", "text"};

struct doveadm *
doveadm_new(const char *url, const char *ca, const char *key)
{
	struct doveadm *doveadm = g_new0(struct doveadm, 1);
	const struct http_tls tls = {.ca = ca};
	char *encoded = g_base64_encode((const guchar *)key, strlen(key));

	doveadm->http = http_new(&tls);
	doveadm->url = g_strdup(url);
	doveadm->authorization = g_strdup_printf("Authorization: X-Dovecot-API %s", encoded);
	explicit_bzero(encoded, strlen(encoded));
	g_free(encoded);
	return doveadm;
}

void
doveadm_free(struct doveadm *doveadm)
{
	if (!doveadm)
		return;
	http_free(doveadm->http);
	explicit_bzero(doveadm->authorization, strlen(doveadm->authorization));
	g_free(doveadm->authorization);
	g_free(doveadm->url);
	g_free(doveadm);
}

static json_t *
array_of(const char *const *texts, gsize count)
{
	json_t *array = json_array();

	for (gsize i = 0; i < count; i++)
		json_array_append_new(array, json_string(texts[i]));
	return array;
}

static void
put_query(json_t *parameters, const char *const *query)
{
	json_object_set_new(parameters, "query", array_of(query, g_strv_length((char **)query)));
}

/* A message by its place, and its guid too: should the place have been given anew. */
static void
put_place(json_t *parameters, const struct doveadm_mail *mail)
{
	const char *query[] = {"mailbox-guid", mail->mailbox_guid, "uid", mail->uid,
			       "guid",	       mail->guid,	   NULL};

	put_query(parameters, query);
}

static void
adopt_http_error(GError *why, GError **error)
{
	enum doveadm_error code = why->code == HTTP_ERROR_TOO_LARGE   ? DOVEADM_ERROR_TOO_LARGE
				  : why->code == HTTP_ERROR_UNTRUSTED ? DOVEADM_ERROR_DENIED
								      : DOVEADM_ERROR_UNREACHABLE;

	g_set_error(error, DOVEADM_ERROR, (int)code, "%s%s", why->message,
		    code == DOVEADM_ERROR_DENIED ? "; compare [mailstore] ca and the host in url "
						   "with its certificate"
						 : "");
	g_error_free(why);
}

static gboolean
check_status(guint status, GError **error)
{
	if (status == HTTP_OK)
		return TRUE;
	if (status == HTTP_UNAUTHORIZED)
		g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_DENIED,
				    "the server does not take the key; compare [mailstore] key "
				    "with its doveadm_api_key");
	else
		g_set_error(error, DOVEADM_ERROR, DOVEADM_ERROR_ANSWER,
			    "the server answered with HTTP status %u; is [mailstore] url that of "
			    "its doveadm HTTP API?",
			    status);
	return FALSE;
}

/* Whether a request that failed is to be sent once more: a server that is restarted comes back. */
static gboolean
try_again(const struct doveadm_call *call, const GError *why, guint *broken)
{
	if (why->code != HTTP_ERROR_CONNECT && why->code != HTTP_ERROR_BROKEN)
		return FALSE;
	/* At what it cannot read Dovecot hangs up, however often. */
	if (why->code == HTTP_ERROR_BROKEN && ++*broken > MAX_BROKEN)
		return FALSE;
	if (g_get_monotonic_time() + RETRY_US >= call->deadline_us)
		return FALSE;
	g_usleep(RETRY_US);
	return TRUE;
}

/* Posts a body until there is an answer.  Commands may be sent twice: all go by what they find. */
static gboolean
post(struct doveadm *doveadm, const struct doveadm_call *call, const char *body, gsize max_bytes,
     struct http_answer *ret_answer, GError **error)
{
	const char *const headers[] = {doveadm->authorization, "Content-Type: application/json",
				       NULL};
	struct http_request request = {.url = doveadm->url,
				       .headers = headers,
				       .body = body,
				       .length = strlen(body),
				       .max_bytes = max_bytes};
	GError *why = NULL;
	guint broken = 0;

	do {
		gint64 left_ms = (call->deadline_us - g_get_monotonic_time()) / 1000;

		g_clear_error(&why);
		if (left_ms <= 0) {
			g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_UNREACHABLE,
					    "the time for this command was over");
			return FALSE;
		}
		request.timeout_ms = (guint)MIN(left_ms, G_MAXINT);
		if (http_post(doveadm->http, &request, ret_answer, &why))
			return TRUE;
	} while (try_again(call, why, &broken));
	adopt_http_error(why, error);
	return FALSE;
}

/*
 * A user of ours, and one: Dovecot takes "*" and "?" in a name for a pattern,
 * and would do to every mailbox what was meant for one.
 */
static gboolean
check_user(const char *user, GError **error)
{
	if (*user && !strpbrk(user, "*?") && g_utf8_validate(user, -1, NULL))
		return TRUE;
	g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_NO_USER,
			    "this is no name of a user: empty, or a pattern of names");
	return FALSE;
}

/* Sends one command; parameters are taken over.  Returns the answer's body. */
static GByteArray *
ask(struct doveadm *doveadm, const struct doveadm_call *call, const char *name, json_t *parameters,
    gsize max_bytes, GError **error)
{
	g_autoptr(json_t) commands = json_pack("[[s, o, s]]", name, parameters, DOVEADM_TAG);
	g_auto(http_answer_t) answer = {0};
	gboolean answered;
	char *body;

	if (!check_user(call->user, error))
		return NULL;
	json_object_set_new(parameters, "user", json_string(call->user));
	body = json_line(commands);
	answered = post(doveadm, call, body, max_bytes, &answer, error);
	free(body);
	return answered && check_status(answer.status, error) ? g_steal_pointer(&answer.body)
							      : NULL;
}

/* Without text the last of the fields is left out. */
static GPtrArray *
fetch(struct doveadm *doveadm, const struct doveadm_call *call, json_t *parameters,
      gboolean with_text, gsize max_bytes, GError **error)
{
	g_autoptr(GByteArray) answer = NULL;

	json_object_set_new(parameters, "field",
			    array_of(mail_fields, G_N_ELEMENTS(mail_fields) - !with_text));
	answer = ask(doveadm, call, "fetch", parameters, max_bytes, error);
	if (!answer)
		return NULL;
	return doveadm_read_mails((const char *)answer->data, answer->len, error);
}

GPtrArray *
doveadm_find(struct doveadm *doveadm, const struct doveadm_call *call, const char *const *query,
	     gboolean with_text, GError **error)
{
	json_t *parameters = json_object();

	put_query(parameters, query);
	return fetch(doveadm, call, parameters, with_text, CAP_DOVEADM_LIST_BYTES, error);
}

struct doveadm_mail *
doveadm_fetch(struct doveadm *doveadm, const struct doveadm_call *call,
	      const struct doveadm_mail *mail, GError **error)
{
	g_autoptr(GPtrArray) mails = NULL;
	json_t *parameters = json_object();

	put_place(parameters, mail);
	mails = fetch(doveadm, call, parameters, TRUE, CAP_DOVEADM_TEXT_BYTES, error);
	if (!mails)
		return NULL;
	if (mails->len == 0) {
		g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_NO_MAILBOX,
				    "the message is no longer there");
		return NULL;
	}
	return g_ptr_array_steal_index(mails, 0);
}

/* Of a command whose rows say nothing. */
static gboolean
carry_out(struct doveadm *doveadm, const struct doveadm_call *call, const char *name,
	  json_t *parameters, GError **error)
{
	g_autoptr(json_t) root = NULL;
	g_autoptr(GByteArray) answer =
		ask(doveadm, call, name, parameters, CAP_DOVEADM_LIST_BYTES, error);

	return answer &&
	       doveadm_read_rows((const char *)answer->data, answer->len, &root, error) != NULL;
}

gboolean
doveadm_move(struct doveadm *doveadm, const struct doveadm_call *call,
	     const struct doveadm_mail *mail, const char *mailbox, GError **error)
{
	json_t *parameters = json_object();

	json_put_text(parameters, "destinationMailbox", mailbox);
	put_place(parameters, mail);
	return carry_out(doveadm, call, "move", parameters, error);
}

gboolean
doveadm_create(struct doveadm *doveadm, const struct doveadm_call *call, const char *mailbox,
	       gboolean subscribe, GError **error)
{
	json_t *parameters = json_object();

	json_object_set_new(parameters, "mailbox", array_of(&mailbox, 1));
	if (subscribe)
		json_object_set_new(parameters, "subscriptions", json_true());
	return carry_out(doveadm, call, "mailboxCreate", parameters, error);
}
