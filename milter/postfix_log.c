/* SPDX-License-Identifier: BSD-2-Clause */
#include "postfix_log.h"

#include <string.h>

#include "caps.h"
#include "log_cursor.h"
#include "text.h"

#define QUEUE_ID_SHORT_MIN 6 /* five digits of microseconds and an inode */
#define QUEUE_ID_LONG_MIN 10 /* six of seconds, four of microseconds, "z", an inode */
#define QUEUE_ID_MAX 32	     /* of 64-bit time and inode it would be 29 */
#define SESSION_MAX 64	     /* Dovecot's has 22, and what counts recipients and transactions */
#define TAG_MAX 128	     /* programs' names with those of instance and service */
#define EXTRA_FIELDS_MAX 8   /* between relay= and dsn=; Postfix 3.11 has four */

/* A short id is hexadecimal; a long one has no vowels, and a "z" before the inode. */
static gboolean
is_queue_id(const char *text)
{
	gsize length = strlen(text);

	if (length > QUEUE_ID_MAX)
		return FALSE;
	if (length >= QUEUE_ID_SHORT_MIN && strspn(text, "0123456789ABCDEF") == length)
		return TRUE;
	return length >= QUEUE_ID_LONG_MIN && strchr(text, 'z') != NULL &&
	       strspn(text, "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz") == length;
}

/* ---- the delivery agents ---- */

/*
 * "250 2.0.0 Ok: queued as 4Xyz…" of another MTA.  local(8) says "forwarded as …" and no
 * more; what else it says has commands of users' .forward in it, and names no queue id.
 */
static char *
next_queue_id(const char *text, gboolean is_local)
{
	static const char queued[] = "queued as ", forwarded[] = "forwarded as ";
	const char *id = strrchr(text, ' ');

	if (id == NULL || !is_queue_id(++id))
		return NULL;
	if (is_local)
		return g_str_has_prefix(text, forwarded) && id == text + strlen(forwarded)
			       ? g_strdup(id)
			       : NULL;
	if ((gsize)(id - text) < strlen(queued) ||
	    strncmp(id - strlen(queued), queued, strlen(queued)) != 0)
		return NULL;
	return g_strdup(id);
}

/* " (text)" to the end; syslog may have cut the end, so that ")" may be missing. */
static gboolean
take_text(struct log_cursor *cursor, struct delivery *delivery)
{
	g_autofree char *text = NULL;
	gsize length;

	if (!log_cursor_take(cursor, " ("))
		return FALSE;
	length = strlen(cursor->at);
	if (length > 0 && cursor->at[length - 1] == ')')
		length--;
	text = g_strndup(cursor->at, length);
	delivery->next_queue_id = next_queue_id(text, g_strcmp0(delivery->relay, "local") == 0);
	delivery->detail = log_text_capped(text, length);
	return TRUE;
}

static gboolean
take_status(struct log_cursor *cursor, enum delivery_kind *ret_kind)
{
	static const struct {
		const char *word;
		enum delivery_kind kind;
	} words[] = {
		{"sent", DELIVERY_SENT},
		{"deferred", DELIVERY_DEFERRED},
		{"SOFTBOUNCE", DELIVERY_DEFERRED},
		{"bounced", DELIVERY_BOUNCED},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		struct log_cursor after = *cursor;

		if (log_cursor_take(&after, words[i].word) && *after.at == ' ') {
			*cursor = after;
			*ret_kind = words[i].kind;
			return TRUE;
		}
	}
	return FALSE;
}

/* conn_use=, delay=, delays=, tls=: ", name=value", where a value has no comma. */
static gboolean
skip_to_dsn(struct log_cursor *cursor)
{
	for (int i = 0; i <= EXTRA_FIELDS_MAX; i++) {
		if (log_cursor_take(cursor, "dsn="))
			return TRUE;
		cursor->at += strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz_");
		if (*cursor->at != '=')
			return FALSE;
		cursor->at += strcspn(cursor->at, ",<>()\"");
		if (!log_cursor_take(cursor, ", "))
			return FALSE;
	}
	return FALSE;
}

