/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail_match.h"

#include <string.h>

#include "trace_id.h"

/* A message came after its record, but for clocks and time zones: search dates are whole days. */
#define DAYS_BEFORE 2
/* What MTAs and the mail store put in front of a message on its way. */
#define ADDED_BYTES 16384

/* ---- looking for it ---- */

static gboolean
has_text(const char *text)
{
	return text && *text;
}

/* Keys are ANDed by the server; "OR" stands between those of which one will do. */
static void
add_alternative(GStrvBuilder *query, guint *count, const char *const *key)
{
	if ((*count)++)
		g_strv_builder_add(query, "OR");
	g_strv_builder_addv(query, (const char **)key);
}

/* Adds every id that is known: a copy that a client made has the Message-ID, but another guid. */
static guint
add_ids(GStrvBuilder *query, const struct mail_match *match)
{
	const struct openc2_message *message = match->message;
	const char *const guid[] = {"guid", message->storage_id, NULL};
	const char *const stamp[] = {"HEADER", TRACE_ID_HEADER, message->event_id, NULL};
	const char *const id[] = {"HEADER", "Message-ID", message->message_id, NULL};
	guint count = 0;

	if (has_text(message->storage_id))
		add_alternative(query, &count, guid);
	if (match->delivery_only)
		return count;
	if (match->site_key && has_text(message->event_id))
		add_alternative(query, &count, stamp);
	if (has_text(message->message_id))
		add_alternative(query, &count, id);
	return count;
}

static char *
search_date(gint64 time_us)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) before = time ? g_date_time_add_days(time, -DAYS_BEFORE) : NULL;

	if (!before)
		return NULL;
	return g_strdup_printf("%02d-%s-%04d", g_date_time_get_day_of_month(before),
			       months[g_date_time_get_month(before) - 1],
			       g_date_time_get_year(before));
}

/* A mail without ids is looked for by its size; only its file can tell that it is meant. */
static gboolean
goes_by_size(const struct mail_match *match)
{
	const struct openc2_message *message = match->message;

	return match->verify_digest && message->sha256 && *message->sha256 && message->size &&
	       message->received_at_us > 0;
}

static void
add_size(GStrvBuilder *query, guint64 size)
{
	g_autofree char *least = g_strdup_printf("%" G_GUINT64_FORMAT, size - 1);
	g_autofree char *most = g_strdup_printf("%" G_GUINT64_FORMAT, size + ADDED_BYTES);

	g_strv_builder_add_many(query, "LARGER", least, "SMALLER", most, NULL);
}

char **
mail_match_query(const struct mail_match *match, const char *mailboxes)
{
	const struct openc2_message *message = match->message;
	g_autoptr(GStrvBuilder) query = g_strv_builder_new();
	g_autofree char *since = NULL;

	if (message->received_at_us > 0)
		since = search_date(message->received_at_us);
	if (mailboxes)
		g_strv_builder_add_many(query, "mailbox", mailboxes, NULL);
	/* What was saved before it came can be left unopened; moves only make this date later. */
	if (since)
		g_strv_builder_add_many(query, "SAVEDSINCE", since, NULL);
	g_strv_builder_add(query, "(");
	if (!add_ids(query, match)) {
		if (!goes_by_size(match))
			return NULL;
		add_size(query, message->size);
	}
	g_strv_builder_add(query, ")");
	return g_strv_builder_end(query);
}

/* ---- knowing it ---- */

static gboolean
stamp_verifies(const struct mail_match *match, const struct doveadm_mail *mail)
{
	static const char *const none[] = {NULL};
	char event_id[EVENT_ID_LENGTH + 1];

	if (!match->site_key || !has_text(match->message->event_id))
		return FALSE;
	for (char **value = mail->trace_ids; *value; value++)
		if (trace_id_judge(match->site_key, *value, none, event_id) == TRACE_ID_VALID &&
		    g_str_equal(event_id, match->message->event_id))
			return TRUE;
	return FALSE;
}

