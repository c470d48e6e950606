/* SPDX-License-Identifier: BSD-2-Clause */
/* The message's header: what is kept of it, and what of it the MTA is to change. */
#include "config.h"

#include <string.h>

#include "caps.h"
#include "session_internal.h"
#include "trace_id.h"

#define AMBIGUOUS_HEADER "X-Mailtrace-Ambiguous"
#define AMBIGUOUS_VALUE_BYTES 900 /* the whole line under the 998 of RFC 5322 2.1.1 */

static void
add_trace_field(struct session *session, const char *value)
{
	struct trace_field field = {.occurrence = ++session->trace_fields};

	if (!session->has_key)
		return;
	if (session->trace->len >= CAP_TRACE_HEADERS) {
		session_note_cap(session, CAP_TRACE_HEADERS_NAME);
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
		*place =
			session_bounded(session, value + strspn(value, " \t"), max_bytes, cap_name);
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

static gboolean
is_trusted_hop(const struct session *session)
{
	return !session->client.ip ||
	       network_list_contains(session->settings->trusted_hops, session->client.ip);
}

int
session_believed_field(const struct session *session)
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

GPtrArray *
session_changes_new(void)
{
	return g_ptr_array_new_with_free_func(change_free);
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

void
session_fill_changes(const struct session *session, int believed, const struct policy_facts *facts,
		     GPtrArray *changes)
{
	if (!facts->unrecorded)
		fill_trace_changes(session, believed, changes);
	if (facts->ambiguous && session->settings->ambiguous == AMBIGUOUS_TAG)
		add_change(changes, CHANGE_ADD_HEADER, AMBIGUOUS_HEADER, 0,
			   ambiguous_value(session->event->record));
}

void
session_outcome_clear(struct session_outcome *outcome)
{
	g_clear_pointer(&outcome->changes, g_ptr_array_unref);
}
