/* SPDX-License-Identifier: BSD-2-Clause */
#include "sendmail_log.h"

#include <string.h>

#include "caps.h"
#include "log_cursor.h"
#include "text.h"

#define QUEUE_ID_MIN 12 /* eight of the time, the rest the process: since Sendmail 8.10 */
#define QUEUE_ID_MAX 20
#define QUEUE_ID_TIME 8
#define TAG_MAX 64
#define NAME_MAX_BYTES 16 /* of a field */
#define FIELDS_MAX 16	  /* of a line; to= has at most eleven */

/* What a line says, before it is known of whom. */
struct sendmail_line {
	struct delivery *delivery; /* without recipient and id */
	GPtrArray *recipients;	   /* of char *; empty where it is of the message */
};

static gboolean
is_queue_id(const char *text)
{
	gsize length = strlen(text);

	if (length < QUEUE_ID_MIN || length > QUEUE_ID_MAX)
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (i < QUEUE_ID_TIME ? !g_ascii_isalnum(text[i]) : !g_ascii_isdigit(text[i]))
			return FALSE;
	return TRUE;
}

/* ---- recipients ---- */

/* A local user's name as aliases have it, or a program or file in quotes. */
static char *
take_bare(struct log_cursor *cursor)
{
	const char *start = cursor->at, *end;

	if (*start == '"') {
		end = strchr(start + 1, '"');
		end = end != NULL ? end + 1 : NULL;
	} else {
		end = start + strcspn(start, ",<>()\" ");
	}
	if (end == NULL || end == start || end - start > CAP_ADDRESS_BYTES)
		return NULL;
	cursor->at = end;
	return g_strndup(start, (gsize)(end - start));
}

/* "<a>,<b>, ": no blank between them, one behind the last. */
static gboolean
take_recipients(struct log_cursor *cursor, GPtrArray *ret_recipients)
{
	do {
		char *recipient =
			*cursor->at == '<' ? log_cursor_address(cursor) : take_bare(cursor);

		if (recipient == NULL)
			return FALSE;
		g_ptr_array_add(ret_recipients, recipient);
		if (*recipient == '\0' || ret_recipients->len > SENDMAIL_LOG_RECIPIENTS)
			return FALSE;
		if (log_cursor_take(cursor, ", "))
			return TRUE;
	} while (log_cursor_take(cursor, ","));
	return FALSE;
}

/* ---- fields ---- */

/* "name="; NULL if there is none. */
static char *
take_name(struct log_cursor *cursor)
{
	gsize length = strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz");
	char *name;

	if (length == 0 || length > NAME_MAX_BYTES || cursor->at[length] != '=')
		return NULL;
	name = g_strndup(cursor->at, length);
	cursor->at += length + 1;
	return name;
}

/* "Sent (2.0.0 Ok: queued as 4Xyz…)": what the next hop said. */
static void
note_text(struct delivery *delivery, const char *text)
{
	const char *open = strstr(text, " (");
	gsize length = strlen(text);

	if (open != NULL && length > 0 && text[length - 1] == ')')
		delivery->detail = log_text_capped(open + 2, length - (gsize)(open + 3 - text));
	else
		delivery->detail = log_text_capped(text, length);
}

/* What stands in a line of recipients before stat=. */
struct to_fields {
	gboolean has_mailer;
	gboolean quarantined; /* quarantine=: its text may hold anything, and ends the reading */
};

/* ctladdr=<a> (8/0): the user for whom a program runs or a file is written. */
static void
note_controlling(struct delivery *delivery, const char *value)
{
	struct log_cursor cursor = {value};
	char *address = log_cursor_address(&cursor);

	if (address != NULL && *address != '\0' && delivery->original == NULL)
		delivery->original = address;
	else
		g_free(address);
}

static void
note_field(struct delivery *delivery, struct to_fields *fields, const char *name, const char *value)
{
	struct log_cursor cursor = {value};

	if (strcmp(name, "mailer") == 0)
		fields->has_mailer = TRUE;
	else if (strcmp(name, "ctladdr") == 0)
		note_controlling(delivery, value);
	else if (strcmp(name, "relay") == 0 && delivery->relay == NULL)
		delivery->relay = log_text_capped(value, strlen(value));
	else if (strcmp(name, "dsn") == 0 && delivery->dsn == NULL)
		delivery->dsn = log_cursor_dsn(&cursor);
}

/* Reads on to "stat=", of which the rest of the line is the text. */
static gboolean
take_fields(struct log_cursor *cursor, struct delivery *delivery, struct to_fields *ret_fields)
{
	for (int i = 0; i < FIELDS_MAX; i++) {
		g_autofree char *name = take_name(cursor);
		g_autofree char *value = NULL;

		if (name == NULL)
			return FALSE;
		ret_fields->quarantined = strcmp(name, "quarantine") == 0;
		if (ret_fields->quarantined || strcmp(name, "stat") == 0)
			return TRUE;
		value = log_cursor_word(cursor, ", ", CAP_LOG_LINE_BYTES);
		if (value == NULL)
			return FALSE;
		note_field(delivery, ret_fields, name, value);
	}
	return FALSE;
}