enum mail_identity
mail_match_identify(const struct mail_match *match, const struct doveadm_mail *mail)
{
	const struct openc2_message *message = match->message;
	const char *const *ids = (const char *const *)mail->message_ids;

	if (has_text(message->storage_id) && g_str_equal(mail->guid, message->storage_id))
		return MAIL_IS_SURE;
	if (stamp_verifies(match, mail))
		return MAIL_IS_SURE;
	if (has_text(message->message_id))
		return g_strv_contains(ids, message->message_id) ? MAIL_IS_LIKELY : MAIL_IS_OTHER;
	return goes_by_size(match) && !has_text(message->storage_id) ? MAIL_IS_LIKELY
								     : MAIL_IS_OTHER;
}

/* ---- reading it ---- */

static gboolean
wants_digest(const struct mail_match *match)
{
	return match->verify_digest && match->message->sha256 && *match->message->sha256;
}

gboolean
mail_match_needs_text(const struct mail_match *match, enum mail_identity identity)
{
	if (identity == MAIL_IS_OTHER)
		return FALSE;
	return wants_digest(match) ||
	       (identity == MAIL_IS_LIKELY && has_text(match->message->subject));
}

/* The form in which a milter sees a message; mail stores drop the CR. */
static GByteArray *
with_crlf(const GByteArray *text)
{
	GByteArray *copy = g_byte_array_sized_new(text->len + text->len / 64 + 64);
	gsize begin = 0;

	for (gsize i = 0; i < text->len; i++) {
		if (text->data[i] != '\n' || (i > 0 && text->data[i - 1] == '\r'))
			continue;
		g_byte_array_append(copy, text->data + begin, (guint)(i - begin));
		g_byte_array_append(copy, (const guint8 *)"\r", 1);
		begin = i;
	}
	g_byte_array_append(copy, text->data + begin, (guint)(text->len - begin));
	return copy;
}

static gboolean
is_wanted(const struct mail_match *match, const struct digests *digests)
{
	g_autofree char *hex = hex_encode(digests->sha256, SHA256_BYTES);

	return g_strv_contains((const char *const *)match->message->sha256, hex);
}

static gboolean
holds_file(const struct mail_match *match, const struct record *record)
{
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		if (file->flags & FILE_MULTIPART)
			continue;
		if (is_wanted(match, &file->digests))
			return TRUE;
		for (guint v = 0; v < file->variants->len; v++)
			if (is_wanted(match,
				      &g_array_index(file->variants, struct variant, v).digests))
				return TRUE;
	}
	return FALSE;
}

static enum mail_verdict
judge(const struct mail_match *match, enum mail_identity identity, const struct record *record,
      gboolean exact)
{
	if (wants_digest(match)) {
		if (holds_file(match, record))
			return MAIL_VERIFIED;
	} else if (g_strcmp0(record->subject, match->message->subject) == 0) {
		return MAIL_MEANT;
	}
	if (exact)
		return MAIL_OTHER;
	return identity == MAIL_IS_SURE ? MAIL_MEANT : MAIL_UNVERIFIABLE;
}

gboolean
mail_match_read(const struct mail_match *match, enum mail_identity identity, const GByteArray *text,
		gboolean exact, enum mail_verdict *ret_verdict, GError **error)
{
	const struct reader_envelope envelope = {
		.tenant = "", .sensor = "", .fallback_us = 1, .without_recipients = TRUE};
	g_autoptr(GByteArray) message = NULL;
	g_autoptr(event_t) event = NULL;

	if (!text) {
		*ret_verdict = identity == MAIL_IS_SURE ? MAIL_MEANT : MAIL_UNVERIFIABLE;
		return TRUE;
	}
	message = with_crlf(text);
	event = reader_read(match->reader, message->data, message->len, &envelope, error);
	if (!event)
		return FALSE;
	*ret_verdict = judge(match, identity, event->record, exact);
	return TRUE;
}