static gboolean
parse_agent(struct log_cursor *cursor, struct delivery *delivery)
{
	g_autofree char *relay = NULL;

	if (!log_cursor_take(cursor, "to="))
		return FALSE;
	delivery->recipient = log_cursor_address(cursor);
	if (delivery->recipient == NULL || *delivery->recipient == '\0')
		return FALSE;
	if (log_cursor_take(cursor, ", orig_to=")) {
		delivery->original = log_cursor_address(cursor);
		if (delivery->original == NULL)
			return FALSE;
	}
	if (!log_cursor_take(cursor, ", relay="))
		return FALSE;
	relay = log_cursor_word(cursor, ", ", CAP_LOG_LINE_BYTES);
	if (relay == NULL || strpbrk(relay, "<>()\"") != NULL || !skip_to_dsn(cursor))
		return FALSE;
	delivery->relay = log_text_capped(relay, strlen(relay));
	delivery->dsn = log_cursor_dsn(cursor);
	return delivery->dsn != NULL && log_cursor_take(cursor, ", status=") &&
	       take_status(cursor, &delivery->kind) && take_text(cursor, delivery);
}

/* "250 2.0.0 <address> SESSION Saved": Dovecot's LMTP names its session, in base64 and ":R2". */
static char *
lmtp_session(const char *text)
{
	static const char saved[] = " Saved";
	const char *end = text + strlen(text), *start;

	if (!g_str_has_prefix(text, "250 2.") || !g_str_has_suffix(text, saved))
		return NULL;
	end -= sizeof(saved) - 1;
	for (start = end;
	     start > text && (g_ascii_isalnum(start[-1]) || strchr("+/=:", start[-1]) != NULL);)
		start--;
	if (start == end || end - start > SESSION_MAX || start - text < 2 ||
	    strncmp(start - 2, "> ", 2) != 0)
		return NULL;
	return g_strndup(start, (gsize)(end - start));
}

static gboolean
parse_lmtp(struct log_cursor *cursor, struct delivery *delivery)
{
	if (!parse_agent(cursor, delivery))
		return FALSE;
	if (delivery->kind == DELIVERY_SENT && delivery->next_queue_id == NULL)
		delivery->next_queue_id = lmtp_session(delivery->detail);
	return TRUE;
}

/* discard(8) says "sent" of what it throws away. */
static gboolean
parse_discard(struct log_cursor *cursor, struct delivery *delivery)
{
	if (!parse_agent(cursor, delivery))
		return FALSE;
	delivery->kind = DELIVERY_BOUNCED;
	return TRUE;
}

/* ---- the queue ---- */

/* ", status=expired, returned to sender": what was not sent goes back. */
static gboolean
take_expiry(struct log_cursor *cursor)
{
	if (!log_cursor_take(cursor, ", status="))
		return FALSE;
	log_cursor_take(cursor, "force-");
	return strcmp(cursor->at, "expired, returned to sender") == 0;
}

static gboolean
parse_qmgr(struct log_cursor *cursor, struct delivery *delivery)
{
	g_autofree char *sender = NULL, *detail = NULL;
	guint size;

	if (strcmp(cursor->at, "removed") == 0) {
		delivery->kind = DELIVERY_DONE;
		return TRUE;
	}
	if (!log_cursor_take(cursor, "from="))
		return FALSE;
	sender = log_cursor_address(cursor);
	if (sender != NULL && take_expiry(cursor)) {
		delivery->kind = DELIVERY_EXPIRED;
		return TRUE;
	}
	if (sender == NULL || !log_cursor_take(cursor, ", size=") ||
	    !log_cursor_number(cursor, &size) || !log_cursor_take(cursor, ", nrcpt=") ||
	    !log_cursor_number(cursor, &delivery->recipients))
		return FALSE;
	delivery->kind = DELIVERY_QUEUED;
	detail = g_strdup_printf("from=<%s>, size=%u", sender, size);
	delivery->detail = log_text_capped(detail, strlen(detail));
	return strcmp(cursor->at, " (queue active)") == 0;
}

static gboolean
parse_postsuper(struct log_cursor *cursor, struct delivery *delivery)
{
	static const struct {
		const char *words;
		enum delivery_kind kind;
	} deeds[] = {
		{"placed on hold", DELIVERY_HELD},
		{"released from hold", DELIVERY_RELEASED},
		{"removed", DELIVERY_DELETED},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(deeds); i++) {
		if (strcmp(cursor->at, deeds[i].words) != 0)
			continue;
		delivery->kind = deeds[i].kind;
		delivery->detail = g_strdup("postsuper");
		return TRUE;
	}
	return FALSE;
}

/* Makes of a line that names the message's former queue id one of that id; takes former. */
static gboolean
note_former(struct delivery *delivery, char *former, const char *how)
{
	if (!is_queue_id(former)) {
		g_free(former);
		return FALSE;
	}
	delivery->kind = DELIVERY_REQUEUED;
	delivery->next_queue_id = delivery->queue_id;
	delivery->queue_id = former;
	delivery->detail = g_strdup(how);
	return TRUE;
}

