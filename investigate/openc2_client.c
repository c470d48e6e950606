/* SPDX-License-Identifier: BSD-2-Clause */
#include "openc2_client.h"

#include <string.h>

#include "caps.h"
#include "http.h"
#include "keys.h"
#include "openc2_message.h"
#include "text.h"

#define WELL_KNOWN "/.well-known/openc2" /* transfer 1.1, 3.2.2 */
#define SCHEME_END "://"
#define TEXT_BYTES 500 /* escaped it may be six times as long, and a text has 4096 */
#define RETRY_US (200 * 1000)
/* How long after "processing" it is asked again; each time twice as long. */
#define FIRST_WAIT_US (250 * 1000)
#define LONGEST_WAIT_US (5 * G_USEC_PER_SEC)

G_DEFINE_QUARK(mailtrace_openc2_client_error, openc2_client_error)

struct openc2_client {
	char *url;
	char *ca, *certificate, *key; /* files; "" for none */
	char *authorization;	      /* a header line, with the token in it; NULL for none */
	enum openc2_transfer transfer;
	guint timeout_ms;
	GAsyncQueue *idle; /* of struct http: connections that nobody uses */
};

/* One command under way. */
struct errand {
	struct openc2_client *client;
	struct http *http;
	const struct openc2_command *command;
	gint64 deadline_us; /* monotonic */
	gboolean retried;   /* once is enough: whoever applies the plan again tries again */
};

/* ---- the client ---- */

/* The address of the standard, where only a host is configured. */
static char *
url_of(const char *configured)
{
	const char *host = strstr(configured, SCHEME_END) + strlen(SCHEME_END);
	const char *path = strchr(host, '/');

	if (path && path[1])
		return g_strdup(configured);
	return g_strdup_printf("%.*s%s",
			       (int)(path ? path - configured : (gssize)strlen(configured)),
			       configured, WELL_KNOWN);
}

static gboolean
check_settings(const struct settings *settings, GError **error)
{
	const char *what = NULL;

	if (!*settings->openc2_url)
		what = "url is not set; name the OpenC2 consumer";
	else if (!*settings->openc2_certificate != !*settings->openc2_key)
		what = "certificate and key belong together; set both or neither";
	else if (!*settings->openc2_certificate && !*settings->openc2_token)
		what = "has neither certificate and key nor token; a consumer must know who "
		       "commands";
	if (!what)
		return TRUE;
	g_set_error(error, OPENC2_CLIENT_ERROR, OPENC2_CLIENT_ERROR_CONFIG, "[openc2] %s", what);
	return FALSE;
}

/* libcurl reads the key itself, and would read one that everybody can. */
static gboolean
check_key(const char *path, GError **error)
{
	gsize size = 0;
	char *text = *path ? secret_text_read(path, &size, error) : NULL;

	if (!text)
		return !*path;
	explicit_bzero(text, size);
	g_free(text);
	return TRUE;
}

/* Of RFC 6750 2.1 a token has no blank; and with a line break it would be two headers. */
static gboolean
read_token(struct openc2_client *client, const char *path, GError **error)
{
	char *token = *path ? secret_read(path, error) : NULL;
	gboolean good = token != NULL;

	if (!token)
		return !*path;
	for (const char *byte = token; *byte; byte++)
		good = good && g_ascii_isgraph(*byte);
	if (good)
		client->authorization = g_strdup_printf("Authorization: Bearer %s", token);
	else
		g_set_error(error, OPENC2_CLIENT_ERROR, OPENC2_CLIENT_ERROR_CONFIG,
			    "%s: is no bearer token; write it in one line without blanks", path);
	secret_free(token);
	return good;
}

struct openc2_client *
openc2_client_new(const struct settings *settings, GError **error)
{
	g_autoptr(openc2_client_t) client = g_new0(struct openc2_client, 1);

	client->idle = g_async_queue_new_full((GDestroyNotify)http_free);
	if (!check_settings(settings, error) || !check_key(settings->openc2_key, error) ||
	    !read_token(client, settings->openc2_token, error))
		return NULL;
	client->url = url_of(settings->openc2_url);
	client->ca = g_strdup(settings->openc2_ca);
	client->certificate = g_strdup(settings->openc2_certificate);
	client->key = g_strdup(settings->openc2_key);
	client->transfer = settings->openc2_transfer;
	client->timeout_ms = settings->openc2_timeout_ms;
	return g_steal_pointer(&client);
}