static gboolean
begins_word(const char *text, const char *word)
{
	gsize length = strlen(word);

	return strncmp(text, word, length) == 0 && !g_ascii_isalnum(text[length]);
}

/*
 * A recipient without mailer and code was in the envelope of a message that a
 * filter refused.  "queued" tells that the message waits for its first try.
 */
static gboolean
kind_of(const struct delivery *delivery, const struct to_fields *fields, const char *text,
	enum delivery_kind *ret_kind)
{
	if (begins_word(text, "Sent"))
		*ret_kind = DELIVERY_SENT;
	else if (begins_word(text, "queued"))
		return FALSE;
	else if (begins_word(text, "quarantined"))
		*ret_kind = DELIVERY_HELD;
	else if (!fields->has_mailer && delivery->dsn == NULL)
		*ret_kind = DELIVERY_REFUSED;
	else if (begins_word(text, "Deferred") || (delivery->dsn && *delivery->dsn == '4'))
		*ret_kind = DELIVERY_DEFERRED;
	else if (delivery->dsn && *delivery->dsn == '5')
		*ret_kind = DELIVERY_BOUNCED;
	else
		return FALSE;
	return TRUE;
}

static gboolean
parse_to(struct log_cursor *cursor, struct sendmail_line *line)
{
	struct delivery *delivery = line->delivery;
	struct to_fields fields = {0};

	if (!take_recipients(cursor, line->recipients) || !take_fields(cursor, delivery, &fields))
		return FALSE;
	if (fields.quarantined)
		delivery->kind = DELIVERY_HELD;
	else if (!kind_of(delivery, &fields, cursor->at, &delivery->kind))
		return FALSE;
	note_text(delivery, cursor->at);
	if (delivery->kind == DELIVERY_HELD) /* it is of the whole message */
		g_ptr_array_set_size(line->recipients, 0);
	return TRUE;
}

/* ---- the message ---- */

static gboolean
parse_from(struct log_cursor *cursor, struct sendmail_line *line)
{
	g_autofree char *sender =
		*cursor->at == '<' ? log_cursor_address(cursor) : take_bare(cursor);
	g_autofree char *detail = NULL;
	guint size, number;

	if (sender == NULL || !log_cursor_take(cursor, ", size=") ||
	    !log_cursor_number(cursor, &size) || !log_cursor_take(cursor, ", class=") ||
	    !log_cursor_number(cursor, &number) || !log_cursor_take(cursor, ", nrcpts=") ||
	    !log_cursor_number(cursor, &line->delivery->recipients))
		return FALSE;
	line->delivery->kind = DELIVERY_QUEUED;
	detail = g_strdup_printf("from=<%s>, size=%u", sender, size);
	line->delivery->detail = log_text_capped(detail, strlen(detail));
	return TRUE;
}

/* "550 5.7.1 text" or "5.7.1 text". */
static void
note_reply(struct delivery *delivery, const char *text)
{
	struct log_cursor cursor = {text};
	guint code;

	if (log_cursor_number(&cursor, &code) && !log_cursor_take(&cursor, " "))
		cursor.at = text;
	delivery->dsn = log_cursor_dsn(&cursor);
	delivery->detail = log_text_capped(text, strlen(text));
}

/* A filter's answer at a stage; "data" is the end of the message. */
static gboolean
take_stage(struct log_cursor *cursor, struct sendmail_line *line)
{
	static const char *const stages[] = {"data, ", "header, ", "eoh, ", "body, ", "eom, "};

	if (log_cursor_take(cursor, "to="))
		return take_recipients(cursor, line->recipients);
	for (gsize i = 0; i < G_N_ELEMENTS(stages); i++)
		if (log_cursor_take(cursor, stages[i]))
			return TRUE;
	return FALSE;
}

static gboolean
parse_filter(struct log_cursor *cursor, struct sendmail_line *line)
{
	if (!take_stage(cursor, line))
		return FALSE;
	line->delivery->kind = DELIVERY_REFUSED;
	if (strcmp(cursor->at, "discard") == 0) {
		line->delivery->detail = g_strdup("discard");
		return line->recipients->len == 0;
	}
	if (!log_cursor_take(cursor, "reject="))
		return FALSE;
	note_reply(line->delivery, cursor->at);
	return TRUE;
}

/* "milter=NAME, quarantine=TEXT". */
static gboolean
parse_quarantine(struct log_cursor *cursor, struct sendmail_line *line)
{
	g_autofree char *name = log_cursor_word(cursor, ", ", TAG_MAX);

	if (name == NULL || !log_cursor_take(cursor, "quarantine="))
		return FALSE;
	line->delivery->kind = DELIVERY_HELD;
	line->delivery->detail = log_text_capped(cursor->at, strlen(cursor->at));
	return TRUE;
}