/* What postsuper -r requeued comes in through pickup. */
static gboolean
parse_pickup(struct log_cursor *cursor, struct delivery *delivery)
{
	g_autofree char *sender = NULL;
	guint uid;

	if (!log_cursor_take(cursor, "uid=") || !log_cursor_number(cursor, &uid) ||
	    !log_cursor_take(cursor, " from="))
		return FALSE;
	sender = log_cursor_address(cursor);
	return sender != NULL && log_cursor_take(cursor, " orig_id=") &&
	       note_former(delivery, g_strdup(cursor->at), "postsuper -r");
}

/* What a content filter sends back with XFORWARD: "host[address], orig_queue_id=…". */
static gboolean
parse_client(struct log_cursor *cursor, struct delivery *delivery)
{
	gsize length;

	cursor->at += strspn(cursor->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789.-_");
	if (!log_cursor_take(cursor, "["))
		return FALSE;
	cursor->at += strspn(cursor->at, "0123456789abcdefABCDEFIPv:.%");
	if (!log_cursor_take(cursor, "], orig_queue_id="))
		return FALSE;
	length = strcspn(cursor->at, ",");
	return (cursor->at[length] == '\0' ||
		g_str_has_prefix(cursor->at + length, ", orig_client=")) &&
	       note_former(delivery, g_strndup(cursor->at, length), "content filter");
}

/* ---- refusals ---- */

/* "reject: ", "milter-hold: "…: what was done, then at which stage. */
static gboolean
take_action(struct log_cursor *cursor, struct delivery *delivery, gboolean *ret_reject)
{
	log_cursor_take(cursor, "milter-");
	*ret_reject = log_cursor_take(cursor, "reject: ");
	delivery->kind = DELIVERY_REFUSED;
	if (*ret_reject || log_cursor_take(cursor, "discard: "))
		return TRUE;
	delivery->kind = DELIVERY_HELD;
	return log_cursor_take(cursor, "hold: ");
}

/*
 * Takes " from=<…> to=<…> proto=… helo=<…>" up to the line's end.  Postfix
 * replaces blanks, brackets, quotes and semicolons in what the client said to HELO.
 */
static gboolean
take_tail(struct log_cursor *cursor, char **ret_recipient)
{
	static const char *const names[] = {
		" from=", " to=", " proto=", " helo=", " sasl_username="};
	g_autofree char *recipient = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *value = NULL;

		if (!log_cursor_take(cursor, names[i]))
			continue;
		if (*cursor->at == '<') {
			value = log_cursor_address(cursor);
			if (value == NULL)
				return FALSE;
		} else {
			cursor->at += strcspn(cursor->at, " <>()\";");
		}
		if (i == 1)
			recipient = g_steal_pointer(&value);
	}
	if (*cursor->at != '\0' || recipient == NULL || *recipient == '\0')
		return FALSE;
	*ret_recipient = g_steal_pointer(&recipient);
	return TRUE;
}

/*
 * The reply before the tail is free text, which repeats addresses without
 * their quotes, so that each ";" might begin the tail.  One alone does: what is
 * taken for the tail earlier would have to pass over the true one's addresses,
 * in which a quote is escaped and so neither opens nor ends an address.
 * Returns the length of the text before the tail, or -1.
 */
static gssize
find_tail(const char *text, char **ret_recipient)
{
	const char *at = text;

	while ((at = strstr(at, "; from=<")) != NULL) {
		struct log_cursor tail = {at + 1};

		if (take_tail(&tail, ret_recipient))
			return at - text;
		at++;
	}
	return -1;
}

/* The length of a reply without the fields behind it, where nothing hangs on it. */
static gsize
reply_length(const char *text)
{
	const char *tail = g_strrstr(text, "; from=<");

	return tail != NULL ? (gsize)(tail - text) : strlen(text);
}

/* "550 5.7.1 …" of smtpd, "5.7.1 …" of cleanup. */
static void
note_reply(struct delivery *delivery, const char *text, gsize length)
{
	struct log_cursor cursor = {text};
	guint code;

	if (log_cursor_number(&cursor, &code) && !log_cursor_take(&cursor, " "))
		cursor.at = text;
	delivery->dsn = log_cursor_dsn(&cursor);
	delivery->detail = log_text_capped(text, length);
}

/*
 * cleanup speaks of the message as a whole, and all behind the action is what
 * others said.  Its own checks' lines have no "stage from client: " before the
 * reply, so that the text is kept as it is.
 */
