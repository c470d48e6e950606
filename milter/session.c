/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "caps.h"
#include "session_internal.h"
#include "text.h"

static void
own_sensors_fill(GPtrArray *names, const struct settings *settings)
{
	g_ptr_array_add(names, settings->sensor);
	for (gsize i = 0; settings->expected_sensors[i]; i++)
		g_ptr_array_add(names, settings->expected_sensors[i]);
	g_ptr_array_add(names, NULL);
}

struct session *
session_new(struct engine *engine, session_macro_fn macro)
{
	g_autoptr(settings_t) settings = engine_settings(engine);
	struct session *session;

	if (!engine_enter(engine, settings->max_connections)) {
		engine_count(engine, COUNT_REFUSED_CONNECTIONS, 1);
		return NULL;
	}
	engine_count(engine, COUNT_CONNECTIONS, 1);
	session = g_new0(struct session, 1);
	session->engine = engine;
	session->macro = macro;
	session->settings = g_steal_pointer(&settings);
	session->has_key = engine_site_key(engine, session->key);
	session->own_sensors = g_ptr_array_new();
	own_sensors_fill(session->own_sensors, session->settings);
	session->caps = g_ptr_array_new();
	session->connection_caps = g_ptr_array_new();
	session->trace = g_array_new(FALSE, FALSE, sizeof(struct trace_field));
	return session;
}

void
session_set_abilities(struct session *session, gboolean can_hold, gboolean can_change)
{
	session->can_hold = can_hold;
	session->can_change = can_change;
}

void
session_note_cap(struct session *session, const char *name)
{
	GPtrArray *caps = session->event ? session->caps : session->connection_caps;

	if (!g_ptr_array_find(caps, name, NULL))
		g_ptr_array_add(caps, (gpointer)name);
}

char *
session_bounded(struct session *session, const char *text, gsize max_bytes, const char *cap_name)
{
	gboolean cut = FALSE;
	char *valid;

	if (!text || !*text)
		return NULL;
	valid = text_from_bytes(text, strlen(text), max_bytes, &cut);
	if (cut)
		session_note_cap(session, cap_name);
	return valid;
}

void
session_read_macro(struct session *session, void *mta, const char *name, char **place)
{
	const char *value = session->macro(mta, name);

	if (!value || !*value)
		return;
	g_free(*place);
	*place = session_bounded(session, value, CAP_FIELD_BYTES, CAP_FIELD_BYTES_NAME);
}

/* Returns TRUE for a name that says that there is none. */
static gboolean
is_unresolved(const char *name)
{
	return !name || !*name || *name == '[' || g_ascii_strcasecmp(name, "unknown") == 0;
}

void
session_connect(struct session *session, void *mta, const char *name, const char *ip, guint port)
{
	struct client *client = &session->client;

	g_free(client->name);
	g_free(client->ip);
	client->name = is_unresolved(name) ? NULL
					   : session_bounded(session, name, CAP_ADDRESS_BYTES,
							     CAP_ADDRESS_BYTES_NAME);
	client->ip = g_strdup(ip);
	client->port = port;
	session_read_macro(session, mta, "j", &session->host);
	session_read_macro(session, mta, "v", &session->mta);
	session->exempt = network_list_contains(session->settings->exempt_networks, ip);
}

static void
read_tls(struct session *session, void *mta)
{
	struct client *client = &session->client;
	g_autofree char *bits = NULL;

	session_read_macro(session, mta, "{tls_version}", &client->tls_version);
	session_read_macro(session, mta, "{cipher}", &client->tls_cipher);
	session_read_macro(session, mta, "{cert_subject}", &client->tls_subject);
	session_read_macro(session, mta, "{cipher_bits}", &bits);
	if (bits)
		client->tls_bits = (guint)MIN(g_ascii_strtoull(bits, NULL, 10), G_MAXUINT16);
}

