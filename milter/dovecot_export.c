/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

#include "dovecot_log.h"
#include "json.h"

/* Adds what a section "[2.1]" of a fetched message is to parts; of headers, nothing. */
static void
note_section(GString *parts, const char *section, gsize length)
{
	g_autofree char *name = g_strndup(section, length);

	if (strstr(name, "HEADER") != NULL || strstr(name, "MIME") != NULL)
		return;
	if (strspn(name, "0123456789.TEX") != length)
		return;
	g_string_append_printf(parts, "%s%s", parts->len > 0 ? " " : "",
			       length > 0 ? name : "whole");
}

/* The parts that the items of a FETCH ask for: "whole 2.1 TEXT"; empty for none. */
static GString *
parts_of(const char *items)
{
	static const char *const words[] = {"BODY[", "BODY.PEEK[", "BINARY[", "BINARY.PEEK["};
	g_autofree char *upper = g_ascii_strup(items, -1);
	GString *parts = g_string_new(NULL);
	g_auto(GStrv) each = g_strsplit_set(upper, " ()", -1);

	for (char **item = each; *item != NULL; item++) {
		if (strcmp(*item, "RFC822") == 0)
			note_section(parts, "", 0);
		else if (strcmp(*item, "RFC822.TEXT") == 0)
			note_section(parts, "TEXT", 4);
		for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
			if (g_str_has_prefix(*item, words[i]))
				note_section(parts, *item + strlen(words[i]),
					     strcspn(*item + strlen(words[i]), "]"));
	}
	return parts;
}

/* "3", "3:7", "3:*", "*:3": the UIDs from *ret_first on to *ret_last. */
static gboolean
read_range(const char *range, guint *ret_first, guint *ret_last)
{
	struct log_cursor cursor = {range};
	guint ends[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		if (log_cursor_take(&cursor, "*"))
			ends[i] = G_MAXUINT32;
		else if (!log_cursor_number(&cursor, &ends[i]) || ends[i] == 0)
			return FALSE;
		if (i == 0 && !log_cursor_take(&cursor, ":")) {
			ends[1] = ends[0];
			break;
		}
	}
	*ret_first = MIN(ends[0], ends[1]);
	*ret_last = MAX(ends[0], ends[1]);
	return *cursor.at == '\0';
}

/* What a FETCH asks for, of which messages. */
struct fetch {
	const char *folder, *parts;
	gboolean by_number; /* the set is of sequence numbers, not of UIDs */
};

static void
add_fetched(struct dovecot_line *line, const struct fetch *fetch, gboolean by_number, guint first,
	    guint last)
{
	struct delivery *delivery = dovecot_line_add(line, DELIVERY_FETCHED);

	delivery->folder = dovecot_line_text(fetch->folder);
	*(by_number ? &delivery->number : &delivery->uid) = first;
	*(by_number ? &delivery->number_last : &delivery->uid_last) = last;
	delivery->detail = dovecot_line_text(fetch->parts);
}

/* "*" is the last message, whatever its UID (RFC 9051 9, seq-range). */
static gboolean
add_range(struct dovecot_line *line, const struct fetch *fetch, const char *range)
{
	guint first, last;

	if (!read_range(range, &first, &last))
		return FALSE;
	if (fetch->by_number || first != DELIVERY_LAST)
		add_fetched(line, fetch, fetch->by_number, first, last);
	if (!fetch->by_number && last == DELIVERY_LAST)
		add_fetched(line, fetch, TRUE, DELIVERY_LAST, DELIVERY_LAST);
	return TRUE;
}

/* Of more ranges than are kept, or one that is not understood, any message may be one. */
static void
add_ranges(struct dovecot_line *line, const struct fetch *fetch, const char *set)
{
	g_auto(GStrv) ranges = g_strsplit(set, ",", DOVECOT_LOG_RANGES);
	guint count = g_strv_length(ranges);

	for (guint i = 0; i < count; i++)
		if (!add_range(line, fetch, ranges[i]))
			add_fetched(line, fetch, TRUE, 1, DELIVERY_LAST);
}

