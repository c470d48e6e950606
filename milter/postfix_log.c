/* SPDX-License-Identifier: BSD-2-Clause */
#include "postfix_log.h"

#include <string.h>

#include "caps.h"
#include "event.h"
#include "text.h"

#define QUEUE_ID_SHORT_MIN 6  /* five digits of microseconds and an inode */
#define QUEUE_ID_LONG_MIN 10  /* six of seconds, four of microseconds, "z", an inode */
#define QUEUE_ID_MAX 32	      /* of 64-bit time and inode it would be 29 */
#define HOST_MAX 255	      /* RFC 1035 2.3.4 */
#define TAG_MAX 128	      /* programs' names with those of instance and service */
#define STAMP_MAX 40	      /* "2026-11-23T13:08:31.123456789+09:00" */
#define EXTRA_FIELDS_MAX 8    /* between relay= and dsn=; Postfix 3.11 has four */
#define NUMBER_MAX G_MAXINT32 /* of nrcpt= and size=, read digit by digit */

/* What is left of a line; NUL-terminated. */
struct cursor {
	const char *at;
};

/* ---- pieces ---- */

static gboolean
take(struct cursor *cursor, const char *literal)
{
	if (!g_str_has_prefix(cursor->at, literal))
		return FALSE;
	cursor->at += strlen(literal);
	return TRUE;
}

/* Takes what stands before the first stop, and the stop; at most max bytes, at least one. */
static char *
take_word(struct cursor *cursor, const char *stop, gsize max)
{
	const char *end = strstr(cursor->at, stop);
	char *word;

	if (end == NULL || end == cursor->at || (gsize)(end - cursor->at) > max)
		return NULL;
	word = g_strndup(cursor->at, (gsize)(end - cursor->at));
	cursor->at = end + strlen(stop);
	return word;
}

static gboolean
take_number(struct cursor *cursor, guint *ret_number)
{
	guint64 number = 0;
	const char *at = cursor->at;

	for (; g_ascii_isdigit(*at) && number <= NUMBER_MAX; at++)
		number = number * 10 + (guint64)(*at - '0');
	if (at == cursor->at || g_ascii_isdigit(*at))
		return FALSE;
	cursor->at = at;
	*ret_number = (guint)MIN(number, NUMBER_MAX);
	return TRUE;
}

/* Passes over a quoted local part (RFC 5321 4.1.2); NULL if it does not end. */
static const char *
skip_quoted(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
	}
	return at + 1;
}

/*
 * Takes "<address>".  Postfix quotes a local part that is no dot-atom, so that
 * outside of quotes none of these marks can stand in an address.
 */
static char *
take_address(struct cursor *cursor)
{
	const char *start, *at;

	if (!take(cursor, "<"))
		return NULL;
	start = at = cursor->at;
	if (*at == '"')
		at = skip_quoted(at);
	if (at == NULL || (at != start && *at != '@' && *at != '>'))
		return NULL;
	while (*at != '\0' && *at != '>' && (guchar)*at > ' ' && strchr("<\"(),;", *at) == NULL)
		at++;
	if (*at != '>' || at - start > CAP_ADDRESS_BYTES)
		return NULL;
	cursor->at = at + 1;
	return g_strndup(start, (gsize)(at - start));
}

/* "2.0.0", RFC 3463 2. */
static char *
take_dsn(struct cursor *cursor)
{
	const char *at = cursor->at, *start = at;

	for (int part = 0; part < 3; part++) {
		int digits = 0;

		if (part > 0 && *at++ != '.')
			return NULL;
		while (g_ascii_isdigit(*at) && ++digits <= 3)
			at++;
		if (digits < 1 || digits > 3)
			return NULL;
	}
	cursor->at = at;
	return g_strndup(start, (gsize)(at - start));
}

static char *
capped(const char *text, gsize length)
{
	return text_from_bytes(text, length, CAP_DELIVERY_TEXT_BYTES, NULL);
}

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

/* ---- the stamp ---- */

static gint64
time_of(GDateTime *time)
{
	return g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time);
}

