/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "block_hit.h"
#include "caps.h"
#include "direction.h"
#include "exempt.h"
#include "later.h"
#include "log.h"
#include "message.h"
#include "ocsf.h"
#include "text.h"
#include "trace_id.h"

#define AMBIGUOUS_HEADER "X-Mailtrace-Ambiguous"
#define AMBIGUOUS_VALUE_BYTES 900 /* the whole line under the 998 of RFC 5322 2.1.1 */

/* One X-Mailtrace-Id field of the message under way. */
struct trace_field {
	guint occurrence; /* among the fields of this name, from 1 */
	enum trace_id_kind kind;
	char event_id[EVENT_ID_LENGTH + 1]; /* of TRACE_ID_VALID */
};

struct session {
	struct engine *engine; /* borrowed */
	struct settings *settings;
	session_macro_fn macro;
	gboolean has_key;
	guint8 key[SITE_KEY_BYTES];
	GPtrArray *own_sensors; /* of const char *, borrowed from settings; NULL-terminated */
	gboolean can_hold;
	gboolean can_change;

	/* the connection */
	gboolean exempt;
	struct client client; /* the SASL members are the message's */
	char *host;
	char *mta;
	GPtrArray *connection_caps; /* of const char *, static: met before the first message */

	/* the message under way; event is NULL between messages */
	struct event *event;
	struct message *message;
	GPtrArray *caps;    /* of const char *, static: met in the envelope or the header */
	GArray *trace;	    /* of struct trace_field, at most CAP_TRACE_HEADERS */
	guint trace_fields; /* X-Mailtrace-Id fields, those beyond the cap included */
	char *message_id;   /* as they stand in the header, should nobody read the message */
	char *subject;
};

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

static void
note_cap(struct session *session, const char *name)
{
	GPtrArray *caps = session->event ? session->caps : session->connection_caps;

	if (!g_ptr_array_find(caps, name, NULL))
		g_ptr_array_add(caps, (gpointer)name);
}

/* Returns outside text made valid and bounded; NULL for NULL and for "". */
static char *
bounded(struct session *session, const char *text, gsize max_bytes, const char *cap_name)
{
	gboolean cut = FALSE;
	char *valid;

	if (!text || !*text)
		return NULL;
	valid = text_from_bytes(text, strlen(text), max_bytes, &cut);
	if (cut)
		note_cap(session, cap_name);
	return valid;
}