/* The session that an exported event is of. */
static gboolean
take_session(struct dovecot_line *line, const json_t *fields, const char *service)
{
	const char *user = json_get_text(fields, "user"),
		   *session = json_get_text(fields, "session");

	if (user == NULL || *user == '\0' || session == NULL || *session == '\0')
		return FALSE;
	g_free(line->service);
	line->service = g_strdup(service);
	line->user = dovecot_line_text(user);
	line->session = dovecot_line_text(session);
	return TRUE;
}

static gboolean
has_reason(const json_t *fields, const char *reason)
{
	const json_t *reasons = json_object_get(fields, "reason_code");

	for (gsize i = 0; i < json_array_size(reasons); i++)
		if (g_strcmp0(json_string_value(json_array_get(reasons, i)), reason) == 0)
			return TRUE;
	return FALSE;
}

/* Headers of parts alone are told if Dovecot opens the message for them. */
static void
read_fetch(struct dovecot_line *line, const json_t *fields, gboolean by_number)
{
	const char *folder = json_get_text(fields, "mailbox");
	struct log_cursor cursor = {json_get_text(fields, "cmd_args")};
	g_autofree char *set = NULL;
	g_autoptr(GString) parts = NULL;
	struct fetch fetch = {.folder = folder, .by_number = by_number};

	if (folder == NULL || *folder == '\0' || cursor.at == NULL)
		return;
	set = log_cursor_word(&cursor, " ", CAP_LOG_LINE_BYTES);
	parts = parts_of(cursor.at);
	if (parts->len == 0 && has_reason(fields, "imap:fetch_body"))
		g_string_append(parts, "headers");
	fetch.parts = parts->str;
	if (set != NULL && parts->len > 0 && take_session(line, fields, "imap"))
		add_ranges(line, &fetch, set);
}

/* Only what the line of the mail_log plugin leaves open. */
static void
read_rename(struct dovecot_line *line, const json_t *fields)
{
	const char *from = json_get_text(fields, "old_mailbox"),
		   *to = json_get_text(fields, "new_mailbox");
	struct delivery *delivery;

	if (from == NULL || *from == '\0' || to == NULL || *to == '\0' ||
	    (strstr(from, DOVECOT_ARROW) == NULL && strstr(to, DOVECOT_ARROW) == NULL) ||
	    !take_session(line, fields, "imap"))
		return;
	delivery = dovecot_line_add(line, DELIVERY_RENAMED);
	delivery->from_folder = dovecot_line_text(from);
	delivery->folder = dovecot_line_text(to);
}

static void
read_command(struct dovecot_line *line, const json_t *fields)
{
	const char *name = json_get_text(fields, "cmd_name");

	if (g_strcmp0(json_get_text(fields, "tagged_reply_state"), "OK") != 0)
		return;
	if (g_strcmp0(name, "UID FETCH") == 0 || g_strcmp0(name, "FETCH") == 0)
		read_fetch(line, fields, *name == 'F');
	else if (g_strcmp0(name, "RENAME") == 0)
		read_rename(line, fields);
}

/* A message was opened: why says what for. */
static void
read_opened(struct dovecot_line *line, const json_t *fields)
{
	const char *folder = json_get_text(fields, "mailbox");
	gint64 uid = json_get_int(fields, "uid", 0), number = json_get_int(fields, "seq", 0);
	gboolean body = has_reason(fields, "imap:fetch_body"),
		 retr = has_reason(fields, "pop3:cmd_retr"),
		 top = has_reason(fields, "pop3:cmd_top");
	struct delivery *delivery;

	if (folder == NULL || *folder == '\0' || uid <= 0 || uid > G_MAXUINT32 || number <= 0 ||
	    number >= DELIVERY_LAST || (!body && !retr && !top) ||
	    !take_session(line, fields, body ? "imap" : "pop3"))
		return;
	delivery = dovecot_line_add(line, retr ? DELIVERY_DOWNLOADED : DELIVERY_OPENED);
	delivery->folder = dovecot_line_text(folder);
	delivery->uid = (guint)uid;
	delivery->number = (guint)number;
}

void
dovecot_export_read(struct dovecot_line *line, const char *text)
{
	g_autoptr(json_t) event = json_parse_object(text, strlen(text));
	const json_t *fields = json_object_get(event, "fields");
	const char *name = json_get_text(event, "event");

	if (g_strcmp0(name, "imap_command_finished") == 0)
		read_command(line, fields);
	else if (g_strcmp0(name, "mail_opened") == 0)
		read_opened(line, fields);
}