/* RFC 3339: digits where they belong, then what GLib makes of it. */
static gboolean
take_full_stamp(struct cursor *cursor, GTimeZone *zone, gint64 *ret_us)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	g_autofree char *stamp = NULL;
	g_autoptr(GDateTime) time = NULL;

	for (gsize i = 0; i < sizeof(shape) - 1; i++) {
		char c = cursor->at[i];

		if (shape[i] == 'd' ? !g_ascii_isdigit(c) : c != shape[i])
			return FALSE;
	}
	stamp = take_word(cursor, " ", STAMP_MAX);
	time = stamp != NULL ? g_date_time_new_from_iso8601(stamp, zone) : NULL;
	if (time == NULL || time_of(time) < 0)
		return FALSE;
	*ret_us = time_of(time);
	return TRUE;
}

static int
month_of(const char *text)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int month = 0; month < 12; month++)
		if (strncmp(text, names + 3 * month, 3) == 0)
			return month + 1;
	return 0;
}

static int
two_digits(const char *text)
{
	if (!g_ascii_isdigit(text[1]) || !(g_ascii_isdigit(text[0]) || text[0] == ' '))
		return -1;
	return (text[0] == ' ' ? 0 : text[0] - '0') * 10 + text[1] - '0';
}

/* The latest year in which the day exists and is not after tomorrow; leap days come within eight.
 */
static gboolean
guess_year(const int fields[5], gint64 now_us, GTimeZone *zone, gint64 *ret_us)
{
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);

	for (int back = -1; now != NULL && back <= 8; back++) {
		g_autoptr(GDateTime) time =
			g_date_time_new(zone, g_date_time_get_year(now) - back, fields[0],
					fields[1], fields[2], fields[3], fields[4]);

		if (time == NULL || time_of(time) > now_us + G_TIME_SPAN_DAY || time_of(time) < 0)
			continue;
		*ret_us = time_of(time);
		return TRUE;
	}
	return FALSE;
}

/* "Nov 23 13:08:31 ", RFC 3164 4.1.2: a day below ten has a blank before it. */
static gboolean
take_short_stamp(struct cursor *cursor, gint64 now_us, GTimeZone *zone, gint64 *ret_us)
{
	const char *at = cursor->at;
	int fields[5];

	if (strnlen(at, 16) < 16 || at[3] != ' ' || at[6] != ' ' || at[9] != ':' || at[12] != ':' ||
	    at[15] != ' ')
		return FALSE;
	fields[0] = month_of(at);
	for (int i = 1; i < 5; i++)
		fields[i] = two_digits(at + 1 + 3 * i);
	cursor->at = at + 16;
	return guess_year(fields, now_us, zone, ret_us);
}

/* ---- the delivery agents ---- */

/* "250 2.0.0 Ok: queued as 4Xyz…" of another MTA, "forwarded as …" of local(8). */
static char *
next_queue_id(const char *text)
{
	static const char *const phrases[] = {"queued as ", "forwarded as "};
	const char *blank = strrchr(text, ' ');

	if (blank == NULL || !is_queue_id(blank + 1))
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(phrases); i++) {
		gsize length = strlen(phrases[i]);

		if ((gsize)(blank + 1 - text) >= length &&
		    strncmp(blank + 1 - length, phrases[i], length) == 0)
			return g_strdup(blank + 1);
	}
	return NULL;
}

/* " (text)" to the end; syslog may have cut the end, so that ")" may be missing. */
static gboolean
take_text(struct cursor *cursor, struct delivery *delivery)
{
	g_autofree char *text = NULL;
	gsize length;

	if (!take(cursor, " ("))
		return FALSE;
	length = strlen(cursor->at);
	if (length > 0 && cursor->at[length - 1] == ')')
		length--;
	text = g_strndup(cursor->at, length);
	delivery->next_queue_id = next_queue_id(text);
	delivery->detail = capped(text, length);
	return TRUE;
}

static gboolean
take_status(struct cursor *cursor, enum delivery_kind *ret_kind)
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
		struct cursor after = *cursor;

		if (take(&after, words[i].word) && *after.at == ' ') {
			*cursor = after;
			*ret_kind = words[i].kind;
			return TRUE;
		}
	}
	return FALSE;
}

