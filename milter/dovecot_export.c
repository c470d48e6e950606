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

static void
add_fetches(struct dovecot_line *line, const char *folder, const char *arguments)
{
	struct log_cursor cursor = {arguments};
	g_autofree char *set = log_cursor_word(&cursor, " ", CAP_LOG_LINE_BYTES);
	g_auto(GStrv) ranges = NULL;
	GString *parts = parts_of(cursor.at);
	guint first, last, count = 0;

	if (set != NULL && parts->len > 0)
		ranges = g_strsplit(set, ",", -1);
	for (char **range = ranges; range != NULL && *range != NULL; range++) {
		struct delivery *delivery;

		if (count++ == DOVECOT_LOG_RANGES || !read_range(*range, &first, &last))
			break;
		delivery = dovecot_line_add(line, DELIVERY_FETCHED);
		delivery->folder = dovecot_line_text(folder);
		delivery->uid = first;
		delivery->uid_last = last;
		delivery->detail = dovecot_line_text(parts->str);
	}
	g_string_free(parts, TRUE);
}

/* The session that a command of the event export is of. */
static gboolean
take_session(struct dovecot_line *line, const json_t *fields)
{
	const char *user = json_get_text(fields, "user"),
		   *session = json_get_text(fields, "session");

	if (user == NULL || *user == '\0' || session == NULL || *session == '\0')
		return FALSE;
	g_free(line->service);
	line->service = g_strdup("imap");
	line->user = dovecot_line_text(user);
	line->session = dovecot_line_text(session);
	return TRUE;
}

void
dovecot_export_read(struct dovecot_line *line, const char *text)
{
	g_autoptr(json_t) event = json_parse_object(text, strlen(text));
	const json_t *fields = json_object_get(event, "fields");
	const char *folder = json_get_text(fields, "mailbox");
	const char *arguments = json_get_text(fields, "cmd_args");

	if (g_strcmp0(json_get_text(event, "event"), "imap_command_finished") != 0 ||
	    g_strcmp0(json_get_text(fields, "cmd_name"), "UID FETCH") != 0 ||
	    g_strcmp0(json_get_text(fields, "tagged_reply_state"), "OK") != 0 || folder == NULL ||
	    *folder == '\0' || arguments == NULL || !take_session(line, fields))
		return;
	add_fetches(line, folder, arguments);
}
