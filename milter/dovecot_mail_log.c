/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

/* The fields of a message: box, uid, msgid, flags. */
struct fields {
	char *folder, *message_id, *flags;
	guint uid;
};

static void
fields_clear(struct fields *fields)
{
	g_free(fields->folder);
	g_free(fields->message_id);
	g_free(fields->flags);
}

/* "size=N" and its like; NULL if there is no such field next. */
static void
skip_number(struct log_cursor *cursor, const char *name)
{
	struct log_cursor after = *cursor;
	guint number;

	if (log_cursor_take(&after, name) && log_cursor_number(&after, &number))
		*cursor = after;
}

/*
 * "box=F, uid=N, msgid=<…>, size=N, vsize=N, flags=(…)", from the left, up to the
 * first that is of another form.  A folder with ", " in its name is none.
 */
static gboolean
take_fields(struct log_cursor *cursor, struct fields *fields)
{
	g_autofree char *folder = NULL;

	if (!log_cursor_take(cursor, "box="))
		return FALSE;
	folder = log_cursor_word(cursor, ", ", CAP_DELIVERY_TEXT_BYTES);
	if (folder == NULL)
		return FALSE;
	fields->folder = g_steal_pointer(&folder);
	if (log_cursor_take(cursor, "uid=") && !log_cursor_number(cursor, &fields->uid))
		return FALSE;
	log_cursor_take(cursor, ", ");
	if (log_cursor_take(cursor, "msgid=")) {
		fields->message_id = dovecot_line_message_id(cursor, ", ");
		if (fields->message_id == NULL)
			return fields->uid > 0;
	}
	skip_number(cursor, ", size=");
	skip_number(cursor, ", vsize=");
	if (log_cursor_take(cursor, ", flags=("))
		fields->flags = log_cursor_word(cursor, ")", CAP_DELIVERY_TEXT_BYTES);
	return fields->uid > 0 || fields->message_id != NULL;
}

static struct delivery *
add_copy(struct dovecot_line *line, enum delivery_kind kind, struct fields *fields)
{
	struct delivery *delivery = dovecot_line_add(line, kind);

	delivery->folder = g_strdup(fields->folder);
	delivery->message_id = g_strdup(fields->message_id);
	delivery->uid = fields->uid;
	return delivery;
}

static gboolean
has_flag(const struct fields *fields, const char *flag)
{
	g_auto(GStrv) flags = g_strsplit(fields->flags != NULL ? fields->flags : "", " ", -1);

	for (char **each = flags; *each != NULL; each++)
		if (g_ascii_strcasecmp(*each, flag) == 0)
			return TRUE;
	return FALSE;
}

/* The line has the flags that there are after the change, and not which of them is new. */
static void
add_flags(struct dovecot_line *line, struct fields *fields)
{
	gboolean pop3 = strcmp(line->service, "pop3") == 0;

	if (has_flag(fields, "\\Seen"))
		add_copy(line, pop3 ? DELIVERY_DOWNLOADED : DELIVERY_SEEN, fields);
	if (has_flag(fields, "$Forwarded"))
		add_copy(line, DELIVERY_FORWARDED, fields);
}

static void
add_copied(struct dovecot_line *line, struct fields *fields, const char *from)
{
	gboolean lmtp = strcmp(line->service, "lmtp") == 0;
	struct delivery *delivery =
		add_copy(line, lmtp ? DELIVERY_STORED : DELIVERY_COPIED, fields);

	if (!lmtp)
		delivery->from_folder = dovecot_line_text(from);
}

gboolean
dovecot_mail_log_read(struct dovecot_line *line, const char *text)
{
	struct log_cursor cursor = {text};
	struct fields fields = {0};
	g_autofree char *from = NULL;
	gboolean lmtp = strcmp(line->service, "lmtp") == 0;
	gboolean save = log_cursor_take(&cursor, "save: ");
	gboolean expunge = !save && log_cursor_take(&cursor, "expunge: ");
	gboolean change = !save && !expunge && log_cursor_take(&cursor, "flag_change: ");

	if (!save && !expunge && !change && log_cursor_take(&cursor, "copy from "))
		from = log_cursor_word(&cursor, ": ", CAP_DELIVERY_TEXT_BYTES);
	if (!save && !expunge && !change && from == NULL)
		return FALSE;
	if (take_fields(&cursor, &fields)) {
		if (save && lmtp)
			add_copy(line, DELIVERY_STORED, &fields);
		else if (expunge)
			add_copy(line, DELIVERY_EXPUNGED, &fields);
		else if (change)
			add_flags(line, &fields);
		else if (from != NULL)
			add_copied(line, &fields, from);
	}
	fields_clear(&fields);
	return TRUE;
}

/* A name with the arrow in it makes two readings: the event export then tells. */
static void
add_renamed(struct dovecot_line *line, const char *names)
{
	const char *arrow = strstr(names, DOVECOT_ARROW);
	struct delivery *delivery;

	if (arrow == NULL || arrow == names || arrow[strlen(DOVECOT_ARROW)] == '\0' ||
	    strstr(arrow + 1, DOVECOT_ARROW) != NULL)
		return;
	delivery = dovecot_line_add(line, DELIVERY_RENAMED);
	delivery->from_folder = log_text_capped(names, (gsize)(arrow - names));
	delivery->folder = dovecot_line_text(arrow + strlen(DOVECOT_ARROW));
}

void
dovecot_mail_log_read_mailbox(struct dovecot_line *line, const char *text)
{
	struct log_cursor cursor = {text};

	if (log_cursor_take(&cursor, "Mailbox renamed: "))
		add_renamed(line, cursor.at);
	else if (log_cursor_take(&cursor, "Mailbox deleted: ") && *cursor.at != '\0')
		dovecot_line_add(line, DELIVERY_EXPUNGED)->folder = dovecot_line_text(cursor.at);
}