/* Replaces *place by a macro's value, where the MTA gives one. */
static void
read_macro(struct session *session, void *mta, const char *name, char **place)
{
	const char *value = session->macro(mta, name);

	if (!value || !*value)
		return;
	g_free(*place);
	*place = bounded(session, value, CAP_FIELD_BYTES, CAP_FIELD_BYTES_NAME);
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
	client->name = is_unresolved(name)
			       ? NULL
			       : bounded(session, name, CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
	client->ip = g_strdup(ip);
	client->port = port;
	read_macro(session, mta, "j", &session->host);
	read_macro(session, mta, "v", &session->mta);
	session->exempt = network_list_contains(session->settings->exempt_networks, ip);
}

static void
read_tls(struct session *session, void *mta)
{
	struct client *client = &session->client;
	g_autofree char *bits = NULL;

	read_macro(session, mta, "{tls_version}", &client->tls_version);
	read_macro(session, mta, "{cipher}", &client->tls_cipher);
	read_macro(session, mta, "{cert_subject}", &client->tls_subject);
	read_macro(session, mta, "{cipher_bits}", &bits);
	if (bits)
		client->tls_bits = (guint)MIN(g_ascii_strtoull(bits, NULL, 10), G_MAXUINT16);
}

void
session_helo(struct session *session, void *mta, const char *helo)
{
	g_free(session->client.helo);
	session->client.helo = bounded(session, helo, CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
	read_tls(session, mta);
}

static void
read_sasl(struct session *session, void *mta)
{
	struct client *client = &session->client;

	g_clear_pointer(&client->sasl_method, g_free);
	g_clear_pointer(&client->sasl_user, g_free);
	g_clear_pointer(&client->sasl_author, g_free);
	read_macro(session, mta, "{auth_type}", &client->sasl_method);
	read_macro(session, mta, "{auth_authen}", &client->sasl_user);
	read_macro(session, mta, "{auth_author}", &client->sasl_author);
}

/* Forgets the message under way. */
static void
drop_message(struct session *session)
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
		bounded(session, argv[0], CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
	struct envelope_address *address = envelope_address_new(typed ? typed : "");

	for (gsize i = 1; argv[0] && argv[i]; i++) {
		char *argument;

		if (address->arguments->len >= CAP_ARGUMENTS) {
			note_cap(session, CAP_ARGUMENTS_NAME);
			break;
		}
		argument = bounded(session, argv[i], CAP_ADDRESS_BYTES, CAP_ADDRESS_BYTES_NAME);
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
	drop_message(session);
	read_tls(session, mta);
	read_sasl(session, mta);
	read_macro(session, mta, "j", &session->host);
	read_macro(session, mta, "v", &session->mta);
	session->event = event_new();
	session->event->sender = address_of(session, argv);
	read_macro(session, mta, "i", &session->event->queue_id);
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
		note_cap(session, CAP_RECIPIENTS_NAME);
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
		read_macro(session, mta, "i", &session->event->queue_id);
}

static void
add_trace_field(struct session *session, const char *value)
{
	struct trace_field field = {.occurrence = ++session->trace_fields};

	if (!session->has_key)
		return;
	if (session->trace->len >= CAP_TRACE_HEADERS) {
		note_cap(session, CAP_TRACE_HEADERS_NAME);
		return;
	}
	field.kind =
		trace_id_judge(session->key, value,
			       (const char *const *)session->own_sensors->pdata, field.event_id);
	g_array_append_val(session->trace, field);
}

/* Keeps the first field of its name, as it stands. */
static void
keep_field(struct session *session, char **place, const char *value, gsize max_bytes,
	   const char *cap_name)
{
	if (!*place)
		*place = bounded(session, value + strspn(value, " \t"), max_bytes, cap_name);
}

void
session_header(struct session *session, const char *name, const char *value)
{
	if (!session->event)
		return;
	message_add_header(session->message, name, value);
	if (g_ascii_strcasecmp(name, TRACE_ID_HEADER) == 0)
		add_trace_field(session, value);
	else if (g_ascii_strcasecmp(name, "Message-ID") == 0)
		keep_field(session, &session->message_id, value, CAP_FIELD_BYTES,
			   CAP_FIELD_BYTES_NAME);
	else if (g_ascii_strcasecmp(name, "Subject") == 0)
		keep_field(session, &session->subject, value, CAP_SUBJECT_BYTES,
			   CAP_SUBJECT_BYTES_NAME);
}

void
session_end_of_header(struct session *session)
{
	if (session->event)
		message_end_header(session->message);
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

/* Has the workers read the message.  Returns NULL with an error if they could not. */
static struct record *
read_message(struct session *session, GError **error)
{
	const void *bytes = NULL;
	int fd = -1;

	message_finish(session->message, &fd, &bytes);
	return scanner_client_read(engine_scanner(session->engine), fd, bytes,
				   (gsize)message_size(session->message),
				   session->settings->read_timeout_ms, error);
}

/* Says that nobody read the message, and why; counts it by reason. */
static void
mark_unread(struct session *session, enum engine_counter counter, const char *why)
{
	struct event *event = session->event;

	event->unread = bounded(session, why, CAP_FIELD_BYTES, CAP_FIELD_BYTES_NAME);
	event->record->message_id = g_steal_pointer(&session->message_id);
	event->record->subject = g_steal_pointer(&session->subject);
	event->record->size = message_size(session->message);
	engine_count(session->engine, counter, 1);
}

static gboolean
is_ambiguous(const struct record *record)
{
	g_autoptr(GPtrArray) names = record_ambiguities(record);

	return names->len > 0;
}

/* Fills the event's record, and the facts about it. */
static void
fill_record(struct session *session, struct policy_facts *facts)
{
	g_autoptr(GError) error = NULL;
	struct record *record;

	switch (message_state(session->message)) {
	case MESSAGE_WHOLE:
		record = read_message(session, &error);
		if (record) {
			record_free(session->event->record);
			session->event->record = record;
			facts->ambiguous = is_ambiguous(record);
			return;
		}
		mark_unread(session, COUNT_UNREAD_FAILED, error->message);
		break;
	case MESSAGE_NO_ROOM:
		facts->over_capacity = TRUE;
		mark_unread(session, COUNT_UNREAD_NO_ROOM, "no room for the bytes of the message");
		break;
	case MESSAGE_TOO_LARGE:
		note_cap(session, CAP_MESSAGE_BYTES_NAME);
		mark_unread(session, COUNT_UNREAD_TOO_LARGE, "the message is too large to be read");
		break;
	}
	facts->unread = TRUE;
}

static gboolean
is_trusted_hop(const struct session *session)
{
	return !session->client.ip ||
	       network_list_contains(session->settings->trusted_hops, session->client.ip);
}

/*
 * Returns the place in session->trace of the field that we believe, or -1.  The
 * first is taken: a hop of ours puts its stamp above what was there.
 */
static int
believed_field(const struct session *session)
{
	if (!is_trusted_hop(session))
		return -1;
	for (guint i = 0; i < session->trace->len; i++)
		if (g_array_index(session->trace, struct trace_field, i).kind == TRACE_ID_VALID)
			return (int)i;
	return -1;
}

static void
change_free(gpointer data)
{
	struct session_change *change = data;

	g_free(change->value);
	g_free(change);
}

static void
add_change(GPtrArray *changes, int kind, const char *name, guint occurrence, char *value)
{
	struct session_change *change = g_new0(struct session_change, 1);

	change->kind = kind;
	change->name = name;
	change->occurrence = occurrence;
	change->value = value;
	g_ptr_array_add(changes, change);
}

static gboolean
is_stamped(const struct session *session)
{
	return session->has_key && g_strv_contains((const char *const *)session->settings->stamp,
						   direction_name(session->event->direction));
}

/* Names why the message is ambiguous, in one line that the MTA need not fold. */
static char *
ambiguous_value(const struct record *record)
{
	g_autoptr(GPtrArray) names = record_ambiguities(record);
	GString *value = g_string_new(NULL);

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];

		if (value->len + strlen(name) + 2 > AMBIGUOUS_VALUE_BYTES)
			break;
		g_string_append_printf(value, "%s%s", i ? ", " : "", name);
	}
	return g_string_free(value, FALSE);
}

/* Removes claims from last to first, since each removal renumbers those behind it; then stamps. */
static void
fill_trace_changes(const struct session *session, int believed, GPtrArray *changes)
{
	const struct event *event = session->event;

	for (guint i = session->trace->len; i-- > 0;) {
		const struct trace_field *field =
			&g_array_index(session->trace, struct trace_field, i);

		if ((int)i != believed && field->kind != TRACE_ID_FOREIGN)
			add_change(changes, CHANGE_REMOVE_HEADER, TRACE_ID_HEADER,
				   field->occurrence, NULL);
	}
	if (believed < 0 && is_stamped(session))
		add_change(changes, CHANGE_ADD_HEADER, TRACE_ID_HEADER, 0,
			   trace_id_make(session->key, event->event_id, session->settings->sensor));
}

/* An event that is nowhere must not be named in the message. */
static void
fill_changes(const struct session *session, int believed, const struct policy_facts *facts,
	     GPtrArray *changes)
{
	if (!facts->unrecorded)
		fill_trace_changes(session, believed, changes);
	if (facts->ambiguous && session->settings->ambiguous == AMBIGUOUS_TAG)
		add_change(changes, CHANGE_ADD_HEADER, AMBIGUOUS_HEADER, 0,
			   ambiguous_value(session->event->record));
}

/* Fills what is known only at the end of the message, but for record and verdict. */
static void
fill_event(struct session *session, void *mta, int believed)
{
	struct event *event = session->event;

	event->received_at_us = engine_begin_message(session->engine);
	event->event_id = event_id_new(event->received_at_us);
	event->origin = g_strdup("milter");
	event->tenant = g_strdup(session->settings->tenant);
	event->sensor = g_strdup(session->settings->sensor);
	event->host = g_strdup(session->host);
	event->mta = g_strdup(session->mta);
	read_macro(session, mta, "i", &event->queue_id);
	client_copy(&event->client, &session->client);
	if (believed >= 0)
		event->parent_event = g_strdup(
			g_array_index(session->trace, struct trace_field, believed).event_id);
	event->direction = direction_of(session->settings, event, believed >= 0);
}

static void
set_verdict(struct event *event, const struct policy_decision *decision)
{
	event->verdict = decision->verdict;
	g_free(event->verdict_reason);
	event->verdict_reason = g_strdup(decision->rule);
}

static gboolean
lets_pass(const struct policy_decision *decision)
{
	return decision->verdict == VERDICT_ACCEPT || decision->verdict == VERDICT_HOLD;
}

/* What is refused stays with its sender; anything else is lost without its record. */
static gboolean
needs_record(const struct policy_decision *decision)
{
	return lets_pass(decision) || decision->verdict == VERDICT_DISCARD;
}

/* Looks the files up in the block list. */
static void
match_blocks(struct session *session, struct policy_facts *facts)
{
	struct block_list *list = engine_block_list(session->engine);
	struct event *event = session->event;

	if (!list)
		return;
	block_list_match(list, event->received_at_us, event);
	block_hit_tell(session->engine, event);
	facts->blocked = event->blocks->len > 0;
	if (facts->blocked)
		facts->block = ((const struct event_block *)event->blocks->pdata[0])->mode;
}

static void
note_caps(struct record *record, const GPtrArray *names)
{
	for (guint i = 0; i < names->len; i++)
		record_note_cap(record, names->pdata[i]);
}

/* Puts the event on disk; TRUE if it is there. */
static gboolean
spool_event(struct session *session)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = NULL;

	note_caps(session->event->record, session->connection_caps);
	note_caps(session->event->record, session->caps);
	bytes = ocsf_encode_event(session->event, CAP_EVENT_BYTES);
	if (spool_append(engine_spool(session->engine), bytes, NULL, &error)) {
		engine_count(session->engine, COUNT_RECORDED, 1);
		return TRUE;
	}
	log_event(LOG_LEVEL_ERROR, "message-not-recorded", "queue_id", session->event->queue_id,
		  "event_id", session->event->event_id, "error", error->message, NULL);
	return FALSE;
}

/*
 * Decides and records: with the verdict in the event, or, when the disk will
 * not have it, anew with that fact.
 */
static struct policy_decision
decide_and_record(struct session *session, struct policy_facts *facts)
{
	struct policy_decision decision = policy_decide(session->settings, facts);

	set_verdict(session->event, &decision);
	if (spool_event(session) || !needs_record(&decision))
		return decision;
	facts->unrecorded = TRUE;
	decision = policy_decide(session->settings, facts);
	set_verdict(session->event, &decision);
	return decision;
}

/* ENGINE_COUNTERS: counted by nothing of its own. */
static const enum engine_counter verdict_counters[] = {
	[VERDICT_ACCEPT] = ENGINE_COUNTERS,  [VERDICT_HOLD] = COUNT_HELD,
	[VERDICT_TEMPFAIL] = COUNT_TEMPFAIL, [VERDICT_REJECT] = COUNT_REJECTED,
	[VERDICT_DISCARD] = COUNT_DISCARDED,
};

static void
count_outcome(struct engine *engine, const struct policy_facts *facts,
	      const struct policy_decision *decision)
{
	engine_count(engine, COUNT_SEEN, 1);
	if (facts->unread)
		engine_count(engine, COUNT_UNREAD, 1);
	if (facts->unrecorded && lets_pass(decision))
		engine_count(engine, COUNT_UNRECORDED, 1);
	if (verdict_counters[decision->verdict] != ENGINE_COUNTERS)
		engine_count(engine, verdict_counters[decision->verdict], 1);
}

struct policy_decision
session_refused(struct engine *engine)
{
	g_autoptr(settings_t) settings = engine_settings(engine);
	const struct policy_facts facts = {.unrecorded = TRUE};

	struct policy_decision decision = policy_decide(settings, &facts);

	/* Of its messages nothing will be known: it counts as one. */
	if (lets_pass(&decision))
		engine_count(engine, COUNT_UNRECORDED, 1);
	return decision;
}

static void
log_message(const struct session *session, const struct policy_decision *decision,
	    gint64 started_us)
{
	const struct event *event = session->event;
	g_autofree char *ms =
		g_strdup_printf("%" G_GINT64_FORMAT, (g_get_monotonic_time() - started_us) / 1000);

	log_event(LOG_LEVEL_INFO, "message", "queue_id", event->queue_id, "event_id",
		  event->event_id, "verdict", verdict_name(decision->verdict), "rule",
		  decision->rule, "unread", event->unread, "direction",
		  direction_name(event->direction), "ms", ms, NULL);
}

void
session_end_of_message(struct session *session, void *mta, struct session_outcome *ret_outcome)
{
	struct policy_facts facts = {.can_hold = session->can_hold};
	gint64 started_us = g_get_monotonic_time();
	int believed;

	ret_outcome->changes = g_ptr_array_new_with_free_func(change_free);
	if (session->exempt)
		exempt_message(session->engine, session->host, session->macro(mta, "i"));
	if (!session->event) {
		ret_outcome->decision = policy_decide(session->settings, &facts);
		return;
	}
	message_end_header(session->message);
	believed = believed_field(session);
	fill_event(session, mta, believed);
	fill_record(session, &facts);
	match_blocks(session, &facts);
	ret_outcome->decision = decide_and_record(session, &facts);
	if (session->can_change && lets_pass(&ret_outcome->decision))
		fill_changes(session, believed, &facts, ret_outcome->changes);
	if (lets_pass(&ret_outcome->decision) && !facts.unrecorded)
		later_message(engine_later(session->engine), session->event, session->message);
	count_outcome(session->engine, &facts, &ret_outcome->decision);
	/* Last: a heartbeat that calls this message settled has it in its counters. */
	engine_end_message(session->engine, session->event->received_at_us);
	engine_note_latency(session->engine, g_get_monotonic_time() - started_us);
	log_message(session, &ret_outcome->decision, started_us);
	drop_message(session);
}

void
session_abort(struct session *session)
{
	if (session->event)
		engine_count(session->engine, COUNT_ABORTED, 1);
	drop_message(session);
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

void
session_outcome_clear(struct session_outcome *outcome)
{
	g_clear_pointer(&outcome->changes, g_ptr_array_unref);
}