void
session_helo(struct session *session, void *mta, const char *helo)
{
	g_free(session->client.helo);
	session->client.helo =
		session_bounded(session, helo, CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
	read_tls(session, mta);
}

static void
read_sasl(struct session *session, void *mta)
{
	struct client *client = &session->client;

	g_clear_pointer(&client->sasl_method, g_free);
	g_clear_pointer(&client->sasl_user, g_free);
	g_clear_pointer(&client->sasl_author, g_free);
	session_read_macro(session, mta, "{auth_type}", &client->sasl_method);
	session_read_macro(session, mta, "{auth_authen}", &client->sasl_user);
	session_read_macro(session, mta, "{auth_author}", &client->sasl_author);
}

void
session_drop_message(struct session *session)
{
	g_clear_pointer(&session->event, event_free);
	g_clear_pointer(&session->message, message_free);
	g_clear_pointer(&session->message_id, g_free);
	g_clear_pointer(&session->subject, g_free);
	g_ptr_array_set_size(session->caps, 0);
	g_array_set_size(session->trace, 0);
	session->trace_fields = 0;
}

/* argv: [0] the address as typed, then ESMTP parameters. */
static struct envelope_address *
address_of(struct session *session, char **argv)
{
	g_autofree char *typed =
		session_bounded(session, argv[0], CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
	struct envelope_address *address = envelope_address_new(typed ? typed : "");

	for (gsize i = 1; argv[0] && argv[i]; i++) {
		char *argument;

		if (address->arguments->len >= CAP_ARGUMENTS) {
			session_note_cap(session, CAP_ARGUMENTS_NAME);
			break;
		}
		argument = session_bounded(session, argv[i], CAP_ADDRESS_BYTES,
					   CAP_ADDRESS_BYTES_NAME);
		if (argument)
			g_ptr_array_add(address->arguments, argument);
	}
	return address;
}

void
session_mail(struct session *session, void *mta, char **argv)
{
	if (session->exempt)
		return;
	session_drop_message(session);
	read_tls(session, mta);
	read_sasl(session, mta);
	session_read_macro(session, mta, "j", &session->host);
	session_read_macro(session, mta, "v", &session->mta);
	session->event = event_new();
	session->event->sender = address_of(session, argv);
	session_read_macro(session, mta, "i", &session->event->queue_id);
	session->message = message_new(session->engine, engine_in_flight_cap(session->settings),
				       session->settings->temp_directory);
}

void
session_rcpt(struct session *session, void *mta, char **argv)
{
	struct envelope_address *recipient;
	const char *mailer;

	if (!session->event)
		return;
	if (session->event->recipients->len >= CAP_RECIPIENTS) {
		session_note_cap(session, CAP_RECIPIENTS_NAME);
		return;
	}
	recipient = address_of(session, argv);
	mailer = session->macro(mta, "{rcpt_mailer}");
	recipient->refused = g_strcmp0(mailer, "error") == 0;
	g_ptr_array_add(session->event->recipients, recipient);
}

void
session_data(struct session *session, void *mta)
{
	if (session->event)
		session_read_macro(session, mta, "i", &session->event->queue_id);
}

void
session_body(struct session *session, const void *bytes, gsize length)
{
	if (!session->event)
		return;
	/* A message without header has had no end of header from some MTAs. */
	message_end_header(session->message);
	message_add_body(session->message, bytes, length);
}

void
session_abort(struct session *session)
{
	if (session->event)
		engine_count(session->engine, COUNT_ABORTED, 1);
	session_drop_message(session);
}

void
session_free(struct session *session)
{
	if (!session)
		return;
	session_abort(session);
	client_clear(&session->client);
	g_free(session->host);
	g_free(session->mta);
	g_ptr_array_unref(session->own_sensors);
	g_ptr_array_unref(session->caps);
	g_ptr_array_unref(session->connection_caps);
	g_array_unref(session->trace);
	explicit_bzero(session->key, sizeof(session->key));
	settings_unref(session->settings);
	engine_leave(session->engine);
	g_free(session);
}
