/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_log.h"

#include <string.h>

#include "caps.h"
#include "json.h"
#include "log_cursor.h"
#include "text.h"

#define SERVICE_MAX 32
#define USER_MAX CAP_ADDRESS_BYTES
#define SESSION_MAX 64
#define PID_MAX 20
#define CLIENT_MAX 45 /* an address of IPv6 */

/* A line on its way to what it says. */
struct reading {
	const char *line; /* as it came, for ids */
	gsize length;
	guint64 offset;
	gint64 time_us;
	char *host, *service, *user, *session;
	GPtrArray *deliveries;
};

static void
reading_clear(struct reading *reading)
{
	g_free(reading->host);
	g_free(reading->service);
	g_free(reading->user);
	g_free(reading->session);
}

/* Adds a delivery of the line; borrowed, to be filled. */
static struct delivery *
add(struct reading *reading, enum delivery_kind kind)
{
	struct delivery *delivery = delivery_new();

	delivery->event_id = log_line_id(reading->line, reading->length, reading->offset,
					 reading->deliveries->len);
	delivery->log_host = g_strdup(reading->host);
	delivery->queue_id = g_strdup(reading->session);
	delivery->time_us = reading->time_us;
	delivery->kind = kind;
	delivery->recipient = g_strdup(reading->user);
	delivery->relay = g_strdup(reading->service);
	g_ptr_array_add(reading->deliveries, delivery);
	return delivery;
}

static char *
capped(const char *text)
{
	return log_text_capped(text, strlen(text));
}

/*
 * Takes "<id>" as it stands in a Message-ID of ordinary form, or its beginning where
 * Dovecot cut it ("<id..."), up to a stop or the end.  NULL if it is anything else.
 */
static char *
take_message_id(struct log_cursor *cursor, const char *stop)
{
	const char *at = cursor->at, *start = at;

	if (*at != '<')
		return NULL;
	for (at++; *at > ' ' && strchr("<>\"\\(),", *at) == NULL; at++)
		;
	if (*at == '>')
		at++;
	else if (at - cursor->at < 4 || strncmp(at - 3, "...", 3) != 0)
		return NULL;
	if (*at != '\0' && !g_str_has_prefix(at, stop))
		return NULL;
	cursor->at = at;
	return g_strndup(start, (gsize)(at - start));
}

/* ---- what LMTP and Sieve did with a copy ---- */

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

	return length > sizeof(word) - 1 && length < SERVICE_MAX &&
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
		delivered->storage_id = capped(value);
	if (id - 1 > address && strcspn(address, "<>\" ") == (gsize)(id - 1 - address))
		delivered->original = log_text_capped(address, (gsize)(id - 1 - address));
}

static gboolean
read_head(const char *head, struct delivered *delivered)
{
	struct log_cursor cursor = {head};

	if (!log_cursor_take(&cursor, "msgid="))
		return FALSE;
	delivered->message_id = take_message_id(&cursor, ": size=");
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
		return *cursor.at != '\0' ? capped(cursor.at) : NULL;
	if (!log_cursor_take(&cursor, "stored mail into mailbox '"))
		return NULL;
	length = strlen(cursor.at);
	return length > 1 && cursor.at[length - 1] == '\'' ? log_text_capped(cursor.at, length - 1)
							   : NULL;
}

/* Understands what was done, and adds it; NULL if it is nothing of ours. */
static struct delivery *
add_deed(struct reading *reading, const char *deed)
{
	struct log_cursor cursor = {deed};
	g_autofree char *folder = folder_of(deed), *address = NULL;
	struct delivery *delivery;

	if (folder != NULL) {
		delivery = add(reading, DELIVERY_STORED);
		delivery->folder = g_steal_pointer(&folder);
		return delivery;
	}
	if (g_ascii_strncasecmp(deed, "marked message to be discarded", 30) == 0)
		return add(reading, DELIVERY_DISCARDED);
	if (!log_cursor_take(&cursor, "forwarded to "))
		return NULL;
	address = log_cursor_address(&cursor);
	if (address == NULL || *address == '\0' || *cursor.at != '\0')
		return NULL;
	delivery = add(reading, DELIVERY_FORWARDED);
	delivery->detail = g_steal_pointer(&address);
	return delivery;
}

/* "msgid=…: what was done", perhaps with the recommended fields, perhaps of Sieve. */
static void
read_delivered(struct reading *reading, const char *text)
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
		delivery = add_deed(reading, colon + 2);
	if (delivery != NULL) {
		delivery->message_id = g_steal_pointer(&delivered.message_id);
		delivery->original = g_steal_pointer(&delivered.original);
		delivery->storage_id = g_steal_pointer(&delivered.storage_id);
	}
	g_free(delivered.message_id);
	g_free(delivered.original);
	g_free(delivered.storage_id);
}

