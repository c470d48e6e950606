/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a message: it is read, decided upon and recorded, in this order. */
#include "config.h"

#include "block_hit.h"
#include "caps.h"
#include "direction.h"
#include "exempt.h"
#include "later.h"
#include "log.h"
#include "ocsf.h"
#include "session_internal.h"

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

	event->unread = session_bounded(session, why, CAP_FIELD_BYTES, CAP_FIELD_BYTES_NAME);
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
		session_note_cap(session, CAP_MESSAGE_BYTES_NAME);
		mark_unread(session, COUNT_UNREAD_TOO_LARGE, "the message is too large to be read");
		break;
	}
	facts->unread = TRUE;
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
	session_read_macro(session, mta, "i", &event->queue_id);
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

	ret_outcome->changes = session_changes_new();
	if (session->exempt)
		exempt_message(session->engine, session->host, session->macro(mta, "i"));
	if (!session->event) {
		ret_outcome->decision = policy_decide(session->settings, &facts);
		return;
	}
	message_end_header(session->message);
	believed = session_believed_field(session);
	fill_event(session, mta, believed);
	fill_record(session, &facts);
	match_blocks(session, &facts);
	ret_outcome->decision = decide_and_record(session, &facts);
	if (session->can_change && lets_pass(&ret_outcome->decision))
		session_fill_changes(session, believed, &facts, ret_outcome->changes);
	if (lets_pass(&ret_outcome->decision) && !facts.unrecorded)
		later_message(engine_later(session->engine), session->event, session->message);
	count_outcome(session->engine, &facts, &ret_outcome->decision);
	/* Last: a heartbeat that calls this message settled has it in its counters. */
	engine_end_message(session->engine, session->event->received_at_us);
	engine_note_latency(session->engine, g_get_monotonic_time() - started_us);
	log_message(session, &ret_outcome->decision, started_us);
	session_drop_message(session);
}