static gboolean
parse_cleanup(struct log_cursor *cursor, struct delivery *delivery)
{
	gboolean reject;
	g_autofree char *client = NULL;

	if (!take_action(cursor, delivery, &reject))
		return FALSE;
	if (log_cursor_take(cursor, "END-OF-MESSAGE from "))
		client = log_cursor_word(cursor, ": ", CAP_LOG_LINE_BYTES);
	note_reply(delivery, cursor->at, reply_length(cursor->at));
	return TRUE;
}

/* A refusal of RCPT is of that recipient; one of VRFY or another command is of none. */
static gboolean
note_refusal(struct delivery *delivery, const char *stage, const char *text)
{
	gssize length = (gssize)reply_length(text);

	if (strcmp(stage, "RCPT") == 0)
		length = find_tail(text, &delivery->recipient);
	else if (strcmp(stage, "DATA") != 0 && strcmp(stage, "BDAT") != 0 &&
		 strcmp(stage, "END-OF-MESSAGE") != 0)
		return FALSE;
	if (length < 0)
		return FALSE;
	note_reply(delivery, text, (gsize)length);
	return TRUE;
}

static gboolean
parse_smtpd(struct log_cursor *cursor, struct delivery *delivery)
{
	g_autofree char *stage = NULL, *client = NULL;
	gboolean reject;

	if (log_cursor_take(cursor, "client="))
		return parse_client(cursor, delivery);
	if (!take_action(cursor, delivery, &reject))
		return FALSE;
	stage = log_cursor_word(cursor, " from ", TAG_MAX);
	client = stage != NULL ? log_cursor_word(cursor, ": ", CAP_LOG_LINE_BYTES) : NULL;
	if (client == NULL)
		return FALSE;
	if (reject)
		return note_refusal(delivery, stage, cursor->at);
	note_reply(delivery, cursor->at, reply_length(cursor->at));
	return TRUE;
}

/* ---- a line ---- */

typedef gboolean (*parse_program)(struct log_cursor *cursor, struct delivery *delivery);

static parse_program
parser_of(const char *program)
{
	static const struct {
		const char *name;
		parse_program parse;
	} programs[] = {
		{"qmgr", parse_qmgr},	{"smtp", parse_agent},		{"lmtp", parse_lmtp},
		{"local", parse_agent}, {"virtual", parse_agent},	{"pipe", parse_agent},
		{"error", parse_agent}, {"discard", parse_discard},	{"cleanup", parse_cleanup},
		{"smtpd", parse_smtpd}, {"postsuper", parse_postsuper}, {"pickup", parse_pickup},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(programs); i++)
		if (strcmp(program, programs[i].name) == 0)
			return programs[i].parse;
	return NULL;
}

/* Takes "postfix/smtpd[123]: "; NULL if it is not of a program that matters. */
static parse_program
take_tag(struct log_cursor *cursor)
{
	g_autofree char *tag = NULL;
	char *bracket, *slash;

	if (!g_str_has_prefix(cursor->at, "postfix"))
		return NULL;
	tag = log_cursor_word(cursor, ": ", TAG_MAX);
	if (tag == NULL || strchr(tag, ' ') != NULL)
		return NULL;
	bracket = strchr(tag, '[');
	if (bracket != NULL)
		*bracket = '\0';
	slash = strrchr(tag, '/');
	return slash != NULL ? parser_of(slash + 1) : NULL;
}

static gboolean
parse_line(struct log_cursor *cursor, gint64 now_us, GTimeZone *zone, struct delivery *delivery)
{
	parse_program parse;

	if (!log_cursor_stamp(cursor, now_us, zone, &delivery->time_us))
		return FALSE;
	delivery->log_host = log_cursor_host(cursor);
	parse = delivery->log_host != NULL ? take_tag(cursor) : NULL;
	if (parse == NULL)
		return FALSE;
	delivery->queue_id = log_cursor_word(cursor, ": ", QUEUE_ID_MAX);
	return delivery->queue_id != NULL && is_queue_id(delivery->queue_id) &&
	       parse(cursor, delivery);
}

struct delivery *
postfix_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone)
{
	g_autoptr(delivery_t) delivery = NULL;
	g_autofree char *text = NULL;
	struct log_cursor cursor;

	if (length > CAP_LOG_LINE_BYTES)
		return NULL;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	cursor.at = text;
	delivery = delivery_new();
	if (!parse_line(&cursor, now_us, zone, delivery))
		return NULL;
	delivery->event_id = log_line_id(line, length, offset, 0);
	return g_steal_pointer(&delivery);
}
