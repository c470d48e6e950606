/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

/* Returns where the last ": " of a text begins, before end; NULL if there is none. */
static const char *
last_colon(const char *text, const char *end)
{
	for (const char *at = end; at - text >= 2;)
		if (strncmp(--at - 1, ": ", 2) == 0)
			return at - 1;
	return NULL;
}

/* "fileinto action", "redirect action": what Sieve 0.5.19 puts before what it did. */
static gboolean
is_action(const char *start, const char *end)
{
	static const char word[] = " action";
	gsize length = (gsize)(end - start);

	return length > sizeof(word) - 1 && length < DOVECOT_SERVICE_MAX &&
	       strncmp(end - (sizeof(word) - 1), word, sizeof(word) - 1) == 0 &&
	       strspn(start, "abcdefghijklmnopqrstuvwxyz_- ") >= length;
}

/* What stands before what was done: "msgid=…" and the fields of the recommended format. */
struct delivered {
	char *message_id, *original, *storage_id;
};

/* ", env_to=<T>, storage_id=S" at the end of a text; T and S may be empty. */
static void
read_tail(const char *head, struct delivered *delivered)
{
	static const char marks[] = ", storage_id=", to[] = ", env_to=<";
	const char *id = g_strrstr(head, marks), *address = NULL;
	const char *value = id != NULL ? id + sizeof(marks) - 1 : NULL;

	/* A Message-ID that has all this in it ends with a bracket. */
	if (value == NULL || value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
						 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						 "0123456789.,:=_/+-")] != '\0')
		return;
	address = g_strrstr_len(head, id - head, to);
	if (address == NULL || id[-1] != '>')
		return;
	address += sizeof(to) - 1;
	if (*value != '\0')
		delivered->storage_id = dovecot_line_text(value);
	if (id - 1 > address && strcspn(address, "<>\" ") == (gsize)(id - 1 - address))
		delivered->original = log_text_capped(address, (gsize)(id - 1 - address));
}

static gboolean
read_head(const char *head, struct delivered *delivered)
{
	struct log_cursor cursor = {head};

	if (!log_cursor_take(&cursor, "msgid="))
		return FALSE;
	delivered->message_id = dovecot_line_message_id(&cursor, ": size=");
	read_tail(head, delivered);
	return TRUE;
}

/* "saved mail to F", "stored mail into mailbox 'F'"; NULL if it is neither.  Free with g_free(). */
static char *
folder_of(const char *deed)
{
	struct log_cursor cursor = {deed};
	gsize length;

	if (log_cursor_take(&cursor, "saved mail to "))
		return *cursor.at != '\0' ? dovecot_line_text(cursor.at) : NULL;
	if (!log_cursor_take(&cursor, "stored mail into mailbox '"))
		return NULL;
	length = strlen(cursor.at);
	return length > 1 && cursor.at[length - 1] == '\'' ? log_text_capped(cursor.at, length - 1)
							   : NULL;
}

/* Understands what was done, and adds it; NULL if it is nothing of ours. */
static struct delivery *
add_deed(struct dovecot_line *line, const char *deed)
{
	struct log_cursor cursor = {deed};
	g_autofree char *folder = folder_of(deed), *address = NULL;
	struct delivery *delivery;

	if (folder != NULL) {
		delivery = dovecot_line_add(line, DELIVERY_STORED);
		delivery->folder = g_steal_pointer(&folder);
		return delivery;
	}
	if (g_ascii_strncasecmp(deed, "marked message to be discarded", 30) == 0)
		return dovecot_line_add(line, DELIVERY_DISCARDED);
	if (!log_cursor_take(&cursor, "forwarded to "))
		return NULL;
	address = log_cursor_address(&cursor);
	if (address == NULL || *address == '\0' || *cursor.at != '\0')
		return NULL;
	delivery = dovecot_line_add(line, DELIVERY_FORWARDED);
	delivery->detail = g_steal_pointer(&address);
	return delivery;
}

void
dovecot_lmtp_read(struct dovecot_line *line, const char *text)
{
	struct delivered delivered = {0};
	const char *colon, *before;
	g_autofree char *head = NULL;
	struct delivery *delivery = NULL;

	if (g_str_has_prefix(text, "sieve: "))
		text += strlen("sieve: ");
	colon = last_colon(text, text + strlen(text));
	if (colon == NULL)
		return;
	before = last_colon(text, colon);
	head = before != NULL && is_action(before + 2, colon)
		       ? g_strndup(text, (gsize)(before - text))
		       : g_strndup(text, (gsize)(colon - text));
	if (read_head(head, &delivered))
		delivery = add_deed(line, colon + 2);
	if (delivery != NULL) {
		delivery->message_id = g_steal_pointer(&delivered.message_id);
		delivery->original = g_steal_pointer(&delivered.original);
		delivery->storage_id = g_steal_pointer(&delivered.storage_id);
	}
	g_free(delivered.message_id);
	g_free(delivered.original);
	g_free(delivered.storage_id);
}