void
openc2_client_free(struct openc2_client *client)
{
	if (!client)
		return;
	secret_free(client->authorization);
	g_async_queue_unref(client->idle);
	g_free(client->url);
	g_free(client->ca);
	g_free(client->certificate);
	g_free(client->key);
	g_free(client);
}

/* ---- requests ---- */

/* Returns the header line of now, of RFC 7231 7.1.1.1: in English, whatever the locale. */
static char *
date_header(void)
{
	static const char days[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *rest = g_date_time_format(now, "%Y %H:%M:%S GMT");

	return g_strdup_printf("Date: %s, %02d %s %s", days[g_date_time_get_day_of_week(now) - 1],
			       g_date_time_get_day_of_month(now),
			       months[g_date_time_get_month(now) - 1], rest);
}

static GPtrArray *
headers_of(const struct openc2_client *client, const char *request_id)
{
	GPtrArray *headers = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(headers, g_strdup_printf("Content-Type: %s",
						 openc2_message_command_type(client->transfer)));
	g_ptr_array_add(headers, g_strdup_printf("Accept: %s",
						 openc2_message_response_type(client->transfer)));
	g_ptr_array_add(headers, g_strdup_printf("X-Request-ID: %s", request_id));
	g_ptr_array_add(headers, g_strdup("Cache-Control: no-cache"));
	g_ptr_array_add(headers, date_header());
	return headers;
}

/* Posts once.  The token is in no memory that is freed without being cleared. */
static gboolean
post(struct errand *errand, const char *request_id, struct http_answer *ret_answer, GError **error)
{
	const struct openc2_client *client = errand->client;
	g_autoptr(GPtrArray) owned = headers_of(client, request_id);
	g_autoptr(GPtrArray) headers = g_ptr_array_new();
	g_autofree char *body = openc2_message_encode(errand->command, client->transfer, request_id,
						      g_get_real_time() / 1000);
	gint64 left_ms = (errand->deadline_us - g_get_monotonic_time()) / 1000;
	struct http_request request = {.url = client->url,
				       .body = body,
				       .length = strlen(body),
				       .timeout_ms = (guint)MAX(left_ms, 1),
				       .max_bytes = CAP_OPENC2_ANSWER_BYTES};

	g_ptr_array_extend(headers, owned, NULL, NULL);
	if (client->authorization)
		g_ptr_array_add(headers, client->authorization);
	g_ptr_array_add(headers, NULL);
	request.headers = (const char *const *)headers->pdata;
	return http_post(errand->http, &request, ret_answer, error);
}

/* Waits, if there is time for it. */
static gboolean
pause_for(const struct errand *errand, gint64 us)
{
	if (g_get_monotonic_time() + us >= errand->deadline_us)
		return FALSE;
	g_usleep((gulong)us);
	return TRUE;
}

/* A consumer that is being restarted comes back; it knows the command if it had it before. */
static gboolean
try_again(struct errand *errand, const GError *why)
{
	if (errand->retried || (why->code != HTTP_ERROR_CONNECT && why->code != HTTP_ERROR_BROKEN))
		return FALSE;
	errand->retried = TRUE;
	return pause_for(errand, RETRY_US);
}

/* ---- answers ---- */

/* libcurl's words have those of certificates in them. */
static struct openc2_response *
answer(const struct errand *errand, enum openc2_outcome outcome, const char *text)
{
	g_autofree char *valid = text_from_bytes(text, strlen(text), TEXT_BYTES, NULL);
	g_autofree char *safe = text_for_terminal(valid);

	return openc2_response_new(errand->command->command_id, outcome, safe);
}

static struct openc2_response *
answer_unanswered(const struct errand *errand, const GError *why)
{
	enum openc2_outcome outcome = OPENC2_UNREACHABLE;
	const char *remedy = "";
	g_autofree char *text = NULL;

	if (why->code == HTTP_ERROR_UNTRUSTED)
		remedy = "; compare ca, certificate, key and the host in url of [openc2]";
	else if (why->code == HTTP_ERROR_BROKEN)
		remedy = "; if it always hangs up, it may not take our certificate";
	if (why->code == HTTP_ERROR_UNTRUSTED || why->code == HTTP_ERROR_TOO_LARGE ||
	    why->code == HTTP_ERROR_FAILED)
		outcome = OPENC2_FAILED;
	text = g_strdup_printf("%s%s", why->message, remedy);
	return answer(errand, outcome, text);
}

/* An answer of HTTP's alone: of the server before the consumer, or of none. */
static struct openc2_response *
answer_http(const struct errand *errand, const struct http_answer *got)
{
	enum openc2_outcome outcome = OPENC2_FAILED;
	g_autofree char *type = text_from_bytes(got->type, strlen(got->type), 100, NULL);
	g_autofree char *text = NULL;

	switch (got->status) {
	case 401:
	case 403:
		text = g_strdup_printf("HTTP status %u: the consumer does not take our certificate "
				       "or token; see [openc2]",
				       got->status);
		break;
	case 429:
	case 502:
	case 503:
	case 504:
		outcome = OPENC2_UNREACHABLE;
		text = g_strdup_printf("HTTP status %u: the consumer cannot be had now",
				       got->status);
		break;
	default:
		text = g_strdup_printf(
			"HTTP status %u with \"%s\", which is no OpenC2; is [openc2] "
			"url that of a consumer?",
			got->status, type);
	}
	return answer(errand, outcome, text);
}

/* HTTP's status is that of the response, or says only that there is one. */
static gboolean
agree(guint http_status, guint status)
{
	return http_status / 100 == 2 || http_status == status;
}

/* Returns what an answer means; NULL while the consumer is working on it. */
static struct openc2_response *
understand(const struct errand *errand, const char *request_id, const struct http_answer *got)
{
	g_autoptr(openc2_response_t) response = NULL;
	g_autoptr(GError) error = NULL;
	guint status;

	if (!openc2_message_is_type(got->type))
		return answer_http(errand, got);
	status = openc2_message_decode(errand->command, request_id, (const char *)got->body->data,
				       got->body->len, &response, &error);
	if (!status)
		return answer(errand, OPENC2_FAILED, error->message);
	if (!agree(got->status, status))
		return answer(errand, OPENC2_FAILED,
			      "the consumer's answer has another status than HTTP");
	return g_steal_pointer(&response);
}

/* Sends the command until there is an answer.  NULL while the consumer is working on it. */
static struct openc2_response *
ask(struct errand *errand)
{
	g_auto(http_answer_t) got = {0};
	g_autoptr(GError) why = NULL;

	do {
		g_autofree char *request_id = g_uuid_string_random();

		g_clear_error(&why);
		if (post(errand, request_id, &got, &why))
			return understand(errand, request_id, &got);
	} while (try_again(errand, why));
	return answer_unanswered(errand, why);
}

struct openc2_response *
openc2_client_carry_out(struct openc2_client *client, const struct openc2_command *command)
{
	const struct http_tls tls = {client->ca, client->certificate, client->key};
	struct errand errand = {.client = client, .command = command};
	struct openc2_response *response = NULL;
	gint64 wait_us = FIRST_WAIT_US;

	if (command->action == OPENC2_COPY)
		return openc2_response_new(command->command_id, OPENC2_FAILED,
					   "evidence is not brought over OpenC2");
	errand.deadline_us = g_get_monotonic_time() + (gint64)client->timeout_ms * 1000;
	errand.http = g_async_queue_try_pop(client->idle);
	if (!errand.http)
		errand.http = http_new(&tls);
	while (!(response = ask(&errand))) {
		if (!pause_for(&errand, wait_us)) {
			response =
				answer(&errand, OPENC2_UNREACHABLE,
				       "the consumer is still working on it; apply again to ask");
			break;
		}
		wait_us = MIN(wait_us * 2, LONGEST_WAIT_US);
	}
	g_async_queue_push(client->idle, errand.http);
	return response;
}