/* conn_use=, delay=, delays=, tls=: ", name=value", where a value has no comma. */
static gboolean
skip_to_dsn(struct cursor *cursor)
{
	for (int i = 0; i <= EXTRA_FIELDS_MAX; i++) {
		if (take(cursor, "dsn="))
			return TRUE;
		cursor->at += strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz_");
		if (*cursor->at != '=')
			return FALSE;
		cursor->at += strcspn(cursor->at, ",<>()\"");
		if (!take(cursor, ", "))
			return FALSE;
	}
	return FALSE;
}

static gboolean
parse_agent(struct cursor *cursor, struct delivery *delivery)
{
	g_autofree char *relay = NULL;

	if (!take(cursor, "to="))
		return FALSE;
	delivery->recipient = take_address(cursor);
	if (delivery->recipient == NULL || *delivery->recipient == '\0')
		return FALSE;
	if (take(cursor, ", orig_to=")) {
		delivery->original = take_address(cursor);
		if (delivery->original == NULL)
			return FALSE;
	}
	if (!take(cursor, ", relay="))
		return FALSE;
	relay = take_word(cursor, ", ", CAP_LOG_LINE_BYTES);
	if (relay == NULL || strpbrk(relay, "<>()\"") != NULL || !skip_to_dsn(cursor))
		return FALSE;
	delivery->relay = capped(relay, strlen(relay));
	delivery->dsn = take_dsn(cursor);
	return delivery->dsn != NULL && take(cursor, ", status=") &&
	       take_status(cursor, &delivery->kind) && take_text(cursor, delivery);
}

/* discard(8) says "sent" of what it throws away. */
static gboolean
parse_discard(struct cursor *cursor, struct delivery *delivery)
{
	if (!parse_agent(cursor, delivery))
		return FALSE;
	delivery->kind = DELIVERY_BOUNCED;
	return TRUE;
}

/* ---- the queue ---- */

static gboolean
parse_qmgr(struct cursor *cursor, struct delivery *delivery)
{
	g_autofree char *sender = NULL;
	guint size;

	if (strcmp(cursor->at, "removed") == 0) {
		delivery->kind = DELIVERY_DONE;
		return TRUE;
	}
	if (!take(cursor, "from="))
		return FALSE;
	sender = take_address(cursor);
	if (sender == NULL || !take(cursor, ", size=") || !take_number(cursor, &size) ||
	    !take(cursor, ", nrcpt=") || !take_number(cursor, &delivery->recipients))
		return FALSE;
	delivery->kind = DELIVERY_QUEUED;
	return strcmp(cursor->at, " (queue active)") == 0;
}

static gboolean
parse_postsuper(struct cursor *cursor, struct delivery *delivery)
{
	if (strcmp(cursor->at, "placed on hold") == 0)
		delivery->kind = DELIVERY_HELD;
	else if (strcmp(cursor->at, "removed") == 0)
		delivery->kind = DELIVERY_DONE;
	else
		return FALSE;
	delivery->detail = g_strdup("postsuper");
	return TRUE;
}

/* ---- refusals ---- */

/* "reject: ", "milter-hold: "…: what was done, then at which stage. */
static gboolean
take_action(struct cursor *cursor, struct delivery *delivery, gboolean *ret_reject)
{
	take(cursor, "milter-");
	*ret_reject = take(cursor, "reject: ");
	delivery->kind = DELIVERY_REFUSED;
	if (*ret_reject || take(cursor, "discard: "))
		return TRUE;
	delivery->kind = DELIVERY_HELD;
	return take(cursor, "hold: ");
}

/*
 * Takes " from=<…> to=<…> proto=… helo=<…>" up to the line's end.  Postfix
 * replaces blanks, brackets, quotes and semicolons in what the client said to HELO.
 */