/* ---- the mail_log plugin ---- */

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
		fields->message_id = take_message_id(cursor, ", ");
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
add_copy(struct reading *reading, enum delivery_kind kind, struct fields *fields)
{
	struct delivery *delivery = add(reading, kind);

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
add_flags(struct reading *reading, struct fields *fields)
{
	gboolean pop3 = strcmp(reading->service, "pop3") == 0;

	if (has_flag(fields, "\\Seen"))
		add_copy(reading, pop3 ? DELIVERY_DOWNLOADED : DELIVERY_SEEN, fields);
	if (has_flag(fields, "$Forwarded"))
		add_copy(reading, DELIVERY_FORWARDED, fields);
}

static void
add_copied(struct reading *reading, struct fields *fields, const char *from)
{
	gboolean lmtp = strcmp(reading->service, "lmtp") == 0;
	struct delivery *delivery =
		add_copy(reading, lmtp ? DELIVERY_STORED : DELIVERY_COPIED, fields);

	if (!lmtp)
		delivery->from_folder = capped(from);
}

/* FALSE if the text is none of the plugin's. */
static gboolean
read_mail_log(struct reading *reading, const char *text)
{
	struct log_cursor cursor = {text};
	struct fields fields = {0};
	g_autofree char *from = NULL;
	gboolean lmtp = strcmp(reading->service, "lmtp") == 0;
	gboolean save = log_cursor_take(&cursor, "save: ");
	gboolean expunge = !save && log_cursor_take(&cursor, "expunge: ");
	gboolean change = !save && !expunge && log_cursor_take(&cursor, "flag_change: ");

	if (!save && !expunge && !change && log_cursor_take(&cursor, "copy from "))
		from = log_cursor_word(&cursor, ": ", CAP_DELIVERY_TEXT_BYTES);
	if (!save && !expunge && !change && from == NULL)
		return FALSE;
	if (take_fields(&cursor, &fields)) {
		if (save && lmtp)
			add_copy(reading, DELIVERY_STORED, &fields);
		else if (expunge)
			add_copy(reading, DELIVERY_EXPUNGED, &fields);
		else if (change)
			add_flags(reading, &fields);
		else if (from != NULL)
			add_copied(reading, &fields, from);
	}
	fields_clear(&fields);
	return TRUE;
}

static void
read_deleted(struct reading *reading, const char *text)
{
	struct log_cursor cursor = {text};

	if (log_cursor_take(&cursor, "Mailbox deleted: ") && *cursor.at != '\0')
		add(reading, DELIVERY_EXPUNGED)->folder = capped(cursor.at);
}

/* "Disconnected: Logged out top=0/0, retr=2/747, del=1/3, size=1074" */
static void
read_pop3(struct reading *reading, const char *text)
{
	struct log_cursor cursor = {text};
	const char *retr = strstr(text, ", retr=");
	guint taken, deleted, bytes;

	if (!log_cursor_take(&cursor, "Disconnected: ") || retr == NULL)
		return;
	cursor.at = retr;
	if (!log_cursor_take(&cursor, ", retr=") || !log_cursor_number(&cursor, &taken) ||
	    !log_cursor_take(&cursor, "/") || !log_cursor_number(&cursor, &bytes) ||
	    !log_cursor_take(&cursor, ", del=") || !log_cursor_number(&cursor, &deleted) ||
	    taken == 0)
		return;
	add(reading, DELIVERY_DOWNLOADED)->detail =
		g_strdup_printf("retr=%u, del=%u", taken, deleted);
}

/* ---- what was fetched ---- */

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
add_fetches(struct reading *reading, const char *folder, const char *arguments)
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
		delivery = add(reading, DELIVERY_FETCHED);
		delivery->folder = capped(folder);
		delivery->uid = first;
		delivery->uid_last = last;
		delivery->detail = capped(parts->str);
	}
	g_string_free(parts, TRUE);
}

/* The session that a command of the event export is of. */
static gboolean
take_session(struct reading *reading, const json_t *fields)
{
	const char *user = json_get_text(fields, "user"),
		   *session = json_get_text(fields, "session");

	if (user == NULL || *user == '\0' || session == NULL || *session == '\0')
		return FALSE;
	g_free(reading->service);
	reading->service = g_strdup("imap");
	reading->user = capped(user);
	reading->session = capped(session);
	return TRUE;
}

static void
read_export(struct reading *reading, const char *text)
{
	g_autoptr(json_t) event = json_parse_object(text, strlen(text));
	const json_t *fields = json_object_get(event, "fields");
	const char *folder = json_get_text(fields, "mailbox");
	const char *arguments = json_get_text(fields, "cmd_args");

	if (g_strcmp0(json_get_text(event, "event"), "imap_command_finished") != 0 ||
	    g_strcmp0(json_get_text(fields, "cmd_name"), "UID FETCH") != 0 ||
	    g_strcmp0(json_get_text(fields, "tagged_reply_state"), "OK") != 0 || folder == NULL ||
	    *folder == '\0' || arguments == NULL || !take_session(reading, fields))
		return;
	add_fetches(reading, folder, arguments);
}

