/* SPDX-License-Identifier: BSD-2-Clause */
/* Adding events: everything that is searched is taken out of them here, once. */
#include <string.h>

#include "network.h"
#include "store_add.h"
#include "text.h"

/* Links of one message that are indexed; further ones are kept, and compared one by one. */
#define INDEXED_URLS 64
/* ---- texts ---- */

gboolean
addition_keep_text(struct addition *add, enum text_kind kind, const char *text, const char *key,
		   gboolean indexed, gint64 *ret_id, GError **error)
{
	return store_text_keep(add->store->sql, add->tenant, kind, text, key, indexed, ret_id,
			       error);
}

static gboolean
link_text(struct addition *add, enum text_kind kind, const char *text, char *owned_key,
	  gboolean indexed, GError **error)
{
	g_autofree char *key = owned_key;
	gint64 id;

	return addition_keep_text(add, kind, text, key, indexed, &id, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT OR IGNORE INTO event_texts (event, text) VALUES (?1, ?2)",
				"ii", add->id, id),
		       error);
}

static gboolean
add_senders(struct addition *add, GError **error)
{
	const struct envelope_address *sender = add->event->sender;
	const GPtrArray *from = add->event->record->from;

	if (sender && !link_text(add, TEXT_SENDER, sender->address,
				 address_search_key(sender->address), TRUE, error))
		return FALSE;
	for (guint i = 0; i < from->len; i++) {
		const struct mail_address *address = g_ptr_array_index(from, i);

		if (*address->address &&
		    !link_text(add, TEXT_SENDER, address->address,
			       address_search_key(address->address), TRUE, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
add_event_texts(struct addition *add, GError **error)
{
	const struct event *event = add->event;
	const struct record *record = event->record;

	if (record->subject && !link_text(add, TEXT_SUBJECT, record->subject,
					  text_search_key(record->subject), TRUE, error))
		return FALSE;
	if (event->client.sasl_user &&
	    !link_text(add, TEXT_LOGIN, event->client.sasl_user,
		       text_search_key(event->client.sasl_user), FALSE, error))
		return FALSE;
	for (guint i = 0; i < record->urls->len; i++) {
		const char *url = g_ptr_array_index(record->urls, i);

		if (!link_text(add, TEXT_URL, url, text_search_key(url), i < INDEXED_URLS, error))
			return FALSE;
	}
	return add_senders(add, error);
}

/* ---- recipients ---- */

static enum recipient_state
state_of(const struct event *event, const struct envelope_address *recipient)
{
	if (recipient->refused)
		return STATE_REJECTED;
	switch (event->verdict) {
	case VERDICT_ACCEPT:
		return STATE_ACCEPTED;
	case VERDICT_HOLD:
		return STATE_HELD;
	default:
		return STATE_REJECTED;
	}
}

/*
 * Asks whether this mail was recorded otherwise for this recipient: an import
 * looks among all events, and a live one is never joined to another.
 */
static gboolean
known_recipient(struct addition *add, const char *key, gboolean *ret_known, GError **error)
{
	gint64 count = 0;

	if (add->imported && add->joinable &&
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM events e"
				 " CROSS JOIN recipients r ON r.event=e.id"
				 " CROSS JOIN texts t ON t.id=r.address"
				 " WHERE e.tenant=?1 AND e.message_key=?2 AND e.content=?3"
				 " AND r.state<>3 AND t.hash=?4 AND coalesce(t.key, t.text)=?5",
				 "iibis", add->tenant, add->message_key, add->content,
				 (gsize)SHA256_BYTES, store_text_hash(key), key),
			0, &count, error))
		return FALSE;
	*ret_known = count > 0;
	return TRUE;
}

static gboolean
add_recipient(struct addition *add, guint n, GError **error)
{
	const struct envelope_address *recipient = g_ptr_array_index(add->event->recipients, n);
	g_autofree char *key = address_search_key(recipient->address);
	gboolean known;
	gint64 id;

	if (!known_recipient(add, key, &known, error))
		return FALSE;
	if (known)
		return TRUE;
	return addition_keep_text(add, TEXT_RECIPIENT, recipient->address, key, TRUE, &id, error) &&
	       sql_run(sql_bind(add->store->sql,
				"INSERT INTO recipients (event, n, address, state, refused)"
				" VALUES (?1, ?2, ?3, ?4, ?5)",
				"iiiii", add->id, (gint64)n, id,
				(gint64)state_of(add->event, recipient),
				(gint64)recipient->refused),
		       error);
}

static gboolean
add_recipients(struct addition *add, GError **error)
{
	for (guint i = 0; i < add->event->recipients->len; i++) {
		if (!add_recipient(add, i, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- the event ---- */

static gboolean
all_recipients_known(struct addition *add, gboolean *ret_known, GError **error)
{
	const GPtrArray *recipients = add->event->recipients;
	gboolean known = add->imported && add->joinable && recipients->len > 0;

	for (guint i = 0; known && i < recipients->len; i++) {
		const struct envelope_address *recipient = g_ptr_array_index(recipients, i);
		g_autofree char *key = address_search_key(recipient->address);

		if (!known_recipient(add, key, &known, error))
			return FALSE;
	}
	*ret_known = known;
	return TRUE;
}

static char *
bare_message_id(const char *text)
{
	gsize length = strlen(text);

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>')
		return g_strndup(text + 1, length - 2);
	return g_strdup(text);
}

gint64
store_message_key(const char *message_id)
{
	g_autofree char *bare = bare_message_id(message_id);

	return store_text_hash(bare);
}

static gboolean
insert_json(struct addition *add, const struct packed_json *packed, GError **error)
{
	return sql_run(sql_bind(add->store->sql,
				"INSERT INTO event_json (event, packed, json) VALUES (?1, ?2, ?3)",
				"iib", add->id, (gint64)packed->is_packed, packed->bytes,
				packed->length),
		       error);
}

static gboolean
insert_event(struct addition *add, GBytes *json, GError **error)
{
	static const char insert[] =
		"INSERT INTO events (tenant, event_id, chain, sensor, received_at_us, counted,"
		" unread, origin, direction, verdict, sender, subject, queue_id, message_id,"
		" message_key, content, client_ip, digest, host) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
		" ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, nullif(?15, 0), ?16, ?17, ?18, ?19)";
	const struct event *event = add->event;
	const struct record *record = event->record;
	const struct mail_address *from =
		record->from->len > 0 ? g_ptr_array_index(record->from, 0) : NULL;
	const char *sender = event->sender
				     ? (*event->sender->address ? event->sender->address : "<>")
			     : from ? from->address
				    : NULL;
	g_auto(packed_json_t) packed = {0};
	g_autofree char *host = event->host ? g_ascii_strdown(event->host, -1) : NULL;
	guint8 ip[16];
	gboolean has_ip = network_ip(event->client.ip, ip);

	store_pack(add->store, json, &packed);
	if (!sql_run(sql_bind(add->store->sql, insert, "ibbiiiiiiissssibbbs", add->tenant,
			      add->event_id, (gsize)UUID_BYTES, add->chained ? add->chain : NULL,
			      (gsize)UUID_BYTES, add->sensor, event->received_at_us,
			      (gint64)add->counted, (gint64)event_has_unread_files(event),
			      (gint64)add->imported, (gint64)event->direction,
			      (gint64)event->verdict, sender, record->subject, event->queue_id,
			      record->message_id, add->message_key,
			      add->joinable ? add->content : NULL, (gsize)SHA256_BYTES,
			      has_ip ? ip : NULL, (gsize)sizeof(ip), packed.digest,
			      (gsize)SHA256_BYTES, host),
		     error))
		return FALSE;
	add->id = sql_last_id(add->store->sql);
	return insert_json(add, &packed, error);
}

static gboolean
store_addition(struct addition *add, GBytes *json, GError **error)
{
	const struct event *event = add->event;
	gboolean counts = event->verdict == VERDICT_ACCEPT || event->verdict == VERDICT_HOLD;

	if (!addition_join_chain(add, error))
		return FALSE;
	add->counted = add->counted && counts;
	if (!insert_event(add, json, error) || !add_recipients(add, error) ||
	    !add_event_texts(add, error) || !addition_add_parts(add, error) ||
	    !addition_supersede_imports(add, error))
		return FALSE;
	if (add->counted && !store_count_hour(add->store, add->tenant, event->received_at_us, 1,
					      event_has_unread_files(event), error))
		return FALSE;
	if (!add->imported &&
	    !store_join_deliveries(add->store, add->tenant, add->id, event->queue_id, error))
		return FALSE;
	return sql_run(sql_bind(add->store->sql,
				"UPDATE sensors SET last_event_us=max(last_event_us, ?2),"
				" begun_us=iif(?3 OR (begun_us>0 AND begun_us<=?2), begun_us, ?2)"
				" WHERE id=?1",
				"iii", add->sensor, event->received_at_us, (gint64)add->imported),
		       error);
}

/* Fills what joining needs; an unread message has no content to be known by. */
static void
identify_content(struct addition *add)
{
	const struct record *record = add->event->record;

	add->imported = g_strcmp0(add->event->origin, "import") == 0;
	if (!record->message_id || add->event->unread || record->files->len == 0)
		return;
	record_content_key(record, add->content);
	add->joinable = TRUE;
}

gboolean
addition_begin(struct addition *add, GError **error)
{
	const struct event *event = add->event;

	if (!event->tenant || !event->sensor || !store_uuid(event->event_id, add->event_id)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the event has no valid id, tenant or sensor");
		return FALSE;
	}
	if (event->record->message_id)
		add->message_key = store_message_key(event->record->message_id);
	identify_content(add);
	return store_make_tenant(add->store, event->tenant, &add->tenant, error) &&
	       store_make_sensor(add->store, add->tenant, event->sensor, &add->sensor, error);
}

static gboolean
add_once(struct addition *add, GBytes *json, gboolean *ret_added, GError **error)
{
	gint64 known_id;
	gboolean known;

	if (!addition_begin(add, error) ||
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT id FROM events WHERE tenant=?1 AND event_id=?2", "ib",
				 add->tenant, add->event_id, (gsize)UUID_BYTES),
			0, &known_id, error) ||
	    !all_recipients_known(add, &known, error))
		return FALSE;
	*ret_added = !known_id && !known;
	return !*ret_added || (store_addition(add, json, error) &&
			       store_block_count(add->store, add->tenant, add->event, error));
}

gboolean
store_add_event(struct store *store, const struct event *event, GBytes *json,
		const struct store_sequence *sequence, gboolean *ret_added, GError **error)
{
	struct addition add = {.store = store, .event = event};
	gboolean added = FALSE;
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = add_once(&add, json, &added, error) &&
	       (!sequence ||
		store_note_number(store, event->sensor, sequence, event->received_at_us, error));
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	return TRUE;
}
