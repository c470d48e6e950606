/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf_login.h"

#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "network.h"
#include "ocsf.h"
#include "ocsf_json.h"

/* OCSF 1.8, class authentication; the schema's numbers under their own names. */
#define CATEGORY_IAM 3
#define ACTIVITY_LOGON 1
#define SEVERITY_INFORMATIONAL 1
#define STATUS_SUCCESS 1
#define LOGON_NETWORK 3
#define PROTOCOL_OTHER 99 /* "auth_protocol" then has the word */

/* ---- writing ---- */

static void
put_class(json_t *root, const struct login *login)
{
	ocsf_put(root, "category_uid", json_integer(CATEGORY_IAM));
	ocsf_put(root, "class_uid", json_integer(OCSF_CLASS_AUTHENTICATION));
	ocsf_put(root, "activity_id", json_integer(ACTIVITY_LOGON));
	ocsf_put(root, "type_uid", json_integer(OCSF_CLASS_AUTHENTICATION * 100 + ACTIVITY_LOGON));
	ocsf_put(root, "severity_id", json_integer(SEVERITY_INFORMATIONAL));
	ocsf_put(root, "status_id", json_integer(STATUS_SUCCESS));
	ocsf_put(root, "time", json_integer(login->time_us / 1000));
	ocsf_put(root, "is_remote", json_true());
	ocsf_put(root, "logon_type_id", json_integer(LOGON_NETWORK));
	if (login->method != NULL) {
		ocsf_put(root, "auth_protocol_id", json_integer(PROTOCOL_OTHER));
		ocsf_put_text(root, "auth_protocol", login->method);
	}
}

static void
put_parties(json_t *root, const struct login *login)
{
	json_t *user = json_object(), *service = json_object(), *session = json_object();
	json_t *source = json_object(), *server = json_object();

	ocsf_put_text(user, "name", login->user);
	if (ocsf_is_email(login->user))
		ocsf_put_text(user, "email_addr", login->user);
	ocsf_put(root, "user", user);
	ocsf_put_text(service, "name", login->service);
	ocsf_put(root, "service", service);
	ocsf_put_text(session, "uid", login->session);
	ocsf_put_filled(root, "session", session);
	ocsf_put_text(source, "ip", login->client);
	ocsf_put(root, "src_endpoint", source);
	if (ocsf_is_hostname(login->log_host))
		ocsf_put_text(server, "hostname", login->log_host);
	ocsf_put_filled(root, "dst_endpoint", server);
}

static json_t *
mailtrace_value(const struct login *login)
{
	json_t *mailtrace = json_object(), *value = json_object();

	ocsf_put(mailtrace, "version", json_integer(MAILTRACE_EVENT_VERSION));
	ocsf_put_text(mailtrace, "origin", "log");
	ocsf_put_text(mailtrace, "sensor", login->sensor);
	ocsf_put_text(mailtrace, "tenant", login->tenant);
	ocsf_put_text(value, "host", login->log_host);
	ocsf_put_text(value, "service", login->service);
	ocsf_put_text(value, "user", login->user);
	ocsf_put_text(value, "client", login->client);
	ocsf_put_text(value, "session", login->session);
	ocsf_put_text(value, "method", login->method);
	ocsf_put(value, "time_us", json_integer(login->time_us));
	ocsf_put(mailtrace, "login", value);
	return mailtrace;
}

GBytes *
ocsf_encode_login(const struct login *login)
{
	json_t *root = json_object();
	char *text;

	ocsf_put(root, "metadata",
		 ocsf_metadata_value(login->event_id, "log", login->tenant, NULL));
	put_class(root, login);
	put_parties(root, login);
	ocsf_put(root, "unmapped", json_pack("{s:o}", "mailtrace", mailtrace_value(login)));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text == NULL)
		g_error("a login could not be written");
	return g_bytes_new_with_free_func(text, strlen(text), free, text);
}

/* ---- reading ---- */

/* Reads a word of 1 to most bytes; NULL if it is absent and need not be there. */
static char *
read_word(struct ocsf_in *in, json_t *value, const char *key, gsize most, gboolean needed)
{
	char *word = needed ? ocsf_need_text(in, value, key) : ocsf_take_text(in, value, key);

	if (word != NULL && *word == '\0')
		ocsf_fail(in, key, "is empty");
	if (word != NULL && strlen(word) > most)
		ocsf_fail(in, key, "is too long");
	return word;
}

static char *
read_client(struct ocsf_in *in, json_t *value)
{
	guint8 ip[NETWORK_IP_BYTES];

	if (network_ip(ocsf_need_string(in, value, "client"), ip))
		return network_ip_text(ip);
	ocsf_fail(in, "client", "is no address");
	return NULL;
}

static void
read_login(struct ocsf_in *in, json_t *value, struct login *login)
{
	login->log_host = read_word(in, value, "host", CAP_ADDRESS_BYTES, TRUE);
	login->service = read_word(in, value, "service", LOGIN_SERVICE_MAX, TRUE);
	login->user = read_word(in, value, "user", CAP_ADDRESS_BYTES, TRUE);
	login->client = read_client(in, value);
	login->session = read_word(in, value, "session", LOGIN_SESSION_MAX, FALSE);
	login->method = read_word(in, value, "method", LOGIN_METHOD_MAX, FALSE);
	login->time_us = ocsf_need_number(in, value, "time_us", 0, OCSF_TIME_US_MAX);
}

/* Returns unmapped.mailtrace of a login, borrowed, or NULL. */
static json_t *
check_activity(json_t *root, GError **error)
{
	json_t *mailtrace = ocsf_check_class_of(root, OCSF_CLASS_AUTHENTICATION, error);

	if (mailtrace == NULL)
		return NULL;
	if (json_integer_value(json_object_get(root, "activity_id")) == ACTIVITY_LOGON)
		return mailtrace;
	g_set_error(error, OCSF_ERROR, OCSF_ERROR_CLASS, "event: not a Logon (activity 1)");
	return NULL;
}

struct login *
ocsf_decode_login(const void *json, gsize length, GError **error)
{
	g_autoptr(login_t) login = login_new();
	struct ocsf_in in = {.error = error};
	json_t *root = ocsf_parse(json, length, CAP_LOGIN_BYTES, error), *mailtrace;

	if (root == NULL)
		return NULL;
	mailtrace = check_activity(root, error);
	if (mailtrace != NULL) {
		json_t *metadata = ocsf_need(&in, root, "metadata", JSON_OBJECT);

		login->event_id = ocsf_read_id(&in, metadata, "uid", TRUE);
		login->sensor = ocsf_take_text(&in, mailtrace, "sensor");
		login->tenant = ocsf_take_text(&in, mailtrace, "tenant");
		read_login(&in, ocsf_need(&in, mailtrace, "login", JSON_OBJECT), login);
	}
	json_decref(root);
	return mailtrace != NULL && !in.failed ? g_steal_pointer(&login) : NULL;
}

/* ---- identity ---- */

gboolean
ocsf_stamp_login(struct login *login, const char *sensor, const char *tenant, GError **error)
{
	if (!ocsf_claim_holds(login->sensor, sensor, "sensor", error) ||
	    !ocsf_claim_holds(login->tenant, tenant, "tenant", error))
		return FALSE;
	g_free(login->sensor);
	login->sensor = g_strdup(sensor);
	g_free(login->tenant);
	login->tenant = g_strdup(tenant);
	return TRUE;
}