static gboolean
take_tail(struct cursor *cursor, char **ret_recipient)
{
	static const char *const names[] = {
		" from=", " to=", " proto=", " helo=", " sasl_username="};
	g_autofree char *recipient = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *value = NULL;

		if (!take(cursor, names[i]))
			continue;
		if (*cursor->at == '<') {
			value = take_address(cursor);
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
		struct cursor tail = {at + 1};

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
	struct cursor cursor = {text};
	guint code;

	if (take_number(&cursor, &code) && !take(&cursor, " "))
		cursor.at = text;
	delivery->dsn = take_dsn(&cursor);
	delivery->detail = capped(text, length);
}

/*
 * cleanup speaks of the message as a whole, and all behind the action is what
 * others said.  Its own checks' lines have no "stage from client: " before the
 * reply, so that the text is kept as it is.
 */
static gboolean
parse_cleanup(struct cursor *cursor, struct delivery *delivery)
{
	gboolean reject;
	g_autofree char *client = NULL;

	if (!take_action(cursor, delivery, &reject))
		return FALSE;
	if (take(cursor, "END-OF-MESSAGE from "))
		client = take_word(cursor, ": ", CAP_LOG_LINE_BYTES);
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
parse_smtpd(struct cursor *cursor, struct delivery *delivery)
{
	g_autofree char *stage = NULL, *client = NULL;
	gboolean reject;

	if (!take_action(cursor, delivery, &reject))
		return FALSE;
	stage = take_word(cursor, " from ", TAG_MAX);
	client = stage != NULL ? take_word(cursor, ": ", CAP_LOG_LINE_BYTES) : NULL;
	if (client == NULL)
		return FALSE;
	if (reject)
		return note_refusal(delivery, stage, cursor->at);
	note_reply(delivery, cursor->at, reply_length(cursor->at));
	return TRUE;
}

/* ---- a line ---- */

typedef gboolean (*parse_program)(struct cursor *cursor, struct delivery *delivery);

static parse_program
parser_of(const char *program)
{
	static const struct {
		const char *name;
		parse_program parse;
	} programs[] = {
		{"qmgr", parse_qmgr},	{"smtp", parse_agent},		{"lmtp", parse_agent},
		{"local", parse_agent}, {"virtual", parse_agent},	{"pipe", parse_agent},
		{"error", parse_agent}, {"discard", parse_discard},	{"cleanup", parse_cleanup},
		{"smtpd", parse_smtpd}, {"postsuper", parse_postsuper},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(programs); i++)
		if (strcmp(program, programs[i].name) == 0)
			return programs[i].parse;
	return NULL;
}

/* Takes "postfix/smtpd[123]: "; NULL if it is not of a program that matters. */
static parse_program
take_tag(struct cursor *cursor)
{
	g_autofree char *tag = NULL;
	char *bracket, *slash;

	if (!g_str_has_prefix(cursor->at, "postfix"))
		return NULL;
	tag = take_word(cursor, ": ", TAG_MAX);
	if (tag == NULL || strchr(tag, ' ') != NULL)
		return NULL;
	bracket = strchr(tag, '[');
	if (bracket != NULL)
		*bracket = '\0';
	slash = strrchr(tag, '/');
	return slash != NULL ? parser_of(slash + 1) : NULL;
}

static gboolean
parse_line(struct cursor *cursor, gint64 now_us, GTimeZone *zone, struct delivery *delivery)
{
	parse_program parse;

	if (!take_full_stamp(cursor, zone, &delivery->time_us) &&
	    !take_short_stamp(cursor, now_us, zone, &delivery->time_us))
		return FALSE;
	delivery->log_host = take_word(cursor, " ", HOST_MAX);
	parse = delivery->log_host != NULL ? take_tag(cursor) : NULL;
	if (parse == NULL)
		return FALSE;
	delivery->queue_id = take_word(cursor, ": ", QUEUE_ID_MAX);
	return delivery->queue_id != NULL && is_queue_id(delivery->queue_id) &&
	       parse(cursor, delivery);
}

static char *
id_of(const char *line, gsize length, guint64 offset)
{
	g_autoptr(GString) key = g_string_new(NULL);

	g_string_printf(key, "log:%" G_GUINT64_FORMAT ":", offset);
	g_string_append_len(key, line, (gssize)length);
	return event_id_of(key->str, key->len);
}

struct delivery *
postfix_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone)
{
	g_autoptr(delivery_t) delivery = NULL;
	g_autofree char *text = NULL;
	struct cursor cursor;

	if (length > CAP_LOG_LINE_BYTES)
		return NULL;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	cursor.at = text;
	delivery = delivery_new();
	if (!parse_line(&cursor, now_us, zone, delivery))
		return NULL;
	delivery->event_id = id_of(line, length, offset);
	return g_steal_pointer(&delivery);
}