/* An address of an alias's text, as Sendmail wrote it; NULL if it is none, or was cut. */
static char *
take_member(const char *text)
{
	struct log_cursor cursor = {text};
	char *address;

	cursor.at += strspn(cursor.at, " ");
	address = *cursor.at == '<' ? log_cursor_address(&cursor) : NULL;
	if (address == NULL && *text != '\0' && strpbrk(cursor.at, " <>()\"|/:;\\") == NULL &&
	    strstr(cursor.at, "...") == NULL && strlen(cursor.at) <= CAP_ADDRESS_BYTES)
		return g_strdup(cursor.at);
	if (address != NULL && (*address == '\0' || *cursor.at != '\0'))
		g_clear_pointer(&address, g_free);
	return address;
}

/* "<team@example.org> => alice, bob, out@else.example"; programs and files are told by ctladdr=. */
static gboolean
parse_alias(struct log_cursor *cursor, struct sendmail_line *line)
{
	g_autofree char *alias = log_cursor_word(cursor, " => ", CAP_ADDRESS_BYTES + 2);
	g_auto(GStrv) members = alias != NULL ? g_strsplit(cursor->at, ",", -1) : NULL;

	line->delivery->original = alias != NULL ? take_member(alias) : NULL;
	if (line->delivery->original == NULL)
		return FALSE;
	for (char **member = members; *member != NULL; member++) {
		char *address = take_member(*member);

		if (address != NULL && *address != '\0' &&
		    line->recipients->len < SENDMAIL_LOG_RECIPIENTS)
			g_ptr_array_add(line->recipients, address);
		else
			g_free(address);
	}
	line->delivery->kind = DELIVERY_ALIASED;
	return line->recipients->len > 0;
}

static gboolean
parse_done(struct log_cursor *cursor, struct sendmail_line *line)
{
	line->delivery->kind = DELIVERY_DONE;
	return g_str_has_prefix(cursor->at, " delay=");
}

/* ---- a line ---- */

static gboolean
parse_rest(struct log_cursor *cursor, struct sendmail_line *line)
{
	static const struct {
		const char *begin;
		gboolean (*parse)(struct log_cursor *cursor, struct sendmail_line *line);
	} forms[] = {
		{"from=", parse_from},	       {"to=", parse_to},     {"Milter: ", parse_filter},
		{"milter=", parse_quarantine}, {"done;", parse_done}, {"alias ", parse_alias},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
		if (log_cursor_take(cursor, forms[i].begin))
			return forms[i].parse(cursor, line);
	return FALSE;
}

/* "sendmail[123]: ". */
static gboolean
take_tag(struct log_cursor *cursor)
{
	guint pid;

	if (!log_cursor_take(cursor, "sendmail[") && !log_cursor_take(cursor, "sm-mta["))
		return FALSE;
	return log_cursor_number(cursor, &pid) && log_cursor_take(cursor, "]: ");
}

static gboolean
parse_line(struct log_cursor *cursor, gint64 now_us, GTimeZone *zone, struct sendmail_line *line)
{
	struct delivery *delivery = line->delivery;

	if (!log_cursor_stamp(cursor, now_us, zone, &delivery->time_us))
		return FALSE;
	delivery->log_host = log_cursor_host(cursor);
	if (delivery->log_host == NULL || !take_tag(cursor))
		return FALSE;
	delivery->queue_id = log_cursor_word(cursor, ": ", QUEUE_ID_MAX);
	return delivery->queue_id != NULL && is_queue_id(delivery->queue_id) &&
	       parse_rest(cursor, line);
}

/* One delivery for each recipient, or one for the message. */
static void
add_deliveries(const struct sendmail_line *line, const char *bytes, gsize length, guint64 offset,
	       GPtrArray *deliveries)
{
	guint count = MAX(line->recipients->len, 1);

	for (guint i = 0; i < count; i++) {
		struct delivery *delivery = delivery_copy(line->delivery);

		if (i < line->recipients->len)
			delivery->recipient = g_strdup(line->recipients->pdata[i]);
		delivery->event_id = log_line_id(bytes, length, offset, i);
		g_ptr_array_add(deliveries, delivery);
	}
}

void
sendmail_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone,
		   GPtrArray *deliveries)
{
	g_autoptr(delivery_t) delivery = NULL;
	g_autoptr(GPtrArray) recipients = NULL;
	g_autofree char *text = NULL;
	struct sendmail_line parsed;
	struct log_cursor cursor;

	if (length > CAP_LOG_LINE_BYTES)
		return;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	delivery = delivery_new();
	recipients = g_ptr_array_new_with_free_func(g_free);
	parsed = (struct sendmail_line){delivery, recipients};
	cursor.at = text;
	if (parse_line(&cursor, now_us, zone, &parsed))
		add_deliveries(&parsed, line, length, offset, deliveries);
}