/* ---- logins ---- */

static gboolean
is_session(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "+/=:") == strlen(text);
}

/* "Login: user=<U>, method=M, rip=A, lip=…, session=<S>"; what may stand between says nothing. */
static void
read_login(struct reading *reading, const char *text)
{
	static const char mark[] = ", session=<";
	struct log_cursor cursor = {text};
	const char *session = g_strrstr(text, mark);
	g_autofree char *method = NULL, *client = NULL;
	gsize length = strlen(text);

	if (session == NULL || text[length - 1] != '>' || !log_cursor_take(&cursor, "Login: user="))
		return;
	reading->user = log_cursor_address(&cursor);
	if (reading->user == NULL || *reading->user == '\0' ||
	    !log_cursor_take(&cursor, ", method="))
		return;
	method = log_cursor_word(&cursor, ", rip=", SERVICE_MAX);
	client = method != NULL ? log_cursor_word(&cursor, ", ", CLIENT_MAX) : NULL;
	session += sizeof(mark) - 1;
	reading->session = g_strndup(session, (gsize)(text + length - 1 - session));
	if (client == NULL || strspn(client, "0123456789abcdefABCDEF.:") != strlen(client) ||
	    *reading->session == '\0' || strlen(reading->session) > SESSION_MAX ||
	    !is_session(reading->session))
		return;
	add(reading, DELIVERY_LOGIN)->detail = g_steal_pointer(&client);
}

/* ---- a line ---- */

/* "(user)<pid><session>: "; of stats and the like, which say nothing of a user, ": ". */
static gboolean
take_user(struct log_cursor *cursor, struct reading *reading)
{
	g_autofree char *pid = NULL;

	if (!log_cursor_take(cursor, "("))
		return FALSE;
	reading->user = log_cursor_word(cursor, ")<", USER_MAX);
	pid = reading->user != NULL ? log_cursor_word(cursor, "><", PID_MAX) : NULL;
	reading->session = pid != NULL ? log_cursor_word(cursor, ">: ", SESSION_MAX) : NULL;
	return reading->session != NULL && is_session(reading->session) &&
	       strspn(pid, "0123456789") == strlen(pid) &&
	       strpbrk(reading->user, "()<> \"") == NULL;
}

/* "host dovecot: " or "host dovecot[pid]: "; nothing in Dovecot's own files. */
static void
take_syslog(struct log_cursor *cursor, struct reading *reading)
{
	struct log_cursor after = *cursor;
	g_autofree char *host = log_cursor_host(&after), *pid = NULL;

	if (host == NULL || !log_cursor_take(&after, "dovecot"))
		return;
	if (log_cursor_take(&after, "["))
		pid = log_cursor_word(&after, "]", PID_MAX);
	if (!log_cursor_take(&after, ": "))
		return;
	g_free(reading->host);
	reading->host = g_steal_pointer(&host);
	*cursor = after;
}

static gboolean
take_service(struct log_cursor *cursor, struct reading *reading)
{
	gsize length = strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (length == 0 || length > SERVICE_MAX)
		return FALSE;
	reading->service = g_strndup(cursor->at, length);
	cursor->at += length;
	return TRUE;
}

static void
read_text(struct reading *reading, const char *text)
{
	if (read_mail_log(reading, text))
		return;
	if (strcmp(reading->service, "lmtp") == 0)
		read_delivered(reading, text);
	else if (g_str_has_prefix(text, "Mailbox deleted: "))
		read_deleted(reading, text);
	else if (strcmp(reading->service, "pop3") == 0)
		read_pop3(reading, text);
}

static void
read_line(struct log_cursor *cursor, struct reading *reading)
{
	gboolean stats, login;

	take_syslog(cursor, reading);
	if (!take_service(cursor, reading))
		return;
	stats = strcmp(reading->service, "stats") == 0;
	login = g_str_has_suffix(reading->service, "-login");
	if (stats || login ? !log_cursor_take(cursor, ": ") : !take_user(cursor, reading))
		return;
	log_cursor_take(cursor, "Info: ");
	if (login)
		read_login(reading, cursor->at);
	else if (stats)
		read_export(reading, cursor->at);
	else
		read_text(reading, cursor->at);
}

void
dovecot_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone,
		  const char *host, GPtrArray *deliveries)
{
	g_autofree char *text = NULL;
	struct log_cursor cursor;
	struct reading reading = {
		.line = line, .length = length, .offset = offset, .deliveries = deliveries};

	if (length > CAP_LOG_LINE_BYTES)
		return;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	cursor.at = text;
	reading.host = g_strdup(host);
	if (log_cursor_stamp(&cursor, now_us, zone, &reading.time_us))
		read_line(&cursor, &reading);
	reading_clear(&reading);
}
